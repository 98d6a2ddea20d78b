import Ledger
import Worker

/// What Scheduler reads besides what every worker reads.
///
/// ## Configuration keys
/// - those of `StoreConfiguration`: the ledger and the streams.
/// - those of `TronConfiguration`. Scheduler talks to no node; it compares them with what stands in the database, so
///   that it cannot work on another installation's.
/// - `BATCH_HOURLY_SECONDS`, `BATCH_DAILY_SECONDS`, `BATCH_WEEKLY_SECONDS` (1 to 604800, default 3600, 86400 and 604800;
///   dev only): how long windows are. They go into the ledger, where all workers' windows come from: of several Schedulers
///   that are configured differently, the one that started last is right, for all of them.
/// - `INTENT_LOG_HOURS` (1 to 8760, default 72): how long the stream `intents` keeps what was accepted and ended.
///
/// `SERVICE_NAME` (default scheduler) also names the replica in its consumer group: replicas take different ones.
struct SchedulerConfiguration: SettingsReadable, Sendable {
  /// Where the truth and the transport are.
  let stores: StoreConfiguration
  /// Which installation this is.
  let tron: TronConfiguration
  /// How long windows are.
  let windows: WindowLengths
  /// How long the log of intents keeps its entries, in hours.
  let intentLogHours: Int64

  /// Reads every key.
  init(from settings: inout Settings) {
    stores = StoreConfiguration(from: &settings)
    tron = TronConfiguration(from: &settings)
    intentLogHours = settings.integer("INTENT_LOG_HOURS", default: 72, in: 1...8_760)
    let usual = WindowLengths.usual
    windows = WindowLengths(
      hourly: Self.length("BATCH_HOURLY_SECONDS", usual.hourly, from: &settings),
      daily: Self.length("BATCH_DAILY_SECONDS", usual.daily, from: &settings),
      weekly: Self.length("BATCH_WEEKLY_SECONDS", usual.weekly, from: &settings))
    settings.allowOnlyInDevelopment(
      ["BATCH_HOURLY_SECONDS", "BATCH_DAILY_SECONDS", "BATCH_WEEKLY_SECONDS"],
      because: "clients are told hours, days and weeks")
  }

  private static func length(_ key: String, _ usualMilliseconds: Int64, from settings: inout Settings) -> Int64 {
    settings.integer(key, default: usualMilliseconds / 1_000, in: 1...604_800) * 1_000
  }
}
