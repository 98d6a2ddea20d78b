import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// A server that tells a gateway who calls: a real HTTP server on a loopback port for the time of a test.
final class ScriptedVerifier: Sendable {
  /// What it says of a request.
  struct Word: Sendable {
    var status = 200
    var headers: [(String, String)] = []

    /// Somebody whom it knows.
    static func known(_ id: String, _ role: String, nodes: String? = nil) -> Word {
      Word(
        headers: [("X-Verified-User", id), ("X-Verified-Role", role)]
          + (nodes.map { [("X-Verified-Node-IDs", $0)] } ?? []))
    }

    /// Somebody whom it does not let through.
    static func refused(_ status: Int, _ headers: [(String, String)] = []) -> Word {
      Word(status: status, headers: headers)
    }
  }

  private let kept = Mutex<[HTTPRequestHead]>([])

  /// What it was asked.
  var asked: [HTTPRequestHead] { kept.withLock { $0 } }

  /// Serves while `body` runs, which gets its URL.
  static func run(
    answering answer: @escaping @Sendable (HTTPHeaders) -> Word,
    _ body: (_ url: String, _ verifier: ScriptedVerifier) async throws -> Void
  ) async throws {
    let verifier = ScriptedVerifier()
    let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.configureHTTPServerPipeline()
          try channel.pipeline.syncOperations.addHandler(
            VerifierHandler { head in
              verifier.kept.withLock { $0.append(head) }
              return answer(head.headers)
            })
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    guard let port = server.localAddress?.port else { preconditionFailure("a bound server has a port") }
    do {
      try await body("http://127.0.0.1:\(port)/who", verifier)
      try await server.close()
    } catch {
      try await server.close()
      throw error
    }
  }
}

private final class VerifierHandler: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private let answer: @Sendable (HTTPRequestHead) -> ScriptedVerifier.Word
  private var head: HTTPRequestHead?

  init(answer: @escaping @Sendable (HTTPRequestHead) -> ScriptedVerifier.Word) { self.answer = answer }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head): self.head = head
    case .body: break
    case .end:
      guard let head else { return }
      let word = answer(head)
      let headers = HTTPHeaders(word.headers + [("Content-Length", "0")])
      let response = HTTPResponseHead(version: .http1_1, status: .init(statusCode: word.status), headers: headers)
      context.write(wrapOutboundOut(.head(response)), promise: nil)
      context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
