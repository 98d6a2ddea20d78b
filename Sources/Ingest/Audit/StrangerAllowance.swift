import Ledger
import Payouts
import Synchronization

/// How many refusals of callers that nobody knows are recorded one by one.
///
/// The table keeps every record for ever, and whoever reaches the port can be refused as often as he likes. So beyond a
/// number they are counted, and the next record of that kind is preceded by one that tells how many there were.
final class StrangerAllowance: Sendable {
  /// The most records of one span.
  static let recordsMax = 100
  /// How long a span is, in milliseconds.
  static let spanMilliseconds: Int64 = 10_000

  private struct State {
    var began = Timestamp(milliseconds: 0)
    var taken = 0
    var passedBy = 0
  }

  private let state = Mutex(State())

  /// Whether one more is recorded by itself.
  func takes(_ service: String, at now: Timestamp, noting audit: RecordAudit) -> Bool {
    let (isTaken, passedBy) = state.withLock { state -> (Bool, Int) in
      var passedBy = 0
      // A clock that was set back begins a span, too.
      if !(0..<Self.spanMilliseconds).contains(now.milliseconds - state.began.milliseconds) {
        passedBy = state.passedBy
        state = State(began: now)
      }
      state.taken += 1
      if state.taken > Self.recordsMax { state.passedBy += 1 }
      return (state.taken <= Self.recordsMax, passedBy)
    }
    if passedBy > 0 {
      audit.note(
        AuditRecord(
          service: service, caller: nil, role: nil, proof: nil, operation: Operation.unknownName, target: nil,
          requestID: "-", status: 401, outcome: Problem.Kind.unauthenticated.rawValue,
          detail:
            "\(passedBy) more refusals of callers that nobody knows, of whatever kind, were not recorded one by one"))
    }
    return isTaken
  }
}
