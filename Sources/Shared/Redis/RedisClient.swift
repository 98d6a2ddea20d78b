public import Logging
import NIOCore
import NIOPosix
import NIOSSL
public import ServiceLifecycle

/// A client of one Redis server over one connection that all callers share.
///
/// Commands of many callers travel as one stream of bytes, written once per turn of the event loop, and the replies come
/// back in the same order. There is no thread and no task per request. It connects when it is first needed, and again
/// after a loss; ``run()`` keeps the connection up without commands too.
///
/// - It never sends a command twice. What was sent when the connection broke is `unknown` (``RedisError/Outcome``).
/// - Blocking commands (such as XREADGROUP with BLOCK) hold up everything behind them: give them a client of their own,
///   made with ``RedisConfiguration/forBlockingReads``.
public final class RedisClient: Service, Sendable {
  /// How the client behaves.
  public let configuration: RedisConfiguration
  private let eventLoop: any EventLoop
  private let session: NIOLoopBoundBox<RedisSession>

  /// A client that has not connected yet. Throws `invalidConfiguration` where the certificate authorities cannot be
  /// read.
  ///
  /// - Parameter generator: The randomness of the waits between attempts to connect.
  public init(
    configuration: RedisConfiguration, logger: Logger,
    generator: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator()
  ) throws(RedisError) {
    self.configuration = configuration
    eventLoop = MultiThreadedEventLoopGroup.singleton.any()
    session = NIOLoopBoundBox.makeBoxSendingValue(
      RedisSession(
        eventLoop: eventLoop, configuration: configuration, sslContext: try Self.sslContext(configuration),
        generator: generator, logger: logger),
      eventLoop: eventLoop)
  }

  deinit {
    let session = session
    eventLoop.execute { session.value.abandon() }
  }

  /// Keeps the connection up until the service is shut down or its task cancelled, and then closes it.
  ///
  /// A server that is away does not end the service: it is tried again with growing waits.
  public func run() async throws {
    let session = session
    eventLoop.execute { session.value.keepConnected() }
    // Cancellation ends the wait by an error and means the same as a shutdown here: close.
    try? await gracefulShutdown()
    await close()
  }

  /// Closes the client for good: nothing more is taken, answers that are owed are awaited up to a limit. Returns when
  /// that is done; calling it again is harmless.
  public func close() async {
    let session = session
    await withCheckedContinuation { continuation in
      eventLoop.execute { session.value.close(continuation) }
    }
  }

  /// Sends one command and returns its reply.
  ///
  /// Throws `server` where the reply is an error. Cancelling the calling task ends the wait at once; the reply of a
  /// command that was sent already is dropped when it comes, or the connection is closed
  /// (``RedisConfiguration/closesOnCancellation``).
  ///
  /// - Parameter timeoutMilliseconds: The time for connecting and answering; nil for the configured one. A blocking
  ///   command needs its blocking time in addition. From 1 ms to ``RedisConfiguration/maximumTimeoutMilliseconds``.
  public func send(
    _ command: [RedisArgument], timeoutMilliseconds: Int? = nil
  ) async throws(RedisError) -> RedisValue {
    let value = try await pipeline([command], timeoutMilliseconds: timeoutMilliseconds)[0]
    if let error = value.error { throw RedisError.server(error) }
    return value
  }

  /// Sends commands in one piece, with none of another caller in between, and returns their replies in order.
  ///
  /// Refusals stand among the replies as ``RedisValue/error(_:)``: the other commands were executed. What is thrown
  /// concerns all of them. An empty pipeline returns at once.
  public func pipeline(
    _ commands: [[RedisArgument]], timeoutMilliseconds: Int? = nil
  ) async throws(RedisError) -> [RedisValue] {
    if commands.isEmpty { return [] }
    let bytes = try encode(commands)
    let timeout = timeoutMilliseconds ?? configuration.commandTimeoutMilliseconds
    let deadline =
      eventLoop.now + .milliseconds(Int64(min(max(timeout, 1), RedisConfiguration.maximumTimeoutMilliseconds)))
    let ticket = RedisTicket()
    let (session, eventLoop) = (session, eventLoop)
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let request = RedisRequest(
          ticket: ticket, bytes: bytes, commandCount: commands.count, deadline: deadline, continuation: continuation)
        eventLoop.execute { session.value.submit(request) }
      }
    } onCancel: {
      ticket.cancel()
      eventLoop.execute { session.value.cancel(ticket) }
    }
    return try result.get()
  }

  /// How many commands wait to be sent or answered at this moment, over all callers: the depth of the client's queue.
  public func pendingCommands() async -> Int {
    let session = session
    return await withCheckedContinuation { continuation in
      eventLoop.execute { continuation.resume(returning: session.value.pendingCommands) }
    }
  }

  private func encode(_ commands: [[RedisArgument]]) throws(RedisError) -> ByteBuffer {
    guard commands.count <= configuration.maximumPipelineCommands else {
      throw RedisError(
        .invalidCommand, .notSent,
        "a pipeline takes up to \(configuration.maximumPipelineCommands) commands, not \(commands.count)")
    }
    guard commands.allSatisfy({ !$0.isEmpty }) else {
      throw RedisError(.invalidCommand, .notSent, "a command needs at least its name")
    }
    var bytes = ByteBuffer()
    for command in commands { RedisCommandEncoder.encode(command, into: &bytes) }
    return bytes
  }

  private static func sslContext(_ configuration: RedisConfiguration) throws(RedisError) -> NIOSSLContext? {
    guard configuration.endpoint.usesTLS else { return nil }
    var tls = TLSConfiguration.makeClientConfiguration()
    if let file = configuration.certificateAuthorityFile { tls.trustRoots = .file(file) }
    do {
      return try NIOSSLContext(configuration: tls)
    } catch {
      throw RedisError(
        .invalidConfiguration, .notSent, "the certificate authorities for the Redis server cannot be read: \(error)")
    }
  }
}
