import Ledger
import Payouts
public import Worker

/// What Ingest reads besides what every worker reads.
///
/// ## Configuration keys
/// - those of `StoreConfiguration`, `TronConfiguration`, `CallerConfiguration` and `RateLimits`.
/// - `CORS_ALLOWED_ORIGINS` (origins, comma-separated, default none): whose pages may read answers in a browser.
/// - `HOST` (address to listen on, default 127.0.0.1) and `PORT` (0 to 65535, default 8090; 0: a free one, which is
///   logged).
/// - `INTENT_SEAL_KEY` (secret `id:hex`, required): the Ed25519 key that seals payouts.
/// - `HOURLY_PAYOUT_LIMIT_USDT`, `DAILY_PAYOUT_LIMIT_USDT` (amounts, optional): what is accepted in a window in all;
///   without them there is no limit.
/// - `V0_HOURLY_PAYOUT_LIMIT_USDT`, `V0_DAILY_PAYOUT_LIMIT_USDT`, `KYC_HOURLY_PAYOUT_LIMIT_USDT`,
///   `KYC_DAILY_PAYOUT_LIMIT_USDT` (amounts, optional): what of it may be of that router.
/// - `V0_MAX_PAYOUT_USDT`, `KYC_MAX_PAYOUT_USDT` (0.01 to 10000, default 10000): the most that one payout of that router
///   may pay.
/// - `REQUIRE_IDEMPOTENCY_KEY` (true or false, default true in production and false elsewhere).
/// - `AUDIT_LOG_PATH` (path, optional): a file to which audit records are written as JSON lines; `-` for standard output.
/// - `COMPLIANCE_AUTHORITY_ADDRESS` (address, optional): whose signatures verify nodes; without it none is verified.
/// - `PAYOUT_ROUTER_V0_ADDRESS`, `PAYOUT_ROUTER_KYC_ADDRESS` (addresses, optional): contracts that may not be paid.
public struct IngestConfiguration: SettingsReadable, Sendable {
  let stores: StoreConfiguration
  let tron: TronConfiguration
  let host: String
  let port: Int
  let callers: CallerConfiguration
  let rateLimits: RateLimits
  let origins: AllowedOrigins
  let sealer: Sealer?
  let limits: AcceptanceLimits
  let maxima: PayoutLimits
  let requiresIdempotencyKey: Bool
  let routers: [Address]
  let complianceAuthority: Address?
  let auditLogPath: String?

  /// Reads every key.
  public init(from settings: inout Settings) {
    let stage = settings.deploymentStage()
    stores = StoreConfiguration(from: &settings)
    tron = TronConfiguration(from: &settings)
    host = settings.text("HOST", default: "127.0.0.1")
    port = Int(settings.integer("PORT", default: 8_090, in: 0...65_535))
    callers = CallerConfiguration(from: &settings)
    rateLimits = RateLimits(from: &settings)
    origins = settings.value(
      "CORS_ALLOWED_ORIGINS", default: AllowedOrigins(), standIn: AllowedOrigins(), expected: AllowedOrigins.expected
    ) { text throws(MalformedValue) in try AllowedOrigins(text) }
    auditLogPath = settings.optionalText("AUDIT_LOG_PATH")
    // Nil stands for a problem that is noted, so that it never gets out of `Settings.read`.
    sealer = settings.value(
      "INTENT_SEAL_KEY", default: nil, standIn: nil, expected: "id:hex with 64 hexadecimal digits", visibility: .secret
    ) { text throws(MalformedValue) in try Sealer(text) }
    limits = AcceptanceLimits(
      hourly: Self.limit("HOURLY_PAYOUT_LIMIT_USDT", from: &settings),
      daily: Self.limit("DAILY_PAYOUT_LIMIT_USDT", from: &settings),
      perRouter: [
        .v0: SpanLimits(
          hourly: Self.limit("V0_HOURLY_PAYOUT_LIMIT_USDT", from: &settings),
          daily: Self.limit("V0_DAILY_PAYOUT_LIMIT_USDT", from: &settings)),
        .kyc: SpanLimits(
          hourly: Self.limit("KYC_HOURLY_PAYOUT_LIMIT_USDT", from: &settings),
          daily: Self.limit("KYC_DAILY_PAYOUT_LIMIT_USDT", from: &settings)),
      ])
    maxima = PayoutLimits(
      v0Max: Self.maximum("V0_MAX_PAYOUT_USDT", from: &settings),
      kycMax: Self.maximum("KYC_MAX_PAYOUT_USDT", from: &settings))
    requiresIdempotencyKey = settings.flag("REQUIRE_IDEMPOTENCY_KEY", default: stage == .production)
    complianceAuthority = settings.optionalAddress("COMPLIANCE_AUTHORITY_ADDRESS")
    routers = ["PAYOUT_ROUTER_V0_ADDRESS", "PAYOUT_ROUTER_KYC_ADDRESS"].compactMap { settings.optionalAddress($0) }
  }

  private static func maximum(_ key: String, from settings: inout Settings) -> Amount {
    settings.usdtAmount(
      key, default: PayoutLimits.amountMax, in: PayoutLimits.amountMin...PayoutLimits.amountMax)
  }

  private static func limit(_ key: String, from settings: inout Settings) -> Amount? {
    settings.optional(key, expected: "an amount in USDT") { text throws(MalformedValue) in try Amount(decimal: text) }
  }
}
