import Payouts
import Synchronization
import Tron

/// Counts by itself whether a block is solid: from the distinct producers that have built upon it (DESIGN.md §3 point 5,
/// reference §3.3), so that no node can call a block solid too early.
///
/// TRON's rule: of the numbers of the n active producers' latest blocks, sorted, the one at index ⌊n · 0.3⌋ is solid; so at
/// least n − ⌊n · 0.3⌋ of them, 19 of 27, have built at or above it.
///
/// The headers are those that `FollowHead` reads anyway, kept in memory. Each is bound to the block in question by the ids of
/// parents, so that it does not matter who gave it (but for its signature): a chain of headers that does not
/// begin at that block counts for nothing.
/// What is missing, as after a start, is asked for, a header each.
struct CountProducers: Sendable {
  /// How many blocks down the producers are looked for where the network does not say how many there are: two turns of the
  /// 27 that there are at most.
  static let lookBackBlocks = 54
  /// The furthest that it looks up: no producer is silent for so long and counts.
  static let lookUpBlocks = 1_000

  /// How many producers the network has; nil for as many as are seen.
  let knownProducers: Int?
  let headers = RecentHeaders()
  let known = KnownProducers()

  /// So many of n producers make a block solid.
  static func needed(of producers: Int) -> Int { producers - producers * 3 / 10 }

  /// Makes sure that enough producers have built at or above a block, by the branch of the head.
  ///
  /// - Parameters:
  ///   - block: one that a quorum has.
  ///   - round: its node shows the headers that are not known yet.
  ///   - log: notes which nodes say something else of producers' signatures than a quorum.
  /// - Throws: `ChainReadError.notYetSolid`, or why the headers could not be had.
  func check(_ block: BlockHeader, _ round: NodeRound, noting log: DisagreementLog) async throws {
    headers.note(block)
    if block.signature == .byWitness { known.note(block) }
    let producers = try await producersBelow(block, round.node)
    let needed = Self.needed(of: max(producers, 1))
    var found = 0
    // What was read of another branch leads nowhere; then the node's own branch is read.
    for usesMemory in [true, false] {
      do {
        found = try await producersAbove(block, upTo: needed, round, log, usesMemory: usesMemory)
      } catch ChainReadError.gap where usesMemory { continue }
      if found >= needed { return }
    }
    throw ChainReadError.notYetSolid(block.number, producers: found, needed: needed)
  }

  /// How many producers there are by the blocks up to this one.
  private func producersBelow(_ block: BlockHeader, _ node: any TronNode) async throws -> Int {
    if let knownProducers { return knownProducers }
    var producers: Set<Address?> = [block.witness]
    var lowest = block
    for _ in 1..<Self.lookBackBlocks where lowest.number > 1 {
      if let known = headers.header(lowest.parentID) {
        lowest = known
      } else {
        guard let read = try await node.header(lowest.number - 1, .solid) else {
          throw ChainReadError.absent(lowest.number - 1)
        }
        guard read.id == lowest.parentID, read.flaw == nil else { throw ChainReadError.gap(above: read.number) }
        headers.note(read)
        lowest = read
      }
      producers.insert(lowest.witness)
    }
    return producers.count
  }

  private func producersAbove(
    _ block: BlockHeader, upTo needed: Int, _ round: NodeRound, _ log: DisagreementLog, usesMemory: Bool
  ) async throws -> Int {
    var producers: Set<Address?> = [block.witness]
    var tip = block
    for _ in 0..<Self.lookUpBlocks where producers.count < needed {
      if usesMemory, let known = headers.onlyChild(of: tip.id) {
        tip = known
      } else {
        guard let read = try await round.node.header(tip.number + 1, .head) else { break }
        guard read.parentID == tip.id else { throw ChainReadError.gap(above: tip.number) }
        try read.refuseFlaw()
        headers.note(read)
        tip = read
      }
      guard try await isByProducer(tip, round, log) else { break }
      producers.insert(tip.witness)
    }
    return producers.count
  }

  /// Whether a producer of the network has signed this header.
  ///
  /// Anybody can make headers that name accounts of his own, and sign them; and an account's witness permission may name
  /// another key than its own (reference §1.6), which no block tells. So a producer and its key count once an agreed block
  /// is by them, or a quorum has shown one: what one node makes up is signed by keys that nobody else has seen.
  private func isByProducer(
    _ header: BlockHeader, _ round: NodeRound, _ log: DisagreementLog
  ) async throws -> Bool {
    guard header.signature != .invalid else { return false }
    if round.isDecidedAlone || known.contains(header) { return true }
    // What memory holds may be another node's word, of whose signature the id tells nothing: it is no vote of this node's.
    guard let shown = try await round.node.header(header.number, .head), shown.id == header.id, shown.flaw == nil else {
      return false
    }
    headers.note(shown)
    if known.contains(shown) { return true }
    do {
      try await round.agreeOnSignature(of: shown, .head, noting: log)
    } catch let error as ChainReadError {
      // The others are behind, or on another branch. A node that is outvoted serves no round.
      if case .outvoted = error { throw error }
      return false
    }
    known.note(shown)
    return true
  }
}

/// The producers that a quorum has seen, and the keys that they sign with. In memory only.
final class KnownProducers: Sendable {
  private struct Producer: Hashable {
    let account: Address?
    let signature: ProducerSignature
  }

  private let seen = Mutex<Set<Producer>>([])

  /// A quorum has seen this header.
  func note(_ header: BlockHeader) {
    _ = seen.withLock { $0.insert(Producer(account: header.witness, signature: header.signature)) }
  }

  /// Whether a quorum has seen this header's producer, signing by this key.
  func contains(_ header: BlockHeader) -> Bool {
    seen.withLock { $0.contains(Producer(account: header.witness, signature: header.signature)) }
  }
}

/// Headers that this process has read, the newest few thousand. In memory only.
final class RecentHeaders: Sendable {
  /// Some hours: far more than the solid block is ever behind.
  static let keptMaximum = 4_096

  private struct Content {
    var headers: [BlockID: BlockHeader] = [:]
    var children: [BlockID: [BlockID]] = [:]
    var order: [BlockID] = []
  }

  private let content = Mutex(Content())

  /// Keeps one.
  func note(_ header: BlockHeader) {
    content.withLock { content in
      guard content.headers.updateValue(header, forKey: header.id) == nil else { return }
      content.children[header.parentID, default: []].append(header.id)
      content.order.append(header.id)
      guard content.order.count > 2 * Self.keptMaximum else { return }
      for id in content.order.prefix(Self.keptMaximum) {
        guard let old = content.headers.removeValue(forKey: id) else { continue }
        content.children[old.parentID]?.removeAll { $0 == id }
        if content.children[old.parentID]?.isEmpty == true { content.children[old.parentID] = nil }
      }
      content.order.removeFirst(Self.keptMaximum)
    }
  }

  /// The one with this id.
  func header(_ id: BlockID) -> BlockHeader? { content.withLock { $0.headers[id] } }

  /// The block upon this one, where just one is known.
  func onlyChild(of id: BlockID) -> BlockHeader? {
    content.withLock { content in
      guard let children = content.children[id], children.count == 1 else { return nil }
      return content.headers[children[0]]
    }
  }
}
