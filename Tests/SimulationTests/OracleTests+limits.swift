import Ledger
import Payouts
import Testing

@testable import Simulation

/// What the oracle finds wrong with windows of limits.
extension OracleTests {
  private static func window(_ scope: LedgerTables.Window.Scope, _ span: LimitSpan) -> LedgerTables.Window {
    LedgerTables.Window(scope: scope, span: span, startsAt: LedgerTables.windowStart(span, moment))
  }

  /// What is found wrong with a change after which these tables stand.
  private func violations(
    _ after: LedgerTables, from before: LedgerTables? = nil, _ change: (inout WorldSettings) -> Void = { _ in }
  ) -> [String] {
    let oracle = oracle(change)
    oracle.changed(from: before ?? emptyTables(), to: after)
    return oracle.violations
  }

  @Test("a window that holds another amount than its payouts is found, also in the end")
  func acceptedWindow() throws {
    let accepted = try tables()
    let exact = violations(accepted)
    #expect(exact == [])
    for scope in [LedgerTables.Window.Scope.accepted(nil), .accepted(.v0)] {
      for span in LimitSpan.allCases {
        let window = Self.window(scope, span)
        var leaked = accepted
        leaked.used[window] = .zero
        #expect(violations(leaked, from: accepted) == ["the window \(window) says 0, its payouts 1000000"])
      }
    }
    // What ended unpaid was not given back.
    var world = try rejected()
    let window = Self.window(.accepted(nil), .day)
    world.tables.used[window] = request.amount
    #expect(judge(world) == ["the window \(window) says 1000000, its payouts 0"])
  }

  @Test("a window of Signers that holds another amount than its attempts is found, until they have ended unpaid")
  func signedWindow() throws {
    let transaction = try payment()
    let before = try tables()
    let signed = try tables(signed: transaction)
    let exact = violations(signed, from: before)
    #expect(exact == [])
    for span in LimitSpan.allCases {
      let window = Self.window(.signed, span)
      var forgotten = signed
      forgotten.used[window] = nil
      #expect(violations(forgotten, from: before) == ["the window \(window) says 0, its payouts 1000000"])
      var dead = signed
      dead.end(request.reference, transaction.txid, as: .dead, blame: .expired)
      let givenBack = violations(dead, from: signed)
      #expect(givenBack == [])
      dead.used[window] = request.amount
      #expect(violations(dead, from: signed) == ["the window \(window) says 1000000, its payouts 0"])
    }
  }

  @Test("more than may be accepted in an hour or a day, in all or by a router, is found, but for what was put back")
  func acceptedLimit() throws {
    let accepted = try tables()
    let limits = [\WorldSettings.hourlyLimit, \.dailyLimit, \.routerHourlyLimit, \.routerDailyLimit]
    let windows = [
      Self.window(.accepted(nil), .hour), Self.window(.accepted(nil), .day), Self.window(.accepted(.v0), .hour),
      Self.window(.accepted(.v0), .day),
    ]
    for (limit, window) in zip(limits, windows) {
      let within = violations(accepted) { $0[keyPath: limit] = 1_000_000 }
      #expect(within == [])
      let beyond = violations(accepted) { $0[keyPath: limit] = 999_999 }
      #expect(beyond == ["the window \(window) holds 1000000, at most 999999 are allowed"])
      var replayed = accepted
      replayed.replayedAt = Self.moment
      let putBack = violations(replayed) { $0[keyPath: limit] = 999_999 }
      #expect(putBack == [])
    }
  }

  @Test("more than Signers may sign by themselves in an hour is found, but for what was put back")
  func signedLimit() throws {
    let transaction = try payment()
    let before = try tables()
    var signed = try tables(signed: transaction)
    let within = violations(signed, from: before) { $0.signerHourlyLimit = 1_000_000 }
    #expect(within == [])
    let beyond = violations(signed, from: before) { $0.signerHourlyLimit = 999_999 }
    #expect(beyond == ["the window \(Self.window(.signed, .hour)) holds 1000000, at most 999999 are allowed"])
    signed.putBacks[transaction.txid] = signed.now
    let putBack = violations(signed, from: before) { $0.signerHourlyLimit = 999_999 }
    #expect(putBack == [])
  }
}
