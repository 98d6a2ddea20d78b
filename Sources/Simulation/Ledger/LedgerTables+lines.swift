import Ledger
import Payouts

extension LedgerTables {
  /// What stands in the tables, as lines of one text in the order of their bytes: the differential test reads PostgreSQL's
  /// tables into the same. (It stands here because the tests themselves are not optimised, and this runs at each step.)
  var lines: String {
    var lines = payouts.values.map { row in
      "payout \(row.terms.id) \(row.status.rawValue) \(row.heldFrom?.rawValue ?? "-") \(row.holdReason ?? "-") "
        + "\(row.settlementBatch?.description ?? "-") \(Self.text(row.notBefore)) \(row.statusSince.milliseconds) "
        + "\(row.notBeforeReason?.rawValue ?? "-") \(row.particulars.priority.rawValue) \(row.terms.router.rawValue) "
        + "\(row.terms.batchType.rawValue) \(row.terms.amount.microUSDT) \(Hex.text(row.terms.recipient.bytes)) "
        + "\(row.windowEnd.milliseconds) \(Self.text(row.terms.expiresAt))"
    }
    lines += payouts.values.compactMap { row in row.terms.clientBatch.map { "member \(row.terms.id) \($0)" } }
    lines += clientBatches.map { id, row in
      "client batch \(id) \(row.owner) \(row.size.payoutCount) \(row.size.total.microUSDT)"
    }
    lines += events.map { id, events in
      "event \(id) \(events.count) \(events.map(\.to.rawValue).joined(separator: ","))"
    }
    lines += transactions.values.map { row in
      let (block, fee) = (row.block.map { "\($0.number)" } ?? "-", row.cost.map { "\($0.fee.count)" } ?? "-")
      return "transaction \(row.entry.txid) \(row.status.rawValue) \(row.nextBroadcastAt.milliseconds) \(block) "
        + "\(row.result ?? "-") \(fee) \(row.lastAnswer ?? "-")"
    }
    lines += attempts.values.flatMap { $0 }.map { row in
      "attempt \(row.reference) \(row.number) \(row.txid) \(row.outcome?.rawValue ?? "-") \(row.blame?.rawValue ?? "-") "
        + Self.text(row.isLate)
    }
    lines += used.filter { $0.value.microUSDT != 0 }.map { window, amount in
      "used \(Self.text(window.scope)) \(window.span.rawValue) \(window.startsAt.milliseconds) \(amount.microUSDT)"
    }
    lines.append(breakerLine)
    lines += findings.map { row in
      "finding \(row.what.txid) \(row.what.kind.rawValue) \(row.what.logIndex) \(Self.text(row.isJudged)) "
        + "\(Self.text(row.isExplained)) \(Self.text(row.isAcknowledged)) \(row.place.number) \(Self.text(row.isSolid))"
    }
    lines += lostEnds.map { row in
      "lost end \(row.end.reference) \(row.end.status.rawValue) \(row.end.at.milliseconds) "
        + Self.text(row.answeredAt != nil)
    }
    lines += toldConflicts.map { "conflicting acceptance \($0)" }
    lines += webhooks.map { row in
      "webhook \(row.payout) \(row.url) payout.\(row.status.rawValue) \(row.at.milliseconds) "
        + "\(row.txid?.description ?? "-") \(row.holdReason ?? "-") \(row.state.rawValue) \(row.tries) "
        + "\(row.nextTryAt.milliseconds)"
    }
    lines += servers.map { origin, row in
      "server \(origin) \(row.claims) \(row.failures) \(Self.text(row.closedUntil))"
    }
    lines += adoptions.map { row in
      "adoption \(row.order.txid) \(row.order.payout) \(Self.text(row.state == .done)) \(Self.text(row.state == .refused))"
    }
    lines += treasury.map { row in
      "treasury \(row.order.id) \(row.txid.map { "\($0)" } ?? "-") \(Self.text(row.isRefused))"
    }
    lines += headResets.map { row in
      switch row.state {
      case .ordered: "head reset \(row.order.id) f - -"
      case .refused: "head reset \(row.order.id) t - -"
      case .done(let from, let to): "head reset \(row.order.id) f \(from) \(to)"
      }
    }
    lines += cursors.map {
      "cursor \($0.key.rawValue) \($0.value.number) \($0.value.id) \($0.value.time.milliseconds)"
    }
    lines += blocks.map { "block \($0.number) \($0.id)" }
    lines += zip(quarantineRecords, quarantines).map { row, whole in
      "quarantine \(row.id) \(row.signer) \(row.cause.rawValue) \(row.journalID.map(Hex.text) ?? "-") "
        + "\(Self.text(row.until)) \(whole.wait.map { "\($0.beginBlockNumber)" } ?? "-") "
        + "\(Self.text(row.isOfPresentLife)) \(Self.text(row.isOver)) "
        + "\(row.outcome?.rawValue ?? "-")"
    }
    lines += alarms.filter { !($0.isAcknowledged && $0.kind == "operator") }.map { row in
      "alarm \(row.kind) \(row.subject) \(row.raisedAt.milliseconds) \(row.lastAt.milliseconds) \(row.count) "
        + "\(Self.text(row.isTold)) \(Self.text(row.isAcknowledged)) \(row.tellAt.milliseconds)"
    }
    lines += secretRows.flatMap { owner, rows in
      rows.map { "secret \(owner) \($0.secret.withBytes { Hex.text($0) }) \(Self.text($0.validUntil))" }
    }
    lines.append("pause \(Self.text(pauseReason != nil)) \(pauseReason ?? "-")")
    lines += standstills.map { signer, row in
      "standstill \(signer) \(row.reason.rawValue) \(row.since.milliseconds) \(row.seenAt.milliseconds)"
    }
    lines += wallets.map { "wallet \(Hex.text($0.key.bytes)) \($0.value.number)" }
    lines += [checkpoint].compactMap(\.self).map { "checkpoint \($0.lastID) \(Self.text($0.life == life))" }
    lines += journals.map { "journal \($0.key) \(Hex.text($0.value.journalID))" }
    lines += Dictionary(vouchings.map { ($0.signer, $0.runID) }) { $1 }.map { "word \($0.key) \(Hex.text($0.value))" }
    lines += retiredJournals.map { "retired \($0.value) \(Hex.text($0.key))" }
    lines.append("continuous \(isContinuous)")
    // All is ASCII: the order is that of the bytes.
    return lines.sorted().joined(separator: "\n")
  }

  private var breakerLine: String {
    let state =
      switch breaker.state {
      case .closed: "closed"
      case .open: "open"
      case .halfOpen: "half_open"
      }
    let exit = breaker.exit.map { $0 == .trial ? "trial" : "operator" } ?? "-"
    return "breaker \(state) \(breaker.cause ?? "-") \(exit) \(breaker.failuresInRow) \(breaker.since.milliseconds)"
  }

  private static func text(_ moment: Timestamp?) -> String { moment.map { "\($0.milliseconds)" } ?? "-" }

  private static func text(_ flag: Bool) -> String { flag ? "t" : "f" }

  private static func text(_ scope: Window.Scope) -> String {
    switch scope {
    case .signed: "signed"
    case .accepted(nil): "accepted"
    case .accepted(let router?): "accepted_\(router.rawValue)"
    }
  }
}
