/// The nodes that are asked about the chain and given our transactions.
///
/// ## Configuration keys
/// - `TRON_RPC_URL` (http or https URLs separated by commas, required, at most 16): the nodes, the one to ask first in
///   front. There is no default: whom to believe about the chain is the operator's decision.
/// - `TRON_RPC_QUORUM` (more than half of the nodes, which is the default, to all of them): how many nodes must agree on what
///   decides about a payout. With fewer, two quorums could say different things of one block. Of two nodes both must: one
///   that is away halts all verdicts.
/// - `TRON_SOLIDITY_URL` (likewise, optional; as many, in the same order): where the solid view has its own port.
/// - `TRONGRID_API_KEY` (secret, optional): sent to TronGrid's hosts (`*.trongrid.io`) only, or to the only node.
/// - those of `ProxyConfiguration`.
public struct NodeConfiguration: SettingsReadable, Sendable {
  /// The most nodes: each is watched, and each gets every transaction.
  public static let maximumNodes = 16

  /// One node.
  public struct Node: Sendable {
    /// The base URL of its `/wallet`.
    public let url: ServiceURL
    /// The base URL of its `/walletsolidity`; nil where that is the same.
    public let solidityURL: ServiceURL?
    /// What it is sent as TronGrid's key; nil for a node that shall not learn it.
    public let apiKey: Secret?
  }

  /// At least one, in the order in which they are preferred. Elsewhere a node is named by its place here, from 1: its URL
  /// may hold a key.
  public let nodes: [Node]
  /// How many of them must agree on what decides.
  public let quorum: Int
  /// Through what they are reached.
  public let proxy: ProxyConfiguration

  /// Reads every key.
  public init(from settings: inout Settings) {
    let urls = settings.urls("TRON_RPC_URL", .http)
    let solidityURLs = settings.optionalURLs("TRON_SOLIDITY_URL", .http)
    let apiKey = settings.optionalSecret("TRONGRID_API_KEY")
    proxy = ProxyConfiguration(from: &settings)
    if urls.count > NodeConfiguration.maximumNodes {
      settings.note("TRON_RPC_URL", "names \(urls.count) nodes, expected at most \(NodeConfiguration.maximumNodes)")
    }
    let count = Int64(max(1, min(urls.count, NodeConfiguration.maximumNodes)))
    let majority = count / 2 + 1
    quorum = Int(settings.integer("TRON_RPC_QUORUM", default: majority, in: majority...count))
    let areMatched = solidityURLs.isEmpty || solidityURLs.count == urls.count
    if !areMatched, !settings.hasProblem("TRON_RPC_URL") {
      settings.note(
        "TRON_SOLIDITY_URL",
        "names \(solidityURLs.count) and TRON_RPC_URL \(urls.count): expected one for each node, in the same order")
    }
    nodes = urls.indices.map { index in
      let solidityURL = areMatched && !solidityURLs.isEmpty ? solidityURLs[index] : nil
      let isTrusted = urls.count == 1 || urls[index].isOfTronGrid && solidityURL?.isOfTronGrid ?? true
      return Node(url: urls[index], solidityURL: solidityURL, apiKey: isTrusted ? apiKey : nil)
    }
    if apiKey != nil, !nodes.isEmpty, nodes.allSatisfy({ $0.apiKey == nil }) {
      settings.note(
        "TRONGRID_API_KEY", "is for nodes of trongrid.io, and none of several nodes is one: it would be sent to nobody")
    }
  }
}

extension ServiceURL {
  /// Whether all its hosts are TronGrid's: `api.trongrid.io`, `nile.trongrid.io` and the like. A dot stands before it, so
  /// that nobody else can register such a name.
  fileprivate var isOfTronGrid: Bool { hosts.allSatisfy { $0.name.lowercased().hasSuffix(".trongrid.io") } }
}
