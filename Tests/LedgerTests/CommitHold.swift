import NIOCore
import NIOPosix
import Synchronization

/// Stands between a client and the server, and keeps one COMMIT back until it is let go: all that its transaction locks
/// stays locked meanwhile, and nobody sees what it has changed.
final class CommitHold: Sendable {
  private struct State {
    /// Whether the next COMMIT is kept.
    var isArmed = false
    /// Passes on the one that is kept.
    var kept: (@Sendable () -> Void)?
  }

  private let state = Mutex(State())
  private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
  private let listener: Mutex<(any Channel)?> = Mutex(nil)

  private init() {}

  /// Begins to listen on a free port.
  static func start(serverPort: Int) async throws -> CommitHold {
    let hold = CommitHold()
    let channel = try await ServerBootstrap(group: hold.group)
      .childChannelOption(.autoRead, value: false)
      .childChannelInitializer { client in
        ClientBootstrap(group: client.eventLoop)
          .connect(host: "127.0.0.1", port: serverPort)
          .flatMapThrowing { server in
            try server.pipeline.syncOperations.addHandler(Relay(to: client, keepingFor: nil))
            try client.pipeline.syncOperations.addHandler(Relay(to: server, keepingFor: hold))
            client.setOption(.autoRead, value: true).whenFailure { _ in client.close(promise: nil) }
          }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    hold.listener.withLock { $0 = channel }
    return hold
  }

  /// Where it listens.
  var port: Int { listener.withLock { $0?.localAddress?.port } ?? 0 }
  /// Whether a COMMIT is kept.
  var isHolding: Bool { state.withLock { $0.kept != nil } }

  /// The next COMMIT is kept.
  func arm() { state.withLock { $0.isArmed = true } }

  /// - Returns: whether it is kept, and passed on later.
  fileprivate func keep(_ commit: @escaping @Sendable () -> Void) -> Bool {
    state.withLock { state in
      guard state.isArmed else { return false }
      state.isArmed = false
      state.kept = commit
      return true
    }
  }

  /// Passes on what is kept; nothing is kept any more. May be called again.
  func letGo() {
    let kept = state.withLock { state -> (@Sendable () -> Void)? in
      defer { state = State() }
      return state.kept
    }
    kept?()
  }

  /// Stops it; connections are closed.
  func stop() async throws {
    try await listener.withLock { $0 }?.close()
    try await group.shutdownGracefully()
  }
}

/// One direction of a connection. The client sends COMMIT as a simple query, whose text ends in a zero byte.
private final class Relay: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  private let other: any Channel
  private let hold: CommitHold?

  init(to other: any Channel, keepingFor hold: CommitHold?) {
    self.other = other
    self.hold = hold
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let buffer = unwrapInboundIn(data)
    let pass: @Sendable () -> Void = { [other] in other.writeAndFlush(buffer, promise: nil) }
    if let hold, String(buffer: buffer).contains("COMMIT\0"), hold.keep(pass) { return }
    pass()
  }

  func channelInactive(context: ChannelHandlerContext) { other.close(promise: nil) }
}
