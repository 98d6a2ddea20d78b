import Ledger
import Payouts

/// A page of audit records that an admin asks for.
struct AuditListRequest: Sendable, Hashable {
  /// To what the list is narrowed.
  let filter: AuditFilter
  /// Where it goes on; nil for its begin.
  let before: Int64?
  /// The most records of one page.
  let limit: Int

  /// Reads the query of GET /admin/audit.
  /// - Throws: `Problem` of kind `malformedQuery` or `invalidRequest`.
  init(from query: Substring?) throws(Problem) {
    var fields = try ReadQuery.fields(query)
    let request = AuditListRequest(reading: &fields)
    self = try fields.whole(request)
  }

  /// Every parameter is read, whatever is wrong with the others.
  init(reading fields: inout RequestFields) {
    var filter = AuditFilter()
    filter.caller = fields.text("caller", maximum: AuditRecord.callerCharactersMax)
    filter.target = fields.text("target", maximum: AuditRecord.nameCharactersMax)
    filter.operation = fields.text("operation", maximum: AuditRecord.wordCharactersMax)
    filter.outcome = fields.text("outcome", maximum: AuditRecord.wordCharactersMax)
    filter.from = ParseListRequest.time("from", &fields)
    filter.to = ParseListRequest.time("to", &fields)
    if let from = filter.from, let to = filter.to, from >= to { fields.note("to", "must be later than from") }
    self.filter = filter
    limit = ParseListRequest.limit(&fields)
    before = fields.parsed("cursor", maximum: ParseListRequest.cursorCharactersMax) { text throws(MalformedValue) in
      guard let id = Int64(text), id > 0, "\(id)" == text else {
        throw MalformedValue("cursor", "is none that an earlier answer gave as next_cursor")
      }
      return id
    }
  }
}

/// Lists audit records for an admin, newest first.
struct ListAudits: Sendable {
  let ledger: any AuditLedger

  func page(_ request: AuditListRequest) async throws(Problem) -> AuditPage {
    do {
      return try await ledger.audits(fitting: request.filter, before: request.before, limit: request.limit)
    } catch {
      throw ReadPayout.problem(error)
    }
  }
}
