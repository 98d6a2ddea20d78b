public import Payouts

/// An audit record as it stands in the table.
public struct StoredAudit: Sendable, Hashable {
  /// Its number, in the order of arrival; numbers may be missing.
  public let id: Int64
  /// When it happened, by the database's clock, in Unix microseconds. Whole milliseconds, unless somebody changed it.
  public let atMicroseconds: Int64
  /// What happened.
  public let record: AuditRecord

  /// When it happened, by the database's clock.
  public var at: Timestamp { Timestamp(microseconds: atMicroseconds) }

  /// Of its parts; for this package's own ledgers.
  package init(id: Int64, atMicroseconds: Int64, record: AuditRecord) {
    self.id = id
    self.atMicroseconds = atMicroseconds
    self.record = record
  }
}

/// A record's place in the chain: it is given once.
public struct AuditLink: Sendable, Hashable {
  /// 1 for the first record of the chain, then one after the other without a gap.
  public let sequence: Int64
  /// 32 bytes over the hash before it and the whole record; see `AuditChain`.
  public let hash: [UInt8]

  /// Of its parts; for this package's own ledgers.
  package init(sequence: Int64, hash: [UInt8]) {
    self.sequence = sequence
    self.hash = hash
  }
}

/// A record of the chain.
public struct LinkedAudit: Sendable, Hashable {
  /// The record.
  public let audit: StoredAudit
  /// Its place.
  public let link: AuditLink

  /// Of its parts; for this package's own ledgers.
  package init(audit: StoredAudit, link: AuditLink) {
    self.audit = audit
    self.link = link
  }
}

/// A part of a record as everybody is told it: in log lines, by the sink and in lists.
public struct AuditField: Sendable, Hashable {
  /// A value that every writer of JSON knows.
  public enum Value: Sendable, Hashable {
    /// A text.
    case text(String)
    /// A whole number.
    case integer(Int64)
    /// There is none: null.
    case absent
  }

  /// In snake case.
  public let name: String
  /// What is told.
  public let value: Value
}

extension StoredAudit {
  /// All that is told of a record, in order: enough to compute its hash from it and the one before.
  ///
  /// - Parameter link: nil where the record has no place in the chain yet.
  public func fields(_ link: AuditLink?) -> [AuditField] {
    func text(_ text: String?) -> AuditField.Value { text.map { .text($0) } ?? .absent }
    return [
      AuditField(name: "sequence", value: link.map { .integer($0.sequence) } ?? .absent),
      AuditField(name: "hash", value: text(link.map { Hex.text($0.hash) })),
      AuditField(name: "id", value: .integer(id)), AuditField(name: "at", value: .text(at.description)),
      AuditField(name: "service", value: .text(record.service)), AuditField(name: "caller", value: text(record.caller)),
      AuditField(name: "role", value: text(record.role)), AuditField(name: "proof", value: text(record.proof)),
      AuditField(name: "operation", value: .text(record.operation)),
      AuditField(name: "target", value: text(record.target)),
      AuditField(name: "request_id", value: .text(record.requestID)),
      AuditField(name: "status", value: .integer(Int64(record.status))),
      AuditField(name: "outcome", value: .text(record.outcome)),
      AuditField(name: "detail", value: text(record.detail)),
    ]
  }
}

extension LinkedAudit {
  /// All that is told of it, in order.
  public var fields: [AuditField] { audit.fields(link) }
}
