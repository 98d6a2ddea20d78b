import ArgumentParser
import Ledger

/// Commands about the head of the chain as Monitor follows it.
struct HeadCommands: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "head", abstract: "Orders that set the head anew, where it stands on a false branch.",
    subcommands: [ListHeadResets.self, OrderHeadReset.self], defaultSubcommand: ListHeadResets.self)
}

/// `payoutctl head reset`: the head is set to the solid block that was followed. An order: a Monitor, which can ask nodes,
/// carries it out.
///
/// ## Configuration keys
/// - `DATABASE_URL` (PostgreSQL URL, required, secret).
struct OrderHeadReset: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reset", abstract: "Orders Monitor to set the head to the solid block that a quorum agrees on.",
    discussion: """
      For a head that stands on a branch which no node has, and which begins deeper than Monitor looks for a fork: the alarm \
      deep_fork comes again and again, and head_stalled. Monitor sets it back only where a quorum of nodes has the solid \
      block that was followed, and another one than the head's branch. Nothing is confirmed, freed or ended by it: what the \
      dropped blocks held waits for a block again, and all above the solid block is read again.
      """)

  @OptionGroup var why: ReasonOption

  func run() async throws {
    switch try await Payoutctl.ledger().orderHeadReset(reason: why.reason) {
    case .ordered: print("ordered to set the head to the solid block; a running Monitor does it: see 'payoutctl head'")
    case .standing:
      throw Refusal(text: "such an order stands already, see 'payoutctl head': nothing was changed")
    case .notNeeded:
      throw Refusal(
        text: "there is nothing to mend, nothing was changed: the head's branch holds the solid block that was followed"
      )
    }
  }
}

/// `payoutctl head list`: what was ordered, and what came of it. Changes nothing.
///
/// ## Configuration keys
/// - `DATABASE_URL` (PostgreSQL URL, required, secret).
struct ListHeadResets: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "Lists orders that set the head anew, the newest first.")

  @OptionGroup var list: ListOptions

  func run() async throws {
    let orders = try await Payoutctl.ledger().headResets(atMost: list.limit)
    try list.write(orders.map(HeadResetLine.init), none: "the head was never set anew", lines: \.lines)
  }
}

/// An order as it is listed.
private struct HeadResetLine: Encodable {
  let id: Int64
  let state: String
  let fromBlock: Int64?
  let toBlock: Int64?
  let refusal: String?
  let orderedBy: String
  let orderedAt: String
  let reason: String

  init(_ record: HeadResetRecord) {
    id = record.order.id
    switch record.state {
    case .ordered: (state, fromBlock, toBlock, refusal) = ("ordered", nil, nil, nil)
    case .done(let from, let to): (state, fromBlock, toBlock, refusal) = ("done", from, to, nil)
    case .refused(let why): (state, fromBlock, toBlock, refusal) = ("refused", nil, nil, why)
    }
    orderedBy = record.order.orderedBy
    orderedAt = record.orderedAt.description
    reason = record.order.reason
  }

  var lines: [String] {
    let move = fromBlock.flatMap { from in toBlock.map { ["  the head went from block \(from) to block \($0)"] } } ?? []
    return ["\(id)  \(state)", "  ordered \(orderedAt) by \(orderedBy): \(reason)"] + move
      + (refusal.map { ["  refused: \($0)"] } ?? [])
  }
}
