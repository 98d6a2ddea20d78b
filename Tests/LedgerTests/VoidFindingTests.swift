import Foundation
import Ledger
import Payouts
import Synchronization
import Testing

/// What the fence found in a block that a fork undid holds nobody up once it can be in no block any more; before that, and
/// where a solid block holds it, it holds what it may have paid (DESIGN.md §3 "The fence").
@Suite struct VoidFindingTests {
  private static let lost = Sample.txid(Sample.reference(1), attempt: 7)

  /// A lost transaction that pays payout 1 like a Signer's; it expires with block 121.
  private func finding(_ test: TestLedger) -> ChainFinding {
    ChainFinding(
      kind: .ownedTransaction, txid: Self.lost, logIndex: -1, wallet: Sample.wallet, recipient: Sample.recipient(1),
      amountText: "1000000", referenceBits: Sample.reference(1).topTenBits, timestamp: test.now,
      expiration: test.place(121).time)
  }

  /// Payout 1 waits to be signed, and an operator has acknowledged that head block 101 holds what equals it.
  private func found(_ test: TestLedger) async throws {
    try await test.schedule(1)
    try await test.head(101, [Self.lost], suspects: [finding(test)])
    #expect(try await test.ledger.judgeFindings() == 1)
    _ = try await test.ledger.closeBreaker(reason: "our own, lost in the restore")
  }

  /// What a Signer is told of transfers that may have paid payout 1; signs nothing.
  private func unclaimed(_ test: TestLedger) async throws -> [Int64?] {
    let told = Mutex<[SigningCandidate]>([])
    _ = try await test.ledger.sign(test.order()) { batch in
      told.withLock { $0 = batch.candidates }
      return []
    }
    return try #require(told.withLock { $0 }.first).unclaimedReferenceBits
  }

  private func isVoid(_ test: TestLedger) async throws -> [Bool] {
    try await test.ledger.unexplainedFindings(atMost: 10).map(\.finding.isVoid)
  }

  private func read(_ test: TestLedger, solid numbers: ClosedRange<Int64>) async throws {
    for number in numbers { #expect(try await test.solid(number)) }
  }

  @Test func `what a fork dropped holds its payout until the solid chain is past its expiration`() async throws {
    try await withLedger { test async throws in
      let bits = Sample.reference(1).topTenBits
      try await found(test)
      _ = try await test.ledger.undoHead(above: 100)
      try await read(test, solid: 101...120)
      #expect(try await isVoid(test) == [false])
      #expect(try await unclaimed(test) == [bits])
      try await read(test, solid: 121...121)
      #expect(try await isVoid(test) == [true])
      #expect(try await unclaimed(test) == [])
    }
  }

  @Test func `a payout that equals what a fork dropped for good expires, and is not held`() async throws {
    try await withLedger { test async throws in
      try await test.accept([try Sample.payout(1, expiresAt: test.now.advanced(byMilliseconds: 60_000))])
      try await test.head(101, [Self.lost], suspects: [finding(test)])
      #expect(try await test.ledger.judgeFindings() == 1)
      _ = try await test.ledger.closeBreaker(reason: "our own, lost in the restore")
      _ = try await test.ledger.undoHead(above: 100)
      try await read(test, solid: 101...121)
      try await test.force("UPDATE payouts SET expires_at = ledger_now() - interval '1 second'")
      #expect(try await test.ledger.expire(atMost: 10).map(\.payout) == [Sample.payoutID(1)])
    }
  }

  @Test func `what no solid block was seen to hold is not void while its block was not undone`() async throws {
    try await withLedger { test async throws in
      try await found(test)
      try await read(test, solid: 101...125)
      #expect(try await isVoid(test) == [false])
    }
  }

  @Test func `what came into another block of the head is not void`() async throws {
    try await withLedger { test async throws in
      try await found(test)
      _ = try await test.ledger.undoHead(above: 100)
      try await test.head(101, branch: 1)
      try await test.head(102, [Self.lost], suspects: [finding(test)], branch: 1)
      try await read(test, solid: 101...125)
      #expect(try await isVoid(test) == [false])
      #expect(try await unclaimed(test) == [Sample.reference(1).topTenBits])
    }
  }

  @Test func `what a solid block holds is never void, whatever the head's branch does`() async throws {
    try await withLedger { test async throws in
      try await found(test)
      try await read(test, solid: 101...101)
      try await test.ledger.store(findings: [finding(test)], in: test.place(102))
      try await read(test, solid: 102...125)
      // A false branch of the head holds it as well, and is undone.
      try await test.head(102, [Self.lost], suspects: [finding(test)], branch: 2)
      _ = try await test.ledger.undoHead(above: 100)
      #expect(try await isVoid(test) == [false])
      #expect(try await unclaimed(test) == [Sample.reference(1).topTenBits])
    }
  }

  @Test func `a finding that is older than the column counts as solid`() async throws {
    try await withLedger { test async throws in
      try await test.addFinding()
      #expect(try await test.rows("SELECT place, expiration_ms IS NULL FROM unclaimed_transfers") == ["solid|true"])
    }
  }
}
