import AsyncHTTPClient
import Crypto
import Foundation
import HTTPTypes
import NIOCore
import NIOHTTP1
import Payouts
import ServiceLifecycle
import Testing
import Worker

@testable import Ingest

/// An Ingest that answers on loopback, and a client for it.
struct RunningIngest: Sendable {
  let port: Int
  let client: HTTPClient
  let clock: MovableClock
  let registry: PrometheusRegistry
  let health: HealthRegistry
  let group: ServiceGroup
  let parts: IngestParts

  /// An answer, read whole.
  struct Reply: Sendable {
    let status: Int
    let headers: HTTPHeaders
    let bytes: [UInt8]

    /// The body as JSON, numbers with their text.
    var json: JSONValue { get throws { try ReadJSON.value(of: bytes) } }

    /// A member of the body's object; nil where it is absent.
    func member(_ name: String) throws -> JSONValue? { try json[name] }

    /// A text member.
    func text(_ name: String) throws -> String? { try member(name)?.textValue }

    /// The end of a problem's type.
    var problem: String? { (try? text("type"))?.flatMap { $0.split(separator: ":").last.map(String.init) } }

    /// The fields that a problem names.
    var wrongFields: [String] {
      guard case .array(let errors)? = try? member("errors") else { return [] }
      return errors.compactMap { $0["field"]?.textValue }
    }
  }

  /// Asks, with a token of role `service` unless told otherwise. Every answer of a documented call is held against the
  /// document.
  func ask(
    _ method: String, _ path: String, token: String?, headers: [String: String] = [:], body: [UInt8]? = nil
  ) async throws -> Reply {
    var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)")
    request.method = .init(rawValue: method)
    if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
    for (name, value) in headers { request.headers.add(name: name, value: value) }
    if let body { request.body = .bytes(ByteBuffer(bytes: body)) }
    let response = try await client.execute(request, timeout: .seconds(60))
    let bytes = Array(try await response.body.collect(upTo: 4 << 20).readableBytesView)
    let status = Int(response.status.code)
    if let operation = Route(path: String(path.prefix { $0 != "?" }))?.operation(.init(rawValue: method) ?? .get) {
      let complaints = DocumentedAnswer.complaints(
        operation, method: method, status: status, headers: response.headers, bytes: bytes)
      #expect(complaints.isEmpty, "\(method) \(path)")
    }
    return Reply(status: status, headers: response.headers, bytes: bytes)
  }

  /// POST /payouts with a JSON text.
  func post(
    _ body: String, key: String? = nil, token: String? = nil, headers: [String: String] = [:],
    path: String = "/payouts"
  ) async throws -> Reply {
    var headers = headers
    headers["Content-Type"] = headers["Content-Type"] ?? "application/json"
    if let key { headers["Idempotency-Key"] = key }
    return try await ask("POST", path, token: token ?? self.token(), headers: headers, body: Array(body.utf8))
  }

  /// GET with a token.
  func get(_ path: String, token: String? = nil) async throws -> Reply {
    try await ask("GET", path, token: token ?? self.token())
  }

  /// A token signed with the scene's key.
  func token(
    _ subject: String = "client-1", role: String = "service", nodes: [String]? = nil, expiresIn seconds: Double = 600
  ) -> String {
    Tokens.hs256(
      [
        "sub": subject, "role": role, "node_ids": nodes as Any?,
        "exp": Double(clock.now().milliseconds) / 1_000 + seconds,
      ])
  }

  /// The value of a metric's series, 0 where it is not there.
  func metric(_ series: String) -> Double {
    registry.text().split(separator: "\n").first { $0.hasPrefix(series + " ") }
      .flatMap { Double($0.split(separator: " ").last ?? "") } ?? 0
  }
}

/// Tokens made by hand (RFC 7515), so that also those can be made that no library signs.
enum Tokens {
  /// A token with these claims; nil ones are left out.
  static func hs256(
    _ claims: [String: Any?], header: [String: Any] = ["alg": "HS256", "typ": "JWT"],
    key: String = IngestScene.jwtKey
  ) -> String {
    let parts = [header, claims.compactMapValues { $0 }].map { part in
      // These are dictionaries of texts and numbers.
      Tokens.base64URL((try? JSONSerialization.data(withJSONObject: part)) ?? Data())
    }
    let signed = parts.joined(separator: ".")
    let mac = HMAC<SHA256>.authenticationCode(for: Array(signed.utf8), using: SymmetricKey(data: Array(key.utf8)))
    return signed + "." + base64URL(Data(mac))
  }

  static func base64URL(_ data: Data) -> String {
    data.base64EncodedString().replacingOccurrences(of: "+", with: "-").replacingOccurrences(of: "/", with: "_")
      .replacingOccurrences(of: "=", with: "")
  }
}

/// A request that is good in every field; members may be replaced, or left out by nil.
func payoutBody(_ changes: [String: String?] = [:]) -> String {
  var members: [String: String] = [
    "recipient_address": "\"\(IngestScene.recipient)\"", "amount_usdt": "12.5", "reason": "\"custom\"",
    "router_type": "\"v0\"",
  ]
  for (name, value) in changes { members[name] = value }
  return "{" + members.sorted { $0.key < $1.key }.map { "\"\($0.key)\":\($0.value)" }.joined(separator: ",") + "}"
}

extension JSONValue {
  subscript(name: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.name == name }?.value
  }

  var textValue: String? {
    if case .text(let text) = self { return text }
    return nil
  }

  var items: [JSONValue] {
    if case .array(let items) = self { return items }
    return []
  }
}
