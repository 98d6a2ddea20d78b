import AsyncHTTPClient
import FoundationEssentials
import Glibc
import NIOCore
import NIOPosix
import NIOSSL
import Worker

/// Calls servers that anybody may name, without letting them lead us into our own networks.
///
/// - The name is resolved here, every address that it has is checked, and the connection goes to a checked one: there is no
///   second resolution that could answer otherwise. TLS and the Host header still go by the name.
/// - Through a SOCKS5 proxy the name is resolved there, and nothing goes past it. Only an address that stands in the URL can
///   be checked then: the proxy itself must refuse to connect to private ones, as Tor does.
/// - No redirect is followed.
/// - Time and size are bounded: an answer's status comes within the time limit, or there is none; of its body a little is
///   read and thrown away, so that the server can finish its answer.
struct PinnedHTTPOut: HTTPOut {
  /// How long a request may take, from the look-up of the name to the answer's status, in seconds.
  static let secondsMax: Int64 = 10
  /// How long one address may take to accept the connection, in seconds; then the next one is tried.
  static let connectSecondsMax: Int64 = 3
  /// How many addresses of a name are tried.
  static let addressesMax = 3
  /// How much of an answer's body is read, in bytes.
  static let answerBytesMax = 16_384
  /// How long the answer's body is waited for.
  static let answerTail = Duration.seconds(1)

  private let resolver: any HostResolver
  private let callable: CallableAddresses
  private let secondsMax: Int64
  private let trust: TLSConfiguration
  private let proxy: ProxyServer?

  /// - Parameters:
  ///   - proxy: the SOCKS5 server through which everything goes; nil for direct connections.
  ///   - trust: whose certificates count; by default those that this machine trusts.
  init(
    resolver: any HostResolver, callable: CallableAddresses, proxy: ProxyServer? = nil, secondsMax: Int64 = secondsMax,
    trust: TLSConfiguration = .makeClientConfiguration()
  ) {
    self.trust = trust
    self.proxy = proxy
    self.resolver = resolver
    self.callable = callable
    self.secondsMax = secondsMax
  }

  /// See `HTTPOut.post`.
  func post(_ request: OutgoingRequest) async throws(HTTPOutError) -> Int {
    let deadline = NIODeadline.now() + .seconds(secondsMax)
    let host = try host(of: request.url)
    do {
      guard proxy == nil else {
        if let literal = IPAddress(host) { try check([literal], of: host) }
        return try await send(request, to: nil, of: host, until: deadline)
      }
      let addresses = try await checkedAddresses(of: host)
      for address in addresses.dropLast() {
        do { return try await send(request, to: address, of: host, until: deadline) } catch {
          // Only where nothing was sent; the last address speaks for all.
          guard failure(error).code == .unreachable, NIODeadline.now() < deadline else { throw error }
        }
      }
      return try await send(request, to: addresses[addresses.count - 1], of: host, until: deadline)
    } catch { throw failure(error) }
  }

  /// The host as the HTTP client reads it, by the same parser: it goes to another one unless the names are equal.
  private func host(of url: String) throws(HTTPOutError) -> String {
    guard let parsed = URL(string: url), ["http", "https"].contains(parsed.scheme?.lowercased()),
      parsed.user() == nil, parsed.password() == nil, let host = parsed.host, !host.isEmpty
    else { throw HTTPOutError(.malformedURL, "it is no absolute http or https URL without user and password") }
    return host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
  }

  /// The first few addresses of a host, in order, once all of them are found callable.
  private func checkedAddresses(of host: String) async throws -> [IPAddress] {
    let addresses: [IPAddress]
    if let literal = IPAddress(host) { addresses = [literal] } else { addresses = try await resolve(host) }
    try check(addresses, of: host)
    guard !addresses.isEmpty else { throw HTTPOutError(.unresolved, "\(host): it has no address") }
    return [IPAddress](addresses.prefix(Self.addressesMax))
  }

  private func check(_ addresses: [IPAddress], of host: String) throws {
    for address in addresses {
      if let reason = callable.refusal(of: address) {
        throw HTTPOutError(
          .refusedAddress, "\(host) is \(address), \(reason); WEBHOOK_ALLOWED_NETWORKS does not name it")
      }
    }
  }

  private func resolve(_ host: String) async throws -> [IPAddress] {
    try await withThrowingTaskGroup(of: [IPAddress].self) { group in
      group.addTask { try await resolver.addresses(of: host) }
      group.addTask {
        try await Task.sleep(for: .seconds(secondsMax))
        throw HTTPOutError(.timeout, "\(host): no name server answered within \(secondsMax) s")
      }
      defer { group.cancelAll() }
      guard let first = try await group.next() else { throw CancellationError() }
      return first
    }
  }

  /// A client of its own for each request: only a whole client can be pinned to an address.
  private func send(
    _ request: OutgoingRequest, to address: IPAddress?, of host: String, until deadline: NIODeadline
  ) async throws -> Int {
    var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
    configuration.timeout.connect = .seconds(Self.connectSecondsMax)
    configuration.connectionPool.retryConnectionEstablishment = false
    configuration.httpVersion = .http1Only
    configuration.tlsConfiguration = trust
    if let address { configuration.dnsOverride = [host: "\(address)"] }
    configuration.proxy = proxy.map { .socksServer(host: $0.host, port: $0.port) }
    let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    let outcome: Result<Int, any Error>
    do { outcome = .success(try await exchange(request, on: client, until: deadline)) } catch {
      outcome = .failure(error)
    }
    // It fails only where it was shut down before.
    try await client.shutdown()
    return try outcome.get()
  }

  private func exchange(
    _ request: OutgoingRequest, on client: HTTPClient, until deadline: NIODeadline
  ) async throws -> Int {
    var outgoing = HTTPClientRequest(url: request.url)
    outgoing.method = .POST
    for (name, value) in request.headers { outgoing.headers.add(name: name, value: value) }
    outgoing.body = .bytes(ByteBuffer(bytes: request.body))
    let response = try await client.execute(outgoing, deadline: deadline)
    await discard(response.body)
    return Int(response.status.code)
  }

  /// The status has said everything: whatever comes of the body changes nothing.
  private func discard(_ body: HTTPClientResponse.Body) async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { _ = try? await body.collect(upTo: Self.answerBytesMax) }
      group.addTask { try? await Task.sleep(for: Self.answerTail) }
      await group.next()
      group.cancelAll()
    }
  }

  /// Sorts what is thrown on the way.
  private func failure(_ error: any Error) -> HTTPOutError {
    if let error = error as? HTTPOutError { return error }
    if Task.isCancelled || error is CancellationError { return HTTPOutError(.cancelled, "the sender was cancelled") }
    switch error {
    case is NIOConnectionError: return HTTPOutError(.unreachable, "no connection could be made")
    case let error as IOError where error.errnoCode == ECONNREFUSED:
      return HTTPOutError(.unreachable, "the connection was refused")
    case let error as ChannelError:
      if case .connectTimeout = error { return HTTPOutError(.unreachable, "no connection in time") }
      return HTTPOutError(.connectionLost, "the connection ended before the answer")
    case let error as HTTPClientError:
      switch error {
      case .deadlineExceeded, .readTimeout, .writeTimeout:
        return HTTPOutError(.timeout, "no answer within \(secondsMax) s")
      case .connectTimeout, .tlsHandshakeTimeout:
        return HTTPOutError(.unreachable, "no connection in time")
      case .invalidURL, .emptyHost, .emptyScheme: return HTTPOutError(.malformedURL, error.shortDescription)
      default: return HTTPOutError(.connectionLost, error.shortDescription)
      }
    default:
      // A TLS error quotes certificates, never our request; its first words are enough.
      return HTTPOutError(.unreachable, String("\(error)".prefix(100)))
    }
  }
}
