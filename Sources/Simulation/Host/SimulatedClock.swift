import Payouts
import Synchronization
import Worker

/// The clocks of all machines of a world, by the process that runs there.
final class MachineClocks: Sendable {
  private let ahead = Mutex<[String: Int64]>([:])

  /// Puts a machine's clock wrong, in milliseconds ahead of the world's time.
  func setAhead(_ process: String, by milliseconds: Int64) { ahead.withLock { $0[process] = milliseconds } }

  /// Puts all clocks right.
  func setRight() { ahead.withLock { $0 = [:] } }

  /// How far a machine's clock is ahead, in milliseconds.
  func ahead(_ process: String) -> Int64 { ahead.withLock { $0[process] ?? 0 } }
}

/// The wall clock of a simulated process: the world's time, and what its machine is wrong by. Waiting is not wrong by
/// anything: it goes by the machine's steady clock.
struct SimulatedClock: WallClock {
  private let host: SimulationHost
  private let machines: MachineClocks
  private let process: String

  init(_ host: SimulationHost, _ machines: MachineClocks, of process: String) {
    self.host = host
    self.machines = machines
    self.process = process
  }

  func now() -> Timestamp { Timestamp(milliseconds: host.now + machines.ahead(process)) }

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
