import Synchronization

/// One node, and the newest block with which it began to serve a round of reads.
public struct NodeRound: Sendable {
  /// The node: everything that is asked of it comes from this one, and nothing of it from any other.
  public let node: any TronNode
  /// Which one it is, by its place in `TRON_RPC_URL` from 1; a node that is alone is 1.
  public let number: Int
  /// The newest block of the round's view, read at the beginning of the round; without its transactions in a round that
  /// does without bodies.
  public let latest: Block
  /// Who else has a say in what it says.
  let electorate: Electorate
  /// Who of them has failed in this round.
  private let failed = FailedVoters()

  init(node: any TronNode, number: Int, latest: Block, electorate: Electorate) {
    self.node = node
    self.number = number
    self.latest = latest
    self.electorate = electorate
  }

  /// Who is asked besides this round's node. A node that failed in this round is not asked again in it: one that hangs costs
  /// a round one time-out, however much is agreed on in it. It has no vote, and the quorum stays the same. Where too few for
  /// a quorum are left, all are asked, so that whoever is back is found at once.
  var others: [NodeChoice] {
    let others = electorate.voters.filter { $0.number != number }
    let left = others.filter { !failed.contains($0.number) }
    return left.count + 1 >= electorate.quorum ? left : others
  }

  /// Who is not asked with these.
  func leftOut(of asked: [NodeChoice]) -> [NodeChoice] {
    let asked = Set(asked.map(\.number))
    return electorate.voters.filter { $0.number != number && !asked.contains($0.number) }
  }

  /// This one could not be asked, or its answer could not be used.
  func leaveOut(_ voter: NodeChoice, _ error: any Error) {
    failed.note(voter.number)
    voter.tell(.failed(error))
  }
}

/// Nodes that failed in one round, by their places in `TRON_RPC_URL`.
private final class FailedVoters: Sendable {
  private let numbers = Mutex<Set<Int>>([])

  func note(_ number: Int) { numbers.withLock { _ = $0.insert(number) } }

  func contains(_ number: Int) -> Bool { numbers.withLock { $0.contains(number) } }
}

/// A node that may serve a round, and where to tell how that went.
public struct NodeChoice: Sendable {
  /// What is told about a node.
  public enum Report: Sendable {
    /// Its newest block of a view was read.
    case saw(BlockHeader, ChainView)
    /// It served a round to its end.
    case served
    /// The round broke off by its fault.
    case failed(any Error)
  }

  let node: any TronNode
  let number: Int
  let tell: @Sendable (Report) -> Void

  /// - Parameters:
  ///   - node: one node, not a group of them.
  ///   - number: its place, from 1.
  ///   - tell: takes what is found out about it.
  public init(node: any TronNode, number: Int, tell: @escaping @Sendable (Report) -> Void) {
    self.node = node
    self.number = number
    self.tell = tell
  }
}

extension TronNode {
  /// A node that is alone serves every round, whatever it did before.
  public func choices(_ view: ChainView) -> [NodeChoice] { [NodeChoice(node: self, number: 1) { _ in }] }

  /// Reads that belong together: **one round asks one node.** Where that node fails in it, the round begins anew with the
  /// next one, and nothing of what the first one said goes into it.
  ///
  /// Nodes differ: one lags, another stands on a branch that loses, a third has pruned its history. Answers of two of them
  /// put together are the chain of none: a block with another branch's receipts, a window with a hole, a head that goes
  /// back. So whatever is read for one decision (a block and its receipts; the window of a verdict; head, solid block and
  /// price for one look) is read in one round. From one round to the next the node may be another: what is then compared
  /// with what was stored must bear that (`FollowHead` takes a node that lags for no fork).
  ///
  /// - Parameters:
  ///   - view: whose newest block the round begins with.
  ///   - number: a node whose view is not as far as this block does not serve the round.
  ///   - body: reads, and acts on what it read. It may be run once for each node, so it must bear being cut off anywhere
  ///     and run again, as every step does. A `TronNodeError` or `ChainReadError` that it throws is the node's failure, but
  ///     for what no node can help (`ChainReadError.isFailureOfNode`); any other error ends the round at once.
  /// - Throws: what `body` throws; where no node served, the error of the one that was asked first;
  ///   `ChainReadError.absent` where none of those that answer is as far as `number`.
  public nonisolated(nonsending) func round<Outcome>(
    of view: ChainView, reaching number: Int64? = nil,
    _ body: nonisolated(nonsending) (NodeRound) async throws -> Outcome
  ) async throws -> Outcome {
    let choices = choices(view)
    guard !choices.isEmpty else { throw TronNodeError.everyNodePauses }
    var firstError: (any Error)?
    var (isOneBehind, isOneThere) = (false, false)
    for choice in choices {
      do {
        let latest = try await choice.node.latestBlock(view)
        choice.tell(.saw(latest.header, view))
        if let number, latest.header.number < number {
          isOneBehind = true
          continue
        }
        isOneThere = true
        let outcome = try await body(
          NodeRound(node: choice.node, number: choice.number, latest: latest, electorate: electorate))
        choice.tell(.served)
        return outcome
      } catch {
        guard mayAnotherDoBetter(error) else { throw error }
        if isFailureOfNode(error) { choice.tell(.failed(error)) }
        firstError = firstError ?? error
      }
    }
    if let number, isOneBehind, !isOneThere { throw ChainReadError.absent(number) }
    throw firstError ?? TronNodeError.everyNodePauses
  }
}

extension TronNode {
  /// A round, as `round(of:)`, for who needs no transactions: it begins with the newest block's header alone.
  ///
  /// - Parameters:
  ///   - view: whose newest block the round begins with.
  ///   - body: as in `round(of:)`; the newest block comes without its transactions.
  public nonisolated(nonsending) func roundWithoutBodies<Outcome>(
    of view: ChainView,
    _ body: nonisolated(nonsending) (NodeRound) async throws -> Outcome
  ) async throws -> Outcome {
    var firstError: (any Error)?
    for choice in choices(view) {
      do {
        let latest = try await choice.node.latestHeader(view)
        choice.tell(.saw(latest, view))
        let outcome = try await body(
          NodeRound(
            node: choice.node, number: choice.number, latest: Block(header: latest, transactions: []),
            electorate: electorate))
        choice.tell(.served)
        return outcome
      } catch {
        guard mayAnotherDoBetter(error) else { throw error }
        choice.tell(.failed(error))
        firstError = firstError ?? error
      }
    }
    throw firstError ?? TronNodeError.everyNodePauses
  }
}

/// Whether another node may do better: not where the caller was cancelled, the ledger refused, the nodes have no quorum, or
/// the chain contradicts itself, for which a person must look.
private func mayAnotherDoBetter(_ error: any Error) -> Bool {
  if case ChainReadError.notYetSolid = error { return true }
  return isFailureOfNode(error)
}

private func isFailureOfNode(_ error: any Error) -> Bool {
  switch error {
  case let error as TronNodeError: error.code != .cancelled
  case let error as ChainReadError: error.isFailureOfNode
  default: false
  }
}

extension TronNodeError {
  /// Nothing was asked of anybody.
  static let everyNodePauses = TronNodeError(
    .rateLimited, call: "all nodes", reason: "each has asked to be left alone for a while: ask less, or add a node")
}
