/// Who has a say in what one of several nodes says, and how many of them must agree (DESIGN.md §3 point 5).
public struct Electorate: Sendable {
  /// The nodes that may be asked, in the order of the configuration. Each was found to be of the right network, or is before
  /// it answers.
  let voters: [NodeChoice]
  /// So many must agree, the node that said it first included.
  public let quorum: Int

  /// - Parameters:
  ///   - voters: the nodes that may be asked; the node of a round is not asked twice.
  ///   - quorum: at least 1.
  public init(voters: [NodeChoice], quorum: Int) {
    self.voters = voters
    self.quorum = quorum
  }

  /// More than half of so many nodes: no two quorums without a node in common.
  public static func majority(of count: Int) -> Int { count / 2 + 1 }
}

/// What nodes can say differently of one block.
public enum Disputed: String, Sendable, Hashable, CaseIterable {
  /// Its identity.
  case block
  /// How transactions of ours ended in it.
  case receipts
  /// Which transactions it holds, and their results.
  case body
  /// A header that is false by its own content.
  case header
  /// Whose key signed it.
  case signature
}

/// Nodes that say different things of one solid block.
public struct Disagreement: Sendable, Hashable {
  /// The block's number.
  public let number: Int64
  /// What they say differently.
  public let matter: Disputed
  /// The nodes that stand against a quorum, or all that disagree where there is none; by their places in `TRON_RPC_URL`.
  public let nodes: [Int]
  /// Whether a quorum agreed all the same.
  public let isDecided: Bool

  /// Of its parts.
  public init(number: Int64, matter: Disputed, nodes: [Int], isDecided: Bool) {
    self.number = number
    self.matter = matter
    self.nodes = nodes
    self.isDecided = isDecided
  }

  /// Which nodes, for an alarm's subject: one standing alarm for each set of them.
  public var subject: String { "nodes " + nodes.map(String.init).joined(separator: ", ") }

  /// What happened and what to do.
  public var message: String {
    let what =
      switch matter {
      case .block: "another block \(number) than the other nodes"
      case .receipts: "other results of our transactions in block \(number) than the other nodes"
      case .body: "other transactions in block \(number) than the other nodes"
      case .header: "a false header of block \(number)"
      case .signature: "another key's signature of block \(number) than the other nodes"
      }
    return isDecided
      ? "node \(nodes.map(String.init).joined(separator: ", ")) of TRON_RPC_URL gives \(what), and a quorum agrees without "
        + "it: look what is wrong with it, and take it out of the list"
      : "the nodes of TRON_RPC_URL disagree: \(what), and there is no quorum: no verdict is given until there is one"
  }
}
