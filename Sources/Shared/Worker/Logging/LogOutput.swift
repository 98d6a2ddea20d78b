import Dispatch
import Glibc
import Synchronization

/// Takes finished log lines.
public protocol LogOutput: Sendable {
  /// - Parameters:
  ///   - line: UTF-8 with a line feed at its end, no other inside.
  ///   - isUrgent: whether the line should be out before this returns, since the process may end next.
  func write(_ line: [UInt8], isUrgent: Bool)
}

/// Standard error, written by a thread of its own, so that a slow reader of the log never holds up the threads that do
/// the work.
///
/// What waits is bounded: where the reader falls behind by `maximumPendingBytes`, further lines are dropped and
/// counted, and the count is written as soon as there is room again. Urgent lines are written before `write` returns,
/// unless nobody reads for `maximumFlushSeconds`.
public final class StandardErrorOutput: LogOutput {
  /// The most bytes that wait to be written: 4 MiB.
  public static let maximumPendingBytes = 4 << 20
  /// How long `flush` and an urgent line wait for the reader, in seconds.
  public static let maximumFlushSeconds = 2

  private struct State {
    var pending: [UInt8] = []
    /// Bytes taken from `pending` that are being written now; they still wait for the reader.
    var inFlight = 0
    var isWriting = false
    var droppedLines = 0
  }

  private let state = Mutex(State())
  private let queue = DispatchQueue(label: "log")
  private let descriptor: Int32

  /// Standard error.
  public convenience init() { self.init(descriptor: STDERR_FILENO) }

  /// Another descriptor, open for writing, which stays the caller's.
  init(descriptor: Int32) { self.descriptor = descriptor }

  /// Hands the line to the writing thread, or drops it where too much waits already.
  public func write(_ line: [UInt8], isUrgent: Bool) {
    let mustStart = state.withLock { state in
      guard isUrgent || state.pending.count + state.inFlight + line.count <= StandardErrorOutput.maximumPendingBytes
      else {
        state.droppedLines += 1
        return false
      }
      state.pending.append(contentsOf: line)
      defer { state.isWriting = true }
      return !state.isWriting
    }
    if mustStart { queue.async { self.drain() } }
    if isUrgent { flush() }
  }

  /// Returns when everything handed over so far is written, or after `maximumFlushSeconds`, since a reader that does
  /// not read must not keep a process from ending. Blocks: for the end of the process and urgent lines only.
  ///
  /// - Returns: whether it is written.
  @discardableResult
  public func flush() -> Bool {
    let written = DispatchSemaphore(value: 0)
    queue.async {
      self.drain()
      written.signal()
    }
    return written.wait(timeout: .now() + .seconds(StandardErrorOutput.maximumFlushSeconds)) == .success
  }

  private func drain() {
    while true {
      let (bytes, dropped) = state.withLock { state in
        let taken = (state.pending, state.droppedLines)
        state.pending = []
        state.inFlight = taken.0.count
        state.droppedLines = 0
        state.isWriting = !taken.0.isEmpty || taken.1 > 0
        return taken
      }
      if bytes.isEmpty, dropped == 0 { return }
      writeAll(bytes)
      if dropped > 0 {
        let note = JSON.object([
          ("level", .text("warning")), ("message", .text("Log lines were dropped")),
          (LogKey.droppedLineCount, .integer(Int64(dropped))),
        ])
        writeAll([UInt8]("\(note)\n".utf8))
      }
    }
  }

  /// Writes everything, however slowly it is taken; gives up where nobody reads any more.
  private func writeAll(_ bytes: [UInt8]) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = Glibc.write(descriptor, Array(rest.prefix(1 << 16)), min(rest.count, 1 << 16))
      if count > 0 {
        rest = rest.dropFirst(count)
      } else if errno == EAGAIN {
        // Somebody made the descriptor non-blocking: wait until it takes more.
        var wanted = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        _ = poll(&wanted, 1, -1)
      } else if errno != EINTR {
        return
      }
    }
  }
}
