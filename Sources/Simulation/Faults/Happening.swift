/// What may happen at one input or output.
enum Happening: String, Sendable, Hashable, CaseIterable, Codable {
  /// It fails, and nothing was done.
  case failsBefore = "fails_before"
  /// It is done, and the caller learns that nobody knows.
  case answerIsLost = "answer_is_lost"
  /// It is not done, and the caller learns that nobody knows.
  case questionIsLost = "question_is_lost"
  /// It hangs until the caller's time-out, then is done after all, and the caller learns that nobody knows.
  case hangs
  /// The caller learns that nobody knows, and goes on; it takes effect only later: a server is still at it, or it was still
  /// on its way.
  case landsLate = "lands_late"
  /// The process dies; it takes effect only later, when another one may have taken its place.
  case crashesAndLandsLate = "crashes_and_lands_late"
  /// The process dies before it.
  case crashesBefore = "crashes_before"
  /// The process dies in the middle of it: some of what it writes at once is kept.
  case crashesWithin = "crashes_within"
  /// The process dies after it.
  case crashesAfter = "crashes_after"
  /// It is done twice.
  case isDoubled = "is_doubled"
  /// A node says that it has a transaction already, and has never seen it.
  case saysKnown = "says_known"
  /// A node says that it has taken a transaction, and drops it.
  case saysTaken = "says_taken"
  /// A node says that it has no time for a transaction.
  case saysBusy = "says_busy"
  /// A node tells a block as if nothing were in it.
  case leavesOut = "leaves_out"
  /// A node tells that what paid has failed and what failed has paid.
  case turnsRound = "turns_round"
  /// A node tells another block in this one's place, whole in itself.
  case forges
  /// A node tells a block as if a transaction of ours had paid in it that is in none.
  case putsIn = "puts_in"
  /// A node tells of a branch of its own from this block on, and holds to it for a while.
  case branches
}

/// What kind of input or output it is: which errors it can have, and whether doing it twice is possible.
enum Channel: String, Sendable, Hashable, CaseIterable, Codable {
  /// A statement or transaction that changes nothing.
  case ledgerRead = "ledger_read"
  /// A transaction that may change something: its COMMIT may stay unanswered.
  case ledgerWrite = "ledger_write"
  /// A Redis command.
  case stream
  /// A request that reads from a node.
  case nodeRead = "node_read"
  /// A transaction handed to a node.
  case broadcast
  /// A write of Signer's own journal.
  case journal
  /// A webhook.
  case webhook
  /// What a lying node tells of a block or its receipts.
  case lie

  /// What can happen there.
  var happenings: [Happening] {
    switch self {
    case .ledgerRead, .nodeRead: [.failsBefore, .hangs, .crashesBefore, .crashesAfter]
    case .ledgerWrite:
      [
        .failsBefore, .answerIsLost, .questionIsLost, .hangs, .landsLate, .crashesBefore, .crashesAfter,
        .crashesAndLandsLate,
      ]
    case .broadcast: Channel.webhook.happenings + Channel.refusals
    case .stream, .webhook:
      [
        .failsBefore, .answerIsLost, .questionIsLost, .hangs, .landsLate, .crashesBefore, .crashesAfter,
        .crashesAndLandsLate, .isDoubled,
      ]
    case .journal: [.failsBefore, .answerIsLost, .hangs, .crashesBefore, .crashesWithin, .crashesAfter]
    case .lie: [.leavesOut, .turnsRound, .forges, .putsIn, .branches] + Channel.refusals
    }
  }

  /// What a node may say of a transaction that it does not take.
  static let refusals: [Happening] = [.saysKnown, .saysTaken, .saysBusy]

  /// How often something happens there by chance, as a multiple of what is usual: a world comes to its journals, nodes and
  /// webhooks a hundred times less often than to its database, and without this hardly anything would happen to them.
  var weight: UInt64 {
    switch self {
    case .ledgerRead, .ledgerWrite, .stream, .nodeRead, .lie: 1
    case .journal, .broadcast, .webhook: 8
    }
  }

  /// How late something takes effect, in milliseconds after its caller has gone on.
  var lateness: ClosedRange<Int64> {
    switch self {
    // A server stops at a connection that is gone as soon as it looks at it; until then it waits for a disk or a standby.
    case .ledgerWrite: 100...20_000
    // What is in a kernel's buffers is sent again for a while.
    case .stream: 100...30_000
    // A node may keep a request in a queue of its own. Transactions live for 120 s here.
    case .broadcast: 1_000...150_000
    case .webhook: 1_000...60_000
    case .ledgerRead, .nodeRead, .journal, .lie: 0...0
    }
  }
}
