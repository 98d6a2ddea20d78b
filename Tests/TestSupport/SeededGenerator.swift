import Foundation

/// SplitMix64 (Steele, Lea, Flood 2014): small, and the same numbers for the same seed on every machine.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
  private var state: UInt64

  /// A generator that repeats itself.
  public init(seed: UInt64) { state = seed }

  /// A generator for one test.
  public init(printedFor test: String) { self.init(seed: Self.printedSeed(for: test)) }

  /// The seed of one test: drawn anew each run and printed, or taken from `TEST_SEED` to repeat a run.
  public static func printedSeed(for test: String) -> UInt64 {
    let given = ProcessInfo.processInfo.environment["TEST_SEED"].flatMap { UInt64($0) }
    let seed = given ?? UInt64.random(in: .min ... .max)
    print("\(test): TEST_SEED=\(seed)")
    return seed
  }

  /// The next 64 bits.
  public mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }

  /// Random bytes.
  public mutating func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &self) }
  }
}
