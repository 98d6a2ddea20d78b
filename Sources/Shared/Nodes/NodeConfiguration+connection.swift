public import Payouts
public import Tron
public import Worker

extension NodeConfiguration {
  /// The configured nodes, ready to be asked, each through the configured proxy.
  ///
  /// - Parameters:
  ///   - genesis: the id of block 0 of the network that is paid on.
  ///   - now: the present time, by which a node's pauses end.
  public func connection(
    genesis: BlockID, now: @escaping @Sendable () -> Timestamp
  ) throws(MalformedValue) -> NodeConnection {
    var configurations: [HTTPTronNodeConfiguration] = []
    for node in nodes {
      let key = try node.apiKey.map { key throws(MalformedValue) in
        try key.withText { text throws(MalformedValue) in try TronGridKey(text) }
      }
      configurations.append(
        try HTTPTronNodeConfiguration(
          url: node.url.withText { $0 }, solidityURL: node.solidityURL?.withText { $0 }, apiKey: key))
    }
    return NodeConnection(
      configurations, proxy: proxy.server.map { ($0.host, $0.port) }, genesis: genesis, quorum: quorum, now: now)
  }
}
