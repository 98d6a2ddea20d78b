import Ledger
import Payouts
import Postgres

@testable import Simulation

/// What stands in the tables, as lines of one text that both sides write alike.
extension ModelWalk {
  func realRows() async throws -> String {
    try await test.pool.execute(Self.contents).rows[0].text("contents")
  }

  /// `unix_ms`, written out: a function whose body is not immutable by PostgreSQL's word is run row by row.
  private static func ms(_ column: String) -> String { "(extract(epoch FROM \(column)) * 1000)::bigint" }

  private static let presentCheckpoint = """
    (c.system_identifier, c.timeline, c.server_start, c.transactions_oid, c.transactions_file_node)
      = (s.system_identifier, s.timeline, s.server_start, s.transactions_oid, s.transactions_file_node)
    """

  private static let contents = PostgresStatement(
    """
    SELECT string_agg(line, E'\n' ORDER BY line COLLATE "C") AS contents FROM (
      SELECT 'payout ' || concat_ws(' ', id, status, coalesce(held_from::text, '-'), coalesce(hold_reason, '-'),
          coalesce(settlement_batch_id::text, '-'), coalesce(\(ms("not_before"))::text, '-'), \(ms("status_since")),
          coalesce(not_before_reason, '-'), priority, router, batch_type, amount, encode(recipient, 'hex'),
          \(ms("window_end")), coalesce(\(ms("expires_at"))::text, '-')) AS line
        FROM payouts
      UNION ALL SELECT 'member ' || concat_ws(' ', id, client_batch_id) FROM payouts WHERE client_batch_id IS NOT NULL
      UNION ALL SELECT 'client batch ' || concat_ws(' ', id, owner, payout_count, total_amount) FROM client_batches
      UNION ALL SELECT 'event ' || concat_ws(' ', payout_id, count(*), string_agg(to_status::text, ',' ORDER BY id))
        FROM payout_events GROUP BY payout_id
      UNION ALL SELECT 'transaction ' || concat_ws(' ', encode(txid, 'hex'), status, \(ms("next_broadcast_at")),
          coalesce(block_number::text, '-'), coalesce(result, '-'), coalesce(fee_sun::text, '-'),
          coalesce(last_answer, '-'))
        FROM transactions
      UNION ALL SELECT 'attempt ' || concat_ws(' ', encode(reference, 'hex'), number, encode(txid, 'hex'),
          coalesce(outcome::text, '-'), coalesce(blame, '-'), late)
        FROM attempts
      UNION ALL SELECT 'used ' || concat_ws(' ', scope, span, \(ms("starts_at")), used)
        FROM limit_windows WHERE used <> 0
      UNION ALL SELECT 'breaker ' || concat_ws(' ', state, coalesce(cause, '-'), coalesce(closes_by, '-'),
          failures_in_row, \(ms("since")))
        FROM breaker
      UNION ALL SELECT 'finding ' || concat_ws(' ', encode(txid, 'hex'), kind, log_index, judged_at IS NOT NULL,
          explained_at IS NOT NULL, acknowledged_at IS NOT NULL, block_number, is_solid)
        FROM unclaimed_transfers
      UNION ALL SELECT 'lost end ' || concat_ws(' ', encode(reference, 'hex'), status, \(ms("ended_at")),
          answered_at IS NOT NULL)
        FROM lost_ends
      UNION ALL SELECT 'conflicting acceptance ' || payout_id FROM conflicting_acceptances
      UNION ALL SELECT 'webhook ' || concat_ws(' ', payout_id, url, event, \(ms("at")), coalesce(encode(txid, 'hex'), '-'),
          coalesce(hold_reason, '-'), state, tries, \(ms("next_try_at")))
        FROM webhook_deliveries
      UNION ALL SELECT 'server ' || concat_ws(' ', origin, claims, failures,
          CASE WHEN isfinite(closed_until) THEN \(ms("closed_until"))::text ELSE '-' END)
        FROM webhook_origins
      UNION ALL SELECT 'adoption ' || concat_ws(' ', encode(txid, 'hex'), payout_id, done_at IS NOT NULL,
          refused_at IS NOT NULL)
        FROM adoptions
      UNION ALL SELECT 'treasury ' || concat_ws(' ', id, coalesce(encode(txid, 'hex'), '-'), refused_at IS NOT NULL)
        FROM treasury_orders
      UNION ALL SELECT 'head reset ' || concat_ws(' ', id, refused_at IS NOT NULL, coalesce(from_number::text, '-'),
          coalesce(to_number::text, '-'))
        FROM head_resets
      UNION ALL SELECT 'cursor ' || concat_ws(' ', view, number, encode(block_id, 'hex'), block_time_ms) FROM chain_cursors
      UNION ALL SELECT 'block ' || concat_ws(' ', number, encode(block_id, 'hex')) FROM chain_blocks
      UNION ALL SELECT 'quarantine ' || concat_ws(' ', id, signer, cause, coalesce(encode(journal_id, 'hex'), '-'),
          coalesce(until_ms::text, '-'), coalesce(begin_block_number::text, '-'), is_of_present_life(q), quarantine_is_over(q), coalesce(outcome, '-'))
        FROM quarantines q
      UNION ALL SELECT 'alarm ' || concat_ws(' ', kind, subject, \(ms("raised_at")), \(ms("last_at")), count,
          told_at IS NOT NULL, acknowledged_at IS NOT NULL, \(ms("tell_at")))
        FROM alarms WHERE kind <> 'operator' OR acknowledged_at IS NULL
      UNION ALL SELECT 'secret ' || concat_ws(' ', owner, encode(secret, 'hex'),
          coalesce(\(ms("valid_until"))::text, '-'))
        FROM webhook_secrets
      UNION ALL SELECT 'pause ' || concat_ws(' ', paused, coalesce(reason, '-')) FROM pause
      UNION ALL SELECT 'standstill ' || concat_ws(' ', signer, reason, \(ms("since")), \(ms("seen_at")))
        FROM signer_standstills
      UNION ALL SELECT 'wallet ' || concat_ws(' ', encode(address, 'hex'), begin_block_number) FROM wallets
      UNION ALL SELECT 'checkpoint ' || concat_ws(' ', last_id, coalesce(\(presentCheckpoint), false))
        FROM intent_checkpoint c, server_life() s
      UNION ALL SELECT 'journal ' || concat_ws(' ', signer, encode(journal_id, 'hex')) FROM journals
      UNION ALL (SELECT DISTINCT ON (signer) 'word ' || concat_ws(' ', signer, encode(run_id, 'hex'))
        FROM vouchings ORDER BY signer, id DESC)
      UNION ALL SELECT 'retired ' || concat_ws(' ', signer, encode(journal_id, 'hex')) FROM retired_journals
      UNION ALL SELECT 'continuous ' || continuous()
    ) lines
    """, readsOnly: true)

  func modelRows() -> String { model.lines }

  /// After two transactions at once: what each of them has put into a table may be numbered in the other order than they
  /// followed one another.
  mutating func takeOverOrders() async throws {
    try await takeOverOrderOfWebhooks()
    let real = try await test.rows("SELECT encode(txid, 'hex') || ' ' || payout_id AS name FROM adoptions ORDER BY id")
    model.adoptions = try ordered(model.adoptions, as: real) { "\($0.order.txid) \($0.order.payout)" }
  }

  /// After one that changed several payouts, too: their webhooks' numbers are in the order that they came to, one of each
  /// payout after the other.
  mutating func takeOverOrderOfWebhooks() async throws {
    guard model.webhooks.count > 1 else { return }
    let before = model.webhooks
    let real = try await test.rows(
      "SELECT payout_id || ' ' || event || ' ' || unix_ms(at) AS name FROM webhook_deliveries ORDER BY number")
    model.webhooks = try ordered(before, as: real) {
      "\($0.payout) payout.\($0.status.rawValue) \($0.at.milliseconds)"
    }
    for payout in Set(before.map(\.payout)) {
      let (ours, theirs) = (before.filter { $0.payout == payout }, model.webhooks.filter { $0.payout == payout })
      guard ours.map(\.id) == theirs.map(\.id) else { try differ("\(payout) is told in another order") }
    }
  }

  /// The model's rows in the order of the real ones; those of one name stay in theirs.
  private func ordered<Row>(_ rows: [Row], as names: [String], name: (Row) -> String) throws -> [Row] {
    var left = Dictionary(grouping: rows, by: name).mapValues { $0[...] }
    return try names.map { name in
      guard let next = left[name]?.popFirst() else { try differ("the model has no row \(name)") }
      return next
    }
  }
}
