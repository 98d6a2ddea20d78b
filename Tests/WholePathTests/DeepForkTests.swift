import Ledger
import Payouts
import TestSupport
import Testing
import Tron

/// "Bold is final, and finals never leave" (DESIGN.md §2), and "only two facts free a payout, both read from the solid chain"
/// (§3 point 5), where the chain does what TRON has never done.
@Suite struct DeepForkTests {
  private static func recipient(_ number: UInt8) -> Address {
    Address(account: [UInt8](repeating: 0x67, count: 19) + [number])
  }

  /// The kinds of the alarms that stand.
  private static func alarms(_ system: OneProcess) async throws -> Set<String> {
    Set(try await system.ledger.standingAlarms(atMost: 100).map(\.kind))
  }

  @Test(arguments: [true, false])
  func `a fork of 25 blocks that are not solid undoes what they said, and everything is paid once by the same bytes`(
    pendsAgain: Bool
  ) async throws {
    let system = try await OneProcess()
    try await system.run {
      var ids: [PayoutID] = []
      for number in UInt8(1)...3 {
        ids.append(try await system.pay(Self.recipient(number), "\(number)", key: "key-\(number)"))
      }
      try await system.settle()
      let before = await system.node.head.number
      await system.node.setSolid(await system.node.solidNumber)
      // 25 blocks: more than the 19 confirmations, and none of them solid.
      try await system.pass(slots: 25)
      let txids = try await system.txids(of: ids)
      #expect(try await system.statuses(ids) == [PayoutStatus](repeating: .confirming, count: 3))

      // The other branch was made in the same slots, by producers that we could not see.
      await system.node.fork(above: before, pendsAgain: pendsAgain)
      for _ in 0..<25 { await system.node.produce([]) }
      try await system.pass(slots: 1, including: [])
      #expect(try await system.statuses(ids) == [PayoutStatus](repeating: .broadcast, count: 3))
      #expect(try await Self.alarms(system).contains("deep_reorganisation"))
      #expect(try await system.txids(of: ids) == txids, "nothing was signed again")

      await system.node.setSolid(nil)
      try await system.pass(slots: 30)
      #expect(try await system.statuses(ids) == [PayoutStatus](repeating: .confirmed, count: 3))
      #expect(try await system.txids(of: ids) == txids)
      for (number, txid) in zip(UInt8(1)...3, txids) {
        #expect(await system.node.payments(to: Self.recipient(number)) == [txid])
      }
    }
  }

  @Test
  func `while no block becomes solid for 10 minutes nothing is declared, freed or signed again, then all goes on`()
    async throws
  {
    // One payout in a block, one that failed there, one that no node took: 10 minutes are five lives of a transaction.
    let system = try await OneProcess()
    try await system.run {
      let lost = try await system.pay(Self.recipient(1), "1", key: "lost")
      await system.node.setBroadcast { _, _ in .answer(.success, takes: false) }
      try await system.settle()
      await system.node.setBroadcast(nil)
      // Its node said SUCCESS and forgot it; all later broadcasts of it are refused.
      let lostTransaction = try #require(try await system.txids(of: lost).first)
      await system.node.setBroadcast { _, txid in
        txid == lostTransaction ? .answer(.success, takes: false) : nil
      }
      let included = try await system.pay(Self.recipient(2), "2", key: "included")
      let failing = try await system.pay(Self.recipient(3), "3", key: "fails")
      try await system.settle()
      let failingTransaction = try #require(try await system.txids(of: failing).first)
      await system.node.setExecution(.failure(.outOfEnergy), of: failingTransaction)
      await system.node.setSolid(await system.node.solidNumber)
      let ids = [lost, included, failing]
      let txids = try await system.txids(of: ids)

      try await system.pass(slots: 1)
      for _ in 0..<20 {
        try await system.pass(slots: 10)
        #expect(try await system.statuses(ids) == [.broadcast, .confirming, .confirming])
        #expect(try await system.txids(of: ids) == txids)
        for id in ids { #expect(try await system.ledger.attempts(of: id).allSatisfy { $0.outcome == nil }) }
      }
      #expect(try await Self.alarms(system).contains("solid_stalled"))
      // New ones are signed meanwhile: what is not solid hinders nobody else.
      let late = try await system.pay(Self.recipient(4), "4", key: "late")
      try await system.pass(slots: 2)
      #expect(try await system.status(late) == .confirming)

      await system.node.setSolid(nil)
      var slots = 0
      while try await system.statuses(ids + [late]).contains(where: { $0 != .confirmed }), slots < 200 {
        slots += 1
        try await system.pass(slots: 1)
      }
      #expect(try await system.statuses(ids + [late]) == [PayoutStatus](repeating: .confirmed, count: 4))
      for number in UInt8(1)...4 { #expect(await system.node.payments(to: Self.recipient(number)).count == 1) }
      #expect(try await system.ledger.attempts(of: lost).map(\.outcome) == [.dead, .paid])
      #expect(try await system.ledger.attempts(of: failing).map(\.outcome) == [.failedOnChain, .paid])
      #expect(try await system.ledger.attempts(of: included).map(\.outcome) == [.paid])
    }
  }
}

extension OneProcess {
  /// The transactions of several payouts' attempts.
  func txids(of ids: [PayoutID]) async throws -> [TxID] {
    var all: [TxID] = []
    for id in ids { all += try await txids(of: id) }
    return all
  }
}
