/// Crashes and failures at every single input and output of one payout's life, and at pairs of them.
struct Systematic: Sendable {
  /// The seed of all its worlds: they are alike until something goes wrong.
  let seed: UInt64

  private func schedule(_ listed: [Fault]) -> Schedule {
    Schedule(seed: seed, settings: .single, plan: FaultPlan(listed: listed))
  }

  /// One payout's life, its inputs and outputs in order.
  func undisturbed() throws -> SimulatedWorld.Outcome { try schedule([]).run(isRecording: true) }

  /// Every single input and output of the undisturbed life, with everything that can happen there.
  func singles() throws -> [Schedule] {
    try undisturbed().visited.flatMap { visit in
      visit.channel.happenings.map { happening in
        schedule([Fault(place: visit.place, channel: visit.channel, happening: happening)])
      }
    }
  }

  /// Crashes at two of them: `stride` thins them out.
  func pairs(stride step: Int) throws -> [Schedule] {
    let visited = try undisturbed().visited
    let kinds: [Happening] = [.crashesBefore, .crashesAfter]
    var schedules: [Schedule] = []
    var index = 0
    for first in visited.indices {
      for second in visited.indices[(first + 1)...] {
        defer { index += 1 }
        guard index % step == 0 else { continue }
        let crashes = [(first, kinds[index % 2]), (second, kinds[(index / 2) % 2])]
        schedules.append(
          schedule(
            crashes.map { Fault(place: visited[$0].place, channel: visited[$0].channel, happening: $1) }))
      }
    }
    return schedules
  }
}
