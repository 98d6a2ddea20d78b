public import Payouts
import Postgres

/// A payout as the ledger holds it.
public struct PayoutRecord: Sendable, Hashable {
  /// What was accepted; covered by the seal.
  public let terms: PayoutTerms
  /// Ingest's signature over the terms.
  public let seal: Seal
  /// What the client said besides.
  public let particulars: PayoutParticulars
  /// The state it was accepted in: the first answer is told again from it.
  public let acceptedStatus: PayoutStatus
  /// Where it stands.
  public let status: PayoutStatus
  /// Since when, by the database's clock.
  public let statusSince: Timestamp
  /// What the last change said, if anything.
  public let note: String?
  /// The state it was held from, while held.
  public let heldFrom: PayoutStatus?
  /// Why, while held: a `HoldReason` or an operator's word.
  public let holdReason: String?
  /// The Scheduler's batch, once it is in one.
  public let settlementBatch: BatchID?
  /// When its window ends, before which it is in no batch; of an immediate payout, when it was accepted.
  public let windowEnd: Timestamp
  /// Not signed before this time.
  public let notBefore: Timestamp?
  /// Why not.
  public let notBeforeReason: DelayReason?
  /// In which windows its amount is counted.
  public let limitWindows: LimitWindows

  /// The payout's name.
  public var id: PayoutID { terms.id }

  static let columns = """
    p.id, p.reference, p.owner, p.network, p.token, p.asset, p.recipient, p.amount, p.router, p.batch_type,
    p.client_batch_id, p.node_id, p.kyc_hash, p.created_at, p.expires_at, p.seal_version, p.seal_key_id,
    p.seal_signature, p.priority, p.reason, p.external_id, p.beneficiary_user_id, p.session_id, p.work_credits,
    p.custom_data, p.webhook_url, p.request_id, p.accepted_status, p.status, p.status_since, p.note, p.held_from,
    p.hold_reason, p.settlement_batch_id, p.window_end, p.not_before, p.not_before_reason, p.hour_window, p.day_window
    """

  init(_ row: PostgresRow) throws {
    terms = try PayoutTerms(
      id: PayoutID(bytes: row.uuid("id")), reference: Reference(row.bytes("reference")), owner: row.text("owner"),
      network: row.named("network"), token: Address(bytes: row.bytes("token")), asset: row.text("asset"),
      recipient: Address(bytes: row.bytes("recipient")), amount: Amount(microUSDT: row.int8("amount")),
      router: row.named("router"), batchType: row.named("batch_type"),
      clientBatch: row.uuidOrNil("client_batch_id").map { try BatchID(bytes: $0) }, node: row.textOrNil("node_id"),
      kycHash: row.bytesOrNil("kyc_hash"), createdAt: row.time("created_at"), expiresAt: row.timeOrNil("expires_at"))
    seal = try Seal(
      version: row.int8("seal_version"), keyID: row.text("seal_key_id"), signature: row.bytes("seal_signature"))
    particulars = try PayoutParticulars(
      priority: row.named("priority"), reason: row.named("reason"), externalID: row.textOrNil("external_id"),
      beneficiaryUserID: row.textOrNil("beneficiary_user_id"), sessionID: row.textOrNil("session_id"),
      workCredits: row.textOrNil("work_credits"), customData: row.textOrNil("custom_data"),
      webhookURL: row.textOrNil("webhook_url"), requestID: row.text("request_id"))
    acceptedStatus = try row.named("accepted_status")
    status = try row.named("status")
    statusSince = try row.time("status_since")
    note = try row.textOrNil("note")
    heldFrom = try row.textOrNil("held_from").map { try PostgresRow.name($0, "held_from") }
    holdReason = try row.textOrNil("hold_reason")
    settlementBatch = try row.uuidOrNil("settlement_batch_id").map { try BatchID(bytes: $0) }
    windowEnd = try row.time("window_end")
    notBefore = try row.timeOrNil("not_before")
    notBeforeReason = try row.textOrNil("not_before_reason").map { try PostgresRow.name($0, "not_before_reason") }
    limitWindows = LimitWindows(hour: try row.time("hour_window"), day: try row.time("day_window"))
  }

  /// A record of its parts.
  ///
  /// - Parameters:
  ///   - windowEnd: nil for the moment of its acceptance.
  ///   - limitWindows: nil for those in which its state began.
  public init(
    terms: PayoutTerms, seal: Seal, particulars: PayoutParticulars, acceptedStatus: PayoutStatus,
    status: PayoutStatus, statusSince: Timestamp, note: String? = nil, heldFrom: PayoutStatus? = nil,
    holdReason: String? = nil, settlementBatch: BatchID? = nil, windowEnd: Timestamp? = nil,
    notBefore: Timestamp? = nil, notBeforeReason: DelayReason? = nil, limitWindows: LimitWindows? = nil
  ) {
    self.terms = terms
    self.seal = seal
    self.particulars = particulars
    self.acceptedStatus = acceptedStatus
    self.status = status
    self.statusSince = statusSince
    self.note = note
    self.heldFrom = heldFrom
    self.holdReason = holdReason
    self.settlementBatch = settlementBatch
    self.windowEnd = windowEnd ?? terms.createdAt
    self.notBefore = notBefore
    self.notBeforeReason = notBeforeReason
    self.limitWindows = limitWindows ?? LimitWindows(at: statusSince)
  }

  /// The record of a payout that was just accepted.
  init(_ accepted: AcceptedPayout, at time: Timestamp) {
    let payout = accepted.payout
    terms = payout.terms
    seal = payout.seal
    particulars = payout.particulars
    acceptedStatus = payout.status
    status = payout.status
    statusSince = time
    note = nil
    heldFrom = nil
    holdReason = nil
    settlementBatch = nil
    windowEnd = accepted.windowEnd
    notBefore = nil
    notBeforeReason = nil
    limitWindows = accepted.limitWindows
  }
}

/// Why a scheduled payout is not signed before some time.
public enum DelayReason: String, Sendable, Hashable {
  /// An attempt ended unpaid: the delay before the next one.
  case retry
  /// Signer's own limit had no room for it.
  case signerLimit = "signer_limit"
}

/// What the client said besides the sealed terms.
public struct PayoutParticulars: Sendable, Hashable {
  /// Which payout of a window goes first.
  public let priority: Priority
  /// What it is for.
  public let reason: PayoutReason
  /// The client's own reference, at most 128 characters.
  public let externalID: String?
  /// The end user who may read it.
  public let beneficiaryUserID: String?
  /// The client's session.
  public let sessionID: String?
  /// Decimal text, told back as it came.
  public let workCredits: String?
  /// A JSON object as text, at most 4 KiB.
  public let customData: String?
  /// Where the payout's events are told.
  public let webhookURL: String?
  /// The request that brought it, found in every log line about it.
  public let requestID: String

  /// All particulars.
  public init(
    priority: Priority, reason: PayoutReason, externalID: String? = nil, beneficiaryUserID: String? = nil,
    sessionID: String? = nil, workCredits: String? = nil, customData: String? = nil, webhookURL: String? = nil,
    requestID: String
  ) {
    self.priority = priority
    self.reason = reason
    self.externalID = externalID
    self.beneficiaryUserID = beneficiaryUserID
    self.sessionID = sessionID
    self.workCredits = workCredits
    self.customData = customData
    self.webhookURL = webhookURL
    self.requestID = requestID
  }
}

extension PostgresRow {
  func time(_ column: String) throws -> Timestamp { Timestamp(microseconds: try timestampMicroseconds(column)) }

  func timeOrNil(_ column: String) throws -> Timestamp? {
    try timestampMicrosecondsOrNil(column).map { Timestamp(microseconds: $0) }
  }

  /// A column whose text is the raw value of an enumeration of ours.
  func named<Name: RawRepresentable>(_ column: String) throws -> Name where Name.RawValue == String {
    try PostgresRow.name(try text(column), column)
  }

  static func name<Name: RawRepresentable>(_ text: String, _ column: String) throws -> Name
  where Name.RawValue == String {
    guard let name = Name(rawValue: text) else {
      throw LedgerError(.corrupt, "\(column) holds a name that this program does not know")
    }
    return name
  }
}
