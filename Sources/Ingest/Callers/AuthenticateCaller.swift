import HTTPTypes
import Ledger
import Logging
import Payouts
import Worker

/// Finds out who calls, in layers.
///
/// 1. The way: whether the request came through the gateway (``VerifyGateway``). In production nothing else is looked
///    at where it did not.
/// 2. The offer: a request carries one proof of its caller (``OfferedProof``), no more and no less.
/// 3. The proof: a token (``VerifyToken``), an API key (``VerifyAPIKey``), or the word of the gateway.
struct AuthenticateCaller: Sendable {
  private let gateway: VerifyGateway
  private let tokens: VerifyToken
  private let apiKeys: VerifyAPIKey

  /// - Parameters:
  ///   - configuration: secrets, audience, and whether the gateway is a must.
  ///   - keySet: the public keys of tokens; nil where there is no key set.
  ///   - apiKeys: where API keys are looked up.
  ///   - sealer: has sealed them, or they are none.
  ///   - clock: judges the times of tokens.
  init(
    _ configuration: CallerConfiguration, keySet: WatchKeySet?, apiKeys: any APIKeyLedger, sealer: Sealer,
    clock: any WallClock, metrics: CallerMetrics, logger: Logger
  ) {
    gateway = VerifyGateway(token: configuration.gatewayToken, isRequired: configuration.isGatewayRequired)
    tokens = VerifyToken(
      secret: configuration.secret, keySet: keySet, audience: configuration.audience, clock: clock)
    self.apiKeys = VerifyAPIKey(ledger: apiKeys, sealer: sealer, metrics: metrics, logger: logger)
  }

  /// The caller whom the headers of a request prove.
  ///
  /// - Throws: `Problem` of kind `unauthenticated`, which does not say more than its owner needs; `forbidden` where it
  ///   came another way than it must; `unavailable` or `overloaded` where an API key cannot be looked up.
  func caller(headers: HTTPFields) async throws(Problem) -> Caller {
    let isThroughGateway = try gateway.isPassed(headers)
    switch try OfferedProof(in: headers) {
    case .authorization(let value): return try tokens.caller(authorization: value)
    case .apiKey(let text): return try await apiKeys.caller(text)
    case .user(let id, let role, let nodeIDs):
      guard isThroughGateway else { throw Self.notTheGateway }
      let claims = CallerClaims(
        source: .headers, id: id, role: role, nodeIDs: nodeIDs.map(OfferedProof.items) ?? [])
      return try claims.caller(.gateway)
    }
  }

  /// Whether a request came the way that it must, where nobody has to be proven.
  ///
  /// - Throws: `Problem` of kind `forbidden`.
  func checkWay(of headers: HTTPFields) throws(Problem) { _ = try gateway.isPassed(headers) }

  private static let notTheGateway = Problem(
    .unauthenticated,
    "X-User-ID, X-User-Role and X-User-Node-IDs count from the gateway alone, with its X-Gateway-Token. Send a token, "
      + "Authorization: Bearer <JWT>, or an X-API-Key.")
}
