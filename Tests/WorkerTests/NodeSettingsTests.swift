import Payouts
import Testing
import Worker

/// Which nodes are asked, what each of them learns of the key, and through which proxy.
@Suite struct NodeSettingsTests {
  private func read(_ environment: [String: String]) throws -> NodeConfiguration {
    try Settings.read(NodeConfiguration.self, environment: environment)
  }

  @Test func `several nodes keep their order, each with its own solid view`() throws {
    let configuration = try read([
      "TRON_RPC_URL": "http://a:8090, http://b:8090/key", "TRON_SOLIDITY_URL": "http://a:8091,http://b:8091",
    ])
    #expect(configuration.nodes.map { $0.url.withText { $0 } } == ["http://a:8090", "http://b:8090/key"])
    #expect(configuration.nodes.map { $0.solidityURL?.withText { $0 } } == ["http://a:8091", "http://b:8091"])
  }

  @Test func `more than half of the nodes must agree, and no fewer can be configured`() throws {
    // DESIGN.md §3 point 5: "`TRON_RPC_QUORUM` (default ⌊n / 2⌋ + 1)". Two quorums without a node in common could free a
    // payout by one chain that another one paid.
    for (count, quorum) in [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (16, 9)] {
      let urls = (1...count).map { "http://node\($0):8090" }.joined(separator: ",")
      #expect(try read(["TRON_RPC_URL": urls]).quorum == quorum)
      #expect(try read(["TRON_RPC_URL": urls, "TRON_RPC_QUORUM": "\(count)"]).quorum == count)
      for wrong in ["0", "\(quorum - 1)", "\(count + 1)", "-1", "most", "1.5"] {
        #expect(throws: ConfigurationError.self) { try read(["TRON_RPC_URL": urls, "TRON_RPC_QUORUM": wrong]) }
      }
    }
  }

  /// Nodes and their solid views, and which of them may learn the key.
  static let keys: [(String, String, [Bool])] = [
    ("https://api.trongrid.io,http://own:8090", "", [true, false]),
    ("http://own:8090,https://NILE.TronGrid.io", "", [false, true]),
    ("https://api.trongrid.io,https://trongrid.io.evil.example", "", [true, false]),
    ("https://api.trongrid.io,https://eviltrongrid.io", "", [true, false]),
    ("https://api.trongrid.io,http://evil.example/api.trongrid.io", "", [true, false]),
    ("https://api.trongrid.io,https://nile.trongrid.io", "http://own:8091,https://nile.trongrid.io", [false, true]),
    ("http://own:8090", "", [true]), ("http://own:8090", "http://own:8091", [true]),
  ]

  @Test(arguments: keys)
  func `the key goes to TronGrid or to the only node`(urls: String, solidityURLs: String, learns: [Bool]) throws {
    // The key is one for all nodes, so one that is another's must never see it: it could use our quota up.
    let configuration = try read([
      "TRON_RPC_URL": urls, "TRON_SOLIDITY_URL": solidityURLs, "TRONGRID_API_KEY": "0123",
    ])
    #expect(configuration.nodes.map { $0.apiKey != nil } == learns)
  }

  @Test(arguments: [
    ("127.0.0.1:9050", "127.0.0.1", 9050), ("socks5://tor:1", "tor", 1),
    ("SOCKS5H://tor.example:65535", "tor.example", 65_535),
    ("[::1]:9050", "::1", 9050),
  ])
  func `a proxy is named with or without its scheme`(text: String, host: String, port: Int) throws {
    let configuration = try read(["TRON_RPC_URL": "http://a", "TOR_ENABLED": "true", "TOR_PROXY": text])
    #expect(configuration.proxy.server?.host == host)
    #expect(configuration.proxy.server?.port == port)
  }

  @Test func `a proxy is used only where it is enabled`() throws {
    let configured = ["TRON_RPC_URL": "http://a", "TOR_PROXY": "127.0.0.1:9050"]
    #expect(try read(configured).proxy.server == nil)
    #expect(try read(configured.merging(["TOR_ENABLED": "false"]) { $1 }).proxy.server == nil)
    #expect(try read(configured.merging(["TOR_ENABLED": "on"]) { $1 }).proxy.server?.description == "127.0.0.1:9050")
  }
}
