import Worker

/// What Scheduler reads besides what every worker reads.
///
/// ## Configuration keys
/// - those of `StoreConfiguration`: the ledger and the streams.
/// - those of `TronConfiguration`. Scheduler talks to no node; it compares them with what stands in the database, so
///   that it cannot work on another installation's.
/// - `INTENT_LOG_HOURS` (1 to 8760, default 72): how long the stream `intents` keeps what was accepted and ended.
///
/// `SERVICE_NAME` (default scheduler) also names the replica in its consumer group: replicas take different ones.
struct SchedulerConfiguration: SettingsReadable, Sendable {
  /// Where the truth and the transport are.
  let stores: StoreConfiguration
  /// Which installation this is.
  let tron: TronConfiguration
  /// How long the log of intents keeps its entries, in hours.
  let intentLogHours: Int64

  /// Reads every key.
  init(from settings: inout Settings) {
    stores = StoreConfiguration(from: &settings)
    tron = TronConfiguration(from: &settings)
    intentLogHours = settings.integer("INTENT_LOG_HOURS", default: 72, in: 1...8_760)
  }
}
