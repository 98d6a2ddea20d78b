public import Payouts
import Synchronization

/// Several nodes of one network, which stand in for one (DESIGN.md §3 points 3, 5 and 7).
///
/// - Each counts only once its own genesis block was found to be the network's (`CheckedNode`).
/// - **Reads** that belong together go through `round`: one node for all of them. The calls of `TronNode` itself are for
///   reads that stand alone; each goes to the next node where one fails.
/// - Whom to ask first stands at `NodeHealth.order`. A failure makes a node pause for a growing while, a 503 for a few
///   seconds at most; one that asks to be left alone is. Failures of a whole round count, not of single requests: a node that tells its head and has lost its
///   receipts is no use.
/// - **Broadcasts** go to all nodes at once that do not pause: the same bytes execute at most once wherever they are sent,
///   and no single node that forgets them can strand a transaction. The best answer is kept, and none ends an attempt.
/// - What decides about money is agreed by a **quorum** (`NodeRound.agree`): the node of a round says it, the others are
///   asked for as much of it as it takes to compare. A liar among them can take reads to itself, by saying that it is further
///   than the others, or by lasting longer; it cannot make anybody believe it.
///
/// All nodes being away ends nothing: every call throws until one is back.
public final class NodeGroup: TronNode {
  private let nodes: [CheckedNode]
  private let quorum: Int
  private let now: @Sendable () -> Timestamp
  private let healths: Mutex<[NodeHealth]>

  /// - Parameters:
  ///   - nodes: at least one, in the order of preference.
  ///   - genesis: the id of block 0 of the network that is paid on.
  ///   - quorum: how many of them must agree on what decides; nil for more than half of them.
  ///   - now: the present time, by which pauses end.
  public init(
    _ nodes: [any TronNode], genesis: BlockID, quorum: Int? = nil, now: @escaping @Sendable () -> Timestamp
  ) {
    precondition(!nodes.isEmpty, "a group without nodes can answer nothing")
    let quorum = quorum ?? Electorate.majority(of: nodes.count)
    precondition((1...nodes.count).contains(quorum), "a quorum is one node to all of them")
    self.quorum = quorum
    self.nodes = nodes.map { CheckedNode($0, genesis: genesis) }
    self.now = now
    healths = Mutex([NodeHealth](repeating: NodeHealth(), count: nodes.count))
  }

  /// The nodes that may be asked now, the best first; none where each has asked to be left alone.
  public func choices(_ view: ChainView) -> [NodeChoice] {
    let now = now()
    let order = healths.withLock { NodeHealth.order($0, for: view, at: now) }
    return order.map(choice)
  }

  /// Those that do not pause. Where these are too few for a quorum, also those that failed lately, so that whoever is back
  /// is found at once; never one that asked to be left alone.
  public var electorate: Electorate {
    let now = now()
    let voters = healths.withLock { healths in
      let ready = NodeHealth.ready(healths, at: now)
      return ready.count >= quorum ? ready : NodeHealth.order(healths, for: .solid, at: now)
    }
    return Electorate(voters: voters.sorted().map(choice), quorum: quorum)
  }

  private func choice(_ index: Int) -> NodeChoice {
    NodeChoice(node: nodes[index], number: index + 1) { report in
      switch report {
      case .saw(let header, let view): self.change(index) { $0.saw(header, view) }
      case .served: self.change(index) { $0.worked(at: .read) }
      case .failed(let error): self.fail(index, at: .read, error)
      }
    }
  }

  /// What is known of each node, in the order of the configuration.
  public var reports: [NodeReport] {
    let now = now()
    return healths.withLock { healths in
      healths.enumerated().map { index, health in
        NodeReport(
          number: index + 1, health: health, pauseLeftMilliseconds: health.pauseLeft(at: now),
          isBehind: NodeHealth.isBehind(health, others: healths.filter { !$0.isPaused(at: now) }, .head))
      }
    }
  }

  /// Asks every node that does not pause how far its chain is, all at once: those that serve no round at present are known
  /// for what they are when they are needed.
  public func look() async {
    await withTaskGroup(of: Void.self) { group in
      for index in ready() { group.addTask { await self.look(at: index) } }
    }
  }

  private func look(at index: Int) async {
    do throws(TronNodeError) {
      for view in [ChainView.head, .solid] {
        let header = try await nodes[index].latestBlock(view).header
        change(index) { $0.saw(header, view) }
      }
      change(index) { $0.worked(at: .look) }
    } catch {
      fail(index, at: .look, error)
    }
  }

  private func change(_ index: Int, _ change: (inout NodeHealth) -> Void) {
    healths.withLock { change(&$0[index]) }
  }

  private func fail(_ index: Int, at work: NodeHealth.Work, _ error: any Error) {
    let now = now()
    let own: TronNodeError? =
      switch error {
      case let error as TronNodeError: error
      case ChainReadError.node(let error): error
      default: nil
      }
    guard own?.code != .cancelled else { return }
    let failure: NodeHealth.Failure =
      switch own?.code {
      case .rateLimited: .asksForPause(own?.pauseMilliseconds)
      case .unavailable: .unavailable
      default: .away
      }
    change(index) { $0.failed(at: work, "\(error)", failure, now: now) }
  }
}

extension NodeGroup {
  /// Asks for one thing that stands alone, of the next node where one fails.
  /// - Throws: where none answers, the error of the one that was asked first.
  func ask<Answer: Sendable>(
    _ view: ChainView, _ question: (CheckedNode) async throws(TronNodeError) -> Answer
  ) async throws(TronNodeError) -> Answer {
    var firstError: TronNodeError?
    for index in order(view) {
      do throws(TronNodeError) {
        let answer = try await question(nodes[index])
        change(index) { $0.worked(at: .read) }
        return answer
      } catch {
        guard error.code != .cancelled else { throw error }
        fail(index, at: .read, error)
        firstError = firstError ?? error
      }
    }
    throw firstError ?? .everyNodePauses
  }

  private func order(_ view: ChainView) -> [Int] {
    let now = now()
    return healths.withLock { NodeHealth.order($0, for: view, at: now) }
  }

  private func ready() -> [Int] {
    let now = now()
    return healths.withLock { NodeHealth.ready($0, at: now) }
  }

  /// Hands the transaction to all nodes at once that do not pause, or, where all do, to those that failed. It waits for all
  /// of them: who was cut off because another was faster might never get it. A node that takes too long pauses after it, so
  /// that it delays the others seldom.
  ///
  /// - Returns: the best answer (`BroadcastAnswer.rank`).
  /// - Throws: where none answers, an error whose outcome is unknown before one that says that nothing was sent.
  public func broadcast(_ signedTransaction: [UInt8]) async throws(TronNodeError) -> BroadcastAnswer {
    let ready = ready()
    let asked = ready.isEmpty ? order(.head) : ready
    let results = await withTaskGroup(of: Result<BroadcastAnswer, TronNodeError>.self) { group in
      for index in asked {
        group.addTask { await self.broadcast(signedTransaction, to: index) }
      }
      return await group.reduce(into: []) { $0.append($1) }
    }
    let answers = results.compactMap { try? $0.get() }
    if let best = answers.min(by: { $0.rank < $1.rank }) { return best }
    let errors = results.compactMap { result -> TronNodeError? in
      if case .failure(let error) = result { error } else { nil }
    }
    throw errors.first(where: \.isUnknownOutcome) ?? errors.first ?? .everyNodePauses
  }

  private func broadcast(_ bytes: [UInt8], to index: Int) async -> Result<BroadcastAnswer, TronNodeError> {
    do throws(TronNodeError) {
      let answer = try await nodes[index].broadcast(bytes)
      change(index) { $0.worked(at: .broadcast) }
      return .success(answer)
    } catch {
      fail(index, at: .broadcast, error)
      return .failure(error)
    }
  }
}

extension BroadcastAnswer {
  /// Which of several nodes' answers to the same bytes says most, the least number first: one that took them newly, one that
  /// has them, one that judged them and refused, one that could not judge.
  var rank: Int {
    switch code {
    case .success: 0
    case .duplicateTransaction, .notEnoughEffectiveConnection: isTaken ? 1 : 3
    case .signatureError, .contractValidateError, .contractExecutionError, .bandwidthError, .tooBigTransaction,
      .transactionExpired:
      2
    case .taposError, .serverBusy, .noConnection, .blockUnsolidified, .otherError, .unrecognized: 3
    }
  }
}
