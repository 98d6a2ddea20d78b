import Ledger
import Payouts

/// Transactions that meet others whose COMMIT takes effect late.
extension SimulatedDatabase {
  /// One transaction, as soon as nobody holds what it changes.
  ///
  /// - Throws: `LedgerError.unavailable` where it would wait longer than a caller does: nothing was done.
  func transaction<Value: Sendable>(
    _ site: String, actor: String, _ body: @Sendable (inout LedgerTables) throws -> Value
  ) async throws -> Value {
    try await whenFree(site) { try attempt(site, actor: actor, landsAt: nil, body) }
  }

  /// One transaction whose COMMIT takes effect later, if the server lives on until then.
  ///
  /// - Returns: what lets it take effect.
  func commitLate<Value: Sendable>(
    _ site: String, actor: String, landsAt: Int64, _ body: @Sendable (inout LedgerTables) throws -> Value
  ) async throws -> @Sendable () async -> Void {
    let number = lateNumber()
    _ = try await whenFree(site) { try attempt(site, actor: actor, landsAt: (number, landsAt), body) }
    return { self.land(number) }
  }

  private func whenFree<Value: Sendable>(_ site: String, _ attempt: () throws -> Attempt<Value>) async throws -> Value {
    let deadline = host.now + FaultGate.timeOutMilliseconds
    while true {
      switch try attempt() {
      case .done(let value): return value
      case .mustWait(let moment):
        guard moment < deadline else {
          try await host.sleep(until: deadline)
          throw LedgerError(.unavailable, "\(site): the simulator lets it wait for a lock too long")
        }
        try await host.sleep(until: moment + 1)
      }
    }
  }
}
