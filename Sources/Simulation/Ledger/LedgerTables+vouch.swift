import Ledger
import Payouts

/// What Signer asks for: continuity (DESIGN.md §3).
extension LedgerTables {
  /// `Ledger.declare`.
  mutating func declare(
    wallet: Address, signer: String, journalID: [UInt8], begin: BlockPlace, waits: Bool = false
  ) throws -> WalletDeclaration {
    let declared = DeclaredJournal(wallet: wallet, journalID: journalID)
    if let known = journals[signer] { return known == declared ? .alreadyDeclared : .anotherJournal }
    let isUsed = quarantines.contains { $0.endedAt == nil && $0.request.journalID == journalID }
    guard retiredJournals[journalID] == nil, !isUsed else {
      throw LedgerError(.refused, "the journal was retired, or waits to take the place of a lost one")
    }
    if !waits, transactions.values.contains(where: { $0.entry.wallet == wallet }) { return .walletHasPast }
    guard !journals.values.contains(where: { $0.journalID == journalID }) else {
      throw LedgerError(.refused, "the journal stands under another name")
    }
    if wallets[wallet] == nil { wallets[wallet] = begin }
    journals[signer] = declared
    declaredAt[signer] = now
    if waits {
      _ = store(QuarantineRequest(signer: signer, cause: .walletPast, reason: "the wallet had signed before"))
    }
    return .declared
  }

  /// `Ledger.vouchingState`.
  func vouchingState(signer: String) -> VouchingState {
    let last = vouchings.last { $0.signer == signer }
    return VouchingState(
      life: life, isContinuous: isContinuous, hasVouched: last?.life == life, declaredNames: journals.keys.sorted(),
      declared: journals[signer], lastRunID: last?.runID,
      hasServerChanged: last.map { $0.life != life } ?? hasServerChanged(sinceDeclarationOf: signer),
      quarantines: openQuarantines,
      hasWaited: waitedOut.contains(signer))
  }

  private func hasServerChanged(sinceDeclarationOf signer: String) -> Bool {
    let wasDeclaredBefore = declaredAt[signer].map { $0.milliseconds * 1_000 < life.startMicroseconds } ?? false
    return wasDeclaredBefore || vouchedLife != nil && !isContinuous
  }

  /// `Ledger.vouch`.
  mutating func vouch(_ vouching: Vouching, journal: [JournalEntry]) throws -> VouchingOutcome {
    guard life == vouching.life else { return .anotherLife }
    endQuarantines(by: vouching)
    guard journals[vouching.signer]?.journalID == vouching.journalID else { return .anotherJournal }
    if mustWait(vouching.signer) { return .waitsForQuarantine }
    let result = try putBack(missing(of: journal), signer: vouching.signer)
    guard result.contradicted.isEmpty else { return .contradicted(result.contradicted) }
    guard result.deferred.isEmpty else {
      return .waitsForVerdicts(putBack: result.putBack, deferred: result.deferred)
    }
    if case .gone(let lastID) = vouching.intentLog {
      guard result.putBack.isEmpty else { return .waitsForVerdicts(putBack: result.putBack, deferred: []) }
      try holdUnproven(upTo: lastID)
    }
    closeExplainedFindings()
    vouchings.append(
      VouchingRow(signer: vouching.signer, runID: vouching.runID, names: vouching.names, life: life))
    endQuarantine(ofVouched: vouching.signer)
    let here = vouchings.filter { $0.life == life }
    let wanted = Set(vouching.names).union(here.flatMap(\.names)).union(journals.keys)
    let unvouched = wanted.subtracting(here.map(\.signer)).subtracting(waitedOut).sorted()
    if unvouched.isEmpty { vouchedLife = life }
    return .vouched(putBack: result.putBack, missing: unvouched)
  }

  /// Which entries of a journal these tables lack.
  func missing(of journal: [JournalEntry]) -> [JournalEntry] {
    journal.filter { transactions[$0.txid] == nil || references[$0.txid] == nil }
  }

  mutating func putBack(
    _ entries: [JournalEntry], signer: String
  ) throws -> (putBack: [TxID], deferred: [TxID], contradicted: [TxID]) {
    var (done, deferred, contradicted): ([TxID], [TxID], [TxID]) = ([], [], [])
    let inOrder = entries.sorted {
      ($0.payouts.map(\.attemptNumber).max() ?? 0, $0.signedAt, $0.txid)
        < ($1.payouts.map(\.attemptNumber).max() ?? 0, $1.signedAt, $1.txid)
    }
    for entry in inOrder {
      let others = entry.payouts.compactMap { attemptInUse(of: $0.reference) }.filter { $0.txid != entry.txid }
      let isOver = cursors[.solid].map { entry.expiration <= $0.time } ?? false
      if others.contains(where: \.isLive) {
        deferred.append(entry.txid)
      } else if !others.isEmpty, !isOver {
        openBreaker(
          "contradicted_journal", "transaction \(entry.txid)", "the journal holds another attempt of what is paid")
        contradicted.append(entry.txid)
      } else {
        try putBack(entry, signer: signer, isLate: !others.isEmpty)
        done.append(entry.txid)
      }
    }
    return (done, deferred, contradicted)
  }

  private mutating func putBack(_ entry: JournalEntry, signer: String, isLate: Bool) throws {
    putBacks[entry.txid] = now
    beingPutBack.insert(entry.txid)
    defer { beingPutBack.remove(entry.txid) }
    if transactions[entry.txid] == nil {
      try insert(
        SignedColumns(
          txid: entry.txid, wallet: entry.wallet, signer: entry.signer, signedBytes: entry.signedBytes,
          referenceBlockNumber: entry.referenceBlockNumber, headTime: entry.headTime, expiration: entry.expiration,
          feeLimit: entry.feeLimit, signedAt: entry.signedAt))
    }
    for part in entry.payouts {
      if claims[part.reference] == nil { claims[part.reference] = Claim(payout: part.payout, fingerprint: nil) }
      if attempts[part.reference]?.contains(where: { $0.txid == entry.txid }) != true {
        try insert(
          Attempt(
            reference: part.reference, payout: part.payout, number: part.attemptNumber, txid: entry.txid,
            token: part.token, recipient: part.recipient, amount: part.amount, isLate: isLate),
          signedAt: entry.signedAt)
      }
      if let end = transactions[entry.txid]?.status.outcome {
        self.end(part.reference, entry.txid, as: end, blame: nil)
      }
      try setSigned(part, signer: signer, txid: entry.txid)
    }
  }

  /// `setSigned` and `holdOthers`.
  private mutating func setSigned(_ part: JournalPayout, signer: String, txid: TxID) throws {
    guard let row = payout(of: part.reference),
      attempts[part.reference]?.contains(where: { $0.txid == txid && $0.isLive && !$0.isLate }) == true
    else { return }
    let waits: Set<PayoutStatus> = [.kycPending, .compliancePending, .queued, .scheduled]
    let isSame = (row.terms.token, row.terms.recipient, row.terms.amount) == (part.token, part.recipient, part.amount)
    if isSame, waits.contains(row.status) || row.status == .held {
      try move(row.terms.id, to: .signed, note: "put back from the journal of \(signer)") { row in
        row.notBefore = nil
        let doubts: [HoldReason] = [.historyUnproven, .conflictingAcceptance]
        if row.heldFrom != nil, doubts.map(\.rawValue).contains(row.holdReason) { row.isUnproven = true }
        row.heldFrom = nil
        row.holdReason = nil
      }
    } else if !isSame, waits.contains(row.status) {
      let note = "its reference was signed with another recipient or amount, txid \(txid)"
      try hold(row.terms.id, .referenceInUse, note)
      raiseAlarm(HoldReason.referenceInUse.rawValue, "payout \(row.terms.id)", note)
    }
  }

  /// What a Signer has put back is no finding.
  mutating func closeExplainedFindings() {
    for index in findings.indices where transactions[findings[index].what.txid] != nil {
      findings[index].isExplained = true
    }
  }
}

extension TransactionStatus {
  /// How attempts of a transaction in this state have ended.
  fileprivate var outcome: AttemptOutcome? {
    switch self {
    case .solid: .paid
    case .failedOnChain: .failedOnChain
    case .dead: .dead
    case .signed, .sent, .included, .anomalous: nil
    }
  }
}
