import Synchronization

/// One operating system process of a simulated world: whatever a task does that prefers this executor belongs to it.
///
/// A crash drops all its jobs, those that are ready and those that come: nothing of it runs any more, not even a `defer`,
/// just as `kill -9` leaves things, until the world is over and judged. A restart is a new process.
final class SimulatedProcess: TaskExecutor {
  /// What people call it: `signer-1`.
  let name: String
  private let host: SimulationHost
  private let crashed = Atomic(false)
  private let onDeath: @Sendable () -> Void

  /// A process of that world.
  /// - Parameter onDeath: told once when it dies; must not wait.
  init(_ name: String, in host: SimulationHost, onDeath: @escaping @Sendable () -> Void = {}) {
    self.name = name
    self.host = host
    self.onDeath = onDeath
  }

  /// Whether it was killed.
  var isDead: Bool { crashed.load(ordering: .sequentiallyConsistent) }

  /// Kills it from outside.
  func kill() {
    guard !crashed.exchange(true, ordering: .sequentiallyConsistent) else { return }
    onDeath()
  }

  /// Kills it from inside: the calling task never goes on, because nothing of a dead process is run.
  func die() async {
    kill()
    await Task.yield()
  }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    if isDead, !host.isOver { host.drop(job, of: self) } else { host.enqueue(job, of: self) }
  }

  /// Starts something in this process.
  func start(_ body: @escaping @Sendable () async -> Void) {
    Task(executorPreference: self, operation: body)
  }

  func execute(_ job: UnownedJob) {
    guard !isDead || host.isOver else { return host.drop(job, of: self) }
    job.runSynchronously(on: asUnownedTaskExecutor())
  }
}
