/// Crashes and failures at every single input and output of one payout's life, and at pairs of them.
struct Systematic: Sendable {
  /// The seed of all its worlds: they are alike until something goes wrong.
  let seed: UInt64

  private func schedule(_ listed: [Int: Happening]) -> Schedule {
    Schedule(seed: seed, settings: .single, plan: FaultPlan(listed: listed))
  }

  /// The channels of one payout's life, in order.
  func undisturbed() throws -> SimulatedWorld.Outcome { try schedule([:]).run(isRecording: true) }

  /// Every single input and output of the undisturbed life, with everything that can happen there.
  func singles() throws -> [Schedule] {
    try undisturbed().channels.enumerated().flatMap { number, channel in
      channel.happenings.map { schedule([number: $0]) }
    }
  }

  /// Crashes at two of them: `stride` thins them out.
  func pairs(stride step: Int) throws -> [Schedule] {
    let count = try undisturbed().channels.count
    var schedules: [Schedule] = []
    var index = 0
    for first in 0..<count {
      for second in (first + 1)..<max(count, first + 1) {
        defer { index += 1 }
        guard index % step == 0 else { continue }
        let kinds: [Happening] = [.crashesBefore, .crashesAfter]
        schedules.append(schedule([first: kinds[index % 2], second: kinds[(index / 2) % 2]]))
      }
    }
    return schedules
  }
}
