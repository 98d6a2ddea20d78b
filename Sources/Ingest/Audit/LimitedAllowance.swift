import Ledger
import Payouts
import Synchronization
import Worker

/// Which requests over a rate limit are recorded one by one: of each caller and class the first in a minute.
///
/// The table keeps every record for ever, and whoever is over a limit can be refused as often as he likes. So the others are
/// counted, and when the minute is over one record tells how many there were.
final class LimitedAllowance: Sendable {
  /// For how long the others are counted, in milliseconds.
  static let spanMilliseconds: Int64 = 60_000
  /// How often is looked for spans that are over, in milliseconds.
  static let lookMilliseconds: Int64 = 1_000
  /// The most callers and classes at a time; one more, and all are told of early.
  static let spansMax = 1_000

  private struct Key: Hashable {
    /// By bytes: Swift takes ids for equal that only look alike.
    let caller: [UInt8]
    let rateClass: RateClass
  }

  private struct Span {
    let began: Timestamp
    let first: AuditRecord
    var passedBy = 0

    /// A clock that was set back ends a span, too.
    func isOver(at now: Timestamp) -> Bool {
      !(0..<LimitedAllowance.spanMilliseconds).contains(now.milliseconds - began.milliseconds)
    }
  }

  private let spans = Mutex<[Key: Span]>([:])

  /// Whether a refusal is recorded by itself.
  func takes(_ record: AuditRecord, _ rateClass: RateClass, at now: Timestamp, noting audit: RecordAudit) -> Bool {
    let key = Key(caller: Array((record.caller ?? "").utf8), rateClass: rateClass)
    let (isTaken, over) = spans.withLock { spans -> (Bool, [Key: Span]) in
      var over: [Key: Span] = [:]
      if spans[key]?.isOver(at: now) ?? false { over[key] = spans.removeValue(forKey: key) }
      if spans[key] != nil {
        spans[key]?.passedBy += 1
        return (false, over)
      }
      if spans.count >= Self.spansMax {
        over.merge(spans) { one, _ in one }
        spans = [:]
      }
      spans[key] = Span(began: now, first: record)
      return (true, over)
    }
    tell(over, audit)
    return isTaken
  }

  /// Tells of the spans that are over, for a run loop.
  func step(_ clock: any WallClock, noting audit: RecordAudit) -> Step {
    Step("record_limited") { [self] in
      let now = clock.now()
      let over = spans.withLock { spans in
        let over = spans.filter { $0.value.isOver(at: now) }
        for key in over.keys { spans[key] = nil }
        return over
      }
      tell(over, audit)
      return .idle(milliseconds: Self.lookMilliseconds)
    }
  }

  private func tell(_ spans: [Key: Span], _ audit: RecordAudit) {
    for (key, span) in spans where span.passedBy > 0 {
      let first = span.first
      audit.note(
        AuditRecord(
          service: first.service, caller: first.caller, role: first.role, proof: nil, operation: Operation.unknownName,
          target: nil, requestID: "-", status: first.status, outcome: first.outcome,
          detail: "\(span.passedBy) more requests of class \(key.rateClass.rawValue) were over the limit within "
            + "\(Self.spanMilliseconds / 1_000) s, and not recorded one by one"))
    }
  }
}
