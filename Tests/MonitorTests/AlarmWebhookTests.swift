import NIOCore
import NIOPosix
import Synchronization
import TestSupport
import Testing
import Worker

@testable import Monitor

/// The call to `ALARM_WEBHOOK_URL`, over real sockets.
@Suite struct AlarmWebhookTests {
  /// A server that answers every request with the same bytes, and keeps what it was sent.
  private final class Server: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    let received = Mutex("")
    private let answer: String

    init(answer: String) { self.answer = answer }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      let text = String(buffer: unwrapInboundIn(data))
      let isWhole = received.withLock { received in
        received += text
        return received.hasSuffix("}")
      }
      guard isWhole, !answer.isEmpty else { return }
      context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
    }
  }

  /// Tells one alarm to a server with that answer.
  private func tell(_ answer: String, path: String = "/hook?token=t0k3n") async throws -> (error: (any Error)?, String)
  {
    let server = Server(answer: answer)
    let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelInitializer { channel in channel.pipeline.addHandler(server) }
      .bind(host: "127.0.0.1", port: 0).get()
    let port = try #require(channel.localAddress?.port)
    let webhook = AlarmWebhook(try ServiceURL("http://127.0.0.1:\(port)\(path)", kind: .endpoint))
    var failure: (any Error)?
    do { try await webhook.tell([UInt8](#"{"kind":"k"}"#.utf8)) } catch { failure = error }
    try await webhook.close()
    try await channel.close()
    return (failure, server.received.withLock { $0 })
  }

  private func http(_ status: String, _ headers: String = "content-length: 0\r\n") -> String {
    "HTTP/1.1 \(status)\r\n\(headers)\r\n"
  }

  @Test func `an alarm is posted as JSON to exactly that URL`() async throws {
    let (error, request) = try await tell(http("204 No Content"))
    #expect(error == nil)
    #expect(request.hasPrefix("POST /hook?token=t0k3n HTTP/1.1\r\n"), "\(request)")
    #expect(request.lowercased().contains("content-type: application/json\r\n"))
    #expect(request.hasSuffix("\r\n\r\n{\"kind\":\"k\"}"))
  }

  @Test(arguments: ["300 Multiple Choices", "404 Not Found", "500 Internal Server Error"])
  func `any other answer than 2xx means that it was not taken`(status: String) async throws {
    let (error, _) = try await tell(http(status))
    let text = "\(try #require(error))"
    #expect(text.contains("answered HTTP \(status.prefix(3)), expected 2xx"))
  }

  @Test func `a redirect is not followed, and no error shows the token`() async throws {
    let (error, request) = try await tell(http("302 Found", "location: http://127.0.0.1:1/\r\ncontent-length: 0\r\n"))
    let text = "\(try #require(error))"
    #expect(text.contains("HTTP 302") && !text.contains("t0k3n"))
    #expect(request.matches(of: #/POST /#).count == 1)
  }

  @Test func `a receiver that breaks off has taken nothing, and no error shows the token`() async throws {
    let (error, _) = try await tell("nonsense\r\n\r\n")
    let text = "\(try #require(error))"
    #expect(text.hasPrefix("no answer from http://127.0.0.1:") && !text.contains("t0k3n"))
  }

  @Test func `behind a proxy an alarm goes through it, by its name, or nowhere`() async throws {
    // By a real SOCKS server that knows a name which nobody else does (RFC 2606); and fails closed when that is gone, also
    // for a receiver that could be reached directly.
    let name = "alarms.behind-the-proxy.invalid"
    let proxy = try await PrivateSOCKSProxy(knowing: [name])
    try await WebhookReceiver.run { receiver in
      let through = try ProxyServer("127.0.0.1:\(proxy.port)")
      let webhook = AlarmWebhook(try ServiceURL(receiver.url(host: name), kind: .endpoint), proxy: through)
      let direct = AlarmWebhook(try ServiceURL(receiver.url(host: "127.0.0.1"), kind: .endpoint), proxy: through)
      let outcome: Result<Void, any Error>
      do {
        try await webhook.tell([UInt8](#"{"kind":"k"}"#.utf8))
        #expect(receiver.received.count == 1)
        #expect(proxy.log.contains("connected to \(name):\(receiver.port)"), "\(proxy.log)")
        try await proxy.kill()
        for closed in [webhook, direct] {
          let error = await #expect(throws: AlarmNotTaken.self) { try await closed.tell([UInt8]("{}".utf8)) }
          #expect(error?.reason.hasPrefix("no answer from http://") == true)
        }
        #expect(receiver.received.count == 1)
        outcome = .success(())
      } catch {
        outcome = .failure(error)
      }
      for client in [webhook, direct] { try await client.close() }
      try outcome.get()
    }
  }
}
