import HTTPTypes
import Payouts
import Worker

/// Whether a request came through the gateway: by its token, which no caller of the gateway ever sees.
struct VerifyGateway: Sendable {
  /// Nil where this installation has no gateway; then none is known.
  let token: GatewayToken?
  /// Whether nothing else is served. Probes and the page for people are not asked.
  let isRequired: Bool

  /// Whether the headers carry the right token; false where they carry none and may do so.
  ///
  /// A token that is sent must be right wherever it is sent, so that a gateway with a wrong one is noticed at once.
  /// - Throws: `Problem` of kind `forbidden`.
  func isPassed(_ headers: HTTPFields) throws(Problem) -> Bool {
    let sent = headers[values: .gatewayToken]
    guard let first = sent.first else {
      if isRequired { throw Self.direct }
      return false
    }
    guard sent.count == 1, let token, token.isSame(as: first) else { throw Self.wrong }
    return true
  }

  private static let direct = Problem(
    .forbidden, "This service is reached through its gateway alone. Send the request there.")
  private static let wrong = Problem(
    .forbidden, "The X-Gateway-Token is not the agreed one. Callers send none: the gateway sends its own, once.")
}

/// What the gateway and this program have agreed on: `API_GATEWAY_TOKEN`.
///
/// - Shape: 32 to 1024 bytes that can stand in a header: printable ASCII without spaces.
struct GatewayToken: Sendable {
  /// How many bytes it may have.
  static let bytesRange = 32...1_024
  /// What is said to be expected, of a wrong one.
  static let expected =
    "a secret of at least \(bytesRange.lowerBound) bytes, printable ASCII without spaces, as it stands in a header"

  private let secret: Secret

  /// - Throws: `MalformedValue` whose reason never repeats the text.
  init(_ text: String) throws(MalformedValue) {
    guard text.utf8.count >= GatewayToken.bytesRange.lowerBound else {
      throw MalformedValue("gateway token", "it is too short")
    }
    guard text.utf8.count <= GatewayToken.bytesRange.upperBound else {
      throw MalformedValue("gateway token", "it has more than \(GatewayToken.bytesRange.upperBound) bytes")
    }
    guard text.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
      throw MalformedValue("gateway token", "it holds a space, or what is no printable ASCII")
    }
    secret = Secret(text)
  }

  /// Whether a text is this token, in a time that does not tell how much of it is right.
  func isSame(as text: String) -> Bool { secret.withBytes { CompareSecrets.areSame(Array(text.utf8), $0) } }
}
