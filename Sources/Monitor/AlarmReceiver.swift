import AsyncHTTPClient
import NIOCore
public import ServiceLifecycle
import Worker

/// Whoever is called about alarms.
public protocol AlarmReceiver: Sendable {
  /// Hands one alarm over, as JSON. Returns once it was taken; an error may come after it was.
  func tell(_ json: [UInt8]) async throws
}

/// The operator's `ALARM_WEBHOOK_URL`: a POST of JSON that must be answered with 2xx in time.
///
/// The operator chooses the address, so that none is refused. Redirects are not followed, the answer's body is not read.
/// Where a SOCKS5 proxy is configured it goes through that, its name resolved there, or not at all: a receiver inside our
/// own networks is then told nothing, unless the proxy lets it be reached.
public struct AlarmWebhook: AlarmReceiver, Service {
  /// How long a whole call may take, in seconds.
  static let timeoutSeconds: Int64 = 10

  private let url: ServiceURL
  private let client: HTTPClient

  /// - Parameters:
  ///   - url: of kind endpoint; may hold a token.
  ///   - proxy: the SOCKS5 server through which it is called; nil for a direct connection.
  init(_ url: ServiceURL, proxy: ProxyServer? = nil) {
    var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
    configuration.timeout.connect = .seconds(5)
    configuration.connectionPool.idleTimeout = .seconds(20)
    configuration.proxy = proxy.map { .socksServer(host: $0.host, port: $0.port) }
    self.url = url
    client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
  }

  /// See `AlarmReceiver`.
  public func tell(_ json: [UInt8]) async throws {
    var request = url.withText { HTTPClientRequest(url: $0) }
    request.method = .POST
    request.headers.add(name: "content-type", value: "application/json")
    request.body = .bytes(ByteBuffer(bytes: json))
    let status: UInt
    do {
      status = try await client.execute(request, timeout: .seconds(Self.timeoutSeconds)).status.code
    } catch {
      // Only the kind of the error: its whole text may show the URL.
      let kind = (error as? HTTPClientError)?.shortDescription ?? "\(type(of: error))"
      throw AlarmNotTaken(reason: "no answer from \(url) within \(Self.timeoutSeconds) s: \(kind)")
    }
    guard (200..<300).contains(status) else {
      throw AlarmNotTaken(reason: "\(url) answered HTTP \(status), expected 2xx")
    }
  }

  /// Closes the connections where no service group does.
  func close() async throws { try await client.shutdown() }

  /// Waits for the end and closes the connections.
  public func run() async throws {
    try? await gracefulShutdown()
    try await client.shutdown()
  }
}

/// An alarm was not taken, or its receiver did not say so. Names scheme, host and port only.
struct AlarmNotTaken: Error, CustomStringConvertible {
  let reason: String

  var description: String { reason }
}
