import AsyncHTTPClient
public import Payouts
public import ServiceLifecycle

/// Nodes with an HTTP client of their own, closed when the service ends.
public struct NodeConnection: Service {
  /// The nodes, as one.
  public let nodes: NodeGroup
  private let client: HTTPClient

  /// - Parameters:
  ///   - configurations: at least one, in the order of preference.
  ///   - proxy: the SOCKS5 server through which all of them are reached; nil for direct connections.
  ///   - genesis: the id of block 0 of the network that is paid on.
  ///   - quorum: how many of them must agree on what decides; nil for more than half of them.
  ///   - now: the present time.
  public init(
    _ configurations: [HTTPTronNodeConfiguration], proxy: (host: String, port: Int)? = nil, genesis: BlockID,
    quorum: Int? = nil, now: @escaping @Sendable () -> Timestamp
  ) {
    let client = HTTPClient(
      eventLoopGroupProvider: .singleton, configuration: HTTPTronNode.clientConfiguration(proxy: proxy))
    self.client = client
    nodes = NodeGroup(
      configurations.map { HTTPTronNode(configuration: $0, httpClient: client) }, genesis: genesis, quorum: quorum,
      now: now)
  }

  /// Waits for the end and closes the connections.
  public func run() async throws {
    try? await gracefulShutdown()
    try await client.shutdown()
  }

  /// Closes the connections where no service group does.
  public func close() async throws { try await client.shutdown() }
}
