import Ledger
import Payouts
import Testing

@testable import Simulation

/// What Monitor asks for: blocks of the head, solid ones, and verdicts.
extension ModelWalk {
  private mutating func txids(_ statuses: Set<TransactionStatus>) -> [TxID] {
    model.transactions.values.filter { statuses.contains($0.status) }.map(\.entry.txid).sorted().filter { _ in
      roll(2) == 0
    }
  }

  mutating func head() async throws {
    let cursor = try #require(model.cursors[.head])
    if roll(6) == 0 { return try await resetHead(cursor) }
    if roll(5) == 0 {
      branch &+= 1
      let number = cursor.number - Int64(roll(4))
      let from = roll(6) == 0 ? Sample.place(cursor.number, at: model.now, branch: 250) : cursor
      return try await compare("undo above \(number)") {
        "\(String(describing: try await $0.undoHead(above: number, from: from)?.sorted()))"
      } _: {
        "\(String(describing: try $0.undoHead(above: number, from: from)?.sorted()))"
      }
    }
    let place = Sample.place(cursor.number + 1, at: model.now, branch: branch)
    let suspects = roll(12) == 0 ? [finding()] : []
    let solid = model.cursors[.solid]?.number ?? 0
    let block = HeadBlock(
      place: place, transactions: txids([.signed, .sent]), suspects: suspects,
      keepAbove: min(solid, cursor.number) - 3)
    let previous = roll(10) == 0 ? Sample.place(cursor.number, at: model.now, branch: 250) : cursor
    try await compare("head \(place.number) of \(block.transactions) suspects \(suspects.count)") {
      "\(try await $0.apply(head: block, after: previous))"
    } _: {
      "\(try $0.apply(head: block, after: previous))"
    }
  }

  /// Orders to set the head anew, and what a Monitor makes of them.
  private mutating func resetHead(_ cursor: BlockPlace) async throws {
    guard let order = model.openHeadReset, roll(4) > 0 else {
      guard roll(3) > 0 else {
        return try await compare("head-resets") {
          "\(try await $0.headResets(atMost: 3))"
        } _: {
          "\($0.headResets(atMost: 3))"
        }
      }
      return try await compare("order-head-reset") {
        "\(try await $0.orderHeadReset(reason: "reason"))"
      } _: {
        "\($0.orderHeadReset(reason: "reason"))"
      }
    }
    if roll(5) == 0 {
      return try await compare("refuse-head-reset") {
        try await $0.refuseHeadReset(order, "why")
        return "done"
      } _: {
        $0.refuseHeadReset(order, "why")
        return "done"
      }
    }
    let head = roll(6) == 0 ? Sample.place(cursor.number, at: model.now, branch: 250) : cursor
    let solid = try #require(model.cursors[.solid])
    try await compare("reset-head \(order.id) to \(solid.number)") {
      try await $0.resetHead(by: order, to: solid, from: head).map { "done \($0.sorted())" } ?? "nil"
    } _: {
      try $0.resetHead(by: order, to: solid, from: head).map { "done \($0.sorted())" } ?? "nil"
    }
  }

  mutating func finding() -> ChainFinding {
    let isTransfer = roll(2) == 0
    return ChainFinding(
      kind: isTransfer ? .tokenTransfer : .ownedTransaction,
      txid: Sample.txid(Sample.reference(9_000 + roll(5)), attempt: 9),
      logIndex: isTransfer ? 0 : -1, wallet: Sample.wallet, recipient: isTransfer ? Sample.recipient(first) : nil,
      amountText: isTransfer ? "1000000" : nil, referenceBits: isTransfer ? [5, 0x55 << 2][roll(2)] : nil,
      timestamp: nil)
  }

  private mutating func verdicts() -> [TxID: TransactionVerdict] {
    let place = model.cursors[.head] ?? Sample.place(1, at: model.now)
    var verdicts: [TxID: TransactionVerdict] = [:]
    for txid in txids([.signed, .sent, .included, .anomalous, .solid, .dead]) {
      verdicts[txid] =
        switch roll(8) {
        case 0...3: .paid(place, Sample.cost)
        case 4: .failedOnChain(place, Sample.cost, result: "REVERT")
        case 5: .failedOnChain(place, Sample.cost, result: "OUT_OF_ENERGY")
        case 6: .dead
        default: roll(2) == 0 ? .anomalous(place, finding: "odd") : .dead
        }
    }
    return verdicts
  }

  mutating func solid() async throws {
    let cursor = try #require(model.cursors[.solid])
    let place = Sample.place(cursor.number + 1, at: model.now, branch: branch)
    let verdicts = roll(2) == 0 ? verdicts() : [:]
    try await compare("solid \(place.number) \(verdicts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" })") {
      "\(try await $0.apply(solid: place, after: cursor, verdicts: verdicts, retryDelayMilliseconds: 5_000))"
    } _: {
      "\(try $0.apply(solid: place, after: cursor, verdicts: verdicts, retryDelayMilliseconds: 5_000))"
    }
    let (number, required) = (cursor.number + 1 + Int64(roll(3)), Int64(1 + roll(3)))
    try await compare("confirm") {
      "\(try await $0.confirm(headNumber: number, requiredConfirmations: required, atMost: 1_000).sorted())"
    } _: {
      "\(try $0.confirm(headNumber: number, requiredConfirmations: required, atMost: 1_000).sorted())"
    }
  }

  mutating func settle() async throws {
    let verdicts = verdicts()
    try await compare("settle \(verdicts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" })") {
      try await $0.settle(verdicts, retryDelayMilliseconds: 5_000)
      return "done"
    } _: {
      try $0.settle(verdicts, retryDelayMilliseconds: 5_000)
      return "done"
    }
  }
}
