/// What an account used of something that recovers linearly over a day: free bandwidth, staked energy.
///
/// Source: tron-protocol.md §5.2 (BandwidthProcessor, EnergyProcessor).
struct RecoveringUsage: Equatable, Sendable {
  private var amount: Int64 = 0
  /// Chain time of the last use, milliseconds.
  private var time: Int64 = 0

  private static let window: Int64 = 86_400_000

  /// What of the use is still felt at chain time `now`.
  func value(at now: Int64) -> Int64 {
    let elapsed = max(0, now - time)
    guard elapsed < Self.window, amount > 0 else { return 0 }
    let (quotient, remainder) = amount.quotientAndRemainder(dividingBy: Self.window)
    return quotient * (Self.window - elapsed) + remainder * (Self.window - elapsed) / Self.window
  }

  /// Uses `more` at chain time `now`.
  mutating func use(_ more: Int64, at now: Int64) {
    amount = value(at: now) + more
    time = now
  }
}

/// An account that exists on chain (a TRC-20 balance alone makes none).
struct Account: Equatable, Sendable {
  /// Sun.
  var balance: Int64 = 0
  /// Chain time it came into being, milliseconds.
  var createTime: Int64 = 0
  var latestOperationTime: Int64 = 0
  var freeBandwidth = RecoveringUsage()
  var energy = RecoveringUsage()
  /// Energy a day from stake or rent; none on this network unless its genesis grants it.
  var energyLimit: Int64 = 0
  var isContract = false

  /// Staked energy left at chain time `now`.
  func energyLeft(at now: Int64) -> Int64 { max(0, energyLimit - energy.value(at: now)) }
}
