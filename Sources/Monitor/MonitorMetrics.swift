import CoreMetrics
import Payouts
import Tron
public import Worker

/// What Monitor counts.
public struct MonitorMetrics: Sendable {
  private let head: Meter
  private let solid: Meter
  private let forks: Counter
  private let confirmed: Counter
  private let findings: Counter
  private let sent: Counter
  private let paid: Counter
  private let failed: Counter
  private let dead: Counter
  private let anomalous: Counter
  private let failedPayouts: Counter
  private let untoldAlarms: Counter
  private let disagreements: [Disputed: Counter]
  private let unprovenBodies: Counter
  private let foreignSignatures: Counter
  /// What is counted about webhooks.
  let webhooks: WebhookMetrics

  /// Makes all instruments once.
  public init(_ instruments: Instruments) {
    head = instruments.gauge("head_block_number", help: "How far was the head's branch read?")
    solid = instruments.gauge("solid_block_number", help: "How far was the solid chain read?")
    forks = instruments.counter("forks_total", help: "How often did the chain undo blocks that were read?")
    confirmed = instruments.counter("payouts_confirmed_total", help: "How many payouts were confirmed?")
    findings = instruments.counter("findings_total", help: "How many transactions of ours did nobody of us sign?")
    sent = instruments.counter("transactions_sent_total", help: "How many transactions did Signers say they sent?")
    failedPayouts = instruments.counter("payouts_failed_total", help: "How many payouts failed for good, unpaid?")
    untoldAlarms = instruments.counter("alarm_calls_failed_total", help: "How often was an alarm not taken?")
    disagreements = Dictionary(
      uniqueKeysWithValues: Disputed.allCases.map { matter in
        let counter = instruments.counter(
          "node_disagreements_total", help: "How often did nodes say different things of one solid block?",
          labels: [("matter", matter.rawValue)])
        return (matter, counter)
      })
    unprovenBodies = instruments.counter(
      "unproven_bodies_total",
      help: "How many solid blocks' bodies did not hash to their headers' roots, so that a quorum of bodies decides?")
    foreignSignatures = instruments.counter(
      "foreign_block_signatures_total",
      help: "How many solid blocks were signed by another key than their producer's own, so that the quorum decides?")
    func verdict(_ name: String) -> Counter {
      instruments.counter("verdicts_total", help: "How did transactions end?", labels: [("verdict", name)])
    }
    paid = verdict("paid")
    failed = verdict("failed_on_chain")
    dead = verdict("dead")
    anomalous = verdict("anomalous")
    webhooks = WebhookMetrics(instruments)
  }

  func show(head number: Int64) { head.set(number) }
  func show(solid number: Int64) { solid.set(number) }
  func countFork() { forks.increment() }
  func count(confirmed count: Int) { confirmed.increment(by: count) }
  func count(findings count: Int) { findings.increment(by: count) }
  func countFailedPayout() { failedPayouts.increment() }
  func count(_ disagreement: Disagreement) { disagreements[disagreement.matter]?.increment() }
  func countUnprovenBody() { unprovenBodies.increment() }
  func countForeignSignature() { foreignSignatures.increment() }
  func countUntoldAlarm() { untoldAlarms.increment() }
  func count(sent count: Int) { sent.increment(by: count) }

  func count(_ verdict: TransactionVerdict) {
    switch verdict {
    case .paid: paid.increment()
    case .failedOnChain: failed.increment()
    case .dead: dead.increment()
    case .anomalous: anomalous.increment()
    }
  }
}
