/// Where the truth and the transport are.
///
/// ## Configuration keys
/// - `DATABASE_URL` (PostgreSQL URL, required, secret): the ledger.
/// - `REDIS_URL` (Redis URL, required, secret): the streams.
public struct StoreConfiguration: SettingsReadable, Sendable {
  /// PostgreSQL.
  public let databaseURL: ServiceURL
  /// Redis.
  public let redisURL: ServiceURL

  /// Reads both keys.
  public init(from settings: inout Settings) {
    databaseURL = settings.url("DATABASE_URL", .postgres)
    redisURL = settings.url("REDIS_URL", .redis)
  }
}
