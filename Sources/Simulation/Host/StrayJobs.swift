import Glibc
import Synchronization

private let strayJobs = Atomic(0)

/// Jobs that go to the process-wide executor instead of a simulated process: those of an unstructured task that was begun
/// without `executorPreference`. They would run beside the world, in an order that no seed decides (DESIGN.md §5).
enum StrayJobs {
  /// A job, and what the runtime would have done with it. Two pointers are handed over alike by C and by the runtime.
  private typealias Hook = @convention(c) (OpaquePointer, @convention(c) (OpaquePointer) -> Void) -> Void

  /// How many there were since they are watched for.
  static var count: Int { strayJobs.load(ordering: .sequentiallyConsistent) }

  /// Counts them from now on, in the whole program. Each still runs.
  ///
  /// - Returns: false where the runtime has no such hook.
  static func watch() -> Bool {
    // The runtime looks at this variable before it hands a job to the process-wide executor.
    guard let hook = dlsym(nil, "swift_task_enqueueGlobal_hook") else { return false }
    hook.assumingMemoryBound(to: Hook?.self).pointee = { job, original in
      strayJobs.add(1, ordering: .sequentiallyConsistent)
      original(job)
    }
    return true
  }
}

/// What a seed decides is not all that happens.
struct StrayTasks: Error, CustomStringConvertible {
  let text: String
  var description: String { text }
}
