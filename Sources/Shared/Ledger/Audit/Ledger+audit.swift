import Payouts
import Postgres

/// Storing audit records, linking them, and reading them.
extension Ledger: AuditLedger {
  /// See `AuditLedger.record(audits:)`.
  public func record(audits: [AuditRecord]) async throws {
    guard !audits.isEmpty else { return }
    _ = try await execute(
      Ledger.insertAudits,
      [
        .int8Array(audits.map(\.waitedMilliseconds)), .textArray(audits.map(\.service)),
        .textArray(audits.map(\.caller)), .textArray(audits.map(\.role)), .textArray(audits.map(\.proof)),
        .textArray(audits.map(\.operation)), .textArray(audits.map(\.target)), .textArray(audits.map(\.requestID)),
        .int4Array(audits.map { Int32($0.status) }), .textArray(audits.map(\.outcome)),
        .textArray(audits.map(\.detail)),
      ])
  }

  /// Their ids are in the order in which they are given.
  private static let insertAudits: PostgresStatement = """
    INSERT INTO audit_records (at, service, caller, role, proof, operation, target, request_id, status, outcome, detail)
    SELECT date_trunc('milliseconds', ledger_now()) - n.waited * interval '1 millisecond', n.service, n.caller, n.role,
      n.proof, n.operation, n.target, n.request_id, n.status, n.outcome, n.detail
    FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
      $9::integer[], $10::text[], $11::text[]) WITH ORDINALITY
      AS n (waited, service, caller, role, proof, operation, target, request_id, status, outcome, detail, place)
    ORDER BY n.place
    """

  /// See `AuditLedger.linkAudits`.
  public func linkAudits(atMost count: Int) async throws -> [LinkedAudit] {
    try await execute(Ledger.linkOldest, [.int4(Int32(clamping: count))]).rows.map(LinkedAudit.init)
  }

  private static let linkOldest = PostgresStatement(
    "SELECT \(AuditRecord.columns) FROM link_audit($1) WITH ORDINALITY AS l ORDER BY l.ordinality")

  /// See `AuditLedger.newestLinkedAudit`.
  public func newestLinkedAudit() async throws -> Int64 {
    try await read("SELECT coalesce(max(sequence), 0) AS newest FROM audit_records").single().int8("newest")
  }

  /// See `AuditLedger.audits`.
  public func audits(fitting filter: AuditFilter, before id: Int64?, limit: Int) async throws -> AuditPage {
    try await page(AuditScan(filter, before: id, limit: limit))
  }

  func page(_ scan: AuditScan) async throws -> AuditPage {
    let (sql, parameters) = scan.question
    let rows = try await read(sql, parameters).rows
    // One row at least, which says where the look ended, whether or not anything fits.
    guard let first = rows.first else { throw LedgerError(.corrupt, "a list of audit records answered nothing") }
    let entries = try rows.filter { try $0.int8OrNil("id") != nil }.map(AuditPage.Entry.init)
    if entries.count == scan.limit { return AuditPage(entries: entries, next: entries.last?.audit.id) }
    let isCut = try first.int8("looked_at") == Int64(scan.looked)
    return AuditPage(entries: entries, next: isCut ? try first.int8OrNil("edge_id") : nil)
  }
}

/// The part of one index that a page of audit records is read from, and what is asked of each record that is found
/// there.
///
/// It is the index of the target where one is asked for, else of the caller, else that of time alone; behind its word
/// each holds the time and the id, which are the order of the list.
struct AuditScan {
  /// How many records are looked at for one page. Without a bound, a page of what is rare would read all of them.
  static let scannedMaximum = 2_000

  /// The most records of the page.
  let limit: Int
  /// How many records are looked at.
  let looked: Int
  private let filter: AuditFilter
  private let before: Int64?
  private var parameters: [PostgresParameter] = []

  /// - Parameter scanned: how many records are looked at where not each of them fits.
  init(_ filter: AuditFilter, before: Int64?, limit: Int, scanned: Int = AuditScan.scannedMaximum) {
    self.filter = filter
    self.before = before
    self.limit = limit
    let fitsByIndex =
      filter.operation == nil && filter.outcome == nil && (filter.caller == nil || filter.target == nil)
    looked = fitsByIndex ? limit : max(limit, scanned)
  }

  /// SQL with its parameters. Each row says how many records were looked at and which was the last of them; behind that
  /// stands a record that fits, or nothing but nulls.
  var question: (sql: String, parameters: [PostgresParameter]) {
    var scan = self
    let (place, rest) = (scan.place(), scan.rest())
    let sql = """
      WITH looked AS (
        SELECT * FROM audit_records t WHERE \(place) ORDER BY t.at DESC, t.id DESC
        LIMIT \(scan.bind(.int8(Int64(looked))))
      ), edge AS (
        SELECT count(*) AS looked_at, (SELECT k.id FROM looked k ORDER BY k.at, k.id LIMIT 1) AS edge_id FROM looked
      )
      SELECT e.looked_at, e.edge_id, f.* FROM edge e LEFT JOIN (
        SELECT \(AuditRecord.columns) FROM looked l WHERE \(rest) ORDER BY l.at DESC, l.id DESC
        LIMIT \(scan.bind(.int8(Int64(limit))))
      ) f ON true ORDER BY f.at DESC, f.id DESC
      """
    return (sql, scan.parameters)
  }

  private mutating func place() -> String {
    var conditions: [String] = []
    if let target = filter.target {
      conditions.append("t.target = \(bind(.text(target)))")
    } else if let caller = filter.caller {
      conditions.append("t.caller = \(bind(.text(caller)))")
    }
    if let from = filter.from {
      conditions.append("t.at >= \(bind(.timestamp(microsecondsSinceUnixEpoch: from.microseconds)))")
    }
    if let to = filter.to {
      conditions.append("t.at < \(bind(.timestamp(microsecondsSinceUnixEpoch: to.microseconds)))")
    }
    if let before {
      let id = bind(.int8(before))
      conditions.append("(t.at, t.id) < ((SELECT b.at FROM audit_records b WHERE b.id = \(id)), \(id))")
    }
    return conditions.isEmpty ? "true" : conditions.joined(separator: " AND ")
  }

  private mutating func rest() -> String {
    var conditions: [String] = []
    if filter.target != nil, let caller = filter.caller { conditions.append("l.caller = \(bind(.text(caller)))") }
    if let operation = filter.operation { conditions.append("l.operation = \(bind(.text(operation)))") }
    if let outcome = filter.outcome { conditions.append("l.outcome = \(bind(.text(outcome)))") }
    return conditions.isEmpty ? "true" : conditions.joined(separator: " AND ")
  }

  private mutating func bind(_ value: PostgresParameter) -> String {
    parameters.append(value)
    return "$\(parameters.count)"
  }
}

extension AuditRecord {
  /// What is read of a row `l` of `audit_records`.
  static let columns = """
    l.id, l.at, l.service, l.caller, l.role, l.proof, l.operation, l.target, l.request_id, l.status, l.outcome,
    l.detail, l.sequence, l.hash
    """

  init(_ row: PostgresRow) throws {
    self.init(
      stored: try row.text("service"), caller: try row.textOrNil("caller"), role: try row.textOrNil("role"),
      proof: try row.textOrNil("proof"), operation: try row.text("operation"), target: try row.textOrNil("target"),
      requestID: try row.text("request_id"), status: Int(try row.int4("status")), outcome: try row.text("outcome"),
      detail: try row.textOrNil("detail"))
  }
}

extension StoredAudit {
  init(_ row: PostgresRow) throws {
    self.init(
      id: try row.int8("id"), atMicroseconds: try row.timestampMicroseconds("at"), record: try AuditRecord(row))
  }
}

extension LinkedAudit {
  init(_ row: PostgresRow) throws {
    self.init(
      audit: try StoredAudit(row), link: AuditLink(sequence: try row.int8("sequence"), hash: try row.bytes("hash")))
  }
}

extension AuditPage.Entry {
  init(_ row: PostgresRow) throws {
    let sequence = try row.int8OrNil("sequence")
    self.init(
      audit: try StoredAudit(row), link: try sequence.map { AuditLink(sequence: $0, hash: try row.bytes("hash")) })
  }
}
