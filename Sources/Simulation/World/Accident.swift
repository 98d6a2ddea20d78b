/// Something that happens by itself, at the beginning of a slot.
enum Accident: Sendable, Hashable, Codable {
  /// A process dies.
  case kill(String)
  /// Redis loses everything.
  case flush
  /// PostgreSQL starts again.
  case restart
  /// PostgreSQL goes back to what it held that many slots ago, or before; see `SimulatedDatabase.goBack`.
  case restore(slots: Int)
  /// Nodes forget what is pending.
  case forgetting
  /// The newest blocks are undone; what they held is pending again or lost.
  case fork(depth: Int64, pendsAgain: Bool)
  /// The slot stays without a block.
  case missedSlot
  /// The transaction of this place among all that were ever sent will run out of energy, or of the producer's time.
  case failing(sent: Int, isOutOfTime: Bool)
  /// The transaction of this place is not taken into this slot's block.
  case leftOut(sent: Int)
  /// A machine's clock jumps, and goes wrong by so much until the world is calm.
  case clock(String, milliseconds: Int64)
}

extension Accident {
  /// What kind of accident it is, for counting.
  var kind: String {
    switch self {
    case .kill: "process killed"
    case .flush: "redis emptied"
    case .restart: "postgresql started again"
    case .restore: "postgresql restored from a backup"
    case .forgetting: "pending transactions forgotten"
    case .fork: "fork"
    case .missedSlot: "slot missed"
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
