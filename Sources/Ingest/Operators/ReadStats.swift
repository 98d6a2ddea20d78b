import Ledger

/// Tells how the payments go (api.md "GET /stats").
struct ReadStats: Sendable {
  let desk: any OperatorDesk
  /// What may be accepted.
  let limits: AcceptanceLimits

  /// So many payouts are looked at for one number; more are told as so many, which is told as well.
  static let countedMax: Int64 = 10_000

  func stats() async throws(Problem) -> PayoutStats {
    do {
      return try await desk.stats(countingAtMost: Self.countedMax)
    } catch {
      throw ReadPayout.problem(error)
    }
  }
}
