import Ledger
import Streams
import Worker

/// Moves the checkpoint of the log of intents on, while the history is vouched for: the next vouching need only read what
/// comes after it, and a database that went back in time says how far back.
///
/// Only what was compared entry by entry lies before the checkpoint. So it never runs ahead of what is committed, and an
/// acceptance whose entry came only after a vouching (its writer had stood still meanwhile) is found here. Every Signer of
/// the wallet does this; they agree, since all compare with the same rows.
struct CheckpointIntents: Sendable {
  /// The most pages in one round.
  static let pagesMax = 20
  /// The wait after a round that came to the end, in milliseconds.
  static let idleMilliseconds: Int64 = 2_000
  /// The wait after a round that found something lost, in milliseconds.
  static let lostMilliseconds: Int64 = 10_000

  let compare: CompareIntents

  /// One round.
  func step() async throws -> StepOutcome {
    guard try await compare.ledger.conditions().isContinuous else { return .idle(milliseconds: Self.idleMilliseconds) }
    let finding = try await compare.run(pagesMax: Self.pagesMax)
    if let last = finding.comparedTo.map({ "\($0)" }), last != finding.checkpoint.lastID {
      // Where the server has another life by now, nothing is stored, and the vouching compares anew.
      _ = try await compare.ledger.moveIntentCheckpoint(to: last, under: finding.checkpoint.life)
    }
    guard finding.lostCount == 0 else {
      try await compare.callAboutLost(finding.lostCount)
      return .idle(milliseconds: Self.lostMilliseconds)
    }
    return finding.hasMore ? .worked : .idle(milliseconds: Self.idleMilliseconds)
  }
}
