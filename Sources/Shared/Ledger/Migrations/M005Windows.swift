/// When a payout's batch may be released, and limits that count per router too (DESIGN.md §1 "Scheduler", §4 "Limits").
enum M005Windows {
  static let sql = windows + limits

  private static let windows = #"""
    -- How long the windows of batch types are. They stand here and nowhere else, so that all replicas agree.
    ALTER TABLE ledger_settings
      ADD COLUMN hourly_window_ms bigint NOT NULL DEFAULT 3600000 CHECK (hourly_window_ms >= 1000),
      ADD COLUMN daily_window_ms bigint NOT NULL DEFAULT 86400000 CHECK (daily_window_ms >= 1000),
      ADD COLUMN weekly_window_ms bigint NOT NULL DEFAULT 604800000 CHECK (weekly_window_ms >= 1000),
      ADD CONSTRAINT other_windows_only_in_dev CHECK (environment = 'dev'
        OR (hourly_window_ms, daily_window_ms, weekly_window_ms) = (3600000, 86400000, 604800000));

    -- The end of the window that a moment lies in, the end itself not included: what comes exactly at the top of the
    -- hour goes with the next one. Windows are counted from a Monday, 00:00 UTC, so that weeks begin on Mondays, and
    -- days and hours where everybody expects it. An immediate payout's window ends with its acceptance.
    CREATE FUNCTION batch_window_end(batch_type text, moment timestamptz) RETURNS timestamptz LANGUAGE sql STABLE AS $$
      SELECT CASE batch_type WHEN 'immediate' THEN moment ELSE (
        SELECT date_bin(length, moment, timestamptz '1970-01-05 00:00+00') + length
        FROM (
          SELECT interval '1 millisecond' * CASE batch_type WHEN 'hourly' THEN hourly_window_ms
            WHEN 'daily' THEN daily_window_ms WHEN 'weekly' THEN weekly_window_ms END AS length
          FROM ledger_settings
        ) w) END
    $$;

    -- Not in a batch before this moment. Fixed at acceptance, so that what the client was told stays true whatever
    -- becomes of the settings. Payouts from before this migration are all due. There is no default: an Ingest from
    -- before it, which would count no router's limit, can accept nothing any more.
    ALTER TABLE payouts ADD COLUMN window_end timestamptz NOT NULL DEFAULT 'epoch';
    ALTER TABLE payouts ALTER COLUMN window_end DROP DEFAULT;
    ALTER TABLE settlement_batches ADD CONSTRAINT released_after_its_window CHECK (released_at >= window_end);

    CREATE FUNCTION refuse_another_window() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      RAISE EXCEPTION 'payout %: its window cannot be changed', OLD.id USING ERRCODE = 'TP002';
    END
    $$;
    CREATE TRIGGER refuse_another_window BEFORE UPDATE OF window_end ON payouts
      FOR EACH ROW WHEN (NEW.window_end <> OLD.window_end) EXECUTE FUNCTION refuse_another_window();

    -- Asked where a payout leaves the queue, and nowhere else: a server's clock may be set back, and what an attempt's end
    -- frees must not be refused then.
    CREATE FUNCTION refuse_early_batch() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW.window_end > ledger_now() THEN
        RAISE EXCEPTION 'payout %: it is in no batch before %', OLD.id, OLD.window_end USING ERRCODE = 'TP001';
      END IF;
      RETURN NEW;
    END
    $$;
    CREATE TRIGGER refuse_early_batch BEFORE UPDATE OF status ON payouts
      FOR EACH ROW WHEN (OLD.status = 'queued' AND NEW.status = 'scheduled') EXECUTE FUNCTION refuse_early_batch();

    -- Payouts in the order in which Scheduler takes them: whatever waits for a later window is never looked at.
    DROP INDEX payouts_queued;
    CREATE INDEX payouts_in_turn ON payouts (priority, window_end, router, batch_type, id) WHERE status = 'queued';
    """#

  private static let limits = #"""

    -- A payout counts in all ('accepted') and for its router. Up to now only router v0 was accepted.
    ALTER TABLE limit_windows DROP CONSTRAINT limit_windows_scope_check, ADD CONSTRAINT limit_windows_scope_check
      CHECK (scope IN ('accepted', 'accepted_kyc', 'accepted_v0', 'signed'));
    INSERT INTO limit_windows (scope, span, starts_at, used)
      SELECT 'accepted_v0', span, starts_at, used FROM limit_windows WHERE scope = 'accepted';

    -- One event for each change, in its own transaction; limits go back into the windows they came from: scope by scope,
    -- in the order in which accepting locks them (scope, span, begin).
    CREATE OR REPLACE FUNCTION record_payout_changes() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
      moment timestamptz := ledger_now();
      counted text;
    BEGIN
      INSERT INTO payout_events (payout_id, at, from_status, to_status, actor, note)
        SELECT n.id, moment, o.status, n.status, current_setting('application_name'),
               CASE WHEN n.status = 'held' THEN concat_ws(': ', n.hold_reason, n.note) ELSE n.note END
        FROM new_rows n JOIN old_rows o USING (id) WHERE n.status <> o.status ORDER BY n.id;
      IF NOT EXISTS (
        SELECT FROM new_rows n JOIN old_rows o USING (id)
        WHERE n.status <> o.status
          AND n.status IN ('failed', 'rejected', 'expired', 'cancelled', 'settled_externally')) THEN
        RETURN NULL;
      END IF;
      FOREACH counted IN ARRAY ARRAY['accepted', 'accepted_kyc', 'accepted_v0'] LOOP
        PERFORM release_limits(counted, array_agg(n.hour_window), array_agg(n.day_window), array_agg(n.amount))
          FROM new_rows n JOIN old_rows o USING (id)
          WHERE n.status <> o.status
            AND n.status IN ('failed', 'rejected', 'expired', 'cancelled', 'settled_externally')
            AND counted IN ('accepted', 'accepted_' || n.router)
          HAVING count(*) > 0;
      END LOOP;
      RETURN NULL;
    END
    $$;
    """#
}
