/// Which inputs and outputs of a schedule go wrong, and how: those that are listed by their number, and, where a rate is
/// set, others by chance.
struct FaultPlan: Sendable {
  /// By the number of the input or output since the world began.
  var listed: [Int: Happening] = [:]
  /// Of 10,000 inputs and outputs so many go wrong by chance, until ``quietAfter``.
  var perTenThousand: UInt64 = 0
  /// From this virtual time on nothing goes wrong by chance, so that a world can come to rest.
  var quietAfter: Int64 = .max
}

/// One input or output that went wrong.
struct InjectedFault: Sendable, Hashable {
  /// Its number since the world began.
  let number: Int
  /// Which process.
  let process: String
  /// What it did.
  let site: String
  /// What kind of thing that is.
  let channel: Channel
  /// What happened.
  let happening: Happening
}
