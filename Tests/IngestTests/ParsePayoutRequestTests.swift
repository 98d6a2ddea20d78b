import Payouts
import Testing

@testable import Ingest

/// Every rule of POST /payouts, on both sides of each boundary.
struct ParsePayoutRequestTests {
  private static let now = Timestamp(milliseconds: 1_800_000_000_000)
  private static let wallet = Address(account: [UInt8](repeating: 0x10, count: 20))
  private let forbidden: ForbiddenRecipients
  private let limits: PayoutLimits

  init() throws {
    forbidden = ForbiddenRecipients(
      token: try Address(IngestScene.token), routers: [IngestScene.router], wallets: [Self.wallet])
    limits = PayoutLimits(v0Max: try Amount(decimal: "5000"), kycMax: try Amount(decimal: "7000"))
  }

  private func parse(_ body: String) throws(Problem) -> ParsedPayoutRequest {
    try ParsePayoutRequest(limits: limits).request(
      from: Array(body.utf8), now: Self.now, forbidden: forbidden.table)
  }

  /// The fields that are named as wrong, by one way or the other.
  private func wrong(_ changes: [String: String?]) -> [String] {
    do {
      return try parse(payoutBody(changes)).objections.map(\.field)
    } catch {
      return error.errors.map(\.field)
    }
  }

  private func text(_ count: Int) -> String { "\"\(String(repeating: "x", count: count))\"" }

  @Test func `a request with every field is read`() throws {
    // Proves that each field arrives where it belongs, amounts exactly.
    let request = try parse(
      payoutBody([
        "amount_usdt": "\"4999.000001\"", "priority": "\"urgent\"", "batch_type": "\"IMMEDIATE\"",
        "external_id": "\"invoice 7\"", "beneficiary_user_id": "\"user-1\"", "session_id": "\"s\"", "node_id": "\"n\"",
        "work_credits": "12.50", "custom_data": "{\"b\":1.50,\"a\":\"x\\ny\"}",
        "expires_at": "\"2027-01-15T08:00:00.001Z\"",
        "webhook_url": "\"https://example.com:8443/hook?x=1\"",
      ])
    ).request
    #expect(request.recipient == IngestScene.recipient)
    #expect(request.amount.microUSDT == 4_999_000_001)
    #expect(request.reason == .custom && request.router == .v0)
    #expect(request.priority == .urgent && request.batchType == .immediate)
    #expect(request.externalID == "invoice 7" && request.beneficiaryUserID == "user-1")
    #expect(request.sessionID == "s" && request.nodeID == "n" && request.workCredits == "12.50")
    #expect(request.customData == "{\"a\":\"x\\u000ay\",\"b\":1.50}")
    #expect(request.expiresAt == Self.now.advanced(byMilliseconds: 1))
    #expect(request.webhookURL == "https://example.com:8443/hook?x=1")
  }

  @Test func `optional fields have their defaults, and null is as good as absent`() throws {
    // Proves the defaults of the API.
    let fields = [
      "priority", "batch_type", "external_id", "beneficiary_user_id", "session_id", "node_id", "work_credits",
      "custom_data", "expires_at", "webhook_url", "kyc_hash", "compliance_signature",
    ]
    let bare = try parse(payoutBody()).request
    let nulls = try parse(payoutBody(Dictionary(uniqueKeysWithValues: fields.map { ($0, "null") }))).request
    #expect(bare == nulls)
    #expect(bare.priority == .normal && bare.batchType == .immediate && bare.externalID == nil)
  }

  @Test func `every wrong field is named at once`() {
    // Proves that a client mends a request in one go, unknown fields included.
    let fields = wrong([
      "recipient_address": "\"T\"", "amount_usdt": "1e2", "reason": "\"gift\"", "router_type": "1", "priority": "\"x\"",
      "batch_type": "\"yearly\"", "external_id": "\"\"", "beneficiary_user_id": "[]", "session_id": "5",
      "node_id": "{}",
      "work_credits": "-1", "custom_data": "[]", "expires_at": "\"soon\"", "webhook_url": "\"x\"", "kyc_hash": "\"00\"",
      "compliance_signature": "{}", "surplus": "1",
    ])
    #expect(
      Set(fields) == [
        "recipient_address", "amount_usdt", "reason", "router_type", "priority", "batch_type", "external_id",
        "beneficiary_user_id", "session_id", "node_id", "work_credits", "custom_data", "expires_at", "webhook_url",
        "kyc_hash", "compliance_signature", "surplus",
      ])
    #expect(fields.count == 17)
  }

  @Test(arguments: ["recipient_address", "amount_usdt", "reason", "router_type"])
  func `a required field that is missing or null is named`(_ field: String) {
    // Proves that nothing is assumed for what matters.
    #expect(wrong([field: nil as String?]) == [field])
    #expect(wrong([field: "null"]) == [field])
  }

  @Test(arguments: [
    ("0.01", 10_000), ("5000", 5_000_000_000), ("5000.000000", 5_000_000_000), ("0.010001", 10_001),
    ("\"12.345678\"", 12_345_678), ("1", 1_000_000), ("\"0012\"", 12_000_000), ("0.1", 100_000), ("0.3", 300_000),
    ("4503.599627", 4_503_599_627),
  ])
  func `an amount is read exactly, as number or text`(_ text: String, _ microUSDT: Int64) throws {
    // Proves that no amount passes through binary floating point: 0.1 and 0.3 are what they say.
    #expect(try parse(payoutBody(["amount_usdt": text])).request.amount.microUSDT == microUSDT)
    #expect(try parse(payoutBody(["amount_usdt": text])).objections.isEmpty)
  }

  @Test(arguments: [
    "0.009999", "0", "-1", "-0.01", "1.0000001", "0.0100000", "1e2", "1E-2", "\"\"", "\" 5\"", "\"+5\"", "\"5.\"",
    "\".5\"",
    "\"5,0\"", "\"1e2\"", "\"٥\"", "\"NaN\"", "10000.000001", "99999999999999999999", "true", "[]", "{}",
  ])
  func `an amount outside the rules is named`(_ text: String) {
    // Proves bounds, decimals, sign and exponent.
    #expect(wrong(["amount_usdt": text]) == ["amount_usdt"])
  }

  @Test func `the router's own maximum holds, and lies beneath that of the API`() throws {
    // Proves the boundary of V0_MAX_PAYOUT_USDT, and that it never lifts the API's own.
    #expect(wrong(["amount_usdt": "5000.000001"]) == ["amount_usdt"])
    #expect(try parse(payoutBody(["amount_usdt": "10000"])).objections.map(\.field) == ["amount_usdt"])
    #expect(throws: Problem.self) { try parse(payoutBody(["amount_usdt": "10000.000001"])) }
  }

  @Test func `only a good address that may be paid is a recipient`() throws {
    // Proves base58check (one character off), and every kind of address that may not be paid.
    let good = IngestScene.recipient.description
    let mistyped = good.dropLast() + (good.last == "x" ? "y" : "x")
    #expect(wrong(["recipient_address": "\"\(mistyped)\""]) == ["recipient_address"])
    #expect(wrong(["recipient_address": "\"\(good)1\""]) == ["recipient_address"])
    #expect(wrong(["recipient_address": "\"0x\(Hex.text(IngestScene.recipient.bytes))\""]) == ["recipient_address"])
    for address in [try Address(IngestScene.token), IngestScene.router, Self.wallet, .zero] {
      #expect(wrong(["recipient_address": "\"\(address)\""]) == ["recipient_address"], "\(address)")
    }
    forbidden.update(wallets: [])
    #expect(wrong(["recipient_address": "\"\(Self.wallet)\""]).isEmpty)
  }

  @Test func `a reason belongs to its router`() {
    // Proves the two lists of the API.
    for reason in PayoutReason.allCases {
      let isAllowed = PayoutReason.allowed(by: .v0).contains(reason)
      #expect(wrong(["reason": "\"\(reason.rawValue)\""]) == (isAllowed ? [] : ["reason"]))
    }
    #expect(wrong(["reason": "\"CUSTOM\""]) == ["reason"])
  }

  @Test(arguments: BatchType.allCases)
  func `every batch type is accepted, in either case`(_ type: BatchType) throws {
    // Proves the API's word on case, and that no type stands for another.
    for word in [type.rawValue, type.rawValue.uppercased()] {
      let parsed = try parse(payoutBody(["batch_type": "\"\(word)\""]))
      #expect(parsed.request.batchType == type)
    }
  }

  @Test func `each router has a maximum of its own`() throws {
    // Proves both sides of both maxima; the kyc router is asked of the rule alone, since it is not open yet.
    for (router, maximum) in [(RouterType.v0, "5000"), (.kyc, "7000")] {
      let (most, more) = (try Amount(decimal: maximum), try Amount(decimal: maximum + ".000001"))
      #expect(limits.objection(to: most, router: router) == nil)
      let objection = limits.objection(to: more, router: router)
      #expect(objection == "must be at most \(maximum) USDT with router \(router.rawValue)")
    }
  }

  @Test func `what is not available yet is refused and says what is`() throws {
    // Proves that a client of a later version learns why, and what it can do now.
    let problem = #expect(throws: Problem.self) { try parse(payoutBody(["router_type": "\"kyc\""])) }
    #expect(problem?.errors[0].message.contains("available: v0") == true)
    #expect(wrong(["kyc_hash": "\"\(String(repeating: "0", count: 64))\""]) == ["kyc_hash"])
    #expect(wrong(["compliance_signature": "{}"]) == ["compliance_signature"])
  }

  @Test(arguments: [
    ("external_id", 128), ("beneficiary_user_id", 255), ("session_id", 128), ("node_id", 128),
  ])
  func `a text is bounded, not empty, and without control characters`(_ field: String, _ maximum: Int) {
    // Proves both sides of the length, and that NUL, C0 and C1 characters never reach the database.
    #expect(wrong([field: text(1)]).isEmpty)
    #expect(wrong([field: text(maximum)]).isEmpty)
    #expect(wrong([field: text(maximum + 1)]) == [field])
    #expect(wrong([field: "\"" + String(repeating: "é", count: maximum) + "\""]).isEmpty)
    #expect(wrong([field: "\"\""]) == [field])
    for escape in ["\\u0000", "\\u0001", "\\n", "\\t", "\\u007f", "\\u0085"] {
      #expect(wrong([field: "\"a\(escape)b\""]) == [field], "\(escape)")
    }
  }

  @Test func `custom_data is an object of bounded size that the database can hold`() {
    // Proves 4 KiB as stored, the shape, and what PostgreSQL's JSON refuses: NUL and numbers without end.
    func object(_ bytes: Int) -> String { "{\"a\":\"\(String(repeating: "x", count: bytes - 8))\"}" }
    #expect(wrong(["custom_data": object(4_096)]).isEmpty)
    #expect(wrong(["custom_data": object(4_097)]) == ["custom_data"])
    #expect(wrong(["custom_data": " { \"a\" : [ 1 , { \"b\" : \"x\\ty\\nz\" } ] } "]).isEmpty)
    for data in [
      "[]", "\"x\"", "1", "{\"a\":\"\\u0000\"}", "{\"a\\u0000\":1}", "{\"a\":[{\"b\":1e100}]}", "{\"a\":1e-100}",
      "{\"a\":1E+99999999999999999999}", "{\"a\":\"\\u0007\"}",
    ] {
      #expect(wrong(["custom_data": data]) == ["custom_data"], "\(data)")
    }
    #expect(wrong(["custom_data": "{\"a\":1e99,\"b\":1e-99}"]).isEmpty)
  }

  @Test func `expires_at is a time in the future`() {
    // Proves the boundary: a payout that expires now has expired.
    #expect(wrong(["expires_at": "\"\(Self.now)\""]) == ["expires_at"])
    #expect(wrong(["expires_at": "\"\(Self.now.advanced(byMilliseconds: 1))\""]).isEmpty)
    #expect(wrong(["expires_at": "\"2027-01-15T10:00:00.001+02:00\""]).isEmpty)
    #expect(wrong(["expires_at": "\"2027-01-15T09:59:59.999+02:00\""]) == ["expires_at"])
    for text in ["\"2027-02-30T00:00:00Z\"", "\"2027-03-01\"", "\"2027-03-01T00:00:00\"", "1800000001"] {
      #expect(wrong(["expires_at": text]) == ["expires_at"], "\(text)")
    }
  }

  @Test func `work_credits keeps its digits`() throws {
    // Proves that it is told back as it came, and what is no plain number.
    for (text, kept) in [("0", "0"), ("1.50", "1.50"), ("\"7\"", "7"), (String(repeating: "9", count: 40), nil)] {
      let expected = kept ?? text
      #expect(try parse(payoutBody(["work_credits": text])).request.workCredits == expected)
    }
    for text in ["-1", "1e3", "\"x\"", "\"\"", "true", String(repeating: "9", count: 41)] {
      #expect(wrong(["work_credits": text]) == ["work_credits"], "\(text)")
    }
  }

  @Test(arguments: [
    "https://example.com", "http://example.com/", "HTTPS://EXAMPLE.com/a?b=c&d=%20", "http://10.0.0.1:1/x",
    "https://[2001:db8::1]:65535/x", "https://a_b.example/",
  ])
  func `an absolute http or https URL is a webhook_url`(_ url: String) {
    // Proves what is taken; whether it may be called is asked when it is called.
    #expect(wrong(["webhook_url": "\"\(url)\""]).isEmpty)
  }

  @Test(arguments: [
    "example.com", "/hook", "//example.com", "ftp://example.com", "https://", "https:///x", "https://user@example.com",
    "https://u:p@example.com/", "https://example.com/#f", "https://example.com:0/", "https://example.com:65536/",
    "https://example.com:/", "https://example.com:x/", "https://exa mple.com", "https://exämple.com",
    "https://.example.com/",
    "https://[::1", "https://[]/", "https://example.com/\\\\x", "javascript:alert(1)", "https://example.com:+80/",
  ])
  func `anything else is no webhook_url`(_ url: String) {
    // Proves the refusals: relative, other schemes, credentials, fragments, bad hosts and ports.
    #expect(wrong(["webhook_url": "\"\(url)\""]) == ["webhook_url"])
  }

  @Test func `webhook_url has at most 2048 characters`() {
    // Proves both sides of the length.
    func url(_ length: Int) -> String {
      let start = "https://example.com/"
      return "\"\(start)\(String(repeating: "x", count: length - start.count))\""
    }
    #expect(wrong(["webhook_url": url(2_048)]).isEmpty)
    #expect(wrong(["webhook_url": url(2_049)]) == ["webhook_url"])
  }

  @Test(arguments: ["", "x", "[]", "\"x\"", "null", "{\"a\":1,\"a\":2}", "{\"a\":", "1"])
  func `a body that is no JSON object is malformed`(_ body: String) {
    // Proves that it is told apart from wrong fields.
    let problem = #expect(throws: Problem.self) { try parse(body) }
    #expect(problem?.kind == .malformedJSON)
  }

  @Test func `what is wrong only now leaves the request readable`() throws {
    // Proves the difference that lets an earlier acceptance be answered again: the same request, later.
    let parsed = try parse(
      payoutBody([
        "expires_at": "\"\(Self.now)\"", "amount_usdt": "5001", "recipient_address": "\"\(Self.wallet)\"",
      ]))
    #expect(Set(parsed.objections.map(\.field)) == ["expires_at", "amount_usdt", "recipient_address"])
    // One field that is wrong for ever makes all of them an error.
    let problem = #expect(throws: Problem.self) {
      try parse(payoutBody(["expires_at": "\"\(Self.now)\"", "priority": "\"x\""]))
    }
    #expect(Set(problem?.errors.map(\.field) ?? []) == ["expires_at", "priority"])
  }

  @Test func `the number of named problems is bounded, and long names are cut`() {
    // Proves that an answer stays small whatever was sent.
    let surplus = Dictionary(uniqueKeysWithValues: (0..<1_000).map { ("surplus\($0)", "1" as String?) })
    #expect(wrong(surplus).count == RequestFields.problemsMax)
    let long = wrong([String(repeating: "n", count: 500): "1"])
    #expect(long == [String(repeating: "n", count: RequestFields.shownNameCharactersMax) + "…"])
  }

  @Test func `the fingerprint is that of the parsed fields`() throws {
    // Proves what makes the same request: spelling, order, defaults and spaces do not matter, each field does.
    func fingerprint(_ changes: [String: String?]) throws -> [UInt8] {
      try parse(payoutBody(changes)).request.fingerprint
    }
    let plain = try fingerprint([:])
    #expect(plain.count == 32)
    let same: [[String: String?]] = [
      ["amount_usdt": "\"12.500000\""], ["amount_usdt": "12.50"], ["priority": "\"normal\""], ["priority": "null"],
      ["batch_type": "\"IMMEDIATE\""], ["recipient_address": " \"\(IngestScene.recipient)\" "],
    ]
    for changes in same { #expect(try fingerprint(changes) == plain, "\(changes)") }
    let other: [[String: String?]] = [
      ["amount_usdt": "12.500001"], ["priority": "\"high\""], ["reason": "\"uptime_reward\""],
      ["recipient_address": "\"\(Address(account: [UInt8](repeating: 0x78, count: 20)))\""], ["external_id": "\"a\""],
      ["beneficiary_user_id": "\"a\""], ["session_id": "\"a\""], ["node_id": "\"a\""], ["work_credits": "1"],
      ["work_credits": "1.0"], ["custom_data": "{}"], ["custom_data": "{\"a\":1}"],
      ["webhook_url": "\"https://example.com/\""], ["expires_at": "\"2030-01-01T00:00:00Z\""],
    ]
    let all = try other.map { try fingerprint($0) } + [plain]
    #expect(Set(all).count == all.count)
    #expect(
      try fingerprint(["custom_data": "{\"a\":1,\"b\":{\"c\":2,\"d\":3}}"])
        == fingerprint(["custom_data": "{ \"b\":{\"d\":3,\"c\":2}, \"a\":1}"]))
    #expect(
      try fingerprint(["expires_at": "\"2030-01-01T00:00:00Z\""])
        == fingerprint(["expires_at": "\"2030-01-01T01:00:00.000+01:00\""]))
  }
}
