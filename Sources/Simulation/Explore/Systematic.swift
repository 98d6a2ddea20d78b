/// Crashes and failures at every single input and output of one payout's lives, and crashes at every pair of those of one.
///
/// A pair is enumerated over what really comes: the first crash at each place of the undisturbed life, and for each of
/// those the second at each place that its own life comes to afterwards, the recovery's included, by the same process or
/// any other, until the world is at rest. At each place a process dies before it and after it, except where it only reads:
/// there both leave the same world behind, and once is enough.
struct Systematic: Sendable {
  /// The seed of all its worlds: they are alike until something goes wrong.
  let seed: UInt64
  /// Of all there are, which are run.
  var share = Share()
  /// Which lives; pairs are those of the first one.
  var lives: [Life] = [.happy]

  /// Every n-th, counted from one of them on: all such shares together are everything, each once.
  struct Share: Sendable {
    var every = 1
    var from = 0

    /// Whether one belongs to it.
    func contains(_ index: Int) -> Bool { index % every == from % every }
  }

  /// The world in which these crashes happen. Nothing takes effect late in it.
  func schedule(_ listed: [Fault]) -> Schedule {
    var schedule = (lives.first ?? .happy).schedule(seed: seed, listed)
    schedule.settings.endsWhenDrained = true
    return schedule
  }

  /// One payout's life, its inputs and outputs in order.
  func undisturbed() throws -> SimulatedWorld.Outcome { try schedule([]).run(isRecording: true) }

  /// Every single input and output of the undisturbed lives, with everything that can happen there.
  func singles() throws -> [Schedule] {
    let all = try lives.flatMap { life in
      try life.schedule(seed: seed, []).run(isRecording: true).visited.flatMap { visit in
        visit.channel.happenings.map { happening in
          life.schedule(seed: seed, [Fault(place: visit.place, channel: visit.channel, happening: happening)])
        }
      }
    }
    return all.indices.filter(share.contains).map { all[$0] }
  }

  // MARK: Pairs

  /// Of every n-th pair the n is shared out: of `firsts` one first crash is taken, and of its seconds one of `seconds`.
  private var shares: (firsts: Share, seconds: Share) {
    let every = share.every
    // A divisor near the root: `Simulate` takes squares only.
    let firsts = (1...max(1, every)).prefix { $0 * $0 <= every }.last { every % $0 == 0 } ?? 1
    return (
      Share(every: firsts, from: share.from % firsts), Share(every: every / firsts, from: share.from / firsts)
    )
  }

  /// The first crashes whose seconds are run.
  func firstCrashes() throws -> [Fault] {
    let all = Self.crashes(try undisturbed().visited[...])
    return all.indices.filter(shares.firsts.contains).map { all[$0] }
  }

  /// All second crashes of the recorded life after a first one.
  static func secondCrashes(after first: Fault, in life: SimulatedWorld.Outcome) -> [Fault] {
    guard let index = life.visited.firstIndex(where: { $0.place == first.place }) else { return [] }
    return crashes(life.visited[(index + 1)...])
  }

  /// The pairs of a first crash that are run; each first crash begins with another one of its seconds.
  ///
  /// - Parameter index: the place of the first crash among those that are run.
  func pairs(_ index: Int, _ first: Fault, _ seconds: [Fault]) -> [Schedule] {
    seconds.indices.filter { shares.seconds.contains($0 + index) }.map { schedule([first, seconds[$0]]) }
  }

  private static func crashes(_ visits: ArraySlice<FaultGate.Visit>) -> [Fault] {
    visits.flatMap { visit in
      visit.channel.crashes.map { Fault(place: visit.place, channel: visit.channel, happening: $0) }
    }
  }
}

extension Channel {
  /// The crashes that leave different worlds behind: what only reads changes nothing.
  fileprivate var crashes: [Happening] {
    switch self {
    case .ledgerRead, .nodeRead: [.crashesBefore]
    case .ledgerWrite, .stream, .broadcast, .journal, .webhook: [.crashesBefore, .crashesAfter]
    case .lie: []
    }
  }
}
