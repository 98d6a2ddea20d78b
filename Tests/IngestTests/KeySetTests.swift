import Crypto
import Foundation
import Glibc
import Logging
import Payouts
import Testing
import Worker

@testable import Ingest

/// JWK sets: which ones are read, and what becomes of one that changes while the program runs.
struct KeySetTests {
  /// Bytes that are a modulus of RSA as far as anybody can see: odd, and of so many bits.
  private static func modulus(bits: Int) -> String {
    var bytes = [UInt8](repeating: 0x5a, count: (bits + 7) / 8)
    bytes[0] = UInt8(1 << ((bits - 1) % 8))
    bytes[bytes.count - 1] = 0x0b
    return Base64URL.text(bytes)
  }

  private static func rsa(_ changes: [String: Any?] = [:]) -> [String: Any] {
    let members: [String: Any?] = ["kty": "RSA", "kid": "r", "n": modulus(bits: 2_048), "e": "AQAB"]
    return members.merging(changes) { $1 }.compactMapValues { $0 }
  }

  private static func ed25519(_ changes: [String: Any?] = [:]) -> [String: Any] {
    let key = Curve25519.Signing.PrivateKey().publicKey
    let members: [String: Any?] = [
      "kty": "OKP", "crv": "Ed25519", "kid": "e", "x": Tokens.base64URL(key.rawRepresentation),
    ]
    return members.merging(changes) { $1 }.compactMapValues { $0 }
  }

  /// Why a set is refused; nil where it is read.
  private func refusal(_ text: [UInt8]) -> String? {
    do throws(MalformedValue) {
      _ = try ReadKeySet.keys(in: text)
      return nil
    } catch {
      return error.reason
    }
  }

  private func refusal(_ keys: [[String: Any]]) -> String? { refusal(KeySets.text(keys)) }

  @Test func `each type of key is read, and its type says its algorithm`() throws {
    // Proves the table of ReadKeySet, with what may stand beside: alg, use and key_ops that agree, and other members.
    let beside: [String: Any?] = ["use": "sig", "key_ops": ["verify"], "x5t": "abc", "n2": 7]
    let keys = try ReadKeySet.keys(
      in: KeySets.text([
        Self.rsa(beside.merging(["alg": "RS256"]) { $1 }), P256Key("p").jwk(["alg": "ES256"]),
        Self.ed25519(["alg": "EdDSA"]), Self.rsa(["kid": "plain", "n": Self.modulus(bits: 4_096)]),
      ]))
    #expect(keys.map(\.id) == ["r", "p", "e", "plain"])
    #expect(keys.map(\.material.algorithm) == [.rs256, .es256, .edDSA, .rs256])
  }

  @Test func `a malformed key is refused with the member that is wrong`() {
    // Proves each rule from both sides of it, and that the first wrong key spoils the set: somebody meant something by
    // it.
    let (p, good) = (P256Key("p"), P256Key("good").jwk())
    let short = Base64URL.text([UInt8](repeating: 7, count: 31))
    let wrong: [(name: String, key: [String: Any], words: String)] = [
      ("no kid", p.jwk(["kid": nil]), "kid"), ("empty kid", p.jwk(["kid": ""]), "kid"),
      ("kid of control", p.jwk(["kid": "a\u{1}"]), "kid"), ("kid as number", p.jwk(["kid": 7]), "kid"),
      ("long kid", p.jwk(["kid": String(repeating: "k", count: 257)]), "kid"),
      ("kid twice", p.jwk(["kid": "good"]), "kid of an earlier one"),
      ("no kty", p.jwk(["kty": nil]), "text kty"), ("kty as number", p.jwk(["kty": 7]), "text kty"),
      ("symmetric", ["kty": "oct", "kid": "s", "k": "c2VjcmV0"], "member k"),
      ("alg as number", p.jwk(["alg": 7]), "text alg"), ("use as number", p.jwk(["use": 1]), "text use"),
      ("key_ops as text", p.jwk(["key_ops": "verify"]), "array key_ops"), ("no curve", p.jwk(["crv": nil]), "text crv"),
      ("no y", p.jwk(["y": nil]), "text y"),
      ("short x", p.jwk(["x": short]), "32 bytes"), ("no point", p.jwk(["x": P256Key("q").jwk()["x"]]), "no point"),
      ("padded", p.jwk(["x": "AAA="]), "base64url"), ("plus sign", p.jwk(["x": "A+AA"]), "base64url"),
      ("short Ed25519", Self.ed25519(["x": short]), "32 bytes"),
      ("RSA of 2047 bits", Self.rsa(["n": Self.modulus(bits: 2_047)]), "2047 bits, expected at least 2048"),
      ("RSA of zeros", Self.rsa(["n": Base64URL.text([UInt8](repeating: 0, count: 512))]), "0 bits"),
      ("RSA without e", Self.rsa(["e": nil]), "text e"), ("e of 1", Self.rsa(["e": "AQ"]), "no public key of RSA"),
      ("even e", Self.rsa(["e": "Ag"]), "no public key of RSA"), ("empty n", Self.rsa(["n": ""]), "base64url"),
    ]
    for (name, key, words) in wrong {
      let reason = refusal([good, key])
      #expect(reason?.contains(words) == true && reason?.hasPrefix("key 2 ") == true, "\(name): \(reason ?? "read")")
    }
    #expect(refusal([good]) == nil)
    #expect(refusal([Self.rsa(["kid": String(repeating: "k", count: 256)])]) == nil)
  }

  @Test func `keys that are for something else are passed by`() throws {
    // Proves RFC 7517 §5: a set of somebody who does more than sign tokens for us is read, and none of his other keys
    // counts, whatever its kid; but a secret among them is refused all the same.
    let (p, good) = (P256Key("p"), P256Key("good"))
    let others: [(name: String, key: [String: Any])] = [
      ("unknown kty", p.jwk(["kty": "AKP"])), ("kty in another case", p.jwk(["kty": "ec"])),
      ("symmetric without k", ["kty": "oct", "kid": "s"]), ("another curve", p.jwk(["crv": "P-384"])),
      ("curve of Bitcoin", p.jwk(["crv": "secp256k1"])), ("X25519", Self.ed25519(["crv": "X25519"])),
      ("to encrypt", p.jwk(["use": "enc"])), ("to encrypt, without a kid", p.jwk(["use": "enc", "kid": nil])),
      ("of another alg", p.jwk(["alg": "ECDH-ES"])), ("alg of another type", p.jwk(["alg": "RS256"])),
      ("alg HS256", p.jwk(["alg": "HS256"])), ("alg of another hash", Self.rsa(["alg": "RS512"])),
      ("key_ops to wrap", Self.rsa(["key_ops": ["wrapKey"]])), ("no key_ops", p.jwk(["key_ops": [String]()])),
      ("of another curve, and no point", p.jwk(["crv": "P-521", "x": "A"])),
      ("under the kid of ours", p.jwk(["use": "enc", "kid": "good"])),
    ]
    for (name, key) in others {
      for set in [[good.jwk(), key], [key, good.jwk()]] {
        let keys = try ReadKeySet.keys(in: KeySets.text(set))
        #expect(keys.map(\.id) == ["good"], "\(name)")
      }
      #expect(try ReadKeySet.keys(in: KeySets.text([key])).isEmpty, "\(name)")
      let secret = key.merging(["d": "hunter2"]) { $1 }
      #expect(refusal([good.jwk(), secret])?.contains("member d,") == true, "\(name)")
    }
    #expect(try ReadKeySet.keys(in: KeySets.text([])).isEmpty)
  }

  @Test func `a private member is named, and never shown`() {
    // Proves that whoever put a private key into the file learns it, and that its value goes nowhere.
    for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"] {
      let keys = [
        P256Key("p").jwk([member: "hunter2"]), Self.rsa([member: "hunter2"]), Self.ed25519([member: NSNull()]),
      ]
      for key in keys {
        let reason = refusal([key])
        #expect(reason?.contains("member \(member),") == true && reason?.contains("hunter2") == false, "\(member)")
      }
    }
  }

  @Test func `what is no set is refused`() {
    // Proves the outer form: JSON, an object, an array of objects, how many.
    let one = String(decoding: KeySets.text([P256Key("p").jwk()]), as: UTF8.self)
    let key = one.dropFirst(#"{"keys":["#.count).dropLast(2)
    let named = one.replacingOccurrences(of: #""kid""#, with: #""kid":"z","kid""#)
    for text in [
      "", "[]", "{}", #"{"keys":{}}"#, #"{"keys":[7]}"#, #"{"keys":null}"#, String(key), one + "x",
      "-----BEGIN PUBLIC KEY-----", named,
    ] {
      #expect(refusal(Array(text.utf8)) != nil, "\(text)")
    }
    #expect(refusal((0..<100).map { P256Key("\($0)").jwk() }) == nil)
    #expect(refusal((0..<101).map { P256Key("\($0)").jwk() })?.contains("at most 100") == true)
  }

  @Test func `a file is read through a link, and what is no file is told`() throws {
    // Proves the ways in which a path can be wrong, and the one in which containers hand out secrets. Behind a link too
    // a pipe that nobody writes to, or a device without an end, is no file, and keeps nobody waiting.
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    func reason(_ path: String) -> String? {
      do throws(MalformedValue) {
        _ = try KeySetFile(path: path)
        return nil
      } catch {
        return error.reason
      }
    }
    let path = try folder.write(P256Key("p").keySet, to: "real.json")
    try FileManager.default.createSymbolicLink(atPath: folder.path("link"), withDestinationPath: path)
    #expect(reason(path) == nil && reason(folder.path("link")) == nil)
    #expect(reason(folder.path("none"))?.contains("does not exist") == true)
    #expect(reason(folder.path(""))?.contains("no regular file") == true)
    let long = [UInt8](repeating: UInt8(ascii: " "), count: ReadKeySet.bytesMax) + P256Key("p").keySet
    #expect(reason(try folder.write(long, to: "long"))?.contains("at most") == true)
    let whole = P256Key("p").keySet
    let padding = [UInt8](repeating: UInt8(ascii: " "), count: ReadKeySet.bytesMax - whole.count)
    #expect(reason(try folder.write(padding + whole, to: "longest")) == nil)
    #expect(reason(try folder.write([UInt8(ascii: " ")] + padding + whole, to: "too long")) != nil)
    #expect(mkfifo(folder.path("pipe"), 0o600) == 0)
    try FileManager.default.createSymbolicLink(atPath: folder.path("to pipe"), withDestinationPath: folder.path("pipe"))
    try FileManager.default.createSymbolicLink(atPath: folder.path("to device"), withDestinationPath: "/dev/zero")
    for name in ["pipe", "to pipe", "to device"] {
      #expect(reason(folder.path(name))?.contains("no regular file") == true, "\(name)")
    }
  }

  @Test func `a program starts with a key, and in production with a name besides`() throws {
    // Proves what a key set asks of the start: a key that is for us, and JWT_AUDIENCE where tokens for others could be
    // signed with the same keys.
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    func wrongKeys(_ settings: [String: String]) -> [String] {
      let usual = ["LUCID_ENV": "staging", "API_GATEWAY_TOKEN": String(repeating: "t", count: 32)]
      do throws(ConfigurationError) {
        _ = try Settings.read(environment: usual.merging(settings) { $1 }) { CallerConfiguration(from: &$0) }
        return []
      } catch {
        return error.problems.map(\.key)
      }
    }
    let path = try folder.write(P256Key("one").keySet, to: "keys.json")
    #expect(wrongKeys(["JWT_JWKS_FILE": path]).isEmpty)
    let unusable: [[[String: Any]]] = [[], [P256Key("one").jwk(["use": "enc"])]]
    for (index, keys) in unusable.enumerated() {
      let path = try folder.write(KeySets.text(keys), to: "unusable-\(index)")
      #expect(wrongKeys(["JWT_JWKS_FILE": path]) == ["JWT_JWKS_FILE"])
    }
    // That production is closed is a problem of its own.
    let production = ["LUCID_ENV": "production", "JWT_JWKS_FILE": path]
    #expect(wrongKeys(production) == ["LUCID_ENV", "JWT_AUDIENCE"])
    #expect(wrongKeys(production.merging(["JWT_AUDIENCE": "payouts"]) { $1 }) == ["LUCID_ENV"])
    let secretAlone = ["LUCID_ENV": "production", "JWT_SECRET_KEY": IngestScene.jwtKey]
    #expect(wrongKeys(secretAlone) == ["LUCID_ENV"])
  }

  /// How a watched set looks from outside.
  private struct Looks: Equatable {
    let known: [String]
    let health: HealthState?
    let errors: Int

    init(_ known: [String], _ health: HealthState?, _ errors: Int) {
      (self.known, self.health, self.errors) = (known, health, errors)
    }
  }

  @Test func `keys change with their file, and stay while it cannot be used`() async throws {
    // Proves a look at the file in each case: as it was, changed, broken (logged once), gone, good again.
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let (first, second, logs, clock) = (P256Key("first"), P256Key("second"), LogMemory(), MovableClock())
    let health = HealthRegistry(service: "ingest", clock: clock)
    let path = try folder.write(first.keySet, to: "keys.json")
    let watch = try await WatchKeySet(
      KeySetFile(path: path), health: health,
      logger: Logger(label: "tests", factory: { _ in LogMemory.Handler(memory: logs) }))
    func state() -> Looks {
      Looks(
        ["first", "second"].filter { watch.key($0) != nil }, health.component(WatchKeySet.component)?.state,
        logs.lines.filter { $0.hasPrefix("error") }.count)
    }
    await watch.look()
    #expect(state() == Looks(["first"], .ok, 0))
    try folder.write(KeySets.text([first.jwk(), second.jwk()]), to: "keys.json")
    #expect(try await watch.step.run() == .idle(milliseconds: 10_000))
    #expect(state() == Looks(["first", "second"], .ok, 0))
    for _ in 0..<3 {
      try folder.write(KeySets.text([first.jwk(["d": "hunter2"])]), to: "keys.json")
      await watch.look()
      #expect(state() == Looks(["first", "second"], .degraded, 1))
    }
    try FileManager.default.removeItem(atPath: path)
    await watch.look()
    #expect(state() == Looks(["first", "second"], .degraded, 2))
    try folder.write(second.keySet, to: "keys.json")
    await watch.look()
    #expect(state() == Looks(["second"], .ok, 2))
    #expect(!logs.lines.contains { $0.contains("hunter2") })
    #expect(logs.lines.contains { $0.contains("member d") })
    // The last key is withdrawn, by a set without any and by one that has other keys alone; and is given back.
    let others: [[[String: Any]]] = [[], [second.jwk(["use": "enc"])]]
    for keys in others {
      try folder.write(KeySets.text(keys), to: "keys.json")
      for _ in 0..<2 {
        await watch.look()
        #expect(state() == Looks([], .degraded, 2))
      }
      try folder.write(second.keySet, to: "keys.json")
      await watch.look()
      #expect(state() == Looks(["second"], .ok, 2))
    }
    #expect(logs.lines.count { $0.hasPrefix("warning The key set has no key any more") } == 2)
  }

  @Test func `a new key counts, and an old one no more, without a restart`() async throws {
    // Proves over HTTP what rotating keys comes to; the file is looked at by hand, as its step does every ten seconds.
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let (old, new) = (P256Key("old"), P256Key("new"))
    let path = try folder.write(old.keySet, to: "keys.json")
    let scene = try await IngestScene()
    try await scene.serving(["JWT_JWKS_FILE": path, "JWT_SECRET_KEY": ""]) { ingest async throws in
      let claims: [String: Any?] = [
        "sub": "a", "role": "service", "exp": Double(ingest.clock.now().milliseconds) / 1_000 + 600,
      ]
      let tokens = (old: try old.token(claims), new: try new.token(claims))
      #expect(try await ingest.post(payoutBody(), token: tokens.old).status == 201)
      #expect(try await ingest.post(payoutBody(), token: tokens.new).status == 401)
      #expect(ingest.parts.steps.contains { $0.name == "watch_key_set" })
      try folder.write(new.keySet, to: "keys.json")
      // The step may be looking just then, at the file as it was.
      try await until("the new key counts") {
        await ingest.parts.keySet?.look()
        return try await ingest.post(payoutBody(), token: tokens.new).status == 201
      }
      #expect(try await ingest.post(payoutBody(), token: tokens.old).status == 401)
      // Without a secret no token is good by one, whatever it was signed with.
      #expect(try await ingest.get("/payouts", token: ingest.token()).status == 401)
      #expect(try await ingest.get("/payouts", token: Tokens.hs256(claims, key: "")).status == 401)
    }
  }
}
