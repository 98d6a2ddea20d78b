public import Payouts

/// What the node of a round says counts for a verdict only once a quorum says the same (DESIGN.md §3 point 5).
///
/// One node gives whole blocks, the others as little as it takes to compare: a header, or receipts where transactions of ours
/// are in the block. Nothing is asked where one node decides. All others are asked at once and waited for, so that who lies
/// is noticed although the rest agree; one that hangs is left out of the rest of the round, and pauses afterwards.
///
/// | the nodes | what comes of it |
/// | --- | --- |
/// | a quorum, with this one | it counts; who says something else is noted |
/// | a quorum against this one | `.outvoted`: its round begins anew with another node |
/// | different things without a quorum | `.disputed`: nothing counts until a quorum agrees |
/// | too few have it, or answer | `.awaitsQuorum`, `.noQuorum`: read again later |
extension NodeRound {
  /// Whether one node's word is enough, by the configuration.
  public var isDecidedAlone: Bool { electorate.quorum == 1 }

  /// Makes sure that a quorum has this very block.
  ///
  /// By the ids of parents it covers all blocks below that were seen to hash to their own ids, too.
  /// - Throws: `ChainReadError`, by the table above.
  public nonisolated(nonsending) func agree(
    on header: BlockHeader, _ view: ChainView, noting log: DisagreementLog
  ) async throws {
    try await poll(header.number, .block, header.id, log) { node in
      guard let theirs = try await node.header(header.number, view) else { return nil }
      if let flaw = theirs.flaw { throw FalseHeader(flaw) }
      return theirs.id
    }
  }

  /// Makes sure that a quorum shows the same key's signature of this very block, which its id does not cover. Who is on
  /// another branch says nothing of it.
  /// - Throws: `ChainReadError`, by the table above.
  public nonisolated(nonsending) func agreeOnSignature(
    of header: BlockHeader, _ view: ChainView, noting log: DisagreementLog
  ) async throws {
    try await poll(header.number, .signature, header.signature, log) { node in
      guard let theirs = try await node.header(header.number, view), theirs.id == header.id else { return nil }
      return theirs.signature
    }
  }

  /// Makes sure that a quorum gives these transactions of a solid block the same ends.
  /// - Throws: `ChainReadError`, by the table above.
  public nonisolated(nonsending) func agreeOnReceipts(
    of txids: Set<TxID>, in block: ReadBlock, noting log: DisagreementLog
  ) async throws {
    guard !txids.isEmpty else { return }
    let number = block.place.number
    let own = DecidingReceipt.of(txids, among: block.entries.map(\.receipt))
    try await poll(number, .receipts, own, log) { node in
      let theirs = DecidingReceipt.of(txids, among: try await node.receipts(ofBlock: number, .solid))
      // Without a word on each of them it has lost its history, or is behind: it says nothing.
      return theirs.count == txids.count ? theirs : nil
    }
  }

  /// Has a quorum agree on the transactions of a block whose body could not be shown to be its header's, and their results.
  ///
  /// One node is no quorum here, whatever is configured: that would be its word against the header's root.
  /// - Returns: the block with a body that counts; where one node decides the block as it is.
  /// - Throws: `ChainReadError`, by the table above.
  public nonisolated(nonsending) func agreeOnBody(
    of block: ReadBlock, noting log: DisagreementLog
  ) async throws -> ReadBlock {
    guard !block.isBodyProven, electorate.quorum > 1 else { return block }
    let (number, id) = (block.place.number, block.place.id)
    let own = block.entries.map { ListedTransaction($0.transaction) }
    try await poll(number, .body, own, log) { node in
      guard let theirs = try await node.block(number, .solid), theirs.header.id == id else { return nil }
      return theirs.transactions.map(ListedTransaction.init)
    }
    return block.withAgreedBody
  }

  /// Looks for the body of a block among the other nodes. Nobody's word: the header's root decides.
  public nonisolated(nonsending) func provenBody(of block: ReadBlock, _ view: ChainView) async throws -> BodyElsewhere {
    var isAwaited = false
    for voter in others {
      do {
        guard let theirs = try await voter.node.readBlock(block.place.number, view) else {
          isAwaited = true
          continue
        }
        if theirs.isBodyProven, theirs.place.id == block.place.id { return .proven(theirs) }
      } catch {
        // Receipts that are late are no reason to ask it nothing any more.
        if TronNodeError.isSilence(error) { leaveOut(voter, error) }
      }
    }
    try Task.checkCancellation()
    return isAwaited ? .awaited : .none
  }

  /// The newest solid block that a quorum has, for what must not rest on one node's word although no verdict hangs on it.
  ///
  /// - Throws: `ChainReadError`, by the table above.
  public nonisolated(nonsending) func newestAgreedSolidHeader(noting log: DisagreementLog) async throws -> BlockHeader {
    let own = try await node.latestHeader(.solid)
    guard electorate.quorum > 1 else { return own }
    let numbers = await withTaskGroup(of: Int64?.self) { group in
      for voter in others {
        group.addTask {
          do {
            return try await voter.node.latestHeader(.solid).number
          } catch {
            leaveOut(voter, error)
            return nil
          }
        }
      }
      return await group.reduce(into: [own.number]) { numbers, theirs in if let theirs { numbers.append(theirs) } }
    }
    try Task.checkCancellation()
    guard numbers.count >= electorate.quorum else {
      throw ChainReadError.noQuorum(own.number, agreeing: numbers.count, needed: electorate.quorum)
    }
    // So many have come at least that far, whatever one of them says.
    let agreed = min(own.number, numbers.sorted(by: >)[electorate.quorum - 1])
    var header = own
    if agreed != own.number {
      guard let lower = try await node.header(agreed, .solid) else { throw ChainReadError.absent(agreed) }
      header = lower
    }
    try header.refuseFlaw()
    try await agree(on: header, .solid, noting: log)
    return header
  }

  /// What a quorum of nodes answers to a question whose answers need not be alike: the caller takes the one that is safe.
  ///
  /// - Parameters:
  ///   - own: what this round's node has answered.
  ///   - question: nil where a node cannot know.
  /// - Returns: at least as many answers as a quorum has nodes, `own` first; `own` alone where one node decides.
  /// - Throws: `ChainReadError.noQuorum` where fewer answer.
  public nonisolated(nonsending) func answersOfQuorum<Answer: Sendable>(
    _ own: Answer, _ question: @escaping @Sendable (any TronNode) async throws -> Answer?
  ) async throws -> [Answer] {
    guard electorate.quorum > 1 else { return [own] }
    let answers = await withTaskGroup(of: Answer?.self) { group in
      for voter in others {
        group.addTask {
          do {
            return try await question(voter.node)
          } catch {
            leaveOut(voter, error)
            return nil
          }
        }
      }
      return await group.reduce(into: [own]) { answers, answer in if let answer { answers.append(answer) } }
    }
    try Task.checkCancellation()
    guard answers.count >= electorate.quorum else {
      throw ChainReadError.noQuorum(latest.header.number, agreeing: answers.count, needed: electorate.quorum)
    }
    return answers
  }

  /// How many nodes must agree.
  public var quorum: Int { electorate.quorum }

  private nonisolated(nonsending) func poll<Content: Hashable & Sendable>(
    _ block: Int64, _ matter: Disputed, _ own: Content, _ log: DisagreementLog,
    _ question: @escaping @Sendable (any TronNode) async throws -> Content?
  ) async throws {
    guard electorate.quorum > 1 else { return }
    let asked = others
    let rest = leftOut(of: asked)
    var votes = await self.votes(of: asked, block, question)
    // Where those come to no quorum, whoever failed earlier in the round may be back.
    if !rest.isEmpty, !hasQuorum(votes, own) { votes += await self.votes(of: rest, block, question) }
    // A cancelled caller's votes say nothing of the nodes.
    try Task.checkCancellation()
    try count(votes.sorted { $0.0.number < $1.0.number }, block, matter, own, log)
  }

  private nonisolated(nonsending) func votes<Content: Hashable & Sendable>(
    of voters: [NodeChoice], _ block: Int64, _ question: @escaping @Sendable (any TronNode) async throws -> Content?
  ) async -> [(NodeChoice, Vote<Content>)] {
    await withTaskGroup(of: (NodeChoice, Vote<Content>).self) { group in
      for voter in voters {
        group.addTask {
          do {
            return (voter, try await question(voter.node).map { .says($0) } ?? .hasNot)
          } catch let error as FalseHeader {
            voter.tell(.failed(TronNodeError(.inconsistent, call: "block \(block)", reason: error.reason)))
            return (voter, .lies)
          } catch {
            leaveOut(voter, error)
            return (voter, .silent)
          }
        }
      }
      return await group.reduce(into: []) { $0.append($1) }
    }
  }

  private func hasQuorum<Content: Hashable & Sendable>(_ votes: [(NodeChoice, Vote<Content>)], _ own: Content) -> Bool {
    let said = [own] + votes.compactMap { if case .says(let content) = $0.1 { content } else { nil } }
    return Dictionary(grouping: said) { $0 }.values.contains { $0.count >= electorate.quorum }
  }

  private func count<Content: Hashable & Sendable>(
    _ votes: [(NodeChoice, Vote<Content>)], _ block: Int64, _ matter: Disputed, _ own: Content, _ log: DisagreementLog
  ) throws(ChainReadError) {
    var voices: [Content: [Int]] = [own: [number]]
    var absent = 0
    for (voter, vote) in votes {
      switch vote {
      case .says(let content):
        voices[content, default: []].append(voter.number)
        if content == own { voter.tell(.served) }
      case .hasNot: absent += 1
      case .lies: log.note(Disagreement(number: block, matter: .header, nodes: [voter.number], isDecided: true))
      case .silent: break
      }
    }
    let agreeing = voices[own, default: []].count
    let quorum = electorate.quorum
    if let winner = voices.first(where: { $0.value.count >= quorum }) {
      let losers = voices.filter { $0.key != winner.key }.flatMap(\.value).sorted()
      if !losers.isEmpty {
        log.note(Disagreement(number: block, matter: matter, nodes: losers, isDecided: true))
      }
      if winner.key != own { throw .outvoted(block, matter) }
      return
    }
    guard voices.count == 1 else {
      log.note(
        Disagreement(number: block, matter: matter, nodes: voices.flatMap(\.value).sorted(), isDecided: false))
      throw .disputed(block, matter)
    }
    if agreeing + absent >= quorum { throw .awaitsQuorum(block) }
    throw .noQuorum(block, agreeing: agreeing, needed: quorum)
  }
}

/// What other nodes have of a block whose body one node could not show to be its header's.
public enum BodyElsewhere: Sendable {
  /// The same block with a body that hashes to the header's root.
  case proven(ReadBlock)
  /// None yet, and a node that answers does not have the block.
  case awaited
  /// None of those that answer.
  case none
}

/// What one node said.
private enum Vote<Content: Sendable>: Sendable {
  case says(Content)
  case hasNot
  case silent
  case lies
}

private struct FalseHeader: Error {
  let reason: String
  init(_ reason: String) { self.reason = reason }
}

/// As much of a transaction in a block as decides; who signed it is outside of its txid.
private struct ListedTransaction: Hashable {
  let txid: TxID
  let result: ContractResult?
  let signatures: [[UInt8]]

  init(_ transaction: BlockTransaction) {
    txid = transaction.txid
    result = transaction.contractResult
    signatures = transaction.signatures
  }
}

/// As much of a receipt as decides. Costs do not, and logs only where they may be read: a node does not clear them on a
/// time-out (reference §5.6).
private struct DecidingReceipt: Hashable {
  let blockNumber: Int64
  let result: ContractResult?
  let isFailed: Bool
  let logs: [EventLog]

  static func of(_ txids: Set<TxID>, among receipts: [TransactionReceipt]) -> [TxID: DecidingReceipt] {
    let ours = receipts.filter { txids.contains($0.txid) }.map { receipt in
      (
        receipt.txid,
        DecidingReceipt(
          blockNumber: receipt.blockNumber, result: receipt.result, isFailed: receipt.isFailed,
          logs: receipt.result == .success ? receipt.logs : [])
      )
    }
    return Dictionary(ours) { first, _ in first }
  }
}
