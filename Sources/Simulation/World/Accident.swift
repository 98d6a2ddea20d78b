/// Something that happens by itself, at the beginning of a slot.
enum Accident: Sendable, Hashable, Codable {
  /// A process dies.
  case kill(String)
  /// Redis loses everything.
  case flush
  /// PostgreSQL starts again.
  case restart
  /// PostgreSQL goes back to what it held that many slots ago, or before; see `SimulatedDatabase.goBack`.
  case restore(slots: Int, losesAcceptances: Bool)
  /// One snapshot takes PostgreSQL and all Signers' disks back together, and everything of them starts again.
  case snapshot(slots: Int)
  /// A Signer's disk is lost.
  case diskLost(signer: Int)
  /// A disk that was lost is there again.
  case diskFound(signer: Int)
  /// A Signer's machine is away for so many slots.
  case away(signer: Int, slots: Int64)
  /// Somebody else acts on the chain.
  case strange(Stranger)
  /// Nodes forget what is pending.
  case forgetting
  /// The newest blocks are undone; what they held is pending again or lost.
  case fork(depth: Int64, pendsAgain: Bool)
  /// The slot stays without a block.
  case missedSlot
  /// The solid block stands still for so many slots, while the head goes on.
  case frozen(slots: Int64)
  /// For so many slots there is no block.
  case halted(slots: Int64)
  /// The transaction of this place among all that were ever sent will run out of energy, or of the producer's time.
  case failing(sent: Int, isOutOfTime: Bool)
  /// The transaction of this place is not taken into this slot's block.
  case leftOut(sent: Int)
  /// A machine's clock jumps, and goes wrong by so much until the world is calm.
  case clock(String, milliseconds: Int64)
}

/// What somebody else does on the chain.
enum Stranger: String, Sendable, Hashable, Codable, CaseIterable {
  /// With the stolen key, moves money of the hot wallet.
  case stolenTransfer = "stolen_transfer"
  /// With the stolen key, allows somebody to move money.
  case stolenApproval = "stolen_approval"
  /// Moves nothing from the wallet to somebody, as anybody can.
  case zeroTransfer = "zero_transfer"
  /// Lets a token of his own log a transfer by the wallet.
  case fakeToken = "fake_token"
  /// Sends the wallet a little.
  case dust

  /// Whether it takes the wallet's key: the fence must find exactly these.
  var isTheft: Bool { self == .stolenTransfer || self == .stolenApproval }
}

extension Accident {
  /// What kind of accident it is, for counting.
  enum Kind: Hashable, Sendable, CaseIterable {
    case kill, flush, restart, restore, restoreOfAcceptances, snapshot, diskLost, diskFound, away
    case strange(Stranger)
    case forgetting, fork, deepFork, missedSlot, frozen, halted, failing, leftOut, clock

    static var allCases: [Kind] {
      [
        .kill, .flush, .restart, .restore, .restoreOfAcceptances, .snapshot, .diskLost, .diskFound, .away, .forgetting,
        .fork, .deepFork, .missedSlot, .frozen, .halted, .failing, .leftOut, .clock,
      ] + Stranger.allCases.map { .strange($0) }
    }
  }

  /// A fork that undoes so many blocks is told of: the first of them had all its confirmations.
  private static let deepForkBlocks: Int64 = 19

  /// To whose disk or machine it happens, counted from 0; nil where to none.
  var signer: Int? {
    switch self {
    case .diskLost(let index), .diskFound(let index), .away(let index, _): index
    default: nil
    }
  }

  /// What kind it is.
  var kind: Kind {
    switch self {
    case .kill: .kill
    case .flush: .flush
    case .restart: .restart
    case .restore(_, losesAcceptances: false): .restore
    case .restore(_, losesAcceptances: true): .restoreOfAcceptances
    case .snapshot: .snapshot
    case .diskLost: .diskLost
    case .diskFound: .diskFound
    case .away: .away
    case .strange(let stranger): .strange(stranger)
    case .forgetting: .forgetting
    case .fork(let depth, _): depth < Self.deepForkBlocks ? .fork : .deepFork
    case .missedSlot: .missedSlot
    case .frozen: .frozen
    case .halted: .halted
    case .failing: .failing
    case .leftOut: .leftOut
    case .clock: .clock
    }
  }
}

extension Accident.Kind: CustomStringConvertible {
  var description: String {
    switch self {
    case .kill: "process killed"
    case .flush: "redis emptied"
    case .restart: "postgresql started again"
    case .restore: "postgresql restored from a backup"
    case .restoreOfAcceptances: "postgresql restored from before acceptances and ends"
    case .snapshot: "postgresql and journals taken back together"
    case .diskLost: "signer's disk lost"
    case .diskFound: "lost disk found again"
    case .away: "signer away"
    case .strange(let stranger): "stranger: \(stranger.rawValue)"
    case .forgetting: "pending transactions forgotten"
    case .fork: "fork"
    case .deepFork: "fork of nineteen blocks and more"
    case .missedSlot: "slot missed"
    case .frozen: "solid block standing still"
    case .halted: "chain halted"
    case .failing: "transaction failing"
    case .leftOut: "transaction left out of a block"
    case .clock: "clock wrong by ten minutes"
    }
  }
}

/// An accident and its slot, counted from the beginning of the world.
struct SlotAccident: Sendable, Hashable, Codable {
  let slot: Int64
  let accident: Accident
}
