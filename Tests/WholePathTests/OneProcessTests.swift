import Ledger
import Payouts
import Synchronization
import TestSupport
import Testing
import Tron
import Worker

@testable import Ingest

/// The seams hold: a payout goes through all four workers in one process without a single real wait, and so do a fork
/// and a lost transaction (DESIGN.md §3, last paragraph).
@Suite struct OneProcessTests {
  private static let recipient = Address(account: [UInt8](repeating: 0x55, count: 20))

  @Test func `A payout goes from acceptance to 19 confirmations`() async throws {
    let system = try await OneProcess()
    try await system.run {
      let id = try await system.pay(Self.recipient, "12.345678", key: "a")
      try await system.settle()
      #expect(try await system.status(id) == .broadcast)
      let txid = try #require(try await system.txids(of: id).first)
      #expect(system.journal.holds(txid))
      // In a block: 1 of 19.
      try await system.pass(slots: 1)
      #expect(try await system.status(id) == .confirming)
      // 18 of 19, and the block is not solid yet.
      try await system.pass(slots: 17)
      #expect(try await system.status(id) == .confirming)
      // 19 of 19, and solid.
      try await system.pass(slots: 1)
      #expect(try await system.status(id) == .confirmed)
      #expect(
        try await system.way(of: id) == [.queued, .scheduled, .signed, .broadcast, .confirming, .confirmed])
      #expect(await system.node.payments(to: Self.recipient) == [txid])
    }
  }

  @Test func `a batch is paid, each payout once, and completed with the last of them`() async throws {
    let system = try await OneProcess()
    try await system.run {
      // Two of them are alike to the last field.
      let batch = try await system.pay(batchOf: ["1", "2", "2"], to: Self.recipient, key: "a")
      func progress() async throws -> (status: BatchStatus, completed: Int) {
        let progress = try #require(try await system.ledger.clientBatch(batch.id))
        return (BatchStatus(progress), progress.completedCount)
      }
      try await system.settle()
      try await system.pass(slots: 18)
      #expect(try await progress() == (.processing, 0))
      try await system.pass(slots: 1)
      #expect(try await progress() == (.completed, 3))
      #expect(await system.node.payments(to: Self.recipient).count == 3)
    }
  }

  @Test func `the logs lead from a request to its payout, to its transaction, and to the end of both`() async throws {
    let log = KeptLog()
    let system = try await OneProcess(log: log)
    try await system.run {
      let id = try await system.pay(Self.recipient, "5", key: "a")
      try await system.settle()
      try await system.pass(slots: 19)
      let txid = try #require(try await system.txids(of: id).first)
      let signed = try #require(log.lines(where: LogKey.requestID, is: "test").first)
      #expect(signed.fields[LogKey.payoutID] == "\(id)" && signed.fields[LogKey.txID] == "\(txid)")
      #expect(signed.fields[LogKey.attemptNumber] == "1" && signed.fields[LogKey.batchID] != nil)
      #expect(log.lines(where: LogKey.txID, is: "\(txid)").map(\.message) == ["Signed a payout", "A transaction paid"])
      #expect(
        log.lines(where: LogKey.payoutID, is: "\(id)").map(\.message) == ["Signed a payout", "Confirmed a payout"])
    }
  }

  @Test func `A payout for a window is signed after its end and not before`() async throws {
    // Twenty slots a window. Judged by the history, so that it does not matter how fast the ledger's clock goes meanwhile.
    let system = try await OneProcess()
    try await system.run {
      _ = try await system.ledger.setWindows(WindowLengths(hourly: 60_000, daily: 120_000, weekly: 180_000))
      let id = try await system.pay(Self.recipient, "3", key: "a", batchType: .hourly)
      let end = try #require(try await system.ledger.payout(id)).windowEnd
      while system.clock.now() < end { try await system.pass(slots: 1) }
      try await system.pass(slots: 20)
      #expect(try await system.status(id) == .confirmed)
      #expect(
        try await system.way(of: id) == [.queued, .scheduled, .signed, .broadcast, .confirming, .confirmed])
      for event in try await system.ledger.history(of: id) where event.to != .queued { #expect(event.at >= end) }
      #expect(try await system.node.payments(to: Self.recipient) == system.txids(of: id))
    }
  }

  @Test func `A fork that takes a payout out of its block is undone, and the payout is paid once on the other branch`()
    async throws
  {
    let system = try await OneProcess()
    try await system.run {
      let id = try await system.pay(Self.recipient, "5", key: "a")
      try await system.settle()
      let txid = try #require(try await system.txids(of: id).first)
      let before = await system.node.head.number
      try await system.pass(slots: 3)
      #expect(try await system.status(id) == .confirming)

      // The other branch is longer and does not hold the transaction, which is pending again.
      await system.node.fork(above: before)
      try await system.pass(slots: 4, including: [])
      #expect(try await system.status(id) == .broadcast)
      #expect(await system.node.payments(to: Self.recipient).isEmpty)

      try await system.pass(slots: 19)
      #expect(try await system.status(id) == .confirmed)
      #expect(
        try await system.way(of: id) == [
          .queued, .scheduled, .signed, .broadcast, .confirming, .broadcast, .confirming, .confirmed,
        ])
      #expect(try await system.txids(of: id) == [txid])
      #expect(await system.node.payments(to: Self.recipient) == [txid])
    }
  }

  @Test
  func `A lost transaction frees its payout only when the solid chain has passed its expiration, and it is paid once`()
    async throws
  {
    let system = try await OneProcess()
    try await system.run {
      // The node says SUCCESS to everything and forgets the first transaction each time it is sent.
      let first = Mutex<TxID?>(nil)
      await system.node.setBroadcast { _, txid in
        let lost = first.withLock { lost in
          lost = lost ?? txid
          return lost == txid
        }
        return lost ? .answer(.success, takes: false) : nil
      }
      let id = try await system.pay(Self.recipient, "7.5", key: "a")
      try await system.settle()
      #expect(try await system.status(id) == .broadcast)
      let attempt = try #require(try await system.ledger.attempts(of: id).first)

      // Until the first block at or after the expiration is solid nothing is freed, however long that takes.
      while await system.node.place(system.node.solidNumber).time < attempt.expiration {
        #expect(try await system.status(id) == .broadcast)
        try await system.pass(slots: 1)
      }
      #expect(try await system.status(id) == .scheduled)
      let freed = try #require(try await system.ledger.attempts(of: id).first)
      #expect(freed.outcome == .dead)

      // After the retry delay, and after Signer has proven the death for itself, the second attempt pays.
      try await system.pass(slots: 21)
      #expect(try await system.ledger.attempts(of: id).count == 2)
      try await system.pass(slots: 20)
      #expect(try await system.status(id) == .confirmed)
      let attempts = try await system.ledger.attempts(of: id)
      #expect(attempts.map(\.outcome) == [.dead, .paid])
      #expect(await system.node.payments(to: Self.recipient) == [attempts[1].txid])
    }
  }
}
