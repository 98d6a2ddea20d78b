/// Which inputs and outputs of a schedule go wrong, and how: those that are listed, and, where a rate is set, others by
/// chance.
struct FaultPlan: Sendable, Hashable, Codable {
  /// At their places.
  var listed: [Fault] = []
  /// Of 10,000 inputs and outputs so many go wrong by chance, until ``quietAfter``.
  var perTenThousand: UInt64 = 0
  /// From this virtual time on nothing goes wrong by chance, so that a world can come to rest.
  var quietAfter: Int64 = .max
  /// Of 10,000 blocks that a lying node is asked for it lies by chance about so many, as long as the world lasts.
  var liesPerTenThousand: UInt64 = 0
}

/// One input or output of a world, and what goes wrong there.
struct Fault: Sendable, Hashable, Codable {
  /// Which one.
  let place: FaultPlace
  /// What kind of thing that is.
  let channel: Channel
  /// What happens.
  let happening: Happening
}

/// Names an input or output so that it stays itself where other faults of its world are left out: of all that the processes
/// of one name did at one site, the n-th.
struct FaultPlace: Sendable, Hashable, Codable {
  /// The process, by a name that outlives its restarts.
  let process: String
  /// What it does.
  let site: String
  /// From 1 on, since the world began.
  let ordinal: Int
}

extension Fault {
  /// How late it takes effect, in milliseconds: by its place and the world's seed, so that it stays what it is where other
  /// faults are left out.
  func lateness(_ seed: UInt64) -> Int64 {
    var chance = SplitMix64(seed: chance(seed))
    return Int64.random(in: channel.lateness, using: &chance)
  }

  /// A number of its own for each place and seed.
  func chance(_ seed: UInt64) -> UInt64 {
    // FNV-1a: the same in every process.
    let name = "\(place.process) \(place.site) \(place.ordinal)"
    let hash = name.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    var chance = SplitMix64(seed: seed ^ hash)
    return chance.next()
  }
}

extension Fault: CustomStringConvertible {
  var description: String { "\(place.process), \(place.site) \(place.ordinal): \(happening.rawValue)" }
}
