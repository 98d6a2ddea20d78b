import Crypto
import FoundationEssentials
import HTTPTypes
import Hummingbird
import NIOCore

/// An answer before it is written: what the routes return.
struct Answer: Sendable {
  /// The HTTP status.
  var status: Int
  /// The body.
  let bytes: [UInt8]
  /// Headers besides those that every answer carries.
  var headers: [(HTTPField.Name, String)] = []
  /// `application/json` unless it is a problem.
  var contentType = "application/json"

  /// 200 with a body.
  static func ok(_ body: JSONValue) -> Answer { Answer(status: 200, body: body) }

  /// A problem as RFC 9457 has it.
  init(_ problem: Problem, instance: String, requestID: String) {
    status = problem.kind.status
    bytes = problem.body(instance: instance, requestID: requestID).utf8
    contentType = "application/problem+json"
    if let seconds = problem.retryAfterSeconds { headers.append((.retryAfter, String(seconds))) }
    if problem.kind == .unauthenticated {
      headers.append((.wwwAuthenticate, "Bearer realm=\"tron-payouts\""))
    }
  }

  /// An answer of its parts.
  init(status: Int, body: JSONValue, headers: [(HTTPField.Name, String)] = []) {
    self.status = status
    bytes = body.utf8
    self.headers = headers
  }

  /// 200 with a page for people, which fetches nothing, runs nothing and is shown in no frame.
  init(page bytes: [UInt8], styledBy style: String) {
    status = 200
    self.bytes = bytes
    contentType = "text/html; charset=utf-8"
    let hash = Data(SHA256.hash(data: Array(style.utf8))).base64EncodedString()
    headers = [
      (
        .contentSecurityPolicy,
        "default-src 'none'; style-src 'sha256-\(hash)'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
      )
    ]
  }

  /// The answer for the server. An answer to HEAD has the headers of the one to GET, its length included, and no body.
  func response(requestID: String, isHead: Bool) -> Response {
    var fields = HTTPFields()
    fields[.contentType] = contentType
    fields[.contentLength] = String(bytes.count)
    fields[.cacheControl] = "no-store"
    fields[.requestID] = requestID
    for (name, value) in headers { fields[name] = value }
    return Response(
      status: .init(code: status), headers: fields,
      body: isHead ? ResponseBody() : ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
  }
}

extension HTTPField.Name {
  /// `X-Request-ID`: the caller's, else a new one; on every answer.
  static let requestID = constant("X-Request-ID")
  /// `Idempotency-Key`.
  static let idempotencyKey = constant("Idempotency-Key")
  /// `Idempotency-Replayed: true` where the answer was given before.
  static let idempotencyReplayed = constant("Idempotency-Replayed")

  /// `Referrer-Policy`.
  static let referrerPolicy = constant("Referrer-Policy")
  /// `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10).
  static let rateLimitPolicy = constant("RateLimit-Policy")
  static let rateLimit = constant("RateLimit")

  private static func constant(_ name: String) -> HTTPField.Name {
    guard let field = HTTPField.Name(name) else { preconditionFailure("\(name) is no header's name") }
    return field
  }
}

/// The id by which a request is found in answers, logs and payouts: printable ASCII, 1 to 128 characters.
enum RequestID {
  /// The longest id of a caller's, in characters.
  static let charactersMax = 128

  /// The caller's id where it can be used.
  static func checked(_ text: String?) -> String? {
    guard let text, (1...charactersMax).contains(text.utf8.count), text.utf8.allSatisfy({ (0x21...0x7e).contains($0) })
    else { return nil }
    return text
  }
}
