import Ledger
import Payouts
import Tron

/// What must hold at every change of the database, whoever makes it. By its own rules: what the ledger's model thinks of
/// trust and limits is not asked.
extension Oracle {
  /// A transaction is committed. Where its COMMIT takes effect late, what it decided was decided by what it saw, and what
  /// it made true is true from then on.
  func changed(
    _ stage: SimulatedDatabase.Stage = .done, from before: LedgerTables, to after: LedgerTables
  ) {
    if stage != .landed {
      watchSigning(before, after)
      watchEnds(before, after)
    }
    if stage != .made {
      noteCommitted(before, after)
      watchContinuity(before, after)
      if before.limitsDiffer(from: after) { watchLimits(after) }
    }
  }

  /// A restore may lose what was committed, and sent.
  private func noteCommitted(_ before: LedgerTables, _ after: LedgerTables) {
    guard after.transactions.count != before.transactions.count else { return }
    state.withLock { $0.committed.formUnion(after.transactions.keys) }
  }

  private func isTrusted(_ tables: LedgerTables) -> Bool {
    tables.vouchedLife == tables.life && !tables.findings.contains { !$0.isExplained && !$0.isAcknowledged }
  }

  /// **Nothing is signed** while the history is not vouched for or a finding is open, nor after a theft that the fence has
  /// read and nobody was told of.
  private func watchSigning(_ before: LedgerTables, _ after: LedgerTables) {
    guard after.transactions.count != before.transactions.count else { return }
    for txid in after.transactions.keys where before.transactions[txid] == nil && after.putBacks[txid] != after.now {
      if !isTrusted(before) { violated("\(txid) was signed while the history was not trusted") }
      for theft in strange where theft.kind.isTheft {
        guard let place = chain.block(of: theft.txid), after.blocks.contains(where: { $0.id == place.id }) else {
          continue
        }
        if !before.findings.contains(where: { $0.what.txid == theft.txid }) {
          violated("\(txid) was signed although the fence had read the theft \(theft.txid)")
        }
      }
    }
  }

  /// **Nothing ends unpaid** meanwhile.
  private func watchEnds(_ before: LedgerTables, _ after: LedgerTables) {
    guard !isTrusted(before) else { return }
    for (id, row) in after.payouts where row.status.isUnpaidFinal && before.payouts[id]?.status != row.status {
      violated("\(id) became \(row.status) while the history was not trusted")
    }
  }

  /// **Whoever trusts the history knows all of it**: when it is vouched for, every transaction that was ever sent is in the
  /// database, or can never pay, or lies in a solid block that the fence has read and is a finding.
  private func watchContinuity(_ before: LedgerTables, _ after: LedgerTables) {
    guard after.vouchedLife == after.life, before.vouchedLife != after.life else { return }
    watchLog(after)
    let solid = after.cursors[.solid]?.number ?? -1
    for sent in chain.broadcasts where after.transactions[sent.txid] == nil && !chain.isOver(sent) {
      if let place = chain.block(of: sent.txid), place.number <= solid,
        after.findings.contains(where: { $0.what.txid == sent.txid })
      {
        continue
      }
      violated("the history was vouched for without \(sent.txid), which may still pay \(sent.recipient)")
    }
  }

  /// **Limits are exact**: each window holds what its payouts and attempts say, and not more than it may.
  func watchLimits(_ tables: LedgerTables) {
    var expected: [LedgerTables.Window: Int64] = [:]
    for row in tables.payouts.values where !row.status.isUnpaidFinal {
      for router in [nil, row.terms.router] {
        for (span, start) in [(LimitSpan.hour, row.hourWindow), (.day, row.dayWindow)] {
          expected[.init(scope: .accepted(router), span: span, startsAt: start), default: 0] +=
            row.terms.amount.microUSDT
        }
      }
    }
    for attempt in tables.attempts.values.joined() where attempt.isLive || attempt.outcome == .paid {
      guard let signedAt = tables.transactions[attempt.txid]?.entry.signedAt else { continue }
      for span in LimitSpan.allCases {
        let start = LedgerTables.windowStart(span, signedAt)
        expected[.init(scope: .signed, span: span, startsAt: start), default: 0] += attempt.amount.microUSDT
      }
    }
    for window in Set(expected.keys).union(tables.used.keys) {
      let (used, own) = (tables.used[window]?.microUSDT ?? 0, expected[window] ?? 0)
      if used != own { violated("the window \(window) says \(used), its payouts \(own)") }
      if let limit = limit(of: window, tables), used > limit {
        violated("the window \(window) holds \(used), at most \(limit) are allowed")
      }
    }
  }

  /// What was accepted or signed is put back whatever the limit is.
  private func limit(of window: LedgerTables.Window, _ tables: LedgerTables) -> Int64? {
    switch window.scope {
    case .accepted(let router):
      tables.replayedAt == nil ? settings.limits[window.span, of: router]?.microUSDT : nil
    case .signed:
      tables.putBacks.isEmpty && window.span == .hour && settings.signerHourlyLimit > 0
        ? settings.signerHourlyLimit : nil
    }
  }
}

extension LedgerTables {
  /// Whether anything is different by which limits are judged. Tables that nobody has written to are not compared row by
  /// row: they are the same storage.
  fileprivate func limitsDiffer(from others: LedgerTables) -> Bool {
    payouts != others.payouts || attempts != others.attempts || used != others.used
      || transactions.count != others.transactions.count
      || putBacks.isEmpty != others.putBacks.isEmpty || replayedAt != others.replayedAt
  }
}
