import CoreMetrics
public import Worker

/// What Signer counts.
public struct SignerMetrics: Sendable {
  private let signed: Counter
  private let held: Counter
  private let taken: Counter
  private let refused: Counter
  private let putBack: Counter
  private let mayAct: Meter

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

  func show(mayAct acts: Bool) { mayAct.set(acts ? 1 : 0) }
}
