import Ledger
import Payouts
import Streams

/// Reads the bodies and queries of operators' calls, and names every wrong field at once.
enum ParseOperatorRequest {
  /// The longest reason or proof, in characters: both are kept for ever.
  static let wordsCharactersMax = 500

  /// The longest name of a hold, in characters.
  static let holdReasonCharactersMax = 64

  /// The most findings that are named at once: all that are told.
  static let findingsMax = 100

  // MARK: Bodies

  /// `{"reason": …}`.
  /// - Throws: `Problem` of kind `malformedJSON` or `invalidRequest`, as do all of these.
  static func reason(from body: [UInt8]) throws(Problem) -> String { try whole(body, readReason) }

  /// What is decided about a held payout, for what it was held when the caller looked, and why it is decided so.
  typealias Decision = (decision: HeldDecision, seen: String?, reason: String)

  /// `{"reason": …, "hold_reason": …, "although_it_ended": …}`.
  static func release(from body: [UInt8]) throws(Problem) -> Decision {
    try whole(body, readRelease)
  }

  /// `{"reason": …, "proof": …}`.
  static func settle(from body: [UInt8]) throws(Problem) -> Decision {
    try whole(body, readSettlement)
  }

  /// `{"reason": …, "cause": …, "openings": …, "findings": [txid, …]}`.
  static func closing(from body: [UInt8]) throws(Problem) -> (SeenBreaker, reason: String) {
    try whole(body, readClosing)
  }

  static func readReason(_ fields: inout RequestFields) -> String? { words("reason", &fields) }

  static func readRelease(_ fields: inout RequestFields) -> Decision? {
    let reason = readReason(&fields)
    let seen = fields.text("hold_reason", maximum: holdReasonCharactersMax)
    let althoughItEnded = fields.flag("although_it_ended") ?? false
    return reason.map { (althoughItEnded ? .releaseAlthoughEnded : .release, seen, $0) }
  }

  static func readSettlement(_ fields: inout RequestFields) -> Decision? {
    let (reason, proof) = (readReason(&fields), words("proof", &fields))
    guard let reason, let proof else { return nil }
    return (.settle(proof: proof), nil, reason)
  }

  static func readClosing(_ fields: inout RequestFields) -> (SeenBreaker, reason: String)? {
    let reason = readReason(&fields)
    let cause = fields.text("cause", maximum: wordsCharactersMax)
    let findings = fields.list("findings", count: 0...findingsMax) { text throws(MalformedValue) in
      try TxID(hex: text)
    }
    let openings = fields.count("openings")
    return reason.map { (SeenBreaker(cause: cause, openings: openings, findings: Set(findings ?? [])), $0) }
  }

  // MARK: Queries

  /// `limit` alone, as lists of payouts have it.
  static func limit(from query: Substring?) throws(Problem) -> Int { try whole(query, ParseListRequest.limit) }

  /// `stream` and `limit` of lists of dead letters.
  static func deadLetters(from query: Substring?) throws(Problem) -> (stream: StreamName?, limit: Int) {
    try whole(query, readDeadLetters)
  }

  /// `owner` and `limit` of lists of API keys.
  static func keys(from query: Substring?) throws(Problem) -> (owner: String?, limit: Int) {
    try whole(query, readKeys)
  }

  static func readDeadLetters(_ fields: inout RequestFields) -> (stream: StreamName?, limit: Int) {
    let stream = fields.parsed("stream", maximum: 64) { text throws(MalformedValue) in
      guard let stage = StreamName.stages.first(where: { $0.stream.text == text }) else {
        let names = StreamName.stages.map(\.stream.text).joined(separator: ", ")
        throw MalformedValue("stream", "must be one of \(names)")
      }
      return stage.stream
    }
    return (stream, ParseListRequest.limit(&fields))
  }

  static func readKeys(_ fields: inout RequestFields) -> (owner: String?, limit: Int) {
    (fields.text("owner", maximum: Caller.idCharactersMax), ParseListRequest.limit(&fields))
  }

  /// A text that says something, required.
  private static func words(_ name: String, _ fields: inout RequestFields) -> String? {
    guard let words = fields.text(name, maximum: wordsCharactersMax, isRequired: true) else { return nil }
    guard words.contains(where: { !$0.isWhitespace }) else {
      fields.note(name, "must say something")
      return nil
    }
    return words
  }

  private static func whole<Value>(
    _ body: [UInt8], _ read: (inout RequestFields) -> Value?
  ) throws(Problem) -> Value {
    var fields = try RequestFields(body: body)
    let value = read(&fields)
    return try fields.whole(value)
  }

  private static func whole<Value>(
    _ query: Substring?, _ read: (inout RequestFields) -> Value
  ) throws(Problem) -> Value {
    var fields = try ReadQuery.fields(query)
    let value = read(&fields)
    return try fields.whole(value)
  }
}
