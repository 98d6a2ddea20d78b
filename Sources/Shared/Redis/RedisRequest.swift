import NIOCore
import Synchronization

/// What a caller and the event loop share about one pipeline before and after it is taken: whether the caller has given
/// up, and which slot it got.
///
/// Cancelling can come before the pipeline reaches the loop. The mark is set first and then the loop is told; the loop
/// looks at the mark when it takes the pipeline. So whichever comes first, one of the two sees the other.
final class RedisTicket: Sendable {
  private let isCancelledMark = Atomic<Bool>(false)
  /// The slot's id; 0 until the loop has taken the pipeline. Touched on the loop only.
  private let slot = Atomic<UInt64>(0)

  /// Marks that the caller gave up.
  func cancel() {
    isCancelledMark.store(true, ordering: .sequentiallyConsistent)
  }

  /// Whether the caller gave up.
  var isCancelled: Bool { isCancelledMark.load(ordering: .sequentiallyConsistent) }

  /// The slot that the loop gave to the pipeline; 0 before that.
  var slotID: UInt64 {
    get { slot.load(ordering: .relaxed) }
    set { slot.store(newValue, ordering: .relaxed) }
  }
}

/// One caller's pipeline on its way: encoded by the caller, so that the loop only copies bytes.
struct RedisRequest: Sendable {
  /// Shared with the caller's cancellation.
  let ticket: RedisTicket
  /// The commands as they go over the wire.
  let bytes: ByteBuffer
  /// How many replies are expected.
  let commandCount: Int
  /// When the caller stops waiting.
  let deadline: NIODeadline
  /// The waiting caller; resumed exactly once, by the session.
  let continuation: CheckedContinuation<Result<[RedisValue], RedisError>, Never>

  /// Ends the caller's wait with the replies.
  func succeed(_ replies: [RedisValue]) {
    continuation.resume(returning: .success(replies))
  }

  /// Ends the caller's wait with an error.
  func fail(_ error: RedisError) {
    continuation.resume(returning: .failure(error))
  }
}
