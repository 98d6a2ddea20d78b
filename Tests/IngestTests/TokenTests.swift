import Crypto
import Foundation
import Payouts
import TestSupport
import Testing
import Worker

@testable import Ingest

/// Which tokens prove their callers. (What is wrong with a token of HS256 in general is shown by AuthorizationTests.)
struct TokenTests {
  /// A token of HS256 by the scene's key whose header and claims are any text.
  private func raw(_ claims: String, header: String = #"{"alg":"HS256"}"#) -> String {
    let signed = [header, claims].map { Tokens.base64URL(Data($0.utf8)) }.joined(separator: ".")
    let key = SymmetricKey(data: Array(IngestScene.jwtKey.utf8))
    let mac = HMAC<SHA256>.authenticationCode(for: Array(signed.utf8), using: key)
    return signed + "." + Tokens.base64URL(Data(mac))
  }

  /// Why a token is refused; nil where it proves its caller.
  private func refusal(_ verify: VerifyToken, _ token: String) -> String? {
    do throws(Problem) {
      _ = try verify.caller(authorization: "Bearer \(token)")
      return nil
    } catch {
      return error.kind == .unauthenticated ? error.detail : "\(error.kind): \(error.detail)"
    }
  }

  /// 2033-05-18, a round number of seconds.
  private static let now = Timestamp(milliseconds: 2_000_000_000_000)

  private func verifier(audience: String? = nil) -> VerifyToken {
    VerifyToken(
      secret: Secret(IngestScene.jwtKey), keySet: nil, audience: audience, clock: VirtualClock(Self.now))
  }

  private func claims(_ more: String, exp: String = "2000000600") -> String {
    #"{"sub":"a","role":"service","exp":\#(exp)\#(more)}"#
  }

  @Test func `tokens that PyJWT signs with each type of key prove their callers`() async throws {
    // Proves RS256, ES256 and EdDSA against others' implementation of both the signatures and the key set, over HTTP:
    // who owns the payout is who the token names. Beside them HS256 goes on.
    let expiry = Date().timeIntervalSince1970 + 3_600
    let names = ["rsa", "ec", "ed"]
    var orders: [PyJWT.Order] = []
    for name in names {
      let claims: [String: Any] = [
        "sub": "client-\(name)", "role": "service", "exp": expiry, "iat": expiry - 3_600, "aud": ["x", "payouts"],
      ]
      orders.append((claims, ["kid": name], "pyjwt:\(name)"))
    }
    let made = try await PyJWT.make(orders)
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let path = try folder.write(made.keySet, to: "keys.json")
    let scene = try await IngestScene()
    try await scene.serving(["JWT_JWKS_FILE": path, "JWT_AUDIENCE": "payouts"]) { ingest async throws in
      for (name, token) in zip(names, made.tokens) {
        let reply = try await ingest.post(payoutBody(), token: token)
        #expect(reply.status == 201, "\(name): \(String(decoding: reply.bytes, as: UTF8.self))")
        let id = try #require(try reply.text("payout_id"))
        #expect(try await scene.ledger.payout(PayoutID(id))?.terms.owner == "client-\(name)")
      }
      let claims: [String: Any?] = ["sub": "a", "role": "service", "exp": expiry, "aud": "payouts"]
      #expect(try await ingest.post(payoutBody(), token: Tokens.hs256(claims)).status == 201)
      #expect(try await ingest.post(payoutBody(), token: ingest.token()).status == 401)
    }
  }

  @Test func `what is not signed by the named key, as its type signs, is no token`() async throws {
    // Proves that the header decides nothing: other keys, other keys' names, other algorithms, and above all a public
    // key taken for a secret. Each is a good token but for one thing.
    let claims: [String: Any] = ["sub": "thief", "role": "admin", "exp": Date().timeIntervalSince1970 + 3_600]
    let families = [("rsa", "RS256"), ("ec", "ES256"), ("ed", "EdDSA")]
    let good: [PyJWT.Order] = families.map { (claims, ["alg": $0.1, "kid": $0.0], "sign:\($0.0)") }
    let forged = families.flatMap { family in
      Self.forgeries(of: family.0, family.1, claims, others: families.map { $0.0 })
    }
    let made = try await PyJWT.make(good + forged)
    let (genuine, others) = (made.tokens.prefix(good.count), made.tokens.dropFirst(good.count))
    let described = Array(zip(forged.map { "\($0.header) by \($0.by)" }, others))
    #expect(described.count > 80)
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let path = try folder.write(made.keySet, to: "keys.json")
    let scene = try await IngestScene()
    for secret in [IngestScene.jwtKey, ""] {
      try await scene.serving(["JWT_JWKS_FILE": path, "JWT_SECRET_KEY": secret]) { ingest async throws in
        for token in genuine {
          #expect(try await ingest.get("/payouts", token: token).status == 200)
          #expect(try await ingest.get("/payouts", token: String(token.dropLast(4))).status == 401)
          #expect(try await ingest.get("/payouts", token: token + "AA").status == 401)
        }
        for (description, token) in described {
          let reply = try await ingest.get("/payouts", token: token)
          #expect(reply.status == 401 && reply.problem == "unauthenticated", "\(description): \(reply.status)")
        }
      }
    }
  }

  /// Tokens that a key of the set has not signed as its type does, although they say or look so.
  private static func forgeries(
    of name: String, _ algorithm: String, _ claims: [String: Any], others: [String]
  ) -> [PyJWT.Order] {
    let own: [String: Any] = ["alg": algorithm, "kid": name]
    var forged: [PyJWT.Order] = [
      (claims, own, "sign:\(name)-other"), (claims, own, "nothing"), (claims, ["alg": "none"], "nothing"),
    ]
    for other in others where other != name {
      // The signature of another key of the set under this one's name, and this key's under the other's.
      forged.append((claims, own, "sign:\(other)"))
      forged.append((claims, ["alg": algorithm, "kid": other], "sign:\(name)"))
    }
    for form in ["pem", "der", "jwk"] {
      forged.append((claims, ["alg": "HS256", "kid": name], "hmac-\(form):\(name)"))
      forged.append((claims, ["alg": "HS256"], "hmac-\(form):\(name)"))
      forged.append((claims, own, "hmac-\(form):\(name)"))
    }
    let headers: [[String: Any]] = [
      ["alg": algorithm], ["alg": algorithm, "kid": "unknown"], ["alg": algorithm, "kid": name.uppercased()],
      ["alg": algorithm, "kid": 7], ["alg": algorithm, "kid": NSNull()], ["alg": algorithm, "kid": ""],
      ["kid": name],
      ["alg": "none", "kid": name], ["alg": "None", "kid": name], ["alg": "", "kid": name],
      ["alg": algorithm.lowercased(), "kid": name], ["alg": [algorithm], "kid": name],
      ["alg": "PS256", "kid": name], ["alg": "RS512", "kid": name], ["alg": "HS256", "kid": name],
      ["alg": algorithm, "kid": name, "crit": ["exp"]], ["alg": algorithm, "kid": name, "crit": NSNull()],
    ]
    for header in headers { forged.append((claims, header, "sign:\(name)")) }
    return forged
  }

  @Test func `times are kept with half a minute for clocks that differ`() {
    // Proves both sides of each limit: exp, nbf and iat, by a clock that stands.
    let verify = verifier()
    for (exp, isGood) in [
      ("2000000001", true), ("2000000000", true), ("1999999970.001", true), ("1999999970", false),
      ("1999999000", false),
    ] {
      #expect((refusal(verify, raw(claims("", exp: exp))) == nil) == isGood, "exp \(exp)")
    }
    for name in ["nbf", "iat"] {
      for (date, isGood) in [
        ("1999999000", true), ("0", true), ("2000000030", true), ("2000000030.001", false), ("2000000031", false),
        ("null", true),
      ] {
        #expect((refusal(verify, raw(claims(",\"\(name)\":\(date)"))) == nil) == isGood, "\(name) \(date)")
      }
    }
    #expect(refusal(verify, raw(claims("", exp: "1999999970")))?.contains("expired") == true)
    #expect(refusal(verify, raw(claims(",\"nbf\":2000000031")))?.contains("not valid yet") == true)
    #expect(refusal(verify, raw(claims(",\"iat\":2000000031")))?.contains("iat") == true)
    #expect(refusal(verify, raw(#"{"sub":"a","role":"service"}"#))?.contains("no exp") == true)
  }

  @Test func `dates that no calendar has are refused, and stop nothing`() {
    // Proves that numbers without bounds, and what is no number, are the caller's mistake in each of the three places.
    let verify = verifier()
    let dates = [
      "1e300", "1e400", "-1e400", "-1", "-0.5", "253402300800", "9223372036854775808", "1e18", "\"2000000600\"", "\"\"",
      "true", "[]", "[2000000600]", "{}",
    ]
    for date in dates {
      #expect(refusal(verify, raw(claims("", exp: date)))?.contains("exp") == true, "exp \(date)")
      for name in ["nbf", "iat"] {
        #expect(refusal(verify, raw(claims(",\"\(name)\":\(date)")))?.contains(name) == true, "\(name) \(date)")
      }
    }
    for date in ["NaN", "Infinity", "0x77359400", "2_000_000_600", "", String(repeating: "9", count: 129)] {
      #expect(refusal(verify, raw(claims("", exp: date))) != nil, "exp \(date)")
    }
    #expect(refusal(verify, raw(claims("", exp: "null")))?.contains("no exp") == true)
    #expect(refusal(verify, raw(claims("", exp: "253402300799"))) == nil)
    #expect(refusal(verify, raw(claims("", exp: "2.0000006e9"))) == nil)
  }

  @Test func `a token that is for somebody is for whom it names alone`() {
    // Proves aud as a text and as several where this service has a name, and that without JWT_AUDIENCE no token with an
    // aud is good, since we do not stand in it (RFC 7519 §4.1.3).
    let (named, unnamed) = (verifier(audience: "payouts"), verifier())
    for (aud, isGood) in [
      ("\"payouts\"", true), ("[\"payouts\"]", true), ("[\"x\",\"payouts\"]", true), ("\"Payouts\"", false),
      ("\"payouts \"", false), ("[]", false), ("[\"x\"]", false), ("\"\"", false), ("7", false), ("[7]", false),
      ("[\"payouts\",7]", false), ("null", false), ("{\"payouts\":1}", false),
    ] {
      let token = raw(claims(",\"aud\":\(aud)"))
      #expect((refusal(named, token) == nil) == isGood, "aud \(aud)")
      #expect((refusal(unnamed, token) == nil) == (aud == "null"), "aud \(aud)")
    }
    #expect(refusal(named, raw(claims("")))?.contains("aud must contain payouts") == true)
    #expect(refusal(unnamed, raw(claims(""))) == nil)
    #expect(refusal(unnamed, raw(claims(#","aud":"payouts""#)))?.contains("for others") == true)
    // Names are the same by their bytes, and not because they look alike.
    let accented = verifier(audience: "caf\u{e9}")
    #expect(refusal(accented, raw(claims(",\"aud\":\"caf\u{e9}\""))) == nil)
    #expect(refusal(accented, raw(claims(",\"aud\":\"cafe\u{301}\""))) != nil)
  }

  @Test func `header and claims are read strictly`() {
    // Proves that two readers cannot see two things in one token: no name twice, one form of base64url, JSON objects.
    let verify = verifier()
    let good = raw(claims(""))
    #expect(refusal(verify, good) == nil)
    for header in [
      #"{"alg":"none","alg":"HS256"}"#, #"{"alg":"HS256","alg":"HS256"}"#, #"["HS256"]"#, #""HS256""#, "", "{}",
      #"{"alg":"HS256","kid":7}"#, #"{"alg":"HS256","crit":[]}"#, #"{"alg":"HS256"} x"#, #"{"alg":"HS256",}"#,
    ] {
      #expect(refusal(verify, raw(claims(""), header: header)) != nil, "\(header)")
    }
    // A name of a key counts for nothing where the secret is to judge.
    #expect(refusal(verify, raw(claims(""), header: #"{"alg":"HS256","kid":"any"}"#)) == nil)
    for text in [
      "", "[]", "7", #""a""#, claims("") + "x", claims(#","sub":"b""#), claims(#","role":"admin""#),
      "\u{feff}" + claims(""),
    ] {
      #expect(refusal(verify, raw(text)) != nil, "\(text)")
    }
    let parts = good.split(separator: ".").map(String.init)
    let others = [
      good + "=", good + "\n", good + ".", "." + good, "\(parts[0])=.\(parts[1]).\(parts[2])",
      "\(parts[0]).\(parts[1])", "\(parts[1]).\(parts[0]).\(parts[2])", good.replacingOccurrences(of: ".", with: ".."),
    ]
    for text in others {
      #expect(refusal(verify, text) != nil, "\(text)")
    }
  }

  @Test func `base64url has one text for all bytes`() {
    // Proves the reader against Foundation's, for all lengths of the last group, and that no other text is read.
    var generator = SeededGenerator(printedFor: "base64url")
    for length in 0..<200 {
      let bytes = generator.bytes(length)
      let text = Tokens.base64URL(Data(bytes))
      #expect(Base64URL.text(bytes) == text && Base64URL.bytes(text.utf8) == bytes)
    }
    for text in ["A", "AAAAA", "AB", "AAB", "A=", "AA==", "AA\n", " AA", "A+", "A/", "AÄ"] {
      #expect(Base64URL.bytes(text.utf8) == nil, "\(text)")
    }
    #expect(Base64URL.bytes("".utf8) == [])
  }
}
