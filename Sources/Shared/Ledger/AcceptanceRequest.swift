public import Payouts

/// Payouts that are accepted together or not at all: what one client asks for with one request.
public struct AcceptanceRequest: Sendable, Hashable {
  /// The payouts, one or more; those of a batch carry its id in their terms and the whole request's fingerprint.
  public let payouts: [NewPayout]

  /// A single payout, or a batch of any number.
  public init(_ payouts: [NewPayout]) {
    precondition(!payouts.isEmpty, "a request asks for at least one payout")
    self.payouts = payouts
  }

  /// A single payout.
  public init(_ payout: NewPayout) { payouts = [payout] }

  /// The client's batch; nil for a single payout.
  var clientBatch: BatchID? { payouts[0].terms.clientBatch }

  /// How large the batch is.
  ///
  /// - Throws: `MalformedValue` where no amount can count it.
  public var size: ClientBatchSize {
    get throws(MalformedValue) {
      var total = Amount.zero
      for payout in payouts { total = try total.adding(payout.terms.amount) }
      return ClientBatchSize(payoutCount: payouts.count, total: total)
    }
  }
}

/// How large a client's batch is.
public struct ClientBatchSize: Sendable, Hashable {
  /// The most payouts in one; the table checks it too.
  public static let payoutsMax = 100

  /// How many payouts it has.
  public let payoutCount: Int
  /// What they pay in all.
  public let total: Amount

  /// A size.
  public init(payoutCount: Int, total: Amount) {
    self.payoutCount = payoutCount
    self.total = total
  }
}

/// What became of a request.
public enum RequestOutcome: Sendable {
  /// Committed, whole: its payouts, in its order.
  case accepted([PayoutRecord])
  /// All of it was accepted before with the same fields: these are its payouts.
  case replayed([PayoutRecord])
  /// One of its references was accepted before with other fields.
  case differentRequest
  /// It does not fit into a limit.
  case limitExceeded(LimitUse)
  /// A disaster lost rows of it but not all names: seal it again under these and submit that.
  case knownUnder(KnownNames)
  /// The database refused this request alone.
  case refused(LedgerError)
}

/// The names under which a request was accepted before, as far as they are known.
public struct KnownNames: Sendable, Hashable {
  /// The client's batch; nil where no row tells it.
  public let clientBatch: BatchID?
  /// The payouts, in the request's order; nil for those of which nothing is left.
  public let payouts: [PayoutID?]

  /// Of its parts; for this package's own ledgers.
  package init(clientBatch: BatchID?, payouts: [PayoutID?]) {
    self.clientBatch = clientBatch
    self.payouts = payouts
  }
}

extension IngestLedger {
  /// Accepts a group of single payouts: all that can be, each for itself.
  ///
  /// - Returns: one outcome a payout, in order.
  public func accept(_ payouts: [NewPayout], limits: AcceptanceLimits) async throws -> [AcceptanceOutcome] {
    try await accept(payouts.map { AcceptanceRequest($0) }, limits: limits).map { try AcceptanceOutcome(ofOne: $0) }
  }

  /// What was accepted under a reference; nil where nothing was, or its row was lost.
  public func accepted(under reference: Reference) async throws -> AcceptedRequest? {
    try await accepted(under: [reference]).first ?? nil
  }
}

extension AcceptanceOutcome {
  /// What became of a request of one payout.
  ///
  /// - Throws: `LedgerError` where it is that of no payout.
  public init(ofOne outcome: RequestOutcome) throws(LedgerError) {
    let nothing = LedgerError(.corrupt, "one payout had no outcome")
    switch outcome {
    case .accepted(let records):
      guard let record = records.first else { throw nothing }
      self = .accepted(record)
    case .replayed(let records):
      guard let record = records.first else { throw nothing }
      self = .replayed(record)
    case .differentRequest: self = .differentRequest
    case .limitExceeded(let use): self = .limitExceeded(use)
    case .knownUnder(let names):
      guard case .some(.some(let id)) = names.payouts.first else { throw nothing }
      self = .knownUnder(id)
    case .refused(let error): self = .refused(error)
    }
  }
}
