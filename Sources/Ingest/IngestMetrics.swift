import CoreMetrics
import Streams
import Worker

/// What Ingest counts, made once and kept.
struct IngestMetrics: Sendable {
  private let accepted: [Bool: Counter]
  private let refusals: [Problem.Kind: Counter]
  private let answers: [AnswerLabels: Counter]
  private let answerDurations: [String: Timer]
  private let acceptanceDuration: Timer
  private let waiting: Meter
  private let groupSize: Recorder
  private let groupDuration: Timer
  private let groupFailures: Counter
  private let enqueuedPayouts: Counter
  private let notEnqueuedPayouts: Counter
  private let cancelledPayouts: Counter
  private let intents: [IntentRecorder.Outcome: Counter]
  /// What is counted about audit records.
  let audit: AuditMetrics

  private struct AnswerLabels: Hashable {
    let route: String
    let statusClass: Int
  }

  /// Makes all instruments.
  init(_ instruments: Instruments) {
    accepted = IngestMetrics.all([false, true]) { isReplay in
      instruments.counter(
        "payouts_accepted_total", help: "How many payouts were accepted, and how many of them were replays of a key?",
        labels: [("outcome", isReplay ? "replayed" : "new")])
    }
    refusals = IngestMetrics.all(Problem.Kind.allCases) { kind in
      instruments.counter(
        "requests_refused_total", help: "Why are requests refused?", labels: [("problem", kind.rawValue)])
    }
    let routes = Operation.allCases.map(\.rawValue) + [Operation.unknownName]
    let labels = routes.flatMap { route in (1...5).map { AnswerLabels(route: route, statusClass: $0) } }
    answers = IngestMetrics.all(labels) { labels in
      instruments.counter(
        "requests_total", help: "How many requests were answered, and how?",
        labels: [("route", labels.route), ("status", "\(labels.statusClass)xx")])
    }
    answerDurations = IngestMetrics.all(routes) { route in
      instruments.timer("request_seconds", help: "How long does an answer take?", labels: [("route", route)])
    }
    acceptanceDuration = instruments.timer(
      "acceptance_seconds", help: "How long does a payout wait until it is stored, the wait for a group included?")
    waiting = instruments.gauge("commit_queue_payouts", help: "How many payouts wait for a commit?")
    groupSize = instruments.histogram("commit_group_payouts", help: "How many payouts share a commit?")
    groupDuration = instruments.timer("commit_seconds", help: "How long does a group's commit take?")
    groupFailures = instruments.counter(
      "commit_failures_total", help: "How many groups could not be stored, or nobody knows?")
    enqueuedPayouts = instruments.counter("payouts_enqueued_total", help: "How many payouts went to the stream?")
    notEnqueuedPayouts = instruments.counter(
      "payouts_not_enqueued_total", help: "How many accepted payouts were left for Scheduler to find?")
    cancelledPayouts = instruments.counter(
      "payouts_cancelled_total", help: "How often was a client told that its payout is cancelled?")
    intents = IngestMetrics.all(IntentRecorder.Outcome.allCases) { outcome in
      instruments.counter(
        "intents_total", help: "How many acceptances went to the log of intents, waited for Redis, or never did?",
        labels: [("outcome", outcome.rawValue)])
    }
    audit = AuditMetrics(instruments)
  }

  func accepted(isReplay: Bool) { accepted[isReplay]?.increment() }
  func refused(_ kind: Problem.Kind) { refusals[kind]?.increment() }
  func cancelled() { cancelledPayouts.increment() }
  func enqueued(_ count: Int) { enqueuedPayouts.increment(by: count) }
  func notEnqueued(_ count: Int) { notEnqueuedPayouts.increment(by: count) }
  func intents(_ outcome: IntentRecorder.Outcome, _ count: Int) { intents[outcome]?.increment(by: count) }

  func answered(route: String, status: Int, since began: ContinuousClock.Instant) {
    answers[AnswerLabels(route: route, statusClass: status / 100)]?.increment()
    answerDurations[route]?.record(since: began)
  }

  func acceptanceEnded(since began: ContinuousClock.Instant, waiting count: Int) {
    acceptanceDuration.record(since: began)
    waiting.set(count)
  }

  func groupCommitted(_ count: Int, since began: ContinuousClock.Instant) {
    groupSize.record(count)
    groupDuration.record(since: began)
  }

  func groupFailed(_ count: Int, since began: ContinuousClock.Instant) {
    groupFailures.increment()
    groupDuration.record(since: began)
  }

  private static func all<Key: Hashable, Instrument>(
    _ keys: [Key], _ make: (Key) -> Instrument
  ) -> [Key: Instrument] {
    Dictionary(keys.map { ($0, make($0)) }) { first, _ in first }
  }
}

extension Timer {
  /// Records the time since a moment. Durations come from the machine's monotonic clock: they decide nothing.
  fileprivate func record(since began: ContinuousClock.Instant) {
    let (seconds, attoseconds) = (ContinuousClock.now - began).components
    recordNanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
  }
}
