import Keystore
import Ledger
import Payoutctl
import Payouts
import Streams
import Synchronization
import Tron

/// The person who is called: looks every half minute or so, and does what the runbooks say, by the code of `payoutctl`.
///
/// What it sees of the database costs no input or output; what it does goes through the gate like everybody's.
extension SimulatedWorld {
  /// After so long an open breaker is closed, when nothing is left that could explain it.
  private static let patienceMilliseconds: Int64 = 30_000
  /// So often a payout that Signer's own limit holds is released, before it is rejected.
  private static let releasesMax = 2

  /// Works until the process dies.
  func operate(_ process: SimulatedProcess) async {
    while (try? await host.sleep(until: host.now + 10_000 + Int64(host.draw(below: 30_000)))) != nil {
      let ledger = ledger(process)
      // What fails is tried again in the next round.
      for index in 0..<settings.replicas { try? await tend(index, ledger) }
      try? await replay(process)
      let look = try? await reconcile(process)
      if look?.isFinal == true { try? await acknowledge(ledger) }
      try? await decideHeld(process, dropped: look?.dropped ?? [])
    }
  }

  // MARK: Signers and their disks

  private func tend(_ index: Int, _ ledger: SimulatedLedger) async throws {
    let tables = database.contents
    let name = Self.signerName(index)
    if disks.awayUntil(index) > host.now, !tables.isContinuous, settings.replicas > 1 {
      _ = try await ledger.requestQuarantine(
        QuarantineRequest(signer: name, cause: .signerAway, reason: "its machine is away"))
    }
    let declared = tables.journals[name]?.journalID
    let present = disks.present(index)
    let isUnusable = present.map { tables.retiredJournals[$0.id] != nil } ?? true
    // What was found before another journal took its place vouches for itself.
    let isFound = present?.id != declared && disks.atHand(index).contains { $0.id == declared }
    if isUnusable || isFound && host.draw(below: 2) == 0 {
      kill("\(WorkerKind.signer.rawValue)-\(index + 1)")
      if let old = disks.atHand(index).first(where: { $0.id == declared }) {
        disks.place(old, index)
      } else {
        let new = SimulatedDisk(id: SimulatedRandom(host).bytes(16))
        disks.place(new, index)
        // `signer init --journal-lost`, or its Signer notices it by itself.
        if host.draw(below: 2) == 0 {
          _ = try await ledger.requestQuarantine(
            QuarantineRequest(signer: name, cause: .journalLost, journalID: new.id, reason: "the disk is lost"))
        }
      }
    }
    for disk in disks.atHand(index) where tables.retiredJournals[disk.id] != nil {
      if case .brought(_, let deferred, let contradicted) = try await ledger.bring(disk.held, of: disk.id),
        deferred.isEmpty, contradicted.isEmpty
      {
        disks.noteBrought(disk.id, index)
      }
    }
  }

  // MARK: What a restore took

  private func replay(_ process: SimulatedProcess) async throws {
    let tables = database.contents
    let isCalled = tables.alarms.contains {
      $0.kind == "lost_acceptances" && $0.lastAt.milliseconds > host.now - 60_000
    }
    guard isCalled else { return }
    _ = try await ReplayIntents(
      ledger: ledger(process), log: transport(process), seals: SealVerifier(sealer.publicKeyText), isDryRun: false
    ).run()
  }

  /// What `payoutctl reconcile` comes to.
  private struct Look {
    /// Whether nothing of what the fence found can be explained any further.
    var isFinal = true
    /// What a fork dropped for good.
    var dropped: Set<TxID> = []
  }

  private func reconcile(_ process: SimulatedProcess) async throws -> Look {
    guard database.contents.findings.contains(where: { !$0.isExplained }) else { return Look() }
    func run(_ chosen: [TxID: PayoutID]) async throws -> ReconcileReport {
      try await ReconcileFindings(
        ledger: ledger(process), find: FindTransaction(node: node(process), token: Self.token), wanted: [],
        chosen: chosen, reason: "lost in the restore"
      ).run()
    }
    var report = try await run([:])
    var chosen: [TxID: PayoutID] = [:]
    // What has paid before what has failed, and of what has failed one for a payout: the next look chooses the next.
    for chain in ["paid", "failed on chain"] {
      for entry in report.transactions where entry.outcome == .choose && entry.chain?.hasPrefix(chain) == true {
        guard let choice = try entry.choices.first.map({ try PayoutID($0) }) else { continue }
        if chain == "paid" || !chosen.values.contains(choice) { chosen[try TxID(hex: entry.txid)] = choice }
      }
    }
    if !chosen.isEmpty { report = try await run(chosen) }
    return Look(
      isFinal: report.transactions.allSatisfy { entry in
        switch entry.outcome {
        case .noPayout, .notAPayout, .dropped: true
        case .choose: entry.chain?.hasPrefix("anomalous") == true
        case .matches, .ordered, .notSolid, .unreadable, .refused: false
        }
      },
      dropped: Set(try report.transactions.filter { $0.outcome == .dropped }.map { try TxID(hex: $0.txid) }))
  }

  private func acknowledge(_ ledger: SimulatedLedger) async throws {
    let tables = database.contents
    let isOpen = tables.breaker.exit == .operatorOnly || tables.findings.contains { $0.isOpen && $0.isJudged }
    guard isOpen, tables.breaker.since.milliseconds <= host.now - Self.patienceMilliseconds else { return }
    try await ledger.closeBreaker()
  }

  // MARK: Held payouts

  private func decideHeld(_ process: SimulatedProcess, dropped: Set<TxID>) async throws {
    let tables = database.contents
    let (ledger, log) = (ledger(process), transport(process))
    for row in tables.payouts(in: [.held]) {
      guard let decision = decision(on: row, tables, dropped) else { continue }
      let outcome = try await ledger.decide(
        row.terms.id, decision, seen: row.holdReason, reason: "decided",
        requiredConfirmations: settings.solidLag + 1)
      guard case .done(let status) = outcome, status.isUnpaidFinal,
        let record = try await ledger.payout(row.terms.id), let end = PayoutEnd(record)
      else { continue }
      // As `DecideHeld` does; an end that stays out of the log is lost with a restore.
      await IntentRecorder(log, logger: Self.logger).record([Intent.ended(end).fields])
    }
  }

  private func decision(
    on row: LedgerTables.Payout, _ tables: LedgerTables, _ dropped: Set<TxID>
  ) -> HeldDecision? {
    switch row.holdReason.flatMap(HoldReason.init(rawValue:)) {
    case .signerLimit:
      let times = (tables.events[row.terms.id] ?? []).filter { $0.to == .held }.count
      return times > Self.releasesMax ? .reject : .release
    case .endWasLost: return .reject
    case .historyUnproven: return oracle.toldUnpaidEnd(of: row.terms.reference) ? .reject : .release
    case .referenceInUse: return .release
    case .unclaimedTransfer:
      // Until reconciling has adopted it, or found that it is no payment of this one.
      let equal = tables.findings.filter {
        !$0.isExplained && $0.what.recipient == row.terms.recipient
          && $0.what.amountText == "\(row.terms.amount.microUSDT)"
      }
      // No payout that equals an unexplained one is ever signed: its client asks again under another key.
      return equal.isEmpty ? .release : equal.allSatisfy { dropped.contains($0.what.txid) } ? .reject : nil
    default: return nil
    }
  }
}
