import ArgumentParser
import Ledger
import Nodes
import Payouts
import Tron
import Worker

/// Commands about the wallet's own money.
struct TreasuryCommands: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "treasury", abstract: "Orders that move the hot wallet's own money.",
    subcommands: [SweepTreasury.self, ListTreasury.self], defaultSubcommand: ListTreasury.self)
}

/// `payoutctl treasury sweep`: USDT of the hot wallet to a cold wallet. An order: a Signer journals, signs and sends it.
///
/// ## Configuration keys
/// - `LUCID_ENV`, `DATABASE_URL` (PostgreSQL URL, required, secret), and those of `TronConfiguration`.
struct SweepTreasury: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sweep", abstract: "Orders Signer to send USDT of the hot wallet to a cold wallet.",
    discussion: """
      Signer sends only to an address that TREASURY_ADDRESSES of its own configuration names: this order alone moves \
      nothing. It counts in no limit, and is signed once: one that fails or dies is ordered anew. It waits like payouts do \
      while payments are paused, the breaker or a finding is open. With --despite-breaker it waits for none of these, so \
      that the money can be brought to safety from a stolen key; never while the history is not vouched for.
      """)

  @Option(name: .long, help: "The cold wallet's address.", transform: SweepTreasury.address)
  var to: Address

  @Option(name: .long, help: "How much, in USDT.", transform: SweepTreasury.amount)
  var amount: Amount

  @Flag(name: .long, help: "Signed although payments are paused, or the breaker or a finding is open.")
  var despiteBreaker = false

  @OptionGroup var why: ReasonOption

  func run() async throws {
    let (database, tron) = try Settings.read { settings in
      _ = settings.deploymentStage()
      return (settings.url("DATABASE_URL", .postgres), TronConfiguration(from: &settings))
    }
    let id = PayoutID(at: SystemClock().now(), randomness: SystemRandomSource().bytes(10))
    try await Payoutctl.ledger(at: database).order(
      TreasuryOrder(
        id: id, token: tron.usdtContract, recipient: to, amount: amount, isDespiteBreaker: despiteBreaker,
        reason: why.reason))
    print("treasury order \(id): \(amount) USDT to \(to); see 'payoutctl treasury'")
  }

  private static func address(_ text: String) throws -> Address {
    do { return try Address(text) } catch { throw ValidationError(error.reason) }
  }

  private static func amount(_ text: String) throws -> Amount {
    do {
      let amount = try Amount(decimal: text)
      guard amount > .zero else { throw ValidationError("expected more than zero") }
      return amount
    } catch let error as MalformedValue { throw ValidationError(error.reason) }
  }
}

/// `payoutctl treasury list`: what was ordered, and what came of it. Changes nothing.
///
/// ## Configuration keys
/// - `DATABASE_URL` (PostgreSQL URL, required, secret).
struct ListTreasury: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "Lists treasury orders, the newest first.")

  @OptionGroup var list: ListOptions

  func run() async throws {
    let orders = try await Payoutctl.ledger().treasuryOrders(atMost: list.limit)
    try list.write(orders.map(TreasuryLine.init), none: "nothing was ordered", lines: \.lines)
  }
}

/// A treasury order as it is listed.
private struct TreasuryLine: Encodable {
  let orderId: String
  let state: String
  let txid: String?
  let refusal: String?
  let amountUsdt: String
  let recipientAddress: String
  let despiteBreaker: Bool
  let orderedBy: String
  let orderedAt: String
  let reason: String

  init(_ record: TreasuryOrderRecord) {
    orderId = record.order.id.description
    switch record.state {
    case .ordered: (state, txid, refusal) = ("ordered", nil, nil)
    case .refused(let why): (state, txid, refusal) = ("refused", nil, why)
    case .signed(let txid, let status): (state, self.txid, refusal) = (status.rawValue, txid.description, nil)
    }
    amountUsdt = record.order.amount.description
    recipientAddress = record.order.recipient.description
    despiteBreaker = record.order.isDespiteBreaker
    orderedBy = record.orderedBy
    orderedAt = record.orderedAt.description
    reason = record.order.reason
  }

  var lines: [String] {
    let how = despiteBreaker ? ", despite the breaker" : ""
    return [
      "\(orderId)  \(state)  \(amountUsdt) USDT to \(recipientAddress)",
      "  ordered \(orderedAt) by \(orderedBy)\(how): \(reason)",
    ] + (txid.map { ["  txid \($0)"] } ?? []) + (refusal.map { ["  refused: \($0)"] } ?? [])
  }
}
