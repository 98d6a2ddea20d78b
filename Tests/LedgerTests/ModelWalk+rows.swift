import Ledger
import Payouts
import Postgres

@testable import Simulation

/// What stands in the tables, as lines of one text that both sides write alike.
extension ModelWalk {
  func realRows() async throws -> String {
    try await test.pool.execute(Self.contents).rows[0].text("contents")
  }

  private static let contents = PostgresStatement(
    """
    SELECT string_agg(line, E'\n' ORDER BY line COLLATE "C") AS contents FROM (
      SELECT 'payout ' || concat_ws(' ', id, status, coalesce(held_from::text, '-'), coalesce(hold_reason, '-'),
          coalesce(settlement_batch_id::text, '-'), coalesce(unix_ms(not_before)::text, '-'), unix_ms(status_since),
          coalesce(not_before_reason, '-'), priority, router, batch_type, amount, encode(recipient, 'hex'),
          unix_ms(window_end), coalesce(unix_ms(expires_at)::text, '-')) AS line
        FROM payouts
      UNION ALL SELECT 'event ' || concat_ws(' ', payout_id, count(*), string_agg(to_status::text, ',' ORDER BY id))
        FROM payout_events GROUP BY payout_id
      UNION ALL SELECT 'transaction ' || concat_ws(' ', encode(txid, 'hex'), status, unix_ms(next_broadcast_at),
          coalesce(block_number::text, '-'), coalesce(result, '-'))
        FROM transactions
      UNION ALL SELECT 'attempt ' || concat_ws(' ', encode(reference, 'hex'), number, encode(txid, 'hex'),
          coalesce(outcome::text, '-'), coalesce(blame, '-'), late)
        FROM attempts
      UNION ALL SELECT 'used ' || concat_ws(' ', scope, span, unix_ms(starts_at), used)
        FROM limit_windows WHERE used <> 0
      UNION ALL SELECT 'breaker ' || concat_ws(' ', state, coalesce(cause, '-'), coalesce(closes_by, '-'),
          failures_in_row, unix_ms(since))
        FROM breaker
      UNION ALL SELECT 'finding ' || concat_ws(' ', encode(txid, 'hex'), kind, log_index, judged_at IS NOT NULL,
          explained_at IS NOT NULL, acknowledged_at IS NOT NULL)
        FROM unclaimed_transfers
      UNION ALL SELECT 'lost end ' || concat_ws(' ', encode(reference, 'hex'), status, unix_ms(ended_at),
          answered_at IS NOT NULL)
        FROM lost_ends
      UNION ALL SELECT 'webhook ' || concat_ws(' ', payout_id, url, event, unix_ms(at), coalesce(encode(txid, 'hex'), '-'),
          coalesce(hold_reason, '-'), state, tries, unix_ms(next_try_at))
        FROM webhook_deliveries
      UNION ALL SELECT 'server ' || concat_ws(' ', origin, claims, failures,
          CASE WHEN isfinite(closed_until) THEN unix_ms(closed_until)::text ELSE '-' END)
        FROM webhook_origins
      UNION ALL SELECT 'adoption ' || concat_ws(' ', encode(txid, 'hex'), payout_id, done_at IS NOT NULL,
          refused_at IS NOT NULL)
        FROM adoptions
      UNION ALL SELECT 'treasury ' || concat_ws(' ', id, coalesce(encode(txid, 'hex'), '-'), refused_at IS NOT NULL)
        FROM treasury_orders
      UNION ALL SELECT 'cursor ' || concat_ws(' ', view, number, encode(block_id, 'hex')) FROM chain_cursors
      UNION ALL SELECT 'block ' || concat_ws(' ', number, encode(block_id, 'hex')) FROM chain_blocks
      UNION ALL SELECT 'quarantine ' || concat_ws(' ', id, signer, cause, coalesce(encode(journal_id, 'hex'), '-'),
          coalesce(until_ms::text, '-'), is_of_present_life(q), quarantine_is_over(q), coalesce(outcome, '-'))
        FROM quarantines q
      UNION ALL SELECT 'journal ' || concat_ws(' ', signer, encode(journal_id, 'hex')) FROM journals
      UNION ALL SELECT 'retired ' || concat_ws(' ', signer, encode(journal_id, 'hex')) FROM retired_journals
      UNION ALL SELECT 'continuous ' || continuous()
    ) lines
    """, readsOnly: true)

  func modelRows() -> String {
    var lines = model.payouts.values.map { row in
      "payout \(row.terms.id) \(row.status.rawValue) \(row.heldFrom?.rawValue ?? "-") \(row.holdReason ?? "-") "
        + "\(row.settlementBatch?.description ?? "-") \(Self.text(row.notBefore)) \(row.statusSince.milliseconds) "
        + "\(row.notBeforeReason?.rawValue ?? "-") \(row.particulars.priority.rawValue) \(row.terms.router.rawValue) "
        + "\(row.terms.batchType.rawValue) \(row.terms.amount.microUSDT) \(Hex.text(row.terms.recipient.bytes)) "
        + "\(row.windowEnd.milliseconds) \(Self.text(row.terms.expiresAt))"
    }
    lines += model.events.map { id, events in
      "event \(id) \(events.count) \(events.map(\.to.rawValue).joined(separator: ","))"
    }
    lines += model.transactions.values.map { row in
      "transaction \(row.entry.txid) \(row.status.rawValue) \(row.nextBroadcastAt.milliseconds) "
        + "\(row.block.map { "\($0.number)" } ?? "-") \(row.result ?? "-")"
    }
    lines += model.attempts.values.flatMap { $0 }.map { row in
      "attempt \(row.reference) \(row.number) \(row.txid) \(row.outcome?.rawValue ?? "-") \(row.blame?.rawValue ?? "-") "
        + Self.text(row.isLate)
    }
    lines += model.used.filter { $0.value.microUSDT != 0 }.map { window, amount in
      "used \(Self.text(window.scope)) \(window.span.rawValue) \(window.startsAt.milliseconds) \(amount.microUSDT)"
    }
    lines.append(breakerLine)
    lines += model.findings.map { row in
      "finding \(row.what.txid) \(row.what.kind.rawValue) \(row.what.logIndex) \(Self.text(row.isJudged)) "
        + "\(Self.text(row.isExplained)) \(Self.text(row.isAcknowledged))"
    }
    lines += model.lostEnds.map { row in
      "lost end \(row.end.reference) \(row.end.status.rawValue) \(row.end.at.milliseconds) "
        + Self.text(row.answeredAt != nil)
    }
    lines += model.webhooks.map { row in
      "webhook \(row.payout) \(row.url) payout.\(row.status.rawValue) \(row.at.milliseconds) "
        + "\(row.txid?.description ?? "-") \(row.holdReason ?? "-") \(row.state.rawValue) \(row.tries) "
        + "\(row.nextTryAt.milliseconds)"
    }
    lines += model.servers.map { origin, row in
      "server \(origin) \(row.claims) \(row.failures) \(Self.text(row.closedUntil))"
    }
    lines += model.adoptions.map { row in
      "adoption \(row.order.txid) \(row.order.payout) \(Self.text(row.state == .done)) \(Self.text(row.state == .refused))"
    }
    lines += model.treasury.map { row in
      "treasury \(row.order.id) \(row.txid.map { "\($0)" } ?? "-") \(Self.text(row.isRefused))"
    }
    lines += model.cursors.map { "cursor \($0.key.rawValue) \($0.value.number) \($0.value.id)" }
    lines += model.blocks.map { "block \($0.number) \($0.id)" }
    lines += model.quarantineRecords.map { row in
      "quarantine \(row.id) \(row.signer) \(row.cause.rawValue) \(row.journalID.map(Hex.text) ?? "-") "
        + "\(Self.text(row.until)) \(Self.text(row.isOfPresentLife)) \(Self.text(row.isOver)) "
        + "\(row.outcome?.rawValue ?? "-")"
    }
    lines += model.journals.map { "journal \($0.key) \(Hex.text($0.value.journalID))" }
    lines += model.retiredJournals.map { "retired \($0.value) \(Hex.text($0.key))" }
    lines.append("continuous \(model.isContinuous)")
    return lines.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.joined(separator: "\n")
  }

  /// After two transactions at once, or one that changed several payouts: their webhooks' numbers are in the order that they
  /// came to, one of each payout after the other.
  mutating func takeOverOrderOfWebhooks() async throws {
    guard model.webhooks.count > 1 else { return }
    let real = try await test.rows(
      "SELECT payout_id || ' ' || event || ' ' || unix_ms(at) AS name FROM webhook_deliveries ORDER BY number")
    var left = Dictionary(grouping: model.webhooks) {
      "\($0.payout) payout.\($0.status.rawValue) \($0.at.milliseconds)"
    }
    let before = model.webhooks
    model.webhooks = try real.map { name in
      guard let next = left[name]?.first else { try differ("no webhook \(name) in the model") }
      left[name]?.removeFirst()
      return next
    }
    for payout in Set(before.map(\.payout)) {
      let (ours, theirs) = (before.filter { $0.payout == payout }, model.webhooks.filter { $0.payout == payout })
      guard ours.map(\.id) == theirs.map(\.id) else { try differ("\(payout) is told in another order") }
    }
  }

  private var breakerLine: String {
    let breaker = model.breaker
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

  private static func text(_ scope: LedgerTables.Window.Scope) -> String {
    switch scope {
    case .signed: "signed"
    case .accepted(nil): "accepted"
    case .accepted(let router?): "accepted_\(router.rawValue)"
    }
  }
}
