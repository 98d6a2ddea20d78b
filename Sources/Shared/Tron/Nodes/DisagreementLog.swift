public import Payouts
import Synchronization

/// What a worker's rounds noticed of nodes that disagree: each is counted, and told once and not with each round. In memory
/// only: after a start it is told again, which raises no second alarm.
public final class DisagreementLog: Sendable {
  /// After so long the same nodes' disagreement is told again where it goes on, in milliseconds.
  public static let againMilliseconds: Int64 = 600_000

  private struct Subject: Hashable {
    let matter: Disputed
    let nodes: [Int]
  }

  private struct Content {
    var noted: [Disagreement] = []
    var toldAt: [Subject: Timestamp] = [:]
  }

  private let content = Mutex(Content())

  /// An empty one.
  public init() {}

  /// Somebody said something else.
  public func note(_ disagreement: Disagreement) {
    content.withLock { $0.noted.append(disagreement) }
  }

  /// What was noted since this was asked last: all of it, to be counted, and what is to be told of it.
  public func take(at now: Timestamp) -> (noted: [Disagreement], news: [Disagreement]) {
    content.withLock { content in
      defer { content.noted = [] }
      let news = content.noted.filter { disagreement in
        let subject = Subject(matter: disagreement.matter, nodes: disagreement.nodes)
        if let told = content.toldAt[subject],
          (0..<DisagreementLog.againMilliseconds).contains(now.milliseconds(since: told))
        {
          return false
        }
        content.toldAt[subject] = now
        return true
      }
      return (content.noted, news)
    }
  }

  /// These could not be told after all.
  public func failedToTell(_ news: [Disagreement]) {
    content.withLock { content in
      for disagreement in news {
        content.toldAt[Subject(matter: disagreement.matter, nodes: disagreement.nodes)] = nil
        content.noted.append(disagreement)
      }
    }
  }
}
