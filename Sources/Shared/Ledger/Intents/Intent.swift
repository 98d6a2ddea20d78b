public import Payouts

/// What an entry of the stream `intents` says: Redis' own memory of what PostgreSQL committed and somebody was told, for
/// the day on which a restore takes it from PostgreSQL (DESIGN.md §3 "Continuity").
///
/// Written after the commit and before the answer, so that an entry never speaks of what did not happen. It is no
/// authority: what it says is put back by `payoutctl intents replay` only, an acceptance only with an unbroken seal, and an
/// end, which nobody seals, only as a question to a person.
public enum Intent: Sendable, Hashable {
  /// A payout was accepted.
  case accepted(AcceptedPayout)
  /// A payout ended without being paid.
  case ended(PayoutEnd)
  /// Nothing happened: keeps the log from being empty, so that a checkpoint has something to stand on.
  case marker
}

/// A payout as it was accepted, with everything that its rows hold.
public struct AcceptedPayout: Sendable, Hashable {
  /// Terms, seal, particulars, the request's fingerprint and the state it began in.
  public let payout: NewPayout
  /// In which windows its amount is counted.
  public let limitWindows: LimitWindows
  /// When its batch type's window ends, as the client was told; of an immediate payout, when it was accepted.
  public let windowEnd: Timestamp
  /// How large its client's batch is; nil for a single payout.
  public let batchSize: ClientBatchSize?

  /// An acceptance.
  public init(
    _ payout: NewPayout, limitWindows: LimitWindows, windowEnd: Timestamp, batchSize: ClientBatchSize? = nil
  ) {
    self.payout = payout
    self.limitWindows = limitWindows
    self.windowEnd = windowEnd
    self.batchSize = batchSize
  }

  /// The acceptance that a row tells of, for a request with this fingerprint.
  public init(_ record: PayoutRecord, fingerprint: [UInt8], batchSize: ClientBatchSize? = nil) {
    self.init(
      NewPayout(
        terms: record.terms, seal: record.seal, particulars: record.particulars, fingerprint: fingerprint,
        status: record.acceptedStatus), limitWindows: record.limitWindows, windowEnd: record.windowEnd,
      batchSize: batchSize)
  }
}

/// How a payout ended without being paid.
public struct PayoutEnd: Sendable, Hashable {
  /// The payout.
  public let payout: PayoutID
  /// Its name for ever: the end is the reference's, whatever payout carries it after a disaster.
  public let reference: Reference
  /// `failed`, `rejected`, `expired`, `cancelled` or `settled_externally`.
  public let status: PayoutStatus
  /// What was said about it.
  public let note: String?
  /// When, by the database's clock.
  public let at: Timestamp

  /// An end.
  public init(payout: PayoutID, reference: Reference, status: PayoutStatus, note: String?, at: Timestamp) {
    self.payout = payout
    self.reference = reference
    self.status = status
    self.note = note
    self.at = at
  }

  /// The end that a row tells of; nil where it did not end, or was paid.
  public init?(_ record: PayoutRecord) {
    guard record.status.isUnpaidFinal else { return nil }
    self.init(
      payout: record.id, reference: record.terms.reference, status: record.status, note: record.note,
      at: record.statusSince)
  }
}

/// The clock hour and the calendar day, UTC, in which an acceptance is counted.
public struct LimitWindows: Sendable, Hashable {
  /// When the hour began.
  public let hour: Timestamp
  /// When the day began.
  public let day: Timestamp

  /// Windows by their beginnings.
  public init(hour: Timestamp, day: Timestamp) {
    self.hour = hour
    self.day = day
  }

  /// The windows of a moment after 1970, as `window_start` in the database gives them.
  public init(at time: Timestamp) {
    func start(_ span: LimitSpan) -> Timestamp {
      Timestamp(milliseconds: time.milliseconds / span.milliseconds * span.milliseconds)
    }
    self.init(hour: start(.hour), day: start(.day))
  }
}
