/// What a webhook tells of a payout that has a late attempt beside the one that paid it: that one's transaction. Without a
/// choice, the statement that confirmed it failed, and with it all payouts of that statement.
enum M019LateWebhooks {
  static let sql = #"""
    CREATE OR REPLACE FUNCTION store_webhooks(told uuid[]) RETURNS void LANGUAGE sql AS $$
      INSERT INTO webhook_deliveries (
        payout_id, owner, url, origin, event, status, at, txid, hold_reason, next_try_at)
      SELECT p.id, p.owner, p.webhook_url, webhook_origin(p.webhook_url), 'payout.' || p.status, p.status, ledger_now(),
        (SELECT a.txid FROM attempts a
         WHERE a.reference = p.reference AND (a.outcome IS NULL OR a.outcome = 'paid')
           AND (a.token, a.recipient, a.amount) = (p.token, p.recipient, p.amount)
         ORDER BY a.late LIMIT 1),
        p.hold_reason,
        greatest(ledger_now(),
          (SELECT max(e.next_try_at) FROM webhook_deliveries e
           WHERE e.payout_id = p.id AND e.state = 'pending' AND e.tries < webhook_tries_in_order()))
      FROM payouts p WHERE p.id = ANY (told) ORDER BY p.id
    $$;
    """#
}
