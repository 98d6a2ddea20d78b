import AsyncHTTPClient
public import Payouts
public import ServiceLifecycle

/// A node with an HTTP client of its own, closed when the service ends.
public struct NodeConnection: Service {
  /// The node.
  public let node: HTTPTronNode
  private let client: HTTPClient

  /// - Parameters as `HTTPTronNodeConfiguration`; `apiKey` is a secret.
  public init(url: String, solidityURL: String?, apiKey: String?) throws(MalformedValue) {
    let configuration = try HTTPTronNodeConfiguration(
      url: url, solidityURL: solidityURL, apiKey: try apiKey.map { key throws(MalformedValue) in try TronGridKey(key) })
    client = HTTPClient(
      eventLoopGroupProvider: .singleton, configuration: HTTPTronNode.clientConfiguration())
    node = HTTPTronNode(configuration: configuration, httpClient: client)
  }

  /// Waits for the end and closes the connections.
  public func run() async throws {
    try? await gracefulShutdown()
    try await client.shutdown()
  }

  /// Closes the connections where no service group does.
  public func close() async throws { try await client.shutdown() }
}
