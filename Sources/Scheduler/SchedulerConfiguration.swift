import Worker

/// What Scheduler reads besides what every worker reads.
///
/// ## Configuration keys
/// - those of `StoreConfiguration`: the ledger and the streams.
/// - those of `TronConfiguration`. Scheduler talks to no node; it compares them with what stands in the database, so
///   that it cannot work on another installation's.
///
/// `SERVICE_NAME` (default scheduler) also names the replica in its consumer group: replicas take different ones.
struct SchedulerConfiguration: SettingsReadable, Sendable {
  /// Where the truth and the transport are.
  let stores: StoreConfiguration
  /// Which installation this is.
  let tron: TronConfiguration

  /// Reads every key.
  init(from settings: inout Settings) {
    stores = StoreConfiguration(from: &settings)
    tron = TronConfiguration(from: &settings)
  }
}
