import Keystore
import Ledger
import Logging
import Payouts
import Streams
import Worker

/// Compares the journal with the database after every start of either, puts back what a restore took, and vouches
/// (DESIGN.md §3 "Continuity"). Until every Signer has vouched, nothing is signed anywhere.
///
/// First the log of intents must agree with the database: acceptances and ends that a restore took are put back by
/// `payoutctl intents replay`, and until then nobody vouches.
struct VouchForHistory: Sendable {
  /// How long to wait before looking again, in milliseconds.
  static let pauseMilliseconds: Int64 = 1_000
  /// How many payouts one transaction holds at most where the log of intents is gone.
  static let heldAtOnce = 5_000
  /// For how long the log of intents may be unreadable before operators are called, in milliseconds.
  static let unreadableMillisecondsMax: Int64 = 60_000

  let ledger: any SignerLedger
  let journal: any Journal
  let intents: CompareIntents
  let quarantine: WaitOutQuarantine
  let clock: any WallClock
  let state: SignerState
  let signer: String
  let names: [String]
  /// Random bytes of this process.
  let runID: [UInt8]
  let isDevelopment: Bool
  let metrics: SignerMetrics?
  let logger: Logger

  /// One look, and a vouching where one is due.
  func step() async throws -> StepOutcome {
    let idle = StepOutcome.idle(milliseconds: Self.pauseMilliseconds)
    let found = try await ledger.vouchingState(signer: signer)
    try await callAboutUnlisted(found.declaredNames)
    if try await quarantine.begin(found) { return .worked }
    // Another journal may have taken the place of ours while we were away: what we hold counts for nothing then.
    if let declared = found.declared, declared.journalID != journal.id { state.vouchedLife = nil }
    if found.hasVouched, state.vouchedLife == found.life, !mustVouchAgain(found) { return idle }
    guard let declared = found.declared else {
      throw VouchingRefusal("this Signer is not declared: run 'payoutctl signer init' once")
    }
    let own = found.quarantines.first { $0.signer == signer }
    guard try await isOwnJournal(declared, own) else { return idle }
    if !isDevelopment, found.lastRunID != runID, found.hasServerChanged, own?.isOver != true, !found.hasWaited {
      // Database and journal may have been taken back together: only waiting can tell then.
      guard own == nil else { return idle }
      try await quarantine.askSinceBothStarted(left: journaled())
      return .worked
    }
    let intentLog = try await wordOfIntents(found)
    if case .gone = intentLog {
      while try await ledger.holdUnproven(atMost: Self.heldAtOnce) {}
    }
    // First refuse what was read under an earlier life, then read the journal: nothing can slip in between.
    await journal.adopt(found.life)
    let vouching = Vouching(
      signer: signer, runID: runID, names: names, journalID: journal.id, life: found.life, intentLog: intentLog)
    return try await conclude(ledger.vouch(vouching, journal: journaled()), found)
  }

  /// Whose last write failed does not know what is on disk, and can never vouch: the next process opens the journal anew.
  private func journaled() async throws -> [JournalEntry] {
    do { return try await journal.entries() } catch let error as JournalError {
      guard case .unusable = error else { throw error }
      throw FatalStepError("the journal cannot be read", underlying: error)
    }
  }

  /// Although this process has vouched: another word of its own ends a quarantine whose blocks are read, and the quarantine
  /// of its own name, where somebody believed it lost or away.
  private func mustVouchAgain(_ found: VouchingState) -> Bool {
    found.quarantines.contains { $0.isOver || $0.signer == signer }
  }

  /// Whether our journal is the declared one, or its quarantine is over so that it becomes that by vouching. Where it is
  /// neither, a quarantine is asked for: nobody can hold this name beside us, whose journal is locked.
  private func isOwnJournal(_ declared: DeclaredJournal, _ own: QuarantineRecord?) async throws -> Bool {
    guard declared.wallet == journal.wallet else {
      try await alarm("lost_journal", "the journal declared under the name \(signer) is another wallet's")
      throw VouchingRefusal("the journal declared under this name is another wallet's: check SIGNER_NAME and the key")
    }
    if declared.journalID == journal.id { return true }
    if own?.journalID == journal.id { return own?.isOver == true }
    try await alarm("lost_journal", "another journal is declared under the name \(signer): this one is not it")
    try await quarantine.ask(
      .journalLost, journalID: journal.id, reason: "the journal declared under this name is not there")
    return false
  }

  /// What the log of intents says about the database. Where all have vouched for this life already it was asked then.
  ///
  /// - Throws: `VouchingRefusal` where something is lost, or the log cannot be read.
  private func wordOfIntents(_ found: VouchingState) async throws -> IntentLogWord {
    if found.isContinuous { return .whole }
    let finding: CompareIntents.Finding
    do {
      finding = try await intents.run()
    } catch let error as StreamError {
      try await callAboutUnreadable(error)
      throw VouchingRefusal("the log of intents cannot be read, so that nobody knows what a restore took: \(error)")
    } catch let error as UnreadableIntent {
      try await alarm("unreadable_intent", "\(error)")
      throw VouchingRefusal("\(error)")
    }
    state.intentsUnreadableSince = nil
    guard finding.lostCount == 0 else {
      try await intents.callAboutLost(finding.lostCount)
      throw VouchingRefusal("the database lacks what the log of intents tells: run 'payoutctl intents replay'")
    }
    return finding.isWhole ? .whole : .gone(lastID: finding.comparedTo.map { "\($0)" })
  }

  private func callAboutUnreadable(_ error: StreamError) async throws {
    let now = clock.now()
    let since = state.intentsUnreadableSince ?? now
    state.intentsUnreadableSince = since
    guard now.milliseconds(since: since) >= Self.unreadableMillisecondsMax else { return }
    try await alarm(
      "intents_unreadable",
      "nobody vouches while Redis cannot be read (\(error.code.rawValue)): bring it back; where its data is lost for good, "
        + "an empty one will do, and unsigned payouts are held if the database went back in time")
  }

  private func conclude(_ outcome: VouchingOutcome, _ found: VouchingState) async throws -> StepOutcome {
    switch outcome {
    case .vouched(let putBack, let missing):
      state.vouchedLife = found.life
      report(putBack)
      for over in found.quarantines where over.isOver || over.signer == signer {
        logger.warning(
          "A quarantine ended",
          metadata: [
            LogKey.signerName: "\(over.signer)", "cause": "\(over.cause.rawValue)",
            "began": "\(over.beganAt.map { "\($0)" } ?? "")",
          ])
      }
      logger.info(
        "Vouched for the database",
        metadata: ["missing": "\(missing.joined(separator: ","))", LogKey.signerName: "\(signer)"])
      return .worked
    case .waitsForVerdicts(let putBack, let deferred):
      report(putBack)
      guard !deferred.isEmpty else { return .worked }
      logger.warning(
        "Later attempts wait for the end of earlier ones before they are put back",
        metadata: ["deferred": "\(deferred.count)"])
      return .idle(milliseconds: Self.pauseMilliseconds)
    case .contradicted(let txids):
      throw VouchingRefusal(
        "the journal holds \(txids.count) transactions for references that other transactions have paid")
    case .anotherLife: return .worked
    case .anotherJournal: throw VouchingRefusal("another journal is declared under this name")
    case .waitsForQuarantine: return .idle(milliseconds: Self.pauseMilliseconds)
    }
  }

  /// A restore may lose a declaration: then only the configured list knows whom to wait for, so it must be whole.
  private func callAboutUnlisted(_ declared: [String]) async throws {
    let unlisted = declared.filter { !names.contains($0) }
    guard !unlisted.isEmpty, !state.hasToldUnlisted else { return }
    try await alarm(
      "unlisted_signer", "SIGNER_NAMES does not list \(unlisted.joined(separator: ", ")): list every declared Signer")
    state.hasToldUnlisted = true
  }

  private func report(_ putBack: [TxID]) {
    metrics?.count(putBack: putBack.count)
    for txid in putBack {
      logger.warning("Put a transaction back that the database had lost", metadata: [LogKey.txID: "\(txid)"])
    }
  }

  private func alarm(_ kind: String, _ message: String) async throws {
    logger.critical(
      "Signer's vouching needs a person", metadata: [LogKey.alarmKind: "\(kind)", "detail": "\(message)"])
    try await ledger.raiseAlarm(kind: kind, subject: "signer \(signer)", message: message)
  }
}

/// Why this Signer does not vouch. Nothing is signed meanwhile; the step is tried again.
struct VouchingRefusal: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}
