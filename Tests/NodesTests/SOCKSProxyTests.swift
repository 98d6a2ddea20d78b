// Proves that all traffic to nodes goes through a SOCKS5 proxy that is configured, with names resolved there, and none of it
// past one that cannot be reached. By a real SOCKS server (Debian's microsocks) and a real HTTP server on loopback.
import Nodes
import Payouts
import Synchronization
import TestSupport
import Testing
import Tron
import Worker

@Suite struct SOCKSProxyTests {
  /// No name server knows it, ever (RFC 2606); the proxy does.
  static let name = "node.behind-the-proxy.invalid"
  private static let genesis = BlockID(exactly: [UInt8](repeating: 0, count: 8) + [UInt8](repeating: 7, count: 24))
  private static let genesisAnswer = "{\"blockID\":\"\(genesis)\"}"
  private static let price = "{\"chainParameter\":[{\"key\":\"getEnergyFee\",\"value\":100}]}"

  /// Answers as a node does, as far as these tests ask.
  private static func answer(_ request: ScriptedRequest) -> ScriptedReply {
    request.path.hasSuffix("getblockbynum") ? .json(genesisAnswer) : .json(price)
  }

  /// Runs `body` with the nodes of this environment, as Signer and Monitor make them.
  private func withNodes(
    _ environment: [String: String], _ body: (NodeGroup) async throws -> Void
  ) async throws {
    let configuration = try Settings.read(NodeConfiguration.self, environment: environment)
    let connection = try configuration.connection(genesis: Self.genesis, now: { SystemClock().now() })
    let outcome: Result<Void, any Error>
    do { outcome = .success(try await body(connection.nodes)) } catch { outcome = .failure(error) }
    try await connection.close()
    try outcome.get()
  }

  @Test func `a node's name reaches the proxy and is resolved there`() async throws {
    let requests = Mutex(0)
    let proxy = try await PrivateSOCKSProxy(knowing: [Self.name])
    try await ScriptedServer.run(answering: { request in
      requests.withLock { $0 += 1 }
      return Self.answer(request)
    }) { url in
      let port = url.split(separator: ":").last ?? ""
      let environment = [
        "TRON_RPC_URL": "http://\(Self.name):\(port)", "TOR_ENABLED": "true", "TOR_PROXY": "127.0.0.1:\(proxy.port)",
      ]
      try await withNodes(environment) { nodes in
        let price = try await nodes.energyPrice()
        #expect(price == Sun(100))
      }
      #expect(requests.withLock { $0 } == 2)
      #expect(proxy.log.contains("connected to \(Self.name):\(port)"), "\(proxy.log)")
    }
  }

  @Test func `a name that this machine knows is resolved at the proxy too`() async throws {
    // What this machine can reach by itself goes through the proxy as well, by its name and not by its address.
    let proxy = try await PrivateSOCKSProxy(knowing: ["localhost"])
    try await ScriptedServer.run(answering: Self.answer) { url in
      let port = url.split(separator: ":").last ?? ""
      let environment = [
        "TRON_RPC_URL": "http://localhost:\(port)", "TOR_ENABLED": "true",
        "TOR_PROXY": "socks5h://localhost:\(proxy.port)",
      ]
      try await withNodes(environment) { _ = try await $0.energyPrice() }
      #expect(proxy.log.contains("connected to localhost:\(port)"), "\(proxy.log)")
    }
  }

  @Test func `without its proxy nothing is sent, also to a node that could be reached directly`() async throws {
    // Fails closed: before the proxy is there, and after it has gone.
    let requests = Mutex(0)
    let proxy = try await PrivateSOCKSProxy(knowing: [Self.name])
    let nobody = try FreePort.choose()
    try await ScriptedServer.run(answering: { request in
      requests.withLock { $0 += 1 }
      return Self.answer(request)
    }) { url in
      let direct = ["TRON_RPC_URL": url, "TOR_ENABLED": "true"]
      try await withNodes(direct.merging(["TOR_PROXY": "127.0.0.1:\(nobody)"]) { $1 }) { nodes in
        let error = await #expect(throws: TronNodeError.self) { try await nodes.energyPrice() }
        #expect(error?.code == .unreachable, "\(String(describing: error))")
        await #expect(throws: TronNodeError.self) { try await nodes.broadcast([1]) }
        await nodes.look()
        #expect(requests.withLock { $0 } == 0)
      }
      try await withNodes(direct.merging(["TOR_PROXY": "127.0.0.1:\(proxy.port)"]) { $1 }) { nodes in
        #expect(try await nodes.energyPrice() == Sun(100))
        let before = requests.withLock { $0 }
        try await proxy.kill()
        await #expect(throws: TronNodeError.self) { try await nodes.energyPrice() }
        await #expect(throws: TronNodeError.self) { try await nodes.broadcast([1]) }
        #expect(requests.withLock { $0 } == before)
      }
      // Another node changes nothing: each of them is behind the proxy.
      try await withNodes([
        "TRON_RPC_URL": "http://127.0.0.1:1,\(url)", "TOR_ENABLED": "true", "TOR_PROXY": "127.0.0.1:\(nobody)",
      ]) { nodes in
        let before = requests.withLock { $0 }
        await #expect(throws: TronNodeError.self) { try await nodes.energyPrice() }
        #expect(requests.withLock { $0 } == before)
      }
    }
  }

  @Test func `without TOR_ENABLED a proxy that is named is not used`() async throws {
    try await ScriptedServer.run(answering: Self.answer) { url in
      let environment = ["TRON_RPC_URL": url, "TOR_PROXY": "127.0.0.1:\(try FreePort.choose())"]
      try await withNodes(environment) { nodes in
        let price = try await nodes.energyPrice()
        #expect(price == Sun(100))
      }
    }
  }

  @Test func `each node's solid view is asked at its own place, and only the only node learns the key`() async throws {
    let seen = SeenRequests()
    func record(_ place: String) -> @Sendable (ScriptedRequest) -> ScriptedReply {
      { request in
        seen.note([request.path] + request.headers["TRON-PRO-API-KEY"], at: place)
        return Self.answer(request)
      }
    }
    try await ScriptedServer.run(answering: record("head")) { head in
      try await ScriptedServer.run(answering: record("solid")) { solid in
        try await withNodes(["TRON_RPC_URL": head, "TRON_SOLIDITY_URL": solid, "TRONGRID_API_KEY": "0123"]) { nodes in
          _ = try? await nodes.block(7, .solid)
        }
        try await withNodes([
          "TRON_RPC_URL": "\(head),https://nile.trongrid.io", "TRONGRID_API_KEY": "4567",
          "TRON_SOLIDITY_URL": "\(solid),https://nile.trongrid.io/solid", "TOR_ENABLED": "false",
        ]) { nodes in _ = try? await nodes.energyPrice() }
      }
    }
    #expect(
      seen.all == [
        "head": ["/wallet/getblockbynum", "0123", "/wallet/getblockbynum", "/wallet/getchainparameters"],
        "solid": ["/walletsolidity/getblockbynum", "0123"],
      ])
  }
}

/// What servers were asked, by place.
private final class SeenRequests: Sendable {
  private let requests = Mutex<[String: [String]]>([:])

  var all: [String: [String]] { requests.withLock { $0 } }

  func note(_ texts: [String], at place: String) { requests.withLock { $0[place, default: []] += texts } }
}
