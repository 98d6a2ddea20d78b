import Logging
import NIOCore
import NIOPosix
import NIOSSL

/// The thin shell around ``RedisConnectionMachine``: sockets, timers and waiting callers, all on one event loop.
///
/// Not `Sendable`: it lives in a `NIOLoopBoundBox` and is only touched on its loop. It makes no tasks and blocks no
/// thread; whatever waits is a slot, a timer or a channel.
final class RedisSession {
  /// The least time between two looks for callers beyond their deadline; so a time-out may come this much late.
  static let expiryPause = TimeAmount.milliseconds(5)

  private let eventLoop: any EventLoop
  private let configuration: RedisConfiguration
  private let sslContext: NIOSSLContext?
  private let logger: Logger
  private var generator: any RandomNumberGenerator & Sendable
  private var machine: RedisConnectionMachine<RedisRequest>

  /// The number of the present connection or attempt; events of earlier ones are ignored.
  private var connection: UInt64 = 0
  private var channel: (any Channel)?
  /// What is written at the end of this turn of the loop, in one piece.
  private var outgoing = ByteBuffer()
  private var isFlushScheduled = false
  private var expiryTimer: (at: NIODeadline, task: Scheduled<Void>)?
  private var phaseTimer: Scheduled<Void>?
  /// Why the last attempt to connect failed, for callers whose command could not be sent.
  private var lastFailure = "no attempt has ended yet"
  private var closeWaiters: [CheckedContinuation<Void, Never>] = []

  /// A session that connects when it is first needed.
  init(
    eventLoop: any EventLoop, configuration: RedisConfiguration, sslContext: NIOSSLContext?,
    generator: any RandomNumberGenerator & Sendable, logger: Logger
  ) {
    self.eventLoop = eventLoop
    self.configuration = configuration
    self.sslContext = sslContext
    self.generator = generator
    self.logger = logger
    machine = RedisConnectionMachine(
      maximumCommands: configuration.maximumPendingCommands, maximumBytes: configuration.maximumPendingBytes,
      silenceLimit: .milliseconds(Int64(configuration.silenceLimitMilliseconds)))
  }

  // MARK: Callers

  /// Takes a pipeline: sends it, lets it wait for the connection, or refuses it.
  func submit(_ request: RedisRequest) {
    guard !request.ticket.isCancelled else {
      return request.fail(RedisError(.cancelled, .notSent, "the caller was cancelled; nothing was sent"))
    }
    let submission = machine.submit(
      request, commands: request.commandCount, bytes: request.bytes.readableBytes, deadline: request.deadline)
    switch submission {
    case .send(let id):
      request.ticket.slotID = id
      write(request.bytes)
      watch(request.deadline)
    case .wait(let id):
      request.ticket.slotID = id
      watch(request.deadline)
    case .connect(let id):
      request.ticket.slotID = id
      watch(request.deadline)
      connect()
    case .refuse(let error):
      request.fail(error)
    }
  }

  /// A caller gave up. Where its command was sent, the reply is dropped when it comes, or the connection is closed.
  func cancel(_ ticket: RedisTicket) {
    switch machine.cancel(id: ticket.slotID) {
    case .none:
      break
    case .notSent(let request):
      request.fail(RedisError(.cancelled, .notSent, "the caller was cancelled; nothing was sent"))
    case .abandoned(let request):
      request.fail(
        RedisError(.cancelled, .unknown, "the caller was cancelled after its command was sent; the reply is dropped"))
      if configuration.closesOnCancellation { end(connection, because: "a blocking command was cancelled") }
    }
  }

  /// How many commands wait to be sent or answered.
  var pendingCommands: Int { machine.commandCount }

  /// Connects now and keeps the connection up from now on.
  func keepConnected() {
    if machine.keep() { connect() }
  }

  /// Takes nothing more, waits for answers that are owed up to the limit, and ends the connection.
  func close(_ waiter: CheckedContinuation<Void, Never>) {
    closeWaiters.append(waiter)
    startClosing()
    guard machine.state == .closing else { return }
    let limit = TimeAmount.milliseconds(Int64(configuration.closeLimitMilliseconds))
    schedulePhase(in: limit) { $0.end($0.connection, because: "the client closed before the answer came") }
  }

  /// The last user is gone without closing: nobody waits for anything.
  func abandon() {
    startClosing()
    end(connection, because: "the client was let go")
  }

  private func startClosing() {
    for request in machine.close() {
      request.fail(RedisError(.closed, .notSent, "the client was closed before the command was sent"))
    }
    finishClosingIfDone()
  }

  private func finishClosingIfDone() {
    guard machine.owesNothing else { return }
    end(connection, because: "the client closed")
    phaseTimer?.cancel()
    phaseTimer = nil
    for waiter in closeWaiters { waiter.resume() }
    closeWaiters = []
  }

  // MARK: Connection

  private func connect() {
    connection += 1
    let number = connection
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    let (sslContext, endpoint) = (sslContext, configuration.endpoint)
    let maximumReplyBytes = configuration.maximumReplyBytes
    ClientBootstrap(group: eventLoop)
      .connectTimeout(.milliseconds(Int64(configuration.connectTimeoutMilliseconds)))
      .channelOption(.tcpOption(.tcp_nodelay), value: 1)
      .channelOption(.socketOption(.so_keepalive), value: 1)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          if let sslContext {
            // A name goes into the handshake; an address is checked against the certificate by the connection itself.
            let isAddress = (try? SocketAddress(ipAddress: endpoint.host, port: endpoint.port)) != nil
            try channel.pipeline.syncOperations.addHandler(
              NIOSSLClientHandler(context: sslContext, serverHostname: isAddress ? nil : endpoint.host))
          }
          try channel.pipeline.syncOperations.addHandler(
            RedisChannelHandler(session: bound.value, connection: number, maximumReplyBytes: maximumReplyBytes))
        }
      }
      .connect(host: endpoint.host, port: endpoint.port)
      .assumeIsolated()
      .whenComplete { result in
        switch result {
        case .success(let channel): self.opened(channel, number)
        case .failure(let error): self.end(number, because: "connecting failed: \(error)")
        }
      }
  }

  private func opened(_ channel: any Channel, _ number: UInt64) {
    guard number == connection, machine.state == .connecting else {
      // Closed or lost in the meantime.
      return channel.close(promise: nil)
    }
    self.channel = channel
    let commands = handshake()
    machine.opened(handshakeReplies: commands.count)
    var bytes = ByteBuffer()
    for command in commands { RedisCommandEncoder.encode(command, into: &bytes) }
    write(bytes)
    schedulePhase(in: .milliseconds(Int64(configuration.connectTimeoutMilliseconds))) {
      $0.end(number, because: "the server took too long over the log-in")
    }
  }

  /// Logs in, chooses the database, and asks whether the server takes commands yet.
  private func handshake() -> [[RedisArgument]] {
    var commands: [[RedisArgument]] = []
    let endpoint = configuration.endpoint
    if let password = endpoint.password {
      commands.append(["AUTH"] + (endpoint.user.map { [.text($0)] } ?? []) + [.text(password.text)])
    }
    if endpoint.database != 0 { commands.append(["SELECT", .integer(endpoint.database)]) }
    return commands + [["PING"]]
  }

  /// Replies arrived, in order.
  func received(_ replies: [RedisValue], on number: UInt64) {
    for reply in replies {
      guard number == connection else { return }
      switch machine.received(reply) {
      case .none:
        break
      case .complete(let request, let values):
        request.succeed(values)
      case .ready(let requests):
        becameReady(requests)
      case .refused(let error):
        refused(error, number)
      case .unexpected:
        end(number, because: "the server sent a reply that nobody asked for")
      }
      if machine.state == .closing { finishClosingIfDone() }
    }
  }

  private func becameReady(_ requests: [RedisRequest]) {
    phaseTimer?.cancel()
    phaseTimer = nil
    logger.debug("redis connected", metadata: ["redis.endpoint": "\(configuration.endpoint)"])
    for request in requests { write(request.bytes) }
  }

  /// The log-in failed. A server that loads its data or changes its role is worth waiting for; wrong credentials are not.
  private func refused(_ error: RedisServerError, _ number: UInt64) {
    // Only the code word is passed on: the server's line may repeat the password.
    let reason = "the server refused the log-in with \(error.word)"
    if !["LOADING", "MASTERDOWN", "BUSY", "TRYAGAIN"].contains(error.word) {
      for request in machine.failWaiting() {
        request.fail(
          RedisError(.connectionRefused, .notSent, "\(reason); check user, password and database in the URL"))
      }
    }
    end(number, because: reason)
  }

  /// The connection or the attempt with this number is over; everything sent on it is of unknown effect.
  func end(_ number: UInt64, because reason: String) {
    guard number == connection, machine.state != .idle, machine.state != .backingOff else { return }
    let wasClosed = machine.state == .closed
    connection += 1
    lastFailure = reason
    outgoing.clear()
    phaseTimer?.cancel()
    phaseTimer = nil
    let loss = machine.lost()
    channel?.close(promise: nil)
    channel = nil
    for request in loss.unknown {
      request.fail(
        RedisError(.connectionLost, .unknown, "\(reason), and the answer to a command that was sent is missing"))
    }
    if wasClosed { return }
    logger.debug("redis connection ended", metadata: ["redis.reason": "\(reason)"])
    if machine.state == .closed { finishClosingIfDone() }
    if loss.backsOff { backOff() }
  }

  private func backOff() {
    let delay = configuration.backoff.delayMilliseconds(attempt: machine.attempt, using: &generator)
    schedulePhase(in: .milliseconds(Int64(delay))) { session in
      if session.machine.backOffElapsed() { session.connect() }
    }
  }

  // MARK: Writing and time

  /// Gathers what is to be written; one write and one flush follow at the end of this turn of the loop.
  private func write(_ bytes: ByteBuffer) {
    outgoing.writeImmutableBuffer(bytes)
    guard !isFlushScheduled else { return }
    isFlushScheduled = true
    eventLoop.assumeIsolated().execute { self.flush() }
  }

  private func flush() {
    isFlushScheduled = false
    guard let channel, outgoing.readableBytes > 0 else { return }
    // A failed write ends the connection, which the handler reports.
    channel.writeAndFlush(outgoing, promise: nil)
    outgoing = ByteBuffer()
  }

  /// One timer serves all deadlines: it stands at the earliest one.
  private func watch(_ deadline: NIODeadline) {
    if let timer = expiryTimer, timer.at <= deadline { return }
    expiryTimer?.task.cancel()
    let task = eventLoop.assumeIsolated().scheduleTask(deadline: deadline) { self.expire() }
    expiryTimer = (deadline, task)
  }

  private func expire() {
    expiryTimer = nil
    let expiry = machine.expire(now: eventLoop.now)
    for request in expiry.notSent {
      request.fail(
        RedisError(
          .notConnected, .notSent,
          "no connection to \(configuration.endpoint) within the command's time; last: \(lastFailure)"))
    }
    for request in expiry.unknown {
      request.fail(RedisError(.timedOut, .unknown, "the command was sent and not answered within its time"))
    }
    if expiry.isSilent { end(connection, because: "the server was silent for too long") }
    // Not at once again: each look passes over all slots, and with a stalled server every one has a deadline of its own.
    if let next = machine.nextExpiry { watch(max(next, eventLoop.now + Self.expiryPause)) }
  }

  /// The timer of the present phase: log-in, back-off or closing. Each phase replaces the last.
  private func schedulePhase(in delay: TimeAmount, _ action: @escaping (RedisSession) -> Void) {
    phaseTimer?.cancel()
    phaseTimer = eventLoop.assumeIsolated().scheduleTask(in: delay) { action(self) }
  }
}
