import Payouts
import Testing

@testable import Ingest

/// Requests to POST /payouts that are wrong, each in one way, and the exact answer to each, over real HTTP.
struct MalformedRequestsTests {
  /// A request and what it must be answered.
  struct Malformed: Sendable {
    let name: String
    /// The body; where nil, the good one with `changes`.
    var body: String?
    var changes: [String: String?] = [:]
    var headers: [String: String] = [:]
    var key: String?
    let status: Int
    /// The end of the problem's type.
    let problem: String
    /// The fields that it names, in any order.
    var fields: [String] = []

    /// Wrong in its fields.
    init(_ field: String, _ value: String?, _ name: String? = nil, and others: [String] = []) {
      self.name = "\(field): \(name ?? value ?? "missing")"
      changes = [field: value]
      status = 400
      problem = "invalid-request"
      fields = [field] + others
    }

    /// Wrong as a whole.
    init(
      _ name: String, body: String? = nil, headers: [String: String] = [:], key: String? = nil, _ status: Int,
      _ problem: String
    ) {
      self.name = name
      self.body = body
      self.headers = headers
      self.key = key
      self.status = status
      self.problem = problem
    }
  }

  private static func text(_ length: Int) -> String { "\"" + String(repeating: "x", count: length) + "\"" }

  private static let wholes: [Malformed] = [
    Malformed("nothing", body: "", 400, "malformed-json"), Malformed("half", body: "{\"a\":", 400, "malformed-json"),
    Malformed("a list", body: "[]", 400, "malformed-json"), Malformed("a text", body: "\"x\"", 400, "malformed-json"),
    Malformed("a number", body: "1", 400, "malformed-json"), Malformed("null", body: "null", 400, "malformed-json"),
    Malformed("two objects", body: "{}{}", 400, "malformed-json"),
    Malformed("a comma too many", body: "{\"amount_usdt\":1,}", 400, "malformed-json"),
    Malformed("a name twice", body: "{\"amount_usdt\":1,\"amount_usdt\":2}", 400, "malformed-json"),
    Malformed("apostrophes", body: "{'amount_usdt':1}", 400, "malformed-json"),
    Malformed("a comment", body: "{} // x", 400, "malformed-json"),
    Malformed("a byte order mark", body: "\u{feff}{}", 400, "malformed-json"),
    Malformed("half a surrogate pair", body: "{\"reason\":\"\\ud800\"}", 400, "malformed-json"),
    Malformed("a bomb of brackets", body: String(repeating: "[", count: 100_000), 400, "malformed-json"),
    Malformed("an infinite amount", body: "{\"amount_usdt\":Infinity}", 400, "malformed-json"),
    Malformed("a hexadecimal amount", body: "{\"amount_usdt\":0x10}", 400, "malformed-json"),
    Malformed("a form", body: "amount_usdt=1", 400, "malformed-json"),
    Malformed("text/plain", headers: ["Content-Type": "text/plain"], 415, "unsupported-media-type"),
    Malformed(
      "a form's type", headers: ["Content-Type": "application/x-www-form-urlencoded"], 415, "unsupported-media-type"),
    Malformed(
      "another charset", headers: ["Content-Type": "application/json; charset=utf-16"], 415, "unsupported-media-type"),
    Malformed("an empty key", key: "", 400, "invalid-idempotency-key"),
    Malformed("a long key", key: String(repeating: "k", count: 256), 400, "invalid-idempotency-key"),
    Malformed("a tab in the key", key: "a\tb", 400, "invalid-idempotency-key"),
    Malformed("letters outside ASCII in the key", key: "schlüssel", 400, "invalid-idempotency-key"),
    Malformed("more than a body's most", body: String(repeating: " ", count: 2 << 20), 413, "body-too-large"),
  ]

  private static let fields: [Malformed] = [
    Malformed("recipient_address", nil), Malformed("recipient_address", "null"), Malformed("recipient_address", "1"),
    Malformed("recipient_address", "\"\""), Malformed("recipient_address", "\"T\""),
    Malformed("recipient_address", "\"\(IngestScene.recipient)1\"", "a character too many"),
    Malformed("recipient_address", "\"\(IngestScene.recipient.description.lowercased())\"", "in lower case"),
    Malformed("recipient_address", "\"0x\(Hex.text(IngestScene.recipient.bytes))\"", "in hexadecimal"),
    Malformed("recipient_address", "\"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa\"", "another chain's"),
    Malformed("recipient_address", "\" \(IngestScene.recipient)\"", "with a space"),
    Malformed("recipient_address", "\"\(IngestScene.token)\"", "the token"),
    Malformed("recipient_address", "\"\(IngestScene.router)\"", "a router"),
    Malformed("recipient_address", "\"\(Address.zero)\"", "the zero address"),
    Malformed("amount_usdt", nil), Malformed("amount_usdt", "null"), Malformed("amount_usdt", "0"),
    Malformed("amount_usdt", "-1"), Malformed("amount_usdt", "0.009999"), Malformed("amount_usdt", "10000.000001"),
    Malformed("amount_usdt", "1.0000001"), Malformed("amount_usdt", "1e3"), Malformed("amount_usdt", "\"1,5\""),
    Malformed("amount_usdt", "\"+1\""), Malformed("amount_usdt", "\" 1\""), Malformed("amount_usdt", "\"NaN\""),
    Malformed("amount_usdt", "99999999999999999999"), Malformed("amount_usdt", "true"),
    Malformed("amount_usdt", "[1]"), Malformed("amount_usdt", "\"１\"", "digits of another alphabet"),
    Malformed("reason", nil), Malformed("reason", "\"gift\""), Malformed("reason", "\"CUSTOM\""),
    Malformed("reason", "7"),
    Malformed("router_type", nil), Malformed("router_type", "\"v1\""), Malformed("router_type", "\"kyc\""),
    Malformed("router_type", "{}"),
    Malformed("priority", "\"asap\""), Malformed("priority", "1"), Malformed("batch_type", "\"yearly\""),
    Malformed("batch_type", "[]"), Malformed("external_id", "\"\""), Malformed("external_id", text(129), "too long"),
    Malformed("external_id", "\"a\\u0000b\"", "a NUL"), Malformed("beneficiary_user_id", text(256), "too long"),
    Malformed("beneficiary_user_id", "\"a\\nb\"", "two lines"), Malformed("session_id", "5"),
    Malformed("session_id", text(129), "too long"), Malformed("node_id", "{}"),
    Malformed("node_id", text(129), "too long"),
    Malformed("work_credits", "-1"), Malformed("work_credits", "\"x\""), Malformed("custom_data", "[]"),
    Malformed("custom_data", "{\"a\":\"\(String(repeating: "x", count: 5_000))\"}", "too large"),
    Malformed("custom_data", "{\"a\":1e400}", "a number without end"), Malformed("expires_at", "\"soon\""),
    Malformed("expires_at", "\"2020-01-01T00:00:00Z\"", "past"), Malformed("expires_at", "\"2030-02-30T00:00:00Z\""),
    Malformed("expires_at", "1900000000"), Malformed("webhook_url", "\"example.com\""),
    Malformed("webhook_url", "\"ftp://example.com/\""), Malformed("webhook_url", "\"https://u:p@example.com/\""),
    Malformed("webhook_url", "\"https://example.com/#f\""), Malformed("webhook_url", text(2_049), "too long"),
    Malformed("kyc_hash", "\"00\""), Malformed("compliance_signature", "{}"), Malformed("status", "\"confirmed\""),
    Malformed("seal", "\"x\""), Malformed("owner", "\"client-2\""), Malformed("payout_id", "\"x\""),
    Malformed("Amount_usdt", "1"),
  ]

  private static let all = wholes + fields

  @Test func `each malformed request is refused by its own code and field, and nothing is stored`()
    async throws
  {
    // "A table-driven test of at least 60 malformed requests." Each is the good request but for one thing, so that what is
    // named is that thing and nothing else; the good request itself is accepted before and after.
    #expect(Self.all.count >= 60 && Set(Self.all.map(\.name)).count == Self.all.count)
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      #expect(try await ingest.post(payoutBody(), key: "before").status == 201)
      for malformed in Self.all {
        let reply = try await ingest.post(
          malformed.body ?? payoutBody(malformed.changes), key: malformed.key, headers: malformed.headers)
        #expect(reply.status == malformed.status, "\(malformed.name): \(reply.status)")
        #expect(reply.problem == malformed.problem, "\(malformed.name): \(reply.problem ?? "no problem")")
        #expect(reply.wrongFields.sorted() == malformed.fields.sorted(), "\(malformed.name): \(reply.wrongFields)")
        #expect(reply.headers.first(name: "Content-Type") == "application/problem+json", "\(malformed.name)")
        #expect(try reply.text("detail")?.isEmpty == false, "\(malformed.name)")
      }
      #expect(try await scene.payoutCount() == 1)
      #expect(try await scene.enqueued().count == 1)
      #expect(try await scene.sql("SELECT count(*) FROM payout_references") == "1")
      #expect(
        try await scene.sql("SELECT sum(used) FROM limit_windows WHERE scope = 'accepted' AND span = 'day'")
          == "12500000")
      #expect(try await ingest.post(payoutBody(), key: "after").status == 201)
      print("malformed requests: \(Self.all.count)")
    }
  }
}
