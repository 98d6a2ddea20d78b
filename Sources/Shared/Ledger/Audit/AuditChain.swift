import Crypto

/// The chain of audit records as it is checked: hash after hash, from its beginning or from a record that is believed.
///
/// A hash is SHA-256 over the tag and a zero byte, the 32 bytes of the hash before (zeros before the first), then each
/// field of the record: id, at in Unix microseconds, service, caller, role, proof, operation, target, request id,
/// status, outcome, detail. A field is a 4-byte big-endian length and its bytes; numbers have 8 bytes, big endian; an
/// absent field is the length FFFFFFFF alone, so that it is never taken for an empty one. `audit_hash` in the database
/// (`M017Audit`) computes the same: neither knows the other, so that one mistake cannot hide on both sides.
///
/// What it does not show: that the last records are gone, or that somebody computed all hashes anew. For that there is
/// what left the machine.
public struct AuditChain: Sendable {
  /// What each hash begins with, before a zero byte.
  public static let tag = "tron-payouts/audit/v1"
  /// What stands before the first record: 32 zero bytes.
  public static let beginning = [UInt8](repeating: 0, count: 32)

  /// The place of the last record that was found good; 0 before the first.
  public private(set) var sequence: Int64
  /// Its hash.
  public private(set) var hash: [UInt8]

  /// From the chain's beginning.
  public init() {
    sequence = 0
    hash = AuditChain.beginning
  }

  /// From behind a record that is believed.
  public init(after link: AuditLink) {
    sequence = link.sequence
    hash = link.hash
  }

  /// Takes the next record, where it is the next one and has the right hash.
  /// - Throws: `AuditFlaw`; the chain stands where it stood before.
  public mutating func take(_ next: LinkedAudit) throws(AuditFlaw) {
    guard next.link.sequence == sequence + 1 else {
      throw .missing(sequence: sequence + 1, found: next.link.sequence)
    }
    let right = AuditChain.hash(of: next.audit, after: hash)
    guard next.link.hash == right else { throw .altered(sequence: next.link.sequence, id: next.audit.id) }
    sequence = next.link.sequence
    hash = right
  }

  /// The hash that a record has behind another one.
  ///
  /// - Parameter previous: the hash before it, 32 bytes.
  /// - Returns: 32 bytes.
  public static func hash(of audit: StoredAudit, after previous: [UInt8]) -> [UInt8] {
    let record = audit.record
    var bytes = [UInt8](tag.utf8) + [0] + previous
    append(bigEndian(audit.id), to: &bytes)
    append(bigEndian(audit.atMicroseconds), to: &bytes)
    append([UInt8](record.service.utf8), to: &bytes)
    append(record.caller.map { [UInt8]($0.utf8) }, to: &bytes)
    append(record.role.map { [UInt8]($0.utf8) }, to: &bytes)
    append(record.proof.map { [UInt8]($0.utf8) }, to: &bytes)
    append([UInt8](record.operation.utf8), to: &bytes)
    append(record.target.map { [UInt8]($0.utf8) }, to: &bytes)
    append([UInt8](record.requestID.utf8), to: &bytes)
    append(bigEndian(Int64(record.status)), to: &bytes)
    append([UInt8](record.outcome.utf8), to: &bytes)
    append(record.detail.map { [UInt8]($0.utf8) }, to: &bytes)
    return [UInt8](SHA256.hash(data: bytes))
  }

  private static func append(_ field: [UInt8]?, to bytes: inout [UInt8]) {
    guard let field else {
      bytes.append(contentsOf: [0xff, 0xff, 0xff, 0xff])
      return
    }
    bytes.append(contentsOf: bigEndian(UInt32(field.count)))
    bytes.append(contentsOf: field)
  }

  private static func bigEndian(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.bigEndian) { [UInt8]($0) }
  }
}

/// Where a chain of audit records does not fit together.
public enum AuditFlaw: Error, Sendable, Hashable, CustomStringConvertible {
  /// The record of this place is missing; another one follows.
  case missing(sequence: Int64, found: Int64)
  /// The hash of the record at this place is not the one of its fields and the hash before it.
  case altered(sequence: Int64, id: Int64)

  /// Which record, and what is wrong.
  public var description: String {
    switch self {
    case .missing(let sequence, let found): "record \(sequence) is missing: \(found) follows"
    case .altered(let sequence, let id):
      "record \(sequence) (id \(id)) has another hash than its fields and the record before it give"
    }
  }
}
