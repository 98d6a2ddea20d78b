import CoreMetrics
public import Worker

/// What Scheduler counts. All instruments are made once.
///
/// | metric | the question it answers |
/// | --- | --- |
/// | `payouts_scheduler_batches_total` | how many settlement batches were made |
/// | `payouts_scheduler_payouts_scheduled_total` | how many payouts went into them |
/// | `payouts_scheduler_batch_payouts` | are batches full, or does every payout travel alone? |
/// | `payouts_scheduler_entries_total{outcome}` | how many stream entries came: `read`, and of these `malformed` |
/// | `payouts_scheduler_held_payouts_total` | how many could not be put into a batch |
/// | `payouts_scheduler_expired_payouts_total` | how many were not paid in their own time |
/// | `payouts_scheduler_ready_batches` | is Signer behind, so that payouts wait in the ledger? |
/// | `payouts_scheduler_intent_log_bytes` | how much memory does the log of intents take in Redis? |
public struct SchedulerMetrics: Sendable {
  let batches: Counter
  let payoutsScheduled: Counter
  let batchPayouts: Recorder
  let entriesRead: Counter
  let entriesMalformed: Counter
  let payoutsHeld: Counter
  let expiredPayouts: Counter
  let readyBatches: Meter
  let intentLogBytes: Meter

  /// Makes every instrument.
  public init(_ instruments: Instruments) {
    batches = instruments.counter("batches_total", help: "Settlement batches made and released.")
    payoutsScheduled = instruments.counter("payouts_scheduled_total", help: "Payouts put into settlement batches.")
    batchPayouts = instruments.histogram("batch_payouts", help: "Payouts in a settlement batch.")
    func entries(_ outcome: String) -> Counter {
      instruments.counter(
        "entries_total", help: "Entries of the payouts' streams, by what they were.", labels: [("outcome", outcome)])
    }
    entriesRead = entries("read")
    entriesMalformed = entries("malformed")
    payoutsHeld = instruments.counter("held_payouts_total", help: "Payouts that could not be put into a batch.")
    expiredPayouts = instruments.counter("expired_payouts_total", help: "Payouts whose expires_at passed unsigned.")
    readyBatches = instruments.gauge("ready_batches", help: "Entries in batches.ready at the last round.")
    intentLogBytes = instruments.gauge("intent_log_bytes", help: "Memory of the stream intents at the last trimming.")
  }
}
