import Dispatch
import Glibc
import Logging
import ServiceLifecycle
import Synchronization
import Worker

/// `AUDIT_LOG_PATH`: a file to which lines are appended, or standard output, written by a thread of its own.
///
/// Nobody waits for it. What cannot be written (a full disk) is kept and tried again with the next lines, from the very
/// byte on; beyond `pendingBytesMax` whole lines are left out. A file that was moved away, as log rotation does, is
/// made anew.
final class AuditLog: Service {
  /// What names standard output; logs go to standard error.
  static let standardOutput = "-"
  /// The most bytes that wait to be written: 16 MiB.
  static let pendingBytesMax = 16 << 20
  /// How long the end of the process waits for the last lines, in milliseconds.
  static let flushMilliseconds: Int64 = 2_000
  /// How long a reader may let a full pipe wait, in milliseconds, before the lines are kept for later.
  static let pipeMilliseconds: Int32 = 1_000

  private struct State {
    var pending: [UInt8] = []
    /// Bytes taken from `pending` that are being written now.
    var inFlight = 0
    var isWriting = false
    var failure: String?
  }

  private let state = Mutex(State())
  private let queue = DispatchQueue(label: "audit-log")
  /// Nil for standard output.
  private let path: String?
  /// Only the queue changes it.
  private let descriptor: Mutex<Int32>
  private let clock: any WallClock
  private let logger: Logger

  /// Opens the file, for its owner alone where it is made.
  ///
  /// - Parameter path: of a file, or `-`.
  /// - Throws: `WorkerError` with code `configuration` where it cannot be written.
  init(path: String, clock: any WallClock, logger: Logger) throws(WorkerError) {
    self.clock = clock
    self.logger = logger
    guard path != Self.standardOutput else {
      self.path = nil
      descriptor = Mutex(STDOUT_FILENO)
      return
    }
    let opened = Self.openFile(path)
    guard opened >= 0 else {
      throw WorkerError(
        .configuration,
        "AUDIT_LOG_PATH: cannot be opened for appending: \(String(cString: strerror(errno))); name a file in a folder "
          + "that this process may write to, or - for standard output")
    }
    self.path = path
    descriptor = Mutex(opened)
  }

  deinit {
    if path != nil { _ = close(descriptor.withLock { $0 }) }
  }

  /// Hands lines over, each with its line feed. Without any it only tries again what could not be written.
  ///
  /// - Returns: how many there was no room for.
  func write(_ lines: [[UInt8]]) -> Int {
    let (mustStart, left) = state.withLock { state in
      var left = 0
      for line in lines {
        if state.pending.count + state.inFlight + line.count > Self.pendingBytesMax {
          left += 1
        } else {
          state.pending.append(contentsOf: line)
        }
      }
      let mustStart = !state.isWriting && !state.pending.isEmpty
      state.isWriting = state.isWriting || mustStart
      return (mustStart, left)
    }
    if mustStart { queue.async { self.drain() } }
    return left
  }

  /// What kept the last bytes from being written; nil where they were.
  var failure: String? { state.withLock { $0.failure } }

  /// Whether all that was handed over is written.
  var isWritten: Bool { state.withLock { $0.pending.isEmpty && $0.inFlight == 0 } }

  /// Waits until the process stops, and then until the last lines are written, or for `flushMilliseconds`.
  func run() async throws {
    try? await gracefulShutdown()
    _ = write([])
    let tick: Int64 = 50
    for _ in 0..<(Self.flushMilliseconds / tick) {
      if isWritten { return }
      try await clock.sleep(milliseconds: tick)
    }
    if !isWritten { logger.error("The last audit lines could not be printed; the ledger has them") }
  }

  // MARK: On the queue

  private func drain() {
    while true {
      let bytes = state.withLock { state in
        let taken = state.pending
        state.pending = []
        state.inFlight = taken.count
        if taken.isEmpty { state.isWriting = false }
        return taken
      }
      if bytes.isEmpty { return }
      reopenWhereMoved()
      let (written, failure) = append(bytes)
      let isNews = state.withLock { state in
        let isNews = (state.failure == nil) != (failure == nil)
        state.inFlight = 0
        state.failure = failure
        if failure != nil {
          state.pending.insert(contentsOf: bytes[written...], at: 0)
          state.isWriting = false
        }
        return isNews
      }
      if isNews { tell(failure) }
      if failure != nil { return }
    }
  }

  private func tell(_ failure: String?) {
    if let failure {
      logger.error("Audit lines cannot be printed; they are kept and tried again", metadata: ["reason": "\(failure)"])
    } else {
      logger.info("Audit lines are printed again")
    }
  }

  /// Writes as much as is taken.
  ///
  /// - Returns: how many bytes, and why not all of them.
  private func append(_ bytes: [UInt8]) -> (written: Int, failure: String?) {
    let file = descriptor.withLock { $0 }
    var written = 0
    while written < bytes.count {
      let count = bytes[written...].withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
      if count > 0 {
        written += count
      } else if count < 0, errno == EAGAIN {
        // Somebody made standard output non-blocking: wait until it takes more, but not for ever.
        var wanted = pollfd(fd: file, events: Int16(POLLOUT), revents: 0)
        guard poll(&wanted, 1, Self.pipeMilliseconds) != 0 else { return (written, "nobody reads them") }
      } else if count == 0 || errno != EINTR {
        return (written, count == 0 ? "nothing is taken" : String(cString: strerror(errno)))
      }
    }
    return (written, nil)
  }

  /// The path may name another file by now, or none. Where the new one cannot be made, the old one goes on.
  private func reopenWhereMoved() {
    guard let path else { return }
    let old = descriptor.withLock { $0 }
    var (held, named) = (stat(), stat())
    guard fstat(old, &held) == 0 else { return }
    let isNamed = stat(path, &named) == 0
    guard !isNamed || held.st_dev != named.st_dev || held.st_ino != named.st_ino else { return }
    let new = Self.openFile(path)
    guard new >= 0 else { return }
    descriptor.withLock { $0 = new }
    _ = close(old)
  }

  private static func openFile(_ path: String) -> Int32 {
    open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
  }
}
