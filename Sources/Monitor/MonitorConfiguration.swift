public import Worker

/// What Monitor reads besides what every worker reads.
///
/// ## Configuration keys
/// - those of `StoreConfiguration`, `TronConfiguration` and `NodeConfiguration`.
/// - `PAYOUT_RETRY_DELAY_SECONDS` (1 to 86400, default 60): how long a freed payout waits for its next attempt.
public struct MonitorConfiguration: SettingsReadable, Sendable {
  let stores: StoreConfiguration
  let tron: TronConfiguration
  let nodes: NodeConfiguration
  let retryDelaySeconds: Int64

  /// Reads every key.
  public init(from settings: inout Settings) {
    stores = StoreConfiguration(from: &settings)
    tron = TronConfiguration(from: &settings)
    nodes = NodeConfiguration(from: &settings)
    retryDelaySeconds = settings.integer("PAYOUT_RETRY_DELAY_SECONDS", default: 60, in: 1...86_400)
  }
}
