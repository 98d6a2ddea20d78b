import Ledger
import Payouts

/// What a caller asks for with POST /webhooks.
struct WebhookRequest: Sendable, Hashable {
  /// The longest description, in characters.
  static let descriptionCharactersMax = 256

  /// Where to be told.
  let url: String
  /// What to be told; nil: everything.
  let events: [WebhookEvent]?
  /// What its owner calls it.
  let description: String?

  /// Reads the body.
  /// - Throws: `Problem` of kind `malformedJSON` or `invalidRequest`.
  init(from body: [UInt8]) throws(Problem) {
    var fields = try RequestFields(body: body)
    let request = Self.read(&fields)
    self = try fields.whole(request)
  }

  private init(url: String, events: [WebhookEvent]?, description: String?) {
    self.url = url
    self.events = events
    self.description = description
  }

  /// Every field is read, whatever is wrong with the others.
  static func read(_ fields: inout RequestFields) -> WebhookRequest? {
    let url = fields.parsed(
      "url", maximum: ParsePayoutRequest.webhookURLCharactersMax, isRequired: true, parse: WebhookURL.checked)
    let events = fields.list("events", count: 0...WebhookEvent.allCases.count) { text throws(MalformedValue) in
      guard let event = WebhookEvent(rawValue: text) else {
        throw MalformedValue(
          "event", "must be one of \(WebhookEvent.allCases.map(\.rawValue).joined(separator: ", "))")
      }
      return event
    }
    if let events, Set(events).count < events.count { fields.note("events", "names an event twice") }
    let description = fields.text("description", maximum: descriptionCharactersMax)
    guard let url else { return nil }
    return WebhookRequest(url: url, events: events.flatMap { $0.isEmpty ? nil : $0 }, description: description)
  }
}

/// What a caller asks for with GET /webhooks.
struct WebhookListRequest: Sendable, Hashable {
  /// Whose; nil: all that the caller may see.
  let owner: String?
  /// Where the list goes on; nil for its begin.
  let before: WebhookEndpointID?
  /// The most entries of one page.
  let limit: Int

  /// Reads the query.
  /// - Throws: `Problem` of kind `malformedQuery` or `invalidRequest`.
  init(from query: Substring?) throws(Problem) {
    var fields = try ReadQuery.fields(query)
    let request = WebhookListRequest(reading: &fields)
    self = try fields.whole(request)
  }

  /// Every parameter is read, whatever is wrong with the others.
  init(reading fields: inout RequestFields) {
    owner = fields.text("owner", maximum: Caller.idCharactersMax)
    limit = ParseListRequest.limit(&fields)
    before = fields.parsed("cursor", maximum: ParseListRequest.cursorCharactersMax, parse: PayoutCursor.id)
  }
}

/// What a caller asks for with GET /webhooks/{webhook_id}/deliveries.
struct WebhookDeliveryListRequest: Sendable, Hashable {
  /// Only what stands so; nil: all.
  let state: WebhookState?
  /// Where the list goes on; nil for its begin.
  let before: Int64?
  /// The most entries of one page.
  let limit: Int

  /// Reads the query.
  /// - Throws: `Problem` of kind `malformedQuery` or `invalidRequest`.
  init(from query: Substring?) throws(Problem) {
    var fields = try ReadQuery.fields(query)
    let request = WebhookDeliveryListRequest(reading: &fields)
    self = try fields.whole(request)
  }

  /// Every parameter is read, whatever is wrong with the others.
  init(reading fields: inout RequestFields) {
    state = fields.word("state", WebhookState.self)
    limit = ParseListRequest.limit(&fields)
    before = fields.parsed("cursor", maximum: ParseListRequest.cursorCharactersMax) { text throws(MalformedValue) in
      guard let number = Int64(text), number > 0, "\(number)" == text else {
        throw MalformedValue("cursor", "is none that an earlier answer gave as next_cursor")
      }
      return number
    }
  }
}
