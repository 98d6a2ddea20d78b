import NIOCore
import NIOPosix
import Synchronization

/// Stands between a client and the server, and cuts the connection at a COMMIT: before it is forwarded, so that it never
/// happens, or once the server has answered it, so that it happened and the client cannot know.
final class CommitCutter: Sendable {
  /// Where the connection is cut.
  enum Cut: Sendable {
    /// The server never sees the COMMIT.
    case before
    /// The server has answered it; the answer is thrown away.
    case after
    /// The server has answered it; the answer is passed on, and then the connection is closed.
    case afterTelling
    /// Nothing is forwarded any more: from here on every new connection is closed at once.
    case shut
  }

  /// The COMMITs still to be cut, the first of them first.
  private let cuts: Mutex<[Cut]>
  private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
  private let listener: Mutex<(any Channel)?> = Mutex(nil)

  private init(cuts: [Cut]) { self.cuts = Mutex(cuts) }

  /// Begins to listen on a free port.
  static func start(serverPort: Int, cutting cuts: [Cut]) async throws -> CommitCutter {
    let cutter = CommitCutter(cuts: cuts)
    let channel = try await ServerBootstrap(group: cutter.group)
      .childChannelOption(.autoRead, value: false)
      .childChannelInitializer { client in
        if cutter.isShut { return client.close() }
        return ClientBootstrap(group: client.eventLoop)
          .connect(host: "127.0.0.1", port: serverPort)
          .flatMapThrowing { server in
            try server.pipeline.syncOperations.addHandler(ToClient(client: client, cutter: cutter))
            try client.pipeline.syncOperations.addHandler(ToServer(server: server, cutter: cutter))
            client.setOption(.autoRead, value: true).whenFailure { _ in client.close(promise: nil) }
          }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    cutter.listener.withLock { $0 = channel }
    return cutter
  }

  /// Where it listens.
  var port: Int { listener.withLock { $0?.localAddress?.port } ?? 0 }
  /// Whether no connection is taken any more.
  fileprivate var isShut: Bool { cuts.withLock { $0.first == .shut } }
  /// How many cuts are still to be made; `shut` is never done.
  var remaining: Int { cuts.withLock { $0.count } }

  /// The next cut, if it is of this kind; it counts as done.
  fileprivate func take(_ kind: Cut) -> Bool {
    cuts.withLock { cuts in
      guard cuts.first == kind else { return false }
      cuts.removeFirst()
      return true
    }
  }

  /// Stops it; connections are closed.
  func stop() async throws {
    try await listener.withLock { $0 }?.close()
    try await group.shutdownGracefully()
  }
}

private func contains(_ buffer: ByteBuffer, _ text: String) -> Bool {
  String(decoding: buffer.readableBytesView, as: UTF8.self).contains(text)
}

/// Client to server: sees COMMIT as the simple query that the client sends.
private final class ToServer: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  let server: any Channel
  let cutter: CommitCutter

  init(server: any Channel, cutter: CommitCutter) {
    self.server = server
    self.cutter = cutter
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let buffer = unwrapInboundIn(data)
    if contains(buffer, "COMMIT\0"), cutter.take(.before) {
      server.close(promise: nil)
      context.close(promise: nil)
      return
    }
    server.writeAndFlush(buffer, promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) { server.close(promise: nil) }
}

/// Server to client: sees the answer to COMMIT by its tag.
private final class ToClient: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  let client: any Channel
  let cutter: CommitCutter

  init(client: any Channel, cutter: CommitCutter) {
    self.client = client
    self.cutter = cutter
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let buffer = unwrapInboundIn(data)
    if contains(buffer, "COMMIT\0"), cutter.take(.after) {
      client.close(promise: nil)
      context.close(promise: nil)
      return
    }
    if contains(buffer, "COMMIT\0"), cutter.take(.afterTelling) {
      client.writeAndFlush(buffer).whenComplete { [client] _ in client.close(promise: nil) }
      return
    }
    client.writeAndFlush(buffer, promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) { client.close(promise: nil) }
}
