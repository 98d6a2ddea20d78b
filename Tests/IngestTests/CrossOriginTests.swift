import NIOHTTP1
import Payouts
import TestSupport
import Testing

@testable import Ingest

/// What browsers are told over real HTTP: CORS, and that answers are no pages.
struct CrossOriginTests {
  private static let page = "https://pay.example"
  private static let setting = ["CORS_ALLOWED_ORIGINS": "https://pay.example, http://localhost:3000"]

  private func question(
    _ ingest: RunningIngest, _ path: String, origin: String = page, method: String = "POST",
    headers: [String: String] = [:]
  ) async throws -> RunningIngest.Reply {
    try await ingest.ask(
      "OPTIONS", path, token: nil,
      headers: [
        "Origin": origin, "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,content-type",
      ].merging(headers) { $1 })
  }

  /// The names of all CORS fields.
  private func fields(_ reply: RunningIngest.Reply) -> [String] {
    reply.headers.map { $0.name.lowercased() }.filter { $0.hasPrefix("access-control-") }
  }

  @Test func `a browser is told what a page of an allowed origin may send, without credentials`() async throws {
    // Proves the answer field by field, for both prefixes, and that only the methods of the very path are named.
    let scene = try await IngestScene()
    try await scene.serving(Self.setting) { ingest async throws in
      for (path, methods) in [
        ("/payouts", "GET, HEAD, POST"), ("/api/payment/payouts", "GET, HEAD, POST"),
        ("/payouts/\(PayoutID.random())", "DELETE, GET, HEAD"), ("/payouts/transactions/bulk", "POST"),
        ("/health", "GET, HEAD"),
      ] {
        for origin in [Self.page, "http://localhost:3000"] {
          let reply = try await question(ingest, path, origin: origin)
          #expect(reply.status == 204 && reply.bytes.isEmpty, "\(path)")
          let told = Dictionary(reply.headers.map { ($0.name.lowercased(), $0.value) }) { "\($0), \($1)" }
          #expect(told["access-control-allow-origin"] == origin && told["vary"] == "Origin")
          #expect(told["access-control-allow-methods"] == methods, "\(path)")
          #expect(
            told["access-control-allow-headers"]
              == "Authorization, X-API-Key, Content-Type, Idempotency-Key, X-Request-ID, Last-Event-ID")
          #expect(told["access-control-max-age"] == "600" && told["x-request-id"] != nil)
          #expect(told["access-control-allow-credentials"] == nil)
        }
      }
      // Nothing is told of what does not exist, nor to a question that is none.
      #expect(try await question(ingest, "/nowhere").status == 401)
      #expect(try await ingest.ask("OPTIONS", "/payouts", token: nil, headers: ["Origin": Self.page]).status == 401)
      #expect(try await ingest.ask("OPTIONS", "/payouts", token: ingest.token()).status == 405)
    }
  }

  @Test func `a page of an allowed origin may read every answer, and those fields that it needs`() async throws {
    // Proves it for what was done, for a refusal and for an error, so that a page can tell its user what went wrong.
    let scene = try await IngestScene()
    try await scene.serving(Self.setting) { ingest async throws in
      let origin = ["Origin": Self.page]
      let replies = [
        try await ingest.post(payoutBody(), headers: origin),
        try await ingest.ask("GET", "/payouts", token: nil, headers: origin),
        try await ingest.ask("GET", "/nowhere", token: ingest.token(), headers: origin),
        try await ingest.ask("GET", "/live", token: nil, headers: origin),
      ]
      #expect(replies.map(\.status) == [201, 401, 404, 200])
      for reply in replies {
        #expect(reply.headers.first(name: "Access-Control-Allow-Origin") == Self.page)
        #expect(
          reply.headers.first(name: "Access-Control-Expose-Headers")
            == "Location, X-Request-ID, Retry-After, RateLimit, RateLimit-Policy, Idempotency-Replayed")
        #expect(reply.headers["Vary"] == ["Origin"] && fields(reply).count == 2)
      }
      let without = try await ingest.get("/payouts")
      #expect(without.headers["Vary"] == ["Origin"] && fields(without).isEmpty)
    }
  }

  @Test(arguments: [
    "https://pay.example.evil", "http://pay.example", "https://pay.example:444", "https://PAY.example",
    "https://pay.example/", "null", "*", "https://evil, https://pay.example", "http://localhost", "",
  ])
  func `a page of another origin is told nothing`(origin: String) async throws {
    // Proves that origins count byte for byte, and that a question from elsewhere is answered as any call without proof.
    let scene = try await IngestScene()
    try await scene.serving(Self.setting) { ingest async throws in
      let asked = try await question(ingest, "/payouts", origin: origin)
      let called = try await ingest.ask("GET", "/payouts", token: ingest.token(), headers: ["Origin": origin])
      #expect(asked.status == 401 && called.status == 200)
      #expect(fields(asked).isEmpty && fields(called).isEmpty)
    }
  }

  @Test func `without the setting no origin is known`() async throws {
    // Proves the default.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let asked = try await question(ingest, "/payouts")
      let called = try await ingest.ask("GET", "/payouts", token: ingest.token(), headers: ["Origin": Self.page])
      #expect(asked.status == 401 && called.status == 200)
      for reply in [asked, called] { #expect(fields(reply).isEmpty && !reply.headers.contains(name: "Vary")) }
    }
  }

  @Test func `a question comes through the gateway where calls must`() async throws {
    // Proves that production shows nothing to whoever goes around the gateway.
    let scene = try await IngestScene()
    let token = String(repeating: "t", count: 32)
    let settings = Self.setting.merging(["LUCID_ENV": "production", "API_GATEWAY_TOKEN": token]) { $1 }
    try await scene.serving(settings) { ingest async throws in
      #expect(try await question(ingest, "/payouts").status == 403)
      #expect(try await question(ingest, "/payouts", headers: ["X-Gateway-Token": token]).status == 204)
      #expect(try await question(ingest, "/payouts", headers: ["X-Gateway-Token": token + "x"]).status == 403)
    }
  }

  @Test func `no answer is taken for a page, sent on as a referrer, or kept`() async throws {
    // Proves the fields on every sort of answer: of a call, a refusal, a probe, the document, and the one page.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let token = ingest.token()
      let replies = [
        try await ingest.post(payoutBody()), try await ingest.post("{"),
        try await ingest.ask("GET", "/payouts", token: nil), try await ingest.ask("GET", "/health", token: nil),
        try await ingest.ask("HEAD", "/ready", token: nil), try await ingest.get("/openapi.json"),
        try await ingest.ask("TRACE", "/payouts", token: token),
      ]
      let page = try await ingest.ask("GET", "/docs", token: nil)
      for reply in replies + [page] {
        #expect(reply.headers["X-Content-Type-Options"] == ["nosniff"])
        #expect(reply.headers["Referrer-Policy"] == ["no-referrer"])
        #expect(reply.headers["Cache-Control"] == ["no-store"])
        #expect(reply.headers["Content-Security-Policy"].count == 1)
      }
      for reply in replies {
        #expect(reply.headers["Content-Security-Policy"] == ["default-src 'none'; frame-ancestors 'none'"])
      }
      #expect(page.headers.first(name: "Content-Security-Policy")?.contains("style-src 'sha256-") == true)
    }
  }

  @Test func `an origin is written as browsers send it, and no wildcard stands for one`() throws {
    // Proves each rule of the setting; what is good is taken for itself alone.
    for text in [
      "https://a", "https://a.example", "https://a-b.example:8443", "http://localhost", "http://localhost:3000",
      "http://127.0.0.1:1", "http://[::1]:65535", "https://[2001:db8::1]:8443", "https://1.2.3.4",
    ] {
      let origins = try AllowedOrigins(text)
      #expect(origins.contains(text) && !origins.contains(text + "/") && !origins.areNone)
    }
    for text in [
      "*", "https://*.example", "", "https://a,", "https://", "a.example", "null", "ftp://a", "HTTPS://a",
      "https://A", "https://a/", "https://a/b", "https://a?b", "https://a#b", "https://u@a", "https://a:",
      "https://a:443",
      "https://a:0", "https://a:65536", "https://a:08", "https://a:+8", "https://ä.example", "https://a b",
      "https://.a", "https://[::1", "https://a,https://a", "http://a.example", "http://localhost:80",
      "http://localhost.example", "https://a_b",
    ] {
      #expect(throws: MalformedValue.self, "\(text)") { try AllowedOrigins(text) }
    }
    let many = (0...AllowedOrigins.originsMax).map { "https://a\($0)" }
    #expect(throws: MalformedValue.self) { try AllowedOrigins(many.joined(separator: ",")) }
    #expect(try AllowedOrigins(many.dropLast().joined(separator: " , ")).contains("https://a7"))
    #expect(AllowedOrigins().areNone && !AllowedOrigins().contains(""))
    do {
      _ = try AllowedOrigins("*")
    } catch {
      #expect(error.reason.contains("name each origin"))
    }
  }
}
