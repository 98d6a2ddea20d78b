import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization
import Testing

/// A request as a receiver got it.
struct ReceivedWebhook: Sendable {
  let path: String
  let headers: HTTPHeaders
  let body: [UInt8]
  /// When it was here.
  let at = ContinuousClock.now

  var id: String { headers.first(name: "webhook-id") ?? "" }

  /// `type` of the body.
  var event: String? { json?["type"] as? String }
  /// `data.payout_id` of the body.
  var payout: String? { (json?["data"] as? [String: Any])?["payout_id"] as? String }

  private var json: [String: Any]? { (try? JSONSerialization.jsonObject(with: Data(body))) as? [String: Any] }
}

/// How a receiver answers.
enum WebhookReply: Sendable {
  case status(Int, headers: HTTPHeaders = [:])
  /// Success, so many milliseconds late.
  case late(milliseconds: Int64)
  /// Never.
  case silence
  /// Success, and then a body without end.
  case trickle
  /// Closes the connection.
  case hangUp
}

/// A real HTTP server on a loopback port that keeps what it gets.
final class WebhookReceiver: Sendable {
  private let kept = Mutex<[ReceivedWebhook]>([])
  private let answer: @Sendable (ReceivedWebhook) -> WebhookReply
  private let bound = Mutex(0)

  /// Its port on 127.0.0.1.
  var port: Int { bound.withLock { $0 } }
  /// Where it is, by a name that only a test's resolver knows.
  func url(host: String = "127.0.0.1", _ path: String = "/in") -> String { "http://\(host):\(port)\(path)" }
  /// What it got so far, in order.
  var received: [ReceivedWebhook] { kept.withLock { $0 } }

  private init(answering answer: @escaping @Sendable (ReceivedWebhook) -> WebhookReply) { self.answer = answer }

  /// Runs a receiver for the time of `body`; over TLS where it has something to show.
  static func run<Value: Sendable>(
    answering answer: @escaping @Sendable (ReceivedWebhook) -> WebhookReply = { _ in .status(204) },
    tls: NIOSSLContext? = nil, _ body: (WebhookReceiver) async throws -> Value
  ) async throws -> Value {
    let receiver = WebhookReceiver(answering: answer)
    let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          if let tls { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls)) }
          try channel.pipeline.syncOperations.configureHTTPServerPipeline()
          try channel.pipeline.syncOperations.addHandler(ReceivingHandler(receiver))
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    receiver.bound.withLock { $0 = server.localAddress?.port ?? 0 }
    let result: Result<Value, any Error>
    do { result = .success(try await body(receiver)) } catch { result = .failure(error) }
    try await server.close()
    return try result.get()
  }

  fileprivate func take(_ request: ReceivedWebhook) -> WebhookReply {
    kept.withLock { $0.append(request) }
    return answer(request)
  }
}

private final class ReceivingHandler: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private let receiver: WebhookReceiver
  private var head: HTTPRequestHead?
  private var body = ByteBuffer()

  init(_ receiver: WebhookReceiver) { self.receiver = receiver }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head):
      self.head = head
      body.clear()
    case .body(var part): body.writeBuffer(&part)
    case .end:
      guard let head else { return }
      let request = ReceivedWebhook(
        path: head.uri, headers: head.headers, body: [UInt8](body.readableBytesView))
      reply(receiver.take(request), context)
    }
  }

  private func reply(_ reply: WebhookReply, _ context: ChannelHandlerContext) {
    switch reply {
    case .status(let status, let headers): Self.end(context.channel, status, headers)
    case .late(let milliseconds):
      let channel = context.channel
      context.eventLoop.scheduleTask(in: .milliseconds(milliseconds)) { Self.end(channel, 200, [:]) }
    case .silence: break
    case .trickle:
      context.writeAndFlush(wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .ok))), promise: nil)
      let channel = context.channel
      context.eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(20)) { task in
        guard channel.isActive else { return task.cancel() }
        channel.writeAndFlush(HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(string: " "))), promise: nil)
      }
    case .hangUp: context.close(promise: nil)
    }
  }

  private static func end(_ channel: any Channel, _ status: Int, _ headers: HTTPHeaders) {
    var headers = headers
    headers.add(name: "content-length", value: "0")
    let head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: status), headers: headers)
    channel.write(HTTPServerResponsePart.head(head), promise: nil)
    channel.writeAndFlush(HTTPServerResponsePart.end(nil), promise: nil)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

/// Waits until a condition holds, looking again and again; two minutes at most, since machines stall.
func eventually(_ what: Comment, _ condition: () async throws -> Bool) async throws {
  let deadline = ContinuousClock.now + .seconds(120)
  while try await !condition() {
    try #require(ContinuousClock.now < deadline, what)
    try await Task.sleep(for: .milliseconds(10))
  }
}
