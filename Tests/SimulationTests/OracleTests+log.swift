import Ledger
import Payouts
import Testing

@testable import Simulation

/// What the oracle finds wrong with what stands in Redis' log of intents.
extension OracleTests {
  @Test("a vouching without an acceptance that the log tells of since before the server started is found")
  func vouchingWithoutLog() throws {
    let acceptance = try acceptance()
    let full = try tables()
    func violations(
      _ after: LedgerTables, loggedAt time: Int64 = OracleTests.now - 1, _ change: (Oracle) -> Void = { _ in }
    ) -> [String] {
      let oracle = oracle()
      oracle.logged([acceptance], at: time)
      change(oracle)
      oracle.noteStarted(at: Self.now)
      var before = after
      before.vouchedLife = nil
      oracle.changed(from: before, to: after)
      return oracle.violations
    }
    let found = "the history was vouched for without \(request.reference), which the log of intents tells of"
    #expect(violations(emptyTables()) == [found])
    let known = violations(full)
    #expect(known == [])
    let afterwards = violations(emptyTables(), loggedAt: Self.now)
    #expect(afterwards == [])
    let forgotten = violations(emptyTables()) { $0.forgotLog() }
    #expect(forgotten == [])
  }

  @Test("an acceptance that the log tells of and that is gone in the end is found")
  func goneFromLog() throws {
    let acceptance = try acceptance()
    let full = try tables()
    func violations(_ tables: LedgerTables, _ change: (Oracle) -> Void = { _ in }) -> [String] {
      let oracle = Oracle(chain, WorldSettings())
      oracle.logged([acceptance], at: Self.now)
      change(oracle)
      oracle.judge(tables)
      return oracle.violations
    }
    #expect(violations(emptyTables()) == ["\(request.reference) stands in the log of intents and is gone"])
    let known = violations(full)
    #expect(known == [])
    let forgotten = violations(emptyTables()) { $0.forgotLog() }
    #expect(forgotten == [])
  }

  /// What the log keeps of the payout's acceptance.
  private func acceptance() throws -> [String: String] {
    let row = try #require(try tables().payouts[id])
    return Intent.accepted(AcceptedPayout(row.record, fingerprint: payout().fingerprint)).fields
  }
}
