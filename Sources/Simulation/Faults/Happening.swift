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
  /// The process dies before it.
  case crashesBefore = "crashes_before"
  /// The process dies after it.
  case crashesAfter = "crashes_after"
  /// It is done twice.
  case isDoubled = "is_doubled"
  /// A node tells a block as if nothing were in it.
  case leavesOut = "leaves_out"
  /// A node tells that what paid has failed and what failed has paid.
  case turnsRound = "turns_round"
  /// A node tells another block in this one's place, whole in itself.
  case forges
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
    case .ledgerWrite: [.failsBefore, .answerIsLost, .questionIsLost, .hangs, .crashesBefore, .crashesAfter]
    case .stream, .broadcast, .webhook:
      [.failsBefore, .answerIsLost, .questionIsLost, .hangs, .crashesBefore, .crashesAfter, .isDoubled]
    case .journal: [.failsBefore, .answerIsLost, .crashesBefore, .crashesAfter]
    case .lie: [.leavesOut, .turnsRound, .forges]
    }
  }
}
