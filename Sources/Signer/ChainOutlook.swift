import Payouts
import Tron
import Worker

/// What the chain looks like to one of Signer's nodes: asked for at most about once a block, however much is signed.
///
/// Head, solid block and price of one look come from one node. The next look may come from a node that is behind this one: a
/// transaction then lives a little shorter, and nothing is signed by a head that is older than the clock bound.
///
/// Head and price are one node's word, which can only delay: a head whose time differs from our clock by more than the bound
/// is refused, so that a lie stretches no transaction's life by more than that, and lets the fence pass for fresh while it is
/// behind by the blocks of that time (20 of them in a minute) besides those that it may be; a false price lets transactions
/// wait or fail, through no fault of their payouts.
///
/// Where there are several nodes, a quorum agrees on the solid block, at most every few seconds: a transaction that refers to
/// a block that one node made up is refused by all others, and its window of verdicts would begin nowhere.
actor ChainOutlook {
  /// One look.
  struct Outlook: Sendable, Equatable {
    /// The head block: expirations count from its time.
    let head: BlockPlace
    /// A solid block, which is on every fork: what transactions refer to (reference §2.1).
    let solid: BlockPlace
    /// The price of one unit of energy.
    let energyPrice: Sun
    /// When the node was asked, by our own clock.
    let askedAt: Timestamp
  }

  /// How long a look at the blocks counts, in milliseconds: a third of a slot.
  static let blocksAgeMaximumMilliseconds: Int64 = 1_000
  /// How long a price counts, in milliseconds. It changes at maintenance, every six hours.
  static let priceAgeMaximumMilliseconds: Int64 = 60_000

  /// How long an agreed solid block is referred to, in milliseconds: solid blocks stay, and it is on every fork.
  static let referenceAgeMaximumMilliseconds: Int64 = 10_000

  private let node: any TronNode
  private let log: DisagreementLog
  private let clock: any WallClock
  private var last: Outlook?
  private var price: (value: Sun, askedAt: Timestamp)?
  private var reference: (header: BlockHeader, agreedAt: Timestamp)?

  /// - Parameter log: takes what nodes disagree on.
  init(node: any TronNode, noting log: DisagreementLog, clock: any WallClock) {
    self.node = node
    self.log = log
    self.clock = clock
  }

  /// The present look, or a new one.
  func look() async throws -> Outlook {
    let now = clock.now()
    if let last, ChainOutlook.isFresh(last.askedAt, now, ChainOutlook.blocksAgeMaximumMilliseconds) { return last }
    let outlook = try await node.roundWithoutBodies(of: .head) { round in
      let (head, solid) = (round.latest.header, try await solidHeader(now, round))
      return Outlook(
        head: BlockPlace(number: head.number, id: head.id, time: head.timestamp),
        solid: BlockPlace(number: solid.number, id: solid.id, time: solid.timestamp),
        energyPrice: try await energyPrice(now, round.node), askedAt: now)
    }
    last = outlook
    return outlook
  }

  /// A block at the head, or right below it where several nodes are asked, of which some are a block behind: one that a
  /// quorum has.
  func agreedHead() async throws -> BlockPlace {
    try await node.roundWithoutBodies(of: .head) { round in
      var header = round.latest.header
      if !round.isDecidedAlone {
        guard let below = try await round.node.header(header.number - 1, .head) else {
          throw ChainReadError.absent(header.number - 1)
        }
        header = below
      }
      try await round.agree(on: header, .head, noting: log)
      return BlockPlace(number: header.number, id: header.id, time: header.timestamp)
    }
  }

  private func solidHeader(_ now: Timestamp, _ round: NodeRound) async throws -> BlockHeader {
    if round.isDecidedAlone { return try await round.node.latestHeader(.solid) }
    if let reference, ChainOutlook.isFresh(reference.agreedAt, now, ChainOutlook.referenceAgeMaximumMilliseconds) {
      return reference.header
    }
    let header = try await round.newestAgreedSolidHeader(noting: log)
    reference = (header, now)
    return header
  }

  private func energyPrice(_ now: Timestamp, _ node: any TronNode) async throws -> Sun {
    if let price, ChainOutlook.isFresh(price.askedAt, now, ChainOutlook.priceAgeMaximumMilliseconds) {
      return price.value
    }
    let value = try await node.energyPrice()
    price = (value, now)
    return value
  }

  /// A clock that was set back makes nothing fresh for ever.
  private static func isFresh(_ askedAt: Timestamp, _ now: Timestamp, _ ageMaximum: Int64) -> Bool {
    (0..<ageMaximum).contains(now.milliseconds(since: askedAt))
  }
}
