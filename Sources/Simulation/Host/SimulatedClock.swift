import Payouts
import Worker

/// The wall clock of a simulated process: the world's time, and what its machine is wrong by.
struct SimulatedClock: WallClock {
  private let host: SimulationHost
  private let skewMilliseconds: Int64

  /// - Parameter skewMilliseconds: how far this machine's clock is ahead of the world's.
  init(_ host: SimulationHost, skewMilliseconds: Int64 = 0) {
    self.host = host
    self.skewMilliseconds = skewMilliseconds
  }

  func now() -> Timestamp { Timestamp(milliseconds: host.now + skewMilliseconds) }

  func sleep(milliseconds: Int64) async throws {
    guard milliseconds > 0 else { return try Task.checkCancellation() }
    try await host.sleep(until: host.now + milliseconds)
  }
}

/// The random source of a simulated process: the world's seeded generator.
struct SimulatedRandom: RandomSource {
  private let host: SimulationHost

  init(_ host: SimulationHost) { self.host = host }

  func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(host.draw(below: 256)) } }

  func uniform(below bound: UInt64) -> UInt64 { host.draw(below: bound) }
}
