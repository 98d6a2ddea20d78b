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

  /// Uses `more` at chain time `now`; less than nothing gives back.
  mutating func use(_ more: Int64, at now: Int64) {
    amount = value(at: now) + more
    time = now
  }
}

/// TRX that an account has staked for one resource, and what it lent and borrowed of it; all in sun.
struct Stake: Equatable, Sendable {
  /// Staked and not delegated.
  var own: Int64 = 0
  /// Staked, delegated to others.
  var lent: Int64 = 0
  /// Staked by others, delegated to this account.
  var borrowed: Int64 = 0

  /// What counts for this account's allowance.
  var usable: Int64 { own + borrowed }
  /// What counts for the network's total weight.
  var staked: Int64 { own + lent }
}

/// TRX that was unstaked and waits to be withdrawn.
struct Unfreezing: Equatable, Sendable {
  let resource: Resource
  /// Sun.
  let amount: Int64
  /// Chain time from which on it can be withdrawn, milliseconds.
  let expiration: Int64
}

/// An account that exists on chain (a TRC-20 balance alone makes none).
struct Account: Equatable, Sendable {
  /// Sun.
  var balance: Int64 = 0
  /// Chain time it came into being, milliseconds.
  var createTime: Int64 = 0
  var latestOperationTime: Int64 = 0
  var freeBandwidth = RecoveringUsage()
  private var bandwidth = RecoveringUsage()
  private var energy = RecoveringUsage()
  private var bandwidthStake = Stake()
  private var energyStake = Stake()
  var unfreezing: [Unfreezing] = []
  /// Nil while they are those every account begins with.
  var permissions: AccountPermissions?
  var isContract = false

  static let sunPerTRX: Int64 = 1_000_000

  /// An account that came into being at `createTime`.
  init(balance: Int64 = 0, createTime: Int64 = 0, isContract: Bool = false) {
    (self.balance, self.createTime, self.isContract) = (balance, createTime, isContract)
  }

  /// What was used of a staked resource.
  subscript(usage resource: Resource) -> RecoveringUsage {
    get { resource == .bandwidth ? bandwidth : energy }
    set { if resource == .bandwidth { bandwidth = newValue } else { energy = newValue } }
  }

  /// What is staked for a resource.
  subscript(stake resource: Resource) -> Stake {
    get { resource == .bandwidth ? bandwidthStake : energyStake }
    set { if resource == .bandwidth { bandwidthStake = newValue } else { energyStake = newValue } }
  }

  /// Sun that was unstaked and can be withdrawn at chain time `now`.
  func withdrawable(at now: Int64) -> Int64 {
    unfreezing.reduce(0) { $1.expiration <= now ? $0 + $1.amount : $0 }
  }

  /// Moves what can be withdrawn to the balance.
  mutating func withdraw(at now: Int64) {
    balance += withdrawable(at: now)
    unfreezing.removeAll { $0.expiration <= now }
  }
}
