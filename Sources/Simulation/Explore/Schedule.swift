/// One run of one world: replayed identically by its text.
struct Schedule: Sendable, Hashable, Codable {
  /// Decides everything that nothing else decides.
  var seed: UInt64
  /// What the world is made of.
  var settings: WorldSettings
  /// What goes wrong at inputs and outputs.
  var plan: FaultPlan
  /// What happens by itself; nil where chance decides by the rates of ``settings``.
  var accidents: [SlotAccident]?

  /// Runs it.
  /// - Parameter isRecording: whether each input and output, and the story of a good world too, is kept.
  func run(isRecording: Bool = false) throws -> SimulatedWorld.Outcome {
    try SimulatedWorld(self, isRecording: isRecording).run()
  }

  /// Runs it, and makes sure that each listed fault has come: the world goes on as it did when the list was made.
  /// - Throws: ``ScheduleError``.
  func runAsListed(isRecording: Bool = false) throws -> SimulatedWorld.Outcome {
    let outcome = try run(isRecording: isRecording)
    let missing = plan.listed.filter { !outcome.injected.contains($0) }
    guard missing.isEmpty else { throw ScheduleError(schedule: self, reason: "it never came to \(missing)") }
    return outcome
  }

  /// A random schedule: a storm until the world is calm.
  ///
  /// - Parameter kind: nil where chance decides.
  static func random(seed: UInt64, kind: WorldKind? = nil) -> Schedule {
    var settings = WorldSettings.stormy
    var chance = SplitMix64(seed: seed)
    // One in three worlds has one of each worker, so that plain stories are told too.
    settings.replicas = UInt64.random(in: 0..<3, using: &chance) == 0 ? 1 : 2
    settings.solidLag = UInt64.random(in: 0..<2, using: &chance) == 0 ? 18 : 7
    // In half of them three nodes are asked, the first of which lies.
    settings.nodes = UInt64.random(in: 0..<2, using: &chance) == 0 ? 1 : 3
    let rate = UInt64.random(in: 0..<300, using: &chance)
    let drawn = WorldKind.random(&chance)
    (kind ?? drawn).apply(to: &settings, &chance)
    settings.hasFalseBranches = settings.nodes > 1 && UInt64.random(in: 0..<4, using: &chance) == 0
    // Drawn last, so that the worlds without a batch are those of old.
    settings.batch = UInt64.random(in: 0..<3, using: &chance) == 0 ? 3 : 0
    return Schedule(
      seed: seed, settings: settings,
      plan: FaultPlan(
        perTenThousand: rate, quietAfter: SimulatedWorld.beginning + settings.calmAfter,
        liesPerTenThousand: settings.nodes > 1 ? 3_000 : 0))
  }

  /// The same schedule with all that went wrong listed, so that parts of it can be left out.
  func listing(_ outcome: SimulatedWorld.Outcome) -> Schedule {
    Schedule(seed: seed, settings: settings, plan: FaultPlan(listed: outcome.injected), accidents: outcome.accidents)
  }
}

/// A schedule that cannot be run as it is written: a defect of the simulator.
struct ScheduleError: Error, CustomStringConvertible {
  let schedule: Schedule
  let reason: String

  var description: String { "seed \(schedule.seed), listed \(schedule.plan.listed): \(reason)" }
}
