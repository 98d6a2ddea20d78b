import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization
import TestSupport

/// Who calls the gateway from outside: by TLS, trusting its certificate alone.
struct GatewayCaller: Sendable {
  /// What the gateway and Ingest have agreed on.
  static let token = "gateway-" + String(repeating: "7", count: 40)

  let gateway: PrivateNginx
  private let client: HTTPClient
  private let context: NIOSSLContext

  /// A gateway before these servers, and a caller of it.
  ///
  /// - Parameters:
  ///   - upstreams: `host:port` or `http://host:port`.
  ///   - settings: variables for `compose/gateway/render` besides those.
  ///   - http1Only: HTTP/2 otherwise, which the gateway prefers too.
  static func run(
    before upstreams: [String], _ settings: [String: String] = [:], http1Only: Bool = false,
    _ body: (GatewayCaller) async throws -> Void
  ) async throws {
    let own = [
      "API_GATEWAY_TOKEN": token,
      "INGEST_UPSTREAM": upstreams.map { $0.replacing("http://", with: "") }.joined(separator: ","),
    ]
    try await PrivateNginx.run(own.merging(settings) { $1 }) { gateway in
      var trust = TLSConfiguration.makeClientConfiguration()
      trust.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(gateway.certificate))
      var configuration = HTTPClient.Configuration()
      configuration.tlsConfiguration = trust
      if http1Only { configuration.httpVersion = .http1Only }
      let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
      do {
        try await body(
          GatewayCaller(gateway: gateway, client: client, context: try NIOSSLContext(configuration: trust)))
      } catch {
        try await client.shutdown()
        throw error
      }
      try await client.shutdown()
    }
  }

  /// Asks as clients do, with a path that any client can send.
  func ask(
    _ method: String, _ path: String, _ headers: [(String, String)] = [], body: String? = nil
  ) async throws -> RunningIngest.Reply {
    let response = try await execute(method, path, headers, body: body)
    let bytes = Array(try await response.body.collect(upTo: 4 << 20).readableBytesView)
    return RunningIngest.Reply(status: Int(response.status.code), headers: response.headers, bytes: bytes)
  }

  /// The answer's head, while its body may still be coming.
  func execute(
    _ method: String, _ path: String, _ headers: [(String, String)] = [], body: String? = nil
  ) async throws -> HTTPClientResponse {
    var request = HTTPClientRequest(url: "https://localhost:\(gateway.port)\(path)")
    request.method = .init(rawValue: method)
    for (name, value) in headers { request.headers.add(name: name, value: value) }
    if let body { request.body = .bytes(ByteBuffer(string: body)) }
    return try await client.execute(request, timeout: .seconds(60))
  }

  /// Asks for a target exactly as it is spelled, by HTTP/1.1.
  func ask(_ method: String, target: String, headers: String = "") async throws -> RunningIngest.Reply? {
    try await exchange("\(method) \(target) HTTP/1.1\r\nHost: localhost\r\n\(headers)Connection: close\r\n\r\n")
  }

  /// Sends bytes on a connection of their own, and returns the answer; nil where the connection ends without one.
  ///
  /// - Parameter drip: what is sent after them again and again, until the answer is there.
  func exchange(_ bytes: String, drip: String? = nil) async throws -> RunningIngest.Reply? {
    let context = context
    let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .connect(host: "127.0.0.1", port: gateway.port) { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(
            NIOSSLClientHandler(context: context, serverHostname: "localhost"))
          return try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
        }
      }
    let text = try await channel.executeThenClose { inbound, outbound in
      try await withThrowingTaskGroup(of: String?.self) { group in
        group.addTask {
          // The gateway may end the connection while this still writes: that is no failure.
          try? await outbound.write(ByteBuffer(string: bytes))
          while let drip {
            try await Task.sleep(for: .milliseconds(50))
            try? await outbound.write(ByteBuffer(string: drip))
          }
          return nil
        }
        group.addTask {
          var answer = ""
          do {
            for try await part in inbound {
              answer += String(buffer: part)
              if Self.isWhole(answer) { break }
            }
          } catch {
            // An end without TLS' own farewell is an end as well.
          }
          return answer
        }
        group.addTask {
          try await Task.sleep(for: .seconds(60))
          throw SceneError("the gateway neither answered nor ended the connection")
        }
        defer { group.cancelAll() }
        while let answer = try await group.next() {
          if let answer { return answer }
        }
        return ""
      }
    }
    return Self.reply(text)
  }

  /// Whether an answer has come to its end. Each that nginx gives by itself tells its length.
  private static func isWhole(_ answer: String) -> Bool {
    guard let reply = Self.reply(answer), let length = reply.headers.first(name: "Content-Length").flatMap(Int.init)
    else { return false }
    return reply.bytes.count >= length
  }

  /// An answer of its text; nil where its head is not there as a whole.
  private static func reply(_ text: String) -> RunningIngest.Reply? {
    guard let end = text.firstRange(of: "\r\n\r\n") else { return nil }
    let lines = text[..<end.lowerBound].split(separator: "\r\n")
    guard let status = lines.first?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else { return nil }
    var headers = HTTPHeaders()
    for line in lines.dropFirst() {
      let name = line.prefix { $0 != ":" }
      headers.add(name: String(name), value: String(line.dropFirst(name.count + 1).drop { $0 == " " }))
    }
    return RunningIngest.Reply(status: status, headers: headers, bytes: Array(text[end.upperBound...].utf8))
  }
}

/// What a server behind the gateway has heard.
final class HeardRequests: Sendable {
  private let kept = Mutex<[ScriptedRequest]>([])

  var all: [ScriptedRequest] { kept.withLock { $0 } }

  /// Notes a request; it is answered well.
  func answered(_ request: ScriptedRequest) -> ScriptedReply {
    kept.withLock { $0.append(request) }
    return .json("{}")
  }

  /// Notes a request, over which its server dies.
  func dying(_ request: ScriptedRequest) -> ScriptedReply {
    kept.withLock { $0.append(request) }
    return .hangUp
  }
}
