import Payouts
import Worker

/// By what callers are known.
///
/// ## Configuration keys
/// - `JWT_SECRET_KEY` (secret of at least 32 bytes; required where there is no key set): verifies tokens signed with
///   HS256, whose keys are no shorter than its hash (RFC 7518 §3.2).
/// - `JWT_JWKS_FILE` (path of a JWK set, RFC 7517, with public keys alone, optional): verifies tokens signed with
///   RS256, ES256 and EdDSA. Read at start, and again when it has changed.
/// - `JWT_AUDIENCE` (text; required in production where there is a key set, since whoever signs with its keys may do so
///   for other services too): what every token's `aud` must contain. Without it a token that has an `aud` is not good.
/// - `API_GATEWAY_TOKEN` (secret of at least 32 bytes, printable ASCII without spaces; required in production, where
///   nothing is served without it): by what the gateway is known.
struct CallerConfiguration: SettingsReadable, Sendable {
  /// The shortest `JWT_SECRET_KEY`, in bytes.
  static let secretBytesMin = 32

  let secret: Secret?
  let keySet: KeySetFile?
  let audience: String?
  let gatewayToken: GatewayToken?
  /// Whether nothing is served that did not come through the gateway.
  let isGatewayRequired: Bool

  /// Reads every key, and the key set.
  init(from settings: inout Settings) {
    let isProduction = settings.deploymentStage() == .production
    isGatewayRequired = isProduction
    secret = settings.optionalSecret("JWT_SECRET_KEY", minimumBytes: Self.secretBytesMin)
    keySet = settings.optional("JWT_JWKS_FILE", expected: "the path of a JWK set (RFC 7517) of public keys") {
      path throws(MalformedValue) in try KeySetFile(path: path)
    }
    audience = settings.optionalText("JWT_AUDIENCE")
    gatewayToken = settings.optional(
      "API_GATEWAY_TOKEN", expected: GatewayToken.expected, visibility: .secret
    ) { text throws(MalformedValue) in try GatewayToken(text) }
    if !settings.isSet("JWT_SECRET_KEY"), !settings.isSet("JWT_JWKS_FILE") {
      settings.note(
        "JWT_SECRET_KEY",
        "is required, or JWT_JWKS_FILE: without either no token could be verified; expected "
          + "a secret of at least \(Self.secretBytesMin) bytes, or the path of a JWK set")
    }
    if isProduction, settings.isSet("JWT_JWKS_FILE"), !settings.isSet("JWT_AUDIENCE") {
      settings.note(
        "JWT_AUDIENCE",
        "is required with LUCID_ENV=production and JWT_JWKS_FILE, so that tokens for other services are not good here: "
          + "expected the name of this service, as tokens have it in aud")
    }
    if isProduction, !settings.isSet("API_GATEWAY_TOKEN") {
      settings.note("API_GATEWAY_TOKEN", "is required with LUCID_ENV=production: expected \(GatewayToken.expected)")
    }
  }
}
