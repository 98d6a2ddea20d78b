import AsyncHTTPClient
import Crypto
import Foundation
import NIOCore
import TestSupport

@testable import Ingest

/// A key on P-256 that signs tokens, and its JWK.
struct P256Key: Sendable {
  let id: String
  let key = P256.Signing.PrivateKey()

  init(_ id: String) { self.id = id }

  /// The public half, with other members where they are given; nil leaves one out.
  func jwk(_ changes: [String: Any?] = [:]) -> [String: Any] {
    let point = key.publicKey.rawRepresentation
    let members: [String: Any?] = [
      "kty": "EC", "crv": "P-256", "kid": id, "x": Tokens.base64URL(point.prefix(32)),
      "y": Tokens.base64URL(point.suffix(32)),
    ]
    return members.merging(changes) { $1 }.compactMapValues { $0 }
  }

  /// A set of this key alone.
  var keySet: [UInt8] { KeySets.text([jwk()]) }

  /// A token with these claims, signed by this key.
  func token(_ claims: [String: Any?], header: [String: Any]? = nil) throws -> String {
    let parts: [[String: Any]] = [
      header ?? ["alg": "ES256", "kid": id, "typ": "JWT"], claims.compactMapValues { $0 },
    ]
    let signed = try parts.map { Tokens.base64URL(try JSONSerialization.data(withJSONObject: $0)) }
      .joined(separator: ".")
    let signature = try key.signature(for: Data(signed.utf8))
    return signed + "." + Tokens.base64URL(signature.rawRepresentation)
  }
}

/// Texts of JWK sets.
enum KeySets {
  /// A set of keys. These are dictionaries of texts and lists.
  static func text(_ keys: [[String: Any]]) -> [UInt8] {
    Array((try? JSONSerialization.data(withJSONObject: ["keys": keys])) ?? Data())
  }
}

/// A folder of a test's own, which it removes at its end.
struct TemporaryFolder: Sendable {
  private let url = FileManager.default.temporaryDirectory.appendingPathComponent("ingest-\(UUID().uuidString)")

  init() throws { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) }

  func path(_ name: String) -> String { url.appendingPathComponent(name).path }

  /// Writes a file and tells its path.
  @discardableResult
  func write(_ bytes: [UInt8], to name: String) throws -> String {
    try Data(bytes).write(to: url.appendingPathComponent(name))
    return path(name)
  }

  func remove() {
    do {
      try FileManager.default.removeItem(at: url)
    } catch {
      // A temporary folder that stays behind harms nothing.
    }
  }
}

/// Keys and tokens made by PyJWT and cryptography, which others wrote: keys `rsa`, `ec` and `ed` in a JWK set, and
/// `rsa-other`, `ec-other` and `ed-other`, which are in none.
enum PyJWT {
  private static let packages = ["PyJWT==2.10.1", "cryptography==45.0.7"]

  /// How a token is to be made. `by` says who signs: `pyjwt:<key>` lets PyJWT do all of it with the key's own
  /// algorithm; `sign:<key>` signs any header; `hmac-pem:<key>`, `hmac-der:<key>` and `hmac-jwk:<key>` take a form of
  /// the public key for a secret of HS256; `nothing` leaves the signature empty.
  typealias Order = (claims: [String: Any], header: [String: Any], by: String)

  /// The JWK set of a run, and the tokens in the order in which they were asked for.
  static func make(_ tokens: [Order]) async throws -> (keySet: [UInt8], tokens: [String]) {
    let orders: [[String: Any]] =
      [["by": "keys"]] + tokens.map { ["claims": $0.claims, "header": $0.header, "by": $0.by] }
    let lines = try orders.map {
      String(decoding: try JSONSerialization.data(withJSONObject: $0), as: UTF8.self)
    }
    let told = try await PythonScript.run(script, packages: packages, lines: lines)
    return (Array((told.first ?? "").utf8), Array(told.dropFirst()))
  }

  private static let script = """
    import base64, hashlib, hmac, json, sys
    import jwt
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    from jwt.algorithms import get_default_algorithms

    families = {"rsa": "RS256", "ec": "ES256", "ed": "EdDSA"}
    algorithms = get_default_algorithms()
    keys = {}
    for suffix in ("", "-other"):
        keys["rsa" + suffix] = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        keys["ec" + suffix] = ec.generate_private_key(ec.SECP256R1())
        keys["ed" + suffix] = ed25519.Ed25519PrivateKey.generate()

    def part(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    def family(name):
        return families[name.split("-")[0]]

    def jwk(name):
        return algorithms[family(name)].to_jwk(keys[name].public_key(), as_dict=True)

    def public_bytes(name, form):
        public = keys[name].public_key()
        if form == "pem":
            return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        if form == "der":
            return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return json.dumps(jwk(name)).encode()

    def token(order):
        how, _, name = order["by"].partition(":")
        if how == "pyjwt":
            return jwt.encode(order["claims"], keys[name], algorithm=family(name), headers=order["header"])
        text = part(json.dumps(order["header"]).encode()) + b"." + part(json.dumps(order["claims"]).encode())
        if how == "sign":
            signature = algorithms[family(name)].sign(text, keys[name])
        elif how.startswith("hmac-"):
            signature = hmac.digest(public_bytes(name, how.removeprefix("hmac-")), text, hashlib.sha256)
        else:
            signature = b""
        return (text + b"." + part(signature)).decode()

    for line in sys.stdin:
        order = json.loads(line)
        if order["by"] == "keys":
            print(json.dumps({"keys": [{**jwk(name), "kid": name} for name in families]}))
        else:
            print(token(order))
    """
}

extension RunningIngest {
  /// Asks with exactly these headers, each as often as it stands here.
  func ask(
    _ method: String, _ path: String, exactly headers: [(String, String)], body: String? = nil
  ) async throws -> Reply {
    var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)")
    request.method = .init(rawValue: method)
    for (name, value) in headers { request.headers.add(name: name, value: value) }
    if let body {
      request.headers.add(name: "Content-Type", value: "application/json")
      request.body = .bytes(ByteBuffer(string: body))
    }
    let response = try await client.execute(request, timeout: .seconds(60))
    let buffer = try await response.body.collect(upTo: 4 << 20)
    return Reply(status: Int(response.status.code), headers: response.headers, bytes: Array(buffer.readableBytesView))
  }
}
