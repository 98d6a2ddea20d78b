import CoreMetrics
public import Worker

/// What Scheduler counts. All instruments are made once.
///
/// | metric | the question it answers |
/// | --- | --- |
/// | `payouts_scheduler_batches_total` | how many settlement batches were made |
/// | `payouts_scheduler_payouts_scheduled_total` | how many payouts went into them |
/// | `payouts_scheduler_batch_payouts` | are batches full, or does every payout travel alone? |
/// | `payouts_scheduler_entries_total{outcome}` | what came of stream entries: `read`, `malformed`, `given_up` |
/// | `payouts_scheduler_swept_payouts_total` | how many had to be sent again: is Redis losing entries? |
/// | `payouts_scheduler_expired_payouts_total` | how many were not paid in their own time |
/// | `payouts_scheduler_intent_log_bytes` | how much memory does the log of intents take in Redis? |
/// | `payouts_scheduler_queue_entries` | how many entries wait in `payouts.immediate` |
public struct SchedulerMetrics: Sendable {
  let batches: Counter
  let payoutsScheduled: Counter
  let batchPayouts: Recorder
  let entriesRead: Counter
  let entriesMalformed: Counter
  let entriesGivenUp: Counter
  let sweptPayouts: Counter
  let expiredPayouts: Counter
  let queueEntries: Meter
  let intentLogBytes: Meter

  /// Makes every instrument.
  public init(_ instruments: Instruments) {
    batches = instruments.counter("batches_total", help: "Settlement batches made and released.")
    payoutsScheduled = instruments.counter("payouts_scheduled_total", help: "Payouts put into settlement batches.")
    batchPayouts = instruments.histogram("batch_payouts", help: "Payouts in a settlement batch.")
    func entries(_ outcome: String) -> Counter {
      instruments.counter(
        "entries_total", help: "Entries of payouts.immediate, by what came of them.", labels: [("outcome", outcome)])
    }
    entriesRead = entries("read")
    entriesMalformed = entries("malformed")
    entriesGivenUp = entries("given_up")
    sweptPayouts = instruments.counter("swept_payouts_total", help: "Payouts that were queued too long and sent again.")
    expiredPayouts = instruments.counter("expired_payouts_total", help: "Payouts whose expires_at passed unsigned.")
    intentLogBytes = instruments.gauge("intent_log_bytes", help: "Memory of the stream intents at the last trimming.")
    queueEntries = instruments.gauge("queue_entries", help: "Entries in payouts.immediate at the last sweep.")
  }
}
