/// Something that goes wrong with a node's answers: what, for which requests, and how often.
struct Fault: Sendable {
  let effect: Effect
  let scope: Scope
  /// How many more requests it meets; nil until it is cleared.
  var remaining: Int64?
  /// How many requests it has met.
  var hits: Int64 = 0
  /// As it was asked for, to be shown again.
  let asked: JSONObject

  /// Which requests a fault meets: those for which all that is given here is so.
  struct Scope: Sendable {
    /// Counted from 0.
    var face: Int?
    /// `getnowblock` in both views, or `wallet/getnowblock`, `walletsolidity/getnowblock`.
    var call: String?
    /// Requests about this transaction: its broadcasts, and questions by its id.
    var txid: Hash32?

    /// Whether a request is one of them.
    func contains(_ request: Subject) -> Bool {
      (face == nil || face == request.face) && (call == nil || call == request.endpoint || call == request.path)
        && (txid == nil || txid == request.txid)
    }
  }

  /// What a request is about.
  struct Subject: Sendable {
    let face: Int
    /// `getnowblock`.
    let endpoint: String
    /// `wallet/getnowblock`.
    let path: String
    var txid: Hash32?
  }

  /// What goes wrong.
  enum Effect: Sendable {
    /// The call is carried out only after so many milliseconds.
    case delayCall(Int64)
    /// The call is carried out at once and answered after so many milliseconds.
    case delayAnswer(Int64)
    /// The call is not carried out; this comes instead.
    case instead(StandIn)
    /// The call is carried out, and the connection breaks before a byte of the answer.
    case loseAnswer
    /// A broadcast ends otherwise.
    case broadcast(BroadcastFault)
    /// What is said of one transaction or block is not so.
    case lie(Lie)
  }

  /// What comes instead of an answer.
  enum StandIn: Sendable {
    /// The connection breaks.
    case brokenConnection
    case status(Int)
    /// Status 200 and `{"Error": …}`.
    case nodeError(String)
    /// Status 200 and the bare text of a light node.
    case lightNode
  }
}

/// How a broadcast ends otherwise (tron-protocol.md §2.5).
enum BroadcastFault: Sendable {
  /// This answer. With `isAccepted` only where the transaction was really taken, which it then is.
  case refuse(Refusal, isAccepted: Bool)
  /// SUCCESS, and with the next block the transaction is gone.
  case forget
}

/// A node's false word about one transaction or about one block's body. The header is always the true one.
enum Lie: Sendable {
  /// Asked by its id, the transaction is unknown.
  case hide(Hash32)
  /// The transaction stands in a block, paid. With `isInBody` that block's body and receipts hold it too.
  case claim(IncludedTransaction, isInBody: Bool)
  /// Bodies and receipts of blocks lack the transaction.
  case omit(Hash32)
  /// The block with this number has no receipts.
  case noReceipts(Int64)
  /// The block with this number has these transactions.
  case wrongBody(Int64, [IncludedTransaction])
}

/// The faults that one request meets.
struct MetFaults: Sendable {
  /// Milliseconds before the call is carried out.
  var delayBefore: Int64 = 0
  /// Milliseconds after that.
  var delayAfter: Int64 = 0
  var standIn: Fault.StandIn?
  var losesAnswer = false
  var broadcast: BroadcastFault?
}
