import Ledger
import Payouts

/// What a caller asks for with GET /payouts.
struct ListRequest: Sendable, Hashable {
  /// To what the list is narrowed.
  let filter: PayoutFilter
  /// Where it goes on; nil for its begin.
  let before: PayoutID?
  /// The most payouts of one page.
  let limit: Int
}

/// Reads the query of GET /payouts, and names every wrong parameter at once.
enum ParseListRequest {
  /// The most payouts of one page.
  static let limitMax = 100
  /// How many payouts a page has where nothing is said.
  static let limitUsual = 50
  /// The longest cursor that is looked at, in characters.
  static let cursorCharactersMax = 64

  /// - Throws: `Problem` of kind `malformedQuery` or `invalidRequest`.
  static func request(from query: Substring?) throws(Problem) -> ListRequest {
    var fields = try ReadQuery.fields(query)
    let request = read(&fields)
    return try fields.whole(request)
  }

  /// Every parameter is read, whatever is wrong with the others.
  static func read(_ fields: inout RequestFields) -> ListRequest {
    var filter = PayoutFilter()
    filter.status = fields.word("status", PayoutStatus.self)
    filter.router = fields.word("router_type", RouterType.self)
    filter.batchType = fields.word("batch_type", BatchType.self, lowercases: true)
    filter.clientBatch = fields.parsed("batch_id", maximum: 64) { text throws(MalformedValue) in try BatchID(text) }
    filter.recipient = fields.parsed("recipient_address", maximum: 64) { text throws(MalformedValue) in
      try Address(text)
    }
    filter.externalID = fields.text("external_id", maximum: ParsePayoutRequest.externalIDCharactersMax)
    filter.node = fields.text("node_id", maximum: ParsePayoutRequest.idCharactersMax)
    filter.session = fields.text("session_id", maximum: ParsePayoutRequest.idCharactersMax)
    filter.createdFrom = time("created_from", &fields)
    filter.createdTo = time("created_to", &fields)
    if let from = filter.createdFrom, let to = filter.createdTo, from >= to {
      fields.note("created_to", "must be later than created_from")
    }
    let limit = limit(&fields)
    let before = fields.parsed("cursor", maximum: cursorCharactersMax, parse: PayoutCursor.id)
    return ListRequest(filter: filter, before: before, limit: limit)
  }

  /// The plus sign of a zone's offset that was not percent-encoded has become a space.
  static func time(_ name: String, _ fields: inout RequestFields) -> Timestamp? {
    fields.parsed(name, maximum: 64) { text throws(MalformedValue) in
      try Timestamp(rfc3339: String(text.map { $0 == " " ? "+" : $0 }))
    }
  }

  /// How many a list holds at most.
  static func limit(_ fields: inout RequestFields) -> Int {
    fields.parsed("limit", maximum: 8, parse: limit) ?? limitUsual
  }

  private static func limit(_ text: String) throws(MalformedValue) -> Int {
    guard let limit = Int(text), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), (1...limitMax).contains(limit)
    else { throw MalformedValue("limit", "must be a whole number from 1 to \(limitMax)") }
    return limit
  }
}

/// Where a list goes on, as clients keep it: opaque to them, so that its form may change.
enum PayoutCursor {
  /// Stands before the id; another form would begin otherwise.
  private static let form = "1"

  static func text(_ id: PayoutID) -> String { form + Hex.text(id.bytes) }

  static func id(_ text: String) throws(MalformedValue) -> PayoutID {
    guard text.hasPrefix(form), let bytes = Hex.bytes(text.dropFirst(form.count)), let id = try? PayoutID(bytes: bytes)
    else { throw MalformedValue("cursor", "is none that an earlier answer gave as next_cursor") }
    return id
  }
}
