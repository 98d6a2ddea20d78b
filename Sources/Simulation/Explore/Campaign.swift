/// Many schedules, in units that may be run in any order and beside one another. What a unit does depends on nothing but its
/// number.
enum Campaign: Sendable {
  /// Random schedules of so many seeds from one on: a unit each. Without a kind chance decides what worlds they are.
  case random(seed: UInt64, count: Int, kind: WorldKind? = nil)
  /// These: a unit each.
  case listed([Schedule])
  /// These single faults of one life: a unit each. All that is listed must come.
  case singles([Schedule])
  /// Crashes at pairs: a unit is a first crash with all its second ones.
  case pairs(Systematic, firsts: [Fault], isCounting: Bool)

  /// How many there are.
  var units: Int {
    switch self {
    case .random(_, let count, _): max(0, count)
    case .listed(let schedules), .singles(let schedules): schedules.count
    case .pairs(_, let firsts, _): firsts.count
    }
  }

  /// What is told of a schedule that was run: what came of it, and how many pairs begin with its crash.
  typealias Tell = (_ schedule: Schedule, _ outcome: SimulatedWorld.Outcome, _ pairs: Int) -> Void

  /// Runs a unit and tells of each of its schedules.
  ///
  /// - Throws: ``ScheduleError`` where a world cannot be run, or where what is listed in a systematic one does not come.
  func run(_ unit: Int, isRecording: Bool = false, _ tell: Tell) throws {
    switch self {
    case .random(let seed, _, let kind):
      let schedule = Schedule.random(seed: seed &+ UInt64(unit), kind: kind)
      tell(schedule, try schedule.run(isRecording: isRecording), 0)
    case .listed(let schedules):
      tell(schedules[unit], try schedules[unit].run(isRecording: isRecording), 0)
    case .singles(let schedules):
      tell(schedules[unit], try schedules[unit].runAsListed(), 0)
    case .pairs(let systematic, let firsts, let isCounting):
      let schedule = systematic.schedule([firsts[unit]])
      let life = try schedule.runAsListed(isRecording: true)
      let seconds = Systematic.secondCrashes(after: firsts[unit], in: life)
      tell(schedule, life, seconds.count)
      guard !isCounting else { return }
      for schedule in systematic.pairs(unit, firsts[unit], seconds) { tell(schedule, try schedule.runAsListed(), 0) }
    }
  }
}
