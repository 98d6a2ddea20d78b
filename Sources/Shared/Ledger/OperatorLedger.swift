public import Payouts

/// What a replay of the log of intents asks of the ledger.
public protocol ReplayLedger: IntentLedger {
  /// Puts back acceptances that this database has lost, exactly as they were, counted in their windows, in one transaction;
  /// a payout under whose reference another request was accepted meanwhile is held. Doing it twice changes nothing more.
  ///
  /// - Parameter acceptances: with unbroken seals, which is the caller's to check.
  func putBack(acceptances: [AcceptedPayout]) async throws -> IntentReplay
  /// Asks a person about unpaid ends that this database has lost: their payouts are held, and nothing of their references is
  /// signed before the answer (reject, settle, or release although it ended). Doing it twice changes nothing more.
  func putBack(ends: [PayoutEnd]) async throws -> IntentReplay
}

/// What matching the fence's findings to payouts asks of the ledger.
public protocol ReconcileLedger: Sendable {
  /// What the fence found and nothing has explained, the oldest first, with the order about it. Where there are more: those of
  /// `named` before others, then what nobody has acknowledged, then what a quorum had solid.
  func unexplainedFindings(naming named: Set<TxID>, atMost count: Int) async throws -> [UnexplainedFinding]
  /// The time of the newest solid block that was read; nil before the first.
  func solidTime() async throws -> Timestamp?
  /// So long after the database's time at its signing a transaction of this installation's Signers may be valid, in
  /// milliseconds: the database stores none that may be for longer.
  func longestLifeMilliseconds() async throws -> Int64
  /// Payouts that pay this, wait, and have no attempt that is live or has paid their reference; and those that ended unpaid.
  func payouts(paying recipient: Address, _ amount: Amount) async throws -> [PayoutRecord]
  /// Orders a Signer to adopt a transaction that the fence found for a payout (DESIGN.md §3 "The fence").
  ///
  /// - Returns: why it was not ordered; nil where it stands, committed.
  func order(_ adoption: AdoptionOrder) async throws -> AdoptionRefusal?
}

/// What the operator's command line asks of the ledger.
public protocol OperatorLedger: ReplayLedger, ReconcileLedger {
  /// The wallet declared under this installation, if any.
  func watch() async throws -> ChainWatch?
  /// The wallet and journal that stand under a Signer's name, if any.
  func declaredJournal(of signer: String) async throws -> DeclaredJournal?
  /// Declares a wallet and the journal of one of its Signers (DESIGN.md §3 "Continuity", `payoutctl signer init`).
  ///
  /// - Parameter waits: whether it waits one quarantine before it vouches, as a wallet with a past must.
  /// - Returns: what came of it; committed.
  func declare(
    wallet: Address, signer: String, journalID: [UInt8], begin: BlockPlace, waits: Bool
  ) async throws -> WalletDeclaration

  /// See `SignerLedger.requestQuarantine`.
  func requestQuarantine(_ request: QuarantineRequest) async throws -> QuarantineAnswer
  /// Quarantines, the open ones first, then the newest.
  func quarantines(atMost count: Int) async throws -> [QuarantineRecord]
  /// Puts back what a journal holds whose place another one has taken, for the verdict of the chain: nothing of it is ever
  /// signed again because of that, and the findings that it explains are closed.
  func bring(_ journal: [JournalEntry], of journalID: [UInt8]) async throws -> LateJournalOutcome

  /// A payout by its id.
  func payout(_ id: PayoutID) async throws -> PayoutRecord?
  /// The attempts of a payout's reference that pay what it is to be paid, oldest first.
  func attempts(of id: PayoutID) async throws -> [AttemptRecord]

  /// Payouts that wait for a person, the one that has waited longest first.
  func heldPayouts(atMost count: Int) async throws -> [PayoutRecord]
  /// Carries out a person's decision about a held payout, as one guarded change (DESIGN.md §2).
  ///
  /// - Parameters:
  ///   - reason: why, in the person's words; stands in the payout's history.
  ///   - seen: for what it was held when the person looked; a release names it where `HoldReason.mustBeNamed`, and where it
  ///     names any, that one. A request that is repeated because its answer was lost would let go what nobody has seen.
  ///   - requiredConfirmations: `REQUIRED_CONFIRMATIONS`, for a payout whose attempt has paid meanwhile.
  /// - Returns: where the payout is now, committed; or why nothing was changed.
  func decide(
    _ payout: PayoutID, _ decision: HeldDecision, seen: String?, reason: String, requiredConfirmations: Int64
  ) async throws -> HeldOutcome

  /// Orders a Signer to move money of the wallet to an address of its own configuration. The same order twice is one.
  func order(_ sweep: TreasuryOrder) async throws
  /// Treasury orders, the newest first, and what came of them.
  func treasuryOrders(atMost count: Int) async throws -> [TreasuryOrderRecord]

  /// Orders Monitor to set the head to the solid block that was followed (`MonitorLedger.resetHead`).
  func orderHeadReset(reason: String) async throws -> HeadResetAnswer
  /// Such orders, the newest first, and what came of them.
  func headResets(atMost count: Int) async throws -> [HeadResetRecord]

  /// The breaker, and what the fence has found and nobody explained or acknowledged.
  func breaker() async throws -> BreakerReport
  /// Opens the breaker until an operator closes it, and raises the alarm that says who and why.
  ///
  /// - Returns: the cause for which it was open already until an operator closes it; nil where this call opened it.
  func openBreaker(reason: String) async throws -> String?
  /// Closes the breaker and acknowledges the findings of the fence that were judged (DESIGN.md §3 "The fence").
  ///
  /// - Returns: what was closed and acknowledged; nil where there was nothing to close or acknowledge.
  func closeBreaker(reason: String) async throws -> ClosedBreaker?
  /// Stops all signing until it is resumed. False where it is paused already; nothing is changed then.
  func pause(reason: String) async throws -> Bool
  /// Ends the pause. False where nothing is paused.
  func resume(reason: String) async throws -> Bool
  /// What may keep payouts from being paid just now.
  func conditions() async throws -> PayingConditions

  /// Alarms that nobody has acknowledged, the oldest first.
  func standingAlarms(atMost count: Int) async throws -> [AlarmRecord]
  /// Ends an alarm; the same cause raises a new one.
  ///
  /// - Returns: the alarm; nil where none stands under this id.
  func acknowledgeAlarm(_ id: Int64, reason: String) async throws -> AlarmRecord?

  /// How many payouts are in each stage and since when the oldest one is, in the order of their way.
  ///
  /// - Parameter maximum: a stage that holds more is told as holding so many, and costs no more than those; nil counts all.
  func stageDepths(countingAtMost maximum: Int64?) async throws -> [StageDepth]

  /// See `WebhookLedger.webhookSecrets`.
  func webhookSecrets(of owner: String) async throws -> [WebhookSecret]
  /// See `WebhookLedger.makeWebhookSecret`.
  func makeWebhookSecret(of owner: String, _ candidate: WebhookSecret) async throws -> [WebhookSecret]
  /// Gives an owner another secret; the old one signs as well for a while, so that receivers can change over.
  ///
  /// - Returns: those that are valid now, the new one first; committed.
  func rotateWebhookSecret(
    of owner: String, to secret: WebhookSecret, oldValidMilliseconds: Int64
  ) async throws -> [WebhookSecret]
}

/// What came of a declaration.
public enum WalletDeclaration: Sendable, Hashable {
  /// The wallet, its begin block and this Signer's journal are declared.
  case declared
  /// This journal was declared under this name before.
  case alreadyDeclared
  /// Another journal stands under this name: the old one is lost, which takes a quarantine.
  case anotherJournal
  /// The wallet has signed before, so that a new journal does not know all: declare it with a wait.
  case walletHasPast
}

extension OperatorLedger {
  /// Declares a wallet without a past.
  public func declare(
    wallet: Address, signer: String, journalID: [UInt8], begin: BlockPlace
  ) async throws -> WalletDeclaration {
    try await declare(wallet: wallet, signer: signer, journalID: journalID, begin: begin, waits: false)
  }
}
