import NIOCore
public import NIOHTTP1
import NIOPosix

/// What a client asked.
public struct ScriptedRequest: Sendable {
  /// The path, with its query.
  public let path: String
  /// All headers.
  public let headers: HTTPHeaders
  /// All of its body as text.
  public let body: String
}

/// How the server answers, well or badly.
public enum ScriptedReply: Sendable {
  /// This body with this status, and this header Retry-After.
  case json(String, status: Int = 200, retryAfter: String? = nil)
  /// Reads the request and closes the connection.
  case hangUp
  /// Sends half of what it announced and closes.
  case halfThenHangUp
  /// Never answers.
  case silence
  /// Sends the head at once and then a byte now and then, without end.
  case trickle
  /// Announces nothing and sends this many bytes of JSON text.
  case flood(bytes: Int)
  /// Announces this length.
  case announced(bytes: Int)
}

/// A real HTTP server on a loopback port for the time of a test.
public enum ScriptedServer {
  /// Serves while `body` runs, which gets its base URL.
  public static func run<Result: Sendable>(
    answering answer: @escaping @Sendable (ScriptedRequest) -> ScriptedReply,
    _ body: (_ url: String) async throws -> Result
  ) async throws -> Result {
    let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.configureHTTPServerPipeline()
          try channel.pipeline.syncOperations.addHandler(ScriptedHandler(answer: answer))
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    guard let port = server.localAddress?.port else { preconditionFailure("a bound server has a port") }
    do {
      let result = try await body("http://127.0.0.1:\(port)")
      try await server.close()
      return result
    } catch {
      try await server.close()
      throw error
    }
  }
}

private final class ScriptedHandler: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private let answer: @Sendable (ScriptedRequest) -> ScriptedReply
  private var head: HTTPRequestHead?
  private var body = ByteBuffer()

  init(answer: @escaping @Sendable (ScriptedRequest) -> ScriptedReply) { self.answer = answer }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head):
      self.head = head
      body.clear()
    case .body(var part): body.writeBuffer(&part)
    case .end:
      guard let head else { return }
      let request = ScriptedRequest(path: head.uri, headers: head.headers, body: String(buffer: body))
      reply(answer(request), context)
    }
  }

  private func reply(_ reply: ScriptedReply, _ context: ChannelHandlerContext) {
    switch reply {
    case .json(let text, let status, let retryAfter):
      begin(status: status, length: text.utf8.count, retryAfter: retryAfter, context)
      send(text, context)
      end(context)
    case .hangUp: context.close(promise: nil)
    case .halfThenHangUp:
      begin(status: 200, length: 100, context)
      send("{\"blockID\":\"0000", context)
      context.flush()
      context.close(promise: nil)
    case .silence: break
    case .trickle:
      begin(status: 200, length: nil, context)
      context.flush()
      drip(context.channel)
    case .flood(let bytes):
      begin(status: 200, length: nil, context)
      send("\"" + String(repeating: "x", count: bytes) + "\"", context)
      end(context)
    case .announced(let bytes):
      begin(status: 200, length: bytes, context)
      context.flush()
    }
  }

  private func begin(status: Int, length: Int?, retryAfter: String? = nil, _ context: ChannelHandlerContext) {
    var headers = HTTPHeaders([("content-type", "application/json")])
    if let length { headers.add(name: "content-length", value: "\(length)") }
    if let retryAfter { headers.add(name: "retry-after", value: retryAfter) }
    let head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: status), headers: headers)
    context.write(wrapOutboundOut(.head(head)), promise: nil)
  }

  private func send(_ text: String, _ context: ChannelHandlerContext) {
    context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: text)))), promise: nil)
  }

  private func end(_ context: ChannelHandlerContext) {
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
  }

  /// A space every 20 ms until the client goes away.
  private func drip(_ channel: any Channel) {
    channel.eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(20)) { task in
      guard channel.isActive else { return task.cancel() }
      channel.writeAndFlush(HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(string: " "))), promise: nil)
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
