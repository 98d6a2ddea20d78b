/// What goes wrong in a random world besides its storm: each kind has what can be judged together.
enum WorldKind: String, Sendable, CaseIterable {
  /// Faults, crashes, forks, restarts.
  case storm
  /// A database that goes back in time, to a backup that lacks no acceptance and no end.
  case restores
  /// Limits of acceptance and of the Signers, and payouts that expire.
  case limits
  /// Disks of Signers lost, Signers away, journals and database taken back.
  case quarantine
  /// A database that goes back to before acceptances and ends.
  case losses
  /// The same where Redis loses its log as well.
  case unlogged
  /// Somebody has stolen the key, others do what anybody can.
  case thieves
  /// The solid block stands still for long, or the chain does, and forks undo what lies above it.
  case standstill

  /// How many of 17 random worlds are of this kind. Those that last long are rarer: they cost two to four times as much.
  var share: Int {
    switch self {
    case .storm: 8
    case .restores, .thieves: 2
    case .limits, .quarantine, .losses, .unlogged, .standstill: 1
    }
  }

  /// One of them.
  static func random(_ chance: inout SplitMix64) -> WorldKind {
    let all = allCases.flatMap { kind in Array(repeating: kind, count: kind.share) }
    return all[Int(UInt64.random(in: 0..<UInt64(all.count), using: &chance))]
  }

  /// Makes a stormy world one of this kind.
  func apply(to settings: inout WorldSettings, _ chance: inout SplitMix64) {
    func below(_ bound: UInt64) -> UInt64 { UInt64.random(in: 0..<bound, using: &chance) }
    switch self {
    case .storm: if below(4) == 0 { settings.withdrawing = 4_000 }
    case .restores:
      (settings.flush, settings.restore) = (0, 300)
      if below(2) == 0 { settings.withdrawing = 4_000 }
    case .limits: Self.limit(&settings, &chance)
    case .quarantine, .losses, .unlogged:
      settings.repetitions = 3
      settings.calmAfter = below(4) == 0 ? 900_000 : 240_000
      settings.isDevelopment = below(2) == 0
      let slots = UInt64(settings.calmAfter / 3_000)
      settings.diskLost = 10_000 / slots
      settings.diskFound = 10_000 / slots
      settings.away = settings.replicas > 1 ? 10_000 / slots : 0
      settings.restart = 15_000 / slots
      // A Signer in dev believes that snapshots are taken of one of the two only.
      settings.snapshot = settings.isDevelopment ? 0 : 10_000 / slots
      settings.restore = 20_000 / slots
      settings.losesAcceptances = self != .quarantine
      settings.flush = self == .unlogged ? 20_000 / slots : 0
      for rate in [\WorldSettings.kill, \.clock, \.fork, \.forgetting] { settings[keyPath: rate] /= slots / 40 }
      if settings.losesAcceptances, below(2) == 0 { settings.expiring = 3_000 }
      // Where the log is lost as well, and nothing shows that the database went back, an end is lost for good.
      if self != .unlogged, below(2) == 0 { settings.withdrawing = 4_000 }
    case .standstill:
      settings.calmAfter = 900_000
      settings.solidLag = 18
      settings.frozen = 60
      settings.halted = 60
      settings.deepFork = 150
      for rate in [\WorldSettings.kill, \.clock, \.fork, \.restart, \.flush] { settings[keyPath: rate] /= 7 }
    case .thieves:
      settings.strange = 800
      settings.repetitions = 1
      // A fork may leave a theft out for ever: nobody would know.
      if below(2) == 0 { (settings.flush, settings.restore) = (0, 300) }
    }
  }

  private static func limit(_ settings: inout WorldSettings, _ chance: inout SplitMix64) {
    func below(_ bound: UInt64) -> UInt64 { UInt64.random(in: 0..<bound, using: &chance) }
    settings.payouts = 8
    settings.repetitions = 2
    settings.expiring = 4_000
    if below(2) == 0 { settings.withdrawing = 2_000 }
    switch below(5) {
    case 0: settings.hourlyLimit = 5_500_000
    case 1: settings.dailyLimit = 5_500_000
    case 2: settings.routerHourlyLimit = 4_500_000
    case 3: settings.routerDailyLimit = 6_500_000
    default: (settings.hourlyLimit, settings.routerDailyLimit) = (4_500_000, 7_500_000)
    }
    guard below(2) == 0 else { return }
    settings.signerHourlyLimit = 4_200_000
    // What one hour has no room for is signed in the next one, which may begin an hour after the storm.
    settings.restMilliseconds = 7_200_000
    settings.largePayouts = 1
    (settings.hourlyLimit, settings.routerHourlyLimit) = (0, 0)
    if settings.dailyLimit > 0 { settings.dailyLimit = 9_500_000 }
    if settings.routerDailyLimit > 0 { settings.routerDailyLimit = 10_500_000 }
  }
}
