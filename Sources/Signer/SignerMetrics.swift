import CoreMetrics
import Payouts
public import Worker

/// What Signer counts.
public struct SignerMetrics: Sendable {
  private let signed: Counter
  private let held: Counter
  private let taken: Counter
  private let refused: Counter
  private let putBack: Counter
  private let mayAct: Meter
  private let quarantines: Meter
  private let quarantineLeft: Meter

  /// Makes all instruments once.
  public init(_ instruments: Instruments) {
    signed = instruments.counter("transactions_signed_total", help: "How many transactions were signed?")
    held = instruments.counter("payouts_held_total", help: "How many payouts did Signer hold for a person?")
    taken = instruments.counter(
      "broadcasts_total", help: "How often did the node take a transaction, or not?", labels: [("outcome", "taken")])
    refused = instruments.counter(
      "broadcasts_total", help: "How often did the node take a transaction, or not?", labels: [("outcome", "refused")])
    putBack = instruments.counter(
      "put_backs_total", help: "How many transactions came back from the journal because the database lost them?")
    quarantines = instruments.gauge("quarantines_open", help: "How many quarantines stand in for a vouching?")
    quarantineLeft = instruments.gauge(
      "quarantine_left_seconds", help: "How much chain time is left until the last quarantine can end, at most?")
    mayAct = instruments.gauge("may_act", help: "May Signer sign now (1), or does something forbid it (0)?")
  }

  func count(signed signedCount: Int, held heldCount: Int) {
    signed.increment(by: signedCount)
    held.increment(by: heldCount)
  }

  func count(taken takenCount: Int, refused refusedCount: Int) {
    taken.increment(by: takenCount)
    refused.increment(by: refusedCount)
  }

  func count(putBack count: Int) { putBack.increment(by: count) }

  func show(quarantines count: Int, until: Timestamp?, now: Timestamp) {
    quarantines.set(Double(count))
    quarantineLeft.set(Double(max(0, until?.milliseconds(since: now) ?? 0)) / 1_000)
  }

  func show(mayAct acts: Bool) { mayAct.set(acts ? 1 : 0) }
}
