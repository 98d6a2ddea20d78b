/// `batch.completed` (api.md "Webhooks"): told to the endpoints of a client's batch's owner when the last of its payouts has
/// ended, in the transaction that ended it.
///
/// Who ends a payout of a batch takes the batch's row: of two that end its last two payouts at once, the second one sees what
/// the first one did. Only where the owner has an endpoint that listens: nobody else waits here.
enum M022BatchCompleted {
  static let sql = #"""
    CREATE FUNCTION store_batch_webhooks(batches uuid[]) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
      PERFORM FROM client_batches b WHERE b.id = ANY (batches) ORDER BY b.id FOR NO KEY UPDATE;
      INSERT INTO webhook_deliveries (
        batch_id, endpoint_id, owner, url, origin, event, at, details, next_try_at)
      SELECT b.id, w.id, b.owner, w.url, webhook_origin(w.url), 'batch.completed', ledger_now(),
        json_build_object(
          'batch_id', b.id,
          'status', CASE WHEN done.completed = b.payout_count THEN 'completed' WHEN done.completed = 0 THEN 'failed'
                         ELSE 'partially_failed' END,
          'total_payouts', b.payout_count, 'completed_payouts', done.completed,
          'failed_payouts', b.payout_count - done.completed,
          'total_amount_usdt', trim_scale(b.total_amount::numeric / 1000000)::text),
        ledger_now()
      FROM client_batches b
        CROSS JOIN LATERAL (
          SELECT count(*) AS ended, count(*) FILTER (WHERE p.status IN ('confirmed', 'settled_externally')) AS completed
          FROM payout_directory d JOIN payouts p ON p.id = d.id
          WHERE d.client_batch_id = b.id AND d.owner = b.owner
            AND p.status IN ('confirmed', 'failed', 'rejected', 'expired', 'cancelled', 'settled_externally')
          OFFSET 0) done
        JOIN webhook_endpoints w ON w.owner = b.owner AND w.deleted_at IS NULL AND w.disabled_at IS NULL
          AND (w.events IS NULL OR 'batch.completed' = ANY (w.events))
      WHERE b.id = ANY (batches) AND done.ended = b.payout_count
      ORDER BY b.id, w.id;
    END
    $$;

    -- Most changes end nothing: these cost one look at their rows.
    CREATE FUNCTION tell_settled_batches() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
      batches uuid[];
    BEGIN
      SELECT array_agg(DISTINCT n.client_batch_id) INTO batches
        FROM new_rows n JOIN old_rows o USING (id)
        WHERE n.client_batch_id IS NOT NULL AND n.status <> o.status
          AND n.status IN ('confirmed', 'failed', 'rejected', 'expired', 'cancelled', 'settled_externally')
          AND EXISTS (
            SELECT FROM webhook_endpoints w
            WHERE w.owner = n.owner AND w.deleted_at IS NULL AND w.disabled_at IS NULL
              AND (w.events IS NULL OR 'batch.completed' = ANY (w.events)) OFFSET 0);
      IF batches IS NOT NULL THEN
        PERFORM store_batch_webhooks(batches);
      END IF;
      RETURN NULL;
    END
    $$;
    CREATE TRIGGER tell_settled_batches AFTER UPDATE ON payouts
      REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
      FOR EACH STATEMENT EXECUTE FUNCTION tell_settled_batches();
    """#
}
