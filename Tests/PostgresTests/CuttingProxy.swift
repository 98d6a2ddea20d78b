import NIOCore
import NIOPosix

/// A relay on loopback between the client under test and PostgreSQL, that interferes with COMMIT.
///
/// It reads the client's bytes for the simple-protocol message whose text is `COMMIT`, ending in a zero byte
/// (which "READ COMMITTED" does not).
struct CuttingProxy: Sendable {
  /// What happens at COMMIT.
  enum Interference: Sendable {
    /// COMMIT reaches the server; of its answer, and all after it, nothing reaches the client.
    case swallowAnswer
    /// COMMIT reaches the server; the client's connection is closed once the answer has come.
    case closeAfterAnswer
    /// COMMIT does not reach the server; the client's connection is closed.
    case closeInstead
  }

  /// The relay has no port.
  private struct NoPort: Error {}

  /// Runs a relay to `port` on 127.0.0.1 while `body` runs; `body` gets the relay's own port.
  static func run<T: Sendable>(
    to port: Int, _ interference: Interference, _ body: (Int) async throws -> T
  ) async throws -> T {
    let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
      .childChannelInitializer { client in
        ClientBootstrap(group: client.eventLoop).connect(host: "127.0.0.1", port: port)
          .flatMapThrowing { server in
            // Both channels run on one loop, so the two halves may share their state.
            let sawCommit = Locked(false)
            try client.pipeline.syncOperations.addHandler(
              ClientHalf(server: server, interference: interference, sawCommit: sawCommit))
            try server.pipeline.syncOperations.addHandler(
              ServerHalf(client: client, interference: interference, sawCommit: sawCommit))
          }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    guard let ownPort = server.localAddress?.port else { throw NoPort() }
    let result: Result<T, any Error>
    do { result = .success(try await body(ownPort)) } catch { result = .failure(error) }
    try await server.close()
    return try result.get()
  }

  /// Hands on what the client sends.
  private final class ClientHalf: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let server: any Channel
    private let interference: Interference
    private let sawCommit: Locked<Bool>

    init(server: any Channel, interference: Interference, sawCommit: Locked<Bool>) {
      self.server = server
      self.interference = interference
      self.sawCommit = sawCommit
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      let bytes = unwrapInboundIn(data)
      if String(buffer: bytes).contains("COMMIT\0") {
        sawCommit.value = true
        if interference == .closeInstead { return context.close(promise: nil) }
      }
      server.writeAndFlush(bytes, promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
      server.close(promise: nil)
    }
  }

  /// Hands on what the server answers.
  private final class ServerHalf: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let client: any Channel
    private let interference: Interference
    private let sawCommit: Locked<Bool>

    init(client: any Channel, interference: Interference, sawCommit: Locked<Bool>) {
      self.client = client
      self.interference = interference
      self.sawCommit = sawCommit
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      guard sawCommit.value else { return client.writeAndFlush(unwrapInboundIn(data), promise: nil) }
      if interference == .closeAfterAnswer { client.close(promise: nil) }
    }

    func channelInactive(context: ChannelHandlerContext) {
      client.close(promise: nil)
    }
  }
}
