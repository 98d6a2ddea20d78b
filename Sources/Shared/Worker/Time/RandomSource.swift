/// Where a program's random bytes come from: ids, nonces, jitter.
///
/// Real workers get `SystemRandomSource`; a simulator gives a generator with a seed, so that a run replays identically.
/// Keys are not made here: the keystore draws them itself.
public protocol RandomSource: Sendable {
  /// That many random bytes.
  func bytes(_ count: Int) -> [UInt8]

  /// A number from 0 up to, not including, `bound`, each with the same chance.
  /// - Precondition: `bound` is at least 1.
  func uniform(below bound: UInt64) -> UInt64
}

/// The operating system's cryptographic generator (getrandom(2) on Linux, through Swift's own system generator).
public struct SystemRandomSource: RandomSource {
  /// The generator of this machine.
  public init() {}

  /// That many bytes fit for ids and nonces.
  public func bytes(_ count: Int) -> [UInt8] {
    var generator = SystemRandomNumberGenerator()
    return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
  }

  /// Unbiased, by rejection.
  public func uniform(below bound: UInt64) -> UInt64 {
    precondition(bound > 0, "a random number below 0 does not exist")
    return UInt64.random(in: 0..<bound)
  }
}
