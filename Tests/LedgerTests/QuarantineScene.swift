import Payouts
import Testing

@testable import Ledger

/// A second Signer beside the one that every test ledger has, whose vouching cannot be had.
protocol QuarantineScene {}

extension QuarantineScene {
  static var second: String { "signer-2" }
  static var secondID: [UInt8] { [UInt8](repeating: 0x4b, count: 16) }
  static var newID: [UInt8] { [UInt8](repeating: 0x4c, count: 16) }
  /// Twice the clock bound and the longest life of a transaction, as `TestLedger.installation` has them.
  static var wholeWait: Int64 { 2 * 60_000 + 600_000 }

  func declareSecond(_ test: TestLedger) async throws {
    _ = try await test.ledger.declare(
      wallet: Sample.wallet, signer: Self.second, journalID: Self.secondID, begin: test.place(100))
  }

  func ask(
    _ test: TestLedger, _ cause: QuarantineCause, signer: String = "signer-2", journalID: [UInt8]? = nil,
    expiration: Int64? = nil
  ) async throws -> QuarantineAnswer {
    try await test.ledger.requestQuarantine(
      QuarantineRequest(
        signer: signer, cause: cause, journalID: journalID, expirationMilliseconds: expiration, reason: "a test"))
  }

  func life(_ test: TestLedger) async throws -> ServerLife {
    try await test.ledger.vouchingState(signer: TestLedger.signer).life
  }

  @discardableResult
  func begin(_ test: TestLedger, headTime: Timestamp? = nil) async throws -> QuarantineBeginning {
    try await test.ledger.beginQuarantines(
      head: Sample.place(100, at: headTime ?? test.now), under: life(test))
  }

  /// Both views go to the next block, which has that time.
  func block(
    _ test: TestLedger, at time: Timestamp, views: Set<CursorView> = [.head, .solid], headBranch: UInt8 = 0
  ) async throws {
    if views.contains(.head), let cursor = try await test.ledger.cursor(.head) {
      let head = HeadBlock(
        place: Sample.place(cursor.number + 1, at: time, branch: headBranch), transactions: [], suspects: [],
        keepAbove: 0)
      #expect(try await test.ledger.apply(head: head, after: cursor))
    }
    if views.contains(.solid), let cursor = try await test.ledger.cursor(.solid) {
      #expect(try await test.solid(cursor.number + 1, at: time))
    }
  }

  func untilOfOpen(_ test: TestLedger) async throws -> Timestamp {
    try #require(try await test.ledger.quarantines(atMost: 1).first?.until)
  }
}
