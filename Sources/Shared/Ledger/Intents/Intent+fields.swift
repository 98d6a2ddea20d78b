public import Payouts

/// An intent as the fields of a stream entry: one text each, absent ones left out. Bytes are lower-case hexadecimal, times
/// Unix milliseconds, amounts micro-USDT.
extension Intent {
  /// The layout that is written; one who does not know it must not guess.
  static let version = "1"

  /// As fields.
  public var fields: [String: String] {
    var fields = ["v": Intent.version]
    switch self {
    case .accepted(let accepted):
      fields["kind"] = "accepted"
      accepted.write(into: &fields)
    case .ended(let end):
      fields["kind"] = "ended"
      end.write(into: &fields)
    case .marker: fields["kind"] = "marker"
    }
    return fields
  }

  /// Reads what `fields` wrote.
  ///
  /// - Throws: `IntentError`: whether a newer program wrote it, or nobody of ours did.
  public init(fields: [String: String]) throws(IntentError) {
    guard fields["v"] == Intent.version else { throw .unknownVersion(fields["v"] ?? "none") }
    do throws(MalformedValue) {
      switch fields["kind"] {
      case "accepted": self = .accepted(try AcceptedPayout(IntentReader(fields: fields)))
      case "ended": self = .ended(try PayoutEnd(IntentReader(fields: fields)))
      case "marker": self = .marker
      default: throw MalformedValue("kind", "is none that this version writes")
      }
    } catch {
      throw .malformed(error)
    }
  }
}

/// Why an entry of the log cannot be read.
public enum IntentError: Error, Sendable, Equatable {
  /// Another version wrote it: skipping it could lose an acceptance.
  case unknownVersion(String)
  /// Our own version writes no such thing: somebody else did.
  case malformed(MalformedValue)
}

extension AcceptedPayout {
  fileprivate func write(into fields: inout [String: String]) {
    let (terms, seal, particulars) = (payout.terms, payout.seal, payout.particulars)
    let named: [String: String?] = [
      "payout_id": "\(terms.id)", "reference": "\(terms.reference)", "owner": terms.owner,
      "network": terms.network.rawValue, "token": Hex.text(terms.token.bytes), "asset": terms.asset,
      "recipient": Hex.text(terms.recipient.bytes), "amount": "\(terms.amount.microUSDT)",
      "router": terms.router.rawValue, "batch_type": terms.batchType.rawValue,
      "client_batch": terms.clientBatch.map { "\($0)" }, "node": terms.node, "kyc_hash": terms.kycHash.map(Hex.text),
      "created_at": "\(terms.createdAt.milliseconds)", "expires_at": terms.expiresAt.map { "\($0.milliseconds)" },
      "seal_version": "\(seal.version)", "seal_key": seal.keyID, "seal": Hex.text(seal.signature),
      "priority": particulars.priority.rawValue, "reason": particulars.reason.rawValue,
      "external_id": particulars.externalID, "beneficiary": particulars.beneficiaryUserID,
      "session": particulars.sessionID, "work_credits": particulars.workCredits,
      "custom_data": particulars.customData, "webhook_url": particulars.webhookURL,
      "request_id": particulars.requestID, "fingerprint": Hex.text(payout.fingerprint),
      "status": payout.status.rawValue, "window_end": "\(windowEnd.milliseconds)",
      "hour": "\(limitWindows.hour.milliseconds)", "day": "\(limitWindows.day.milliseconds)",
      "batch_count": batchSize.map { "\($0.payoutCount)" }, "batch_total": batchSize.map { "\($0.total.microUSDT)" },
    ]
    for (name, value) in named { fields[name] = value }
  }

  fileprivate init(_ reader: IntentReader) throws(MalformedValue) {
    let terms = PayoutTerms(
      id: try reader.payoutID("payout_id"), reference: try Reference(hex: reader.text("reference")),
      owner: try reader.text("owner"), network: try reader.named("network"),
      token: try Address(bytes: reader.bytes("token")), asset: try reader.text("asset"),
      recipient: try Address(bytes: reader.bytes("recipient")),
      amount: try Amount(microUSDT: reader.integer("amount")), router: try reader.named("router"),
      batchType: try reader.named("batch_type"), clientBatch: try reader.optional("client_batch", reader.payoutID),
      node: reader.fields["node"], kycHash: try reader.optional("kyc_hash", reader.bytes),
      createdAt: try reader.time("created_at"), expiresAt: try reader.optional("expires_at", reader.time))
    let seal = Seal(
      version: try reader.integer("seal_version"), keyID: try reader.text("seal_key"),
      signature: try reader.bytes("seal"))
    let particulars = PayoutParticulars(
      priority: try reader.named("priority"), reason: try reader.named("reason"),
      externalID: reader.fields["external_id"], beneficiaryUserID: reader.fields["beneficiary"],
      sessionID: reader.fields["session"], workCredits: reader.fields["work_credits"],
      customData: reader.fields["custom_data"], webhookURL: reader.fields["webhook_url"],
      requestID: try reader.text("request_id"))
    self.init(
      NewPayout(
        terms: terms, seal: seal, particulars: particulars, fingerprint: try reader.bytes("fingerprint"),
        status: try reader.named("status")),
      limitWindows: LimitWindows(hour: try reader.time("hour"), day: try reader.time("day")),
      windowEnd: try reader.time("window_end"), batchSize: try reader.batchSize())
  }
}

extension PayoutEnd {
  fileprivate func write(into fields: inout [String: String]) {
    fields["payout_id"] = "\(payout)"
    fields["reference"] = "\(reference)"
    fields["status"] = status.rawValue
    fields["note"] = note
    fields["at"] = "\(at.milliseconds)"
  }

  fileprivate init(_ reader: IntentReader) throws(MalformedValue) {
    let status: PayoutStatus = try reader.named("status")
    guard status.isUnpaidFinal else { throw MalformedValue("status", "is no unpaid end") }
    self.init(
      payout: try reader.payoutID("payout_id"), reference: try Reference(hex: reader.text("reference")),
      status: status, note: reader.fields["note"], at: try reader.time("at"))
  }
}

/// Reads the fields of an entry; what is missing or wrong is named, never repeated.
private struct IntentReader {
  let fields: [String: String]

  func text(_ name: String) throws(MalformedValue) -> String {
    guard let text = fields[name] else { throw MalformedValue(name, "is missing") }
    return text
  }

  func integer(_ name: String) throws(MalformedValue) -> Int64 {
    guard let number = Int64(try text(name)) else { throw MalformedValue(name, "is no whole number") }
    return number
  }

  func time(_ name: String) throws(MalformedValue) -> Timestamp { Timestamp(milliseconds: try integer(name)) }

  func bytes(_ name: String) throws(MalformedValue) -> [UInt8] {
    guard let bytes = Hex.bytes(try text(name)) else { throw MalformedValue(name, "is not hexadecimal") }
    return bytes
  }

  func payoutID(_ name: String) throws(MalformedValue) -> PayoutID { try PayoutID(try text(name)) }

  /// Both of its fields or none: entries from before there were batches have neither.
  func batchSize() throws(MalformedValue) -> ClientBatchSize? {
    guard fields["batch_count"] != nil || fields["batch_total"] != nil else { return nil }
    let count = try integer("batch_count")
    guard (1...Int64(ClientBatchSize.payoutsMax)).contains(count) else {
      throw MalformedValue("batch_count", "is no number of payouts that a batch has")
    }
    let total = try Amount(microUSDT: integer("batch_total"))
    guard total != .zero else { throw MalformedValue("batch_total", "is zero") }
    return ClientBatchSize(payoutCount: Int(count), total: total)
  }

  func named<Name: RawRepresentable>(_ name: String) throws(MalformedValue) -> Name where Name.RawValue == String {
    guard let value = Name(rawValue: try text(name)) else { throw MalformedValue(name, "is none of its words") }
    return value
  }

  func optional<Value>(
    _ name: String, _ read: (String) throws(MalformedValue) -> Value
  ) throws(MalformedValue) -> Value? {
    fields[name] == nil ? nil : try read(name)
  }
}
