import CLibpq

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Why an exchange with the server came to no answer. The connection is of no more use after any of these.
enum Interruption: Error {
  /// The deadline passed.
  case timeout
  /// The calling task was cancelled.
  case cancelled
  /// The connection broke, or the server ended it with this report.
  case lost(String, ServerReport?)
  /// libpq or the server did what the protocol does not allow.
  case protocolViolation(String)
}

/// How long to wait for the server, and whether the calling task's cancellation ends the wait.
struct WaitLimit {
  let deadline: ContinuousClock.Instant
  let isCancellable: Bool

  /// A wait until a point in time.
  init(until deadline: ContinuousClock.Instant, isCancellable: Bool) {
    self.deadline = deadline
    self.isCancellable = isCancellable
  }

  /// A wait of so many milliseconds from now.
  init(milliseconds: Int, isCancellable: Bool) {
    self.init(until: .now + .milliseconds(milliseconds), isCancellable: isCancellable)
  }

  /// The rest of the time, in whole milliseconds rounded up, for `poll`; 0 when it is over.
  var remainingMilliseconds: Int32 {
    let rest = deadline - .now
    guard rest > .zero else { return 0 }
    let (seconds, attoseconds) = rest.components
    let milliseconds = seconds.multipliedReportingOverflow(by: 1000)
    guard !milliseconds.overflow else { return .max }
    return Int32(clamping: milliseconds.partialValue + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
  }
}

/// One libpq connection: the only owner of its pointer.
///
/// It is not Sendable. All its functions are called from the thread of one event loop (that of the actor
/// which owns it) and may hold up that thread in `poll`, never longer than the limit given; no other work
/// runs there. libpq is in non-blocking mode throughout.
final class LibpqConnection {
  /// The connection object; nil once closed.
  private(set) var pointer: OpaquePointer?
  /// What the server says beside its answers.
  let notices = NoticeCollector()
  private let wakeUp: WakeUpPipe

  /// Takes the pipe by which other threads end a wait early.
  init(wakeUp: WakeUpPipe) {
    self.wakeUp = wakeUp
  }

  deinit {
    close()
  }

  /// Opens the connection and logs in.
  ///
  /// The server's name is looked up by libpq itself, which may hold up this thread past the limit.
  /// - Throws: ``Interruption``; the text holds host, port, user and database, never the password.
  func open(_ options: ConnectionOptions, _ limit: WaitLimit) throws(Interruption) {
    guard let connection = options.withCStrings({ PQconnectStartParams($0, $1, 0) }) else {
      throw .lost("libpq could not allocate a connection", nil)
    }
    pointer = connection
    notices.install(on: connection)
    guard PQstatus(connection) != CONNECTION_BAD else { throw .lost(errorMessage, nil) }
    // "If PQconnectStart succeeds, ... wait as if PQconnectPoll had last returned PGRES_POLLING_WRITING."
    var events = Int16(POLLOUT)
    while true {
      try wait(for: events, limit)
      switch PQconnectPoll(connection) {
      case PGRES_POLLING_READING: events = Int16(POLLIN)
      case PGRES_POLLING_WRITING: events = Int16(POLLOUT)
      case PGRES_POLLING_OK:
        guard PQsetnonblocking(connection, 1) == 0 else { throw .lost(errorMessage, nil) }
        return
      default: throw .lost(errorMessage, nil)
      }
    }
  }

  /// Ends the connection. In non-blocking mode `PQfinish` waits for nothing: the farewell is sent if it fits.
  func close() {
    if let pointer { PQfinish(pointer) }
    pointer = nil
  }

  /// What is needed to ask the server to stop the statement in flight; nil where nothing is open.
  func cancelRequest() -> CancelRequest? {
    pointer.flatMap { PQgetCancel($0) }.map(CancelRequest.init)
  }

  /// The text of the last failure.
  var errorMessage: String {
    LibpqText.trimmed(pointer.flatMap { PQerrorMessage($0) }.map { String(cString: $0) } ?? "not connected")
  }

  /// True where the connection is open and no transaction is under way on it.
  var isOutsideTransaction: Bool {
    pointer.map { PQtransactionStatus($0) } == PQTRANS_IDLE
  }

  /// The process that serves this connection.
  var backendProcessID: Int32 { pointer.map { PQbackendPID($0) } ?? 0 }

  /// A parameter that the server reports by itself, such as `server_version`; nil for all others.
  func parameterStatus(_ name: String) -> String? {
    pointer.flatMap { PQparameterStatus($0, name) }.map { String(cString: $0) }
  }

  /// The open pointer.
  func open() throws(Interruption) -> OpaquePointer {
    guard let pointer else { throw .lost("the connection is closed", nil) }
    return pointer
  }

  /// Makes sure, without waiting, that the server has not ended the connection. Called before each sending,
  /// so that a connection found dead proves that nothing was sent.
  func checkAlive() throws(Interruption) {
    let connection = try open()
    var descriptor = pollfd(fd: PQsocket(connection), events: Int16(POLLIN), revents: 0)
    guard descriptor.fd >= 0 else { throw lost() }
    if poll(&descriptor, 1, 0) > 0 {
      guard PQconsumeInput(connection) == 1 else {
        _ = PQisBusy(connection)
        throw lost()
      }
      // Makes libpq read what came: parameter changes, notices, or the server's farewell.
      _ = PQisBusy(connection)
    }
    if notices.farewell != nil || PQstatus(connection) != CONNECTION_OK { throw lost() }
  }

  /// The connection's end, with the server's farewell where there was one.
  func lost(_ report: ServerReport? = nil) -> Interruption {
    let report = report ?? notices.farewell
    return .lost(report?.message ?? errorMessage, report)
  }

  /// Waits until the socket can be read (`POLLIN`) or written (`POLLOUT`).
  func wait(for events: Int16, _ limit: WaitLimit) throws(Interruption) {
    let connection = try open()
    while true {
      if limit.isCancellable && Task.isCancelled { throw .cancelled }
      var descriptors = [
        pollfd(fd: PQsocket(connection), events: events, revents: 0),
        pollfd(fd: wakeUp.readDescriptor, events: Int16(POLLIN), revents: 0),
      ]
      guard descriptors[0].fd >= 0 else { throw lost() }
      let remaining = limit.remainingMilliseconds
      let ready = poll(&descriptors, nfds_t(descriptors.count), remaining)
      if ready < 0 {
        guard errno == EINTR else { throw .lost("poll failed with errno \(errno)", nil) }
        continue
      }
      if descriptors[1].revents != 0 { wakeUp.drain() }
      if descriptors[0].revents != 0 { return }
      if ready == 0 && remaining == 0 { throw .timeout }
    }
  }
}

/// The right to ask the server, over a connection of its own, to stop a statement.
///
/// Sound to hand to another thread: "The PGcancel object is read-only as far as PQcancel is concerned, so it
/// can also be invoked from a thread that is separate from the one manipulating the PGconn object"
/// (PostgreSQL 15 manual, 34.7 "Canceling Queries in Progress"). It is used once, by one thread.
final class CancelRequest: @unchecked Sendable {
  private let pointer: OpaquePointer

  /// Takes over the pointer.
  init(_ pointer: OpaquePointer) {
    self.pointer = pointer
  }

  deinit {
    PQfreeCancel(pointer)
  }

  /// Sends the request and waits until the server has taken it: this blocks the calling thread.
  ///
  /// - Returns: nil if it was sent (the server does not tell whether it stopped anything), else why not.
  func send() -> String? {
    var buffer = [CChar](repeating: 0, count: 256)
    guard PQcancel(pointer, &buffer, Int32(buffer.count)) == 0 else { return nil }
    return LibpqText.trimmed(String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self))
  }
}
