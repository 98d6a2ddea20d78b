/// The rules that no program can break, because the database refuses: what may become what, and when
/// (DESIGN.md §2 and §3).
enum M004Guards {
  static let sql = payouts + transactions + attempts + history

  private static let payouts = #"""
    -- The table of DESIGN.md §2. A test holds it against the program's own, pair by pair.
    CREATE FUNCTION payout_may_go(old_status payout_status, new_status payout_status)
    RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
      SELECT CASE
        WHEN old_status IN ('kyc_pending', 'compliance_pending')
          THEN new_status IN ('queued', 'held', 'rejected', 'expired', 'cancelled', 'signed')
        WHEN old_status = 'queued'
          THEN new_status IN ('scheduled', 'kyc_pending', 'held', 'rejected', 'expired', 'cancelled', 'signed')
        WHEN old_status = 'scheduled'
          THEN new_status IN ('signed', 'kyc_pending', 'held', 'rejected', 'expired', 'cancelled', 'failed')
        WHEN old_status = 'signed' THEN new_status IN ('broadcast', 'confirming', 'scheduled', 'held')
        WHEN old_status = 'broadcast' THEN new_status IN ('confirming', 'scheduled', 'held')
        WHEN old_status = 'confirming' THEN new_status IN ('confirmed', 'broadcast', 'scheduled', 'held')
        WHEN old_status = 'held'
          THEN new_status IN ('kyc_pending', 'compliance_pending', 'queued', 'scheduled', 'signed', 'broadcast',
                              'confirming', 'rejected', 'settled_externally', 'confirmed')
        ELSE false
      END
    $$;

    CREATE FUNCTION guard_new_payout() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW.status NOT IN ('queued', 'kyc_pending', 'compliance_pending') OR NEW.status <> NEW.accepted_status THEN
        RAISE EXCEPTION 'a payout cannot begin as %', NEW.status USING ERRCODE = 'TP001';
      END IF;
      RETURN NEW;
    END
    $$;
    CREATE TRIGGER guard_new_payout BEFORE INSERT ON payouts FOR EACH ROW EXECUTE FUNCTION guard_new_payout();

    CREATE FUNCTION guard_payout() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF (NEW.id, NEW.reference, NEW.owner, NEW.network, NEW.token, NEW.asset, NEW.recipient, NEW.amount, NEW.router,
          NEW.batch_type, NEW.created_at, NEW.seal_version, NEW.seal_key_id, NEW.seal_signature, NEW.accepted_status,
          NEW.hour_window, NEW.day_window)
        IS DISTINCT FROM
         (OLD.id, OLD.reference, OLD.owner, OLD.network, OLD.token, OLD.asset, OLD.recipient, OLD.amount, OLD.router,
          OLD.batch_type, OLD.created_at, OLD.seal_version, OLD.seal_key_id, OLD.seal_signature, OLD.accepted_status,
          OLD.hour_window, OLD.day_window)
        OR (NEW.client_batch_id, NEW.node_id, NEW.kyc_hash, NEW.expires_at)
        IS DISTINCT FROM (OLD.client_batch_id, OLD.node_id, OLD.kyc_hash, OLD.expires_at) THEN
        RAISE EXCEPTION 'payout %: what was accepted cannot be changed', OLD.id USING ERRCODE = 'TP002';
      END IF;
      IF NEW.status = OLD.status THEN
        IF NEW.held_from IS DISTINCT FROM OLD.held_from THEN
          RAISE EXCEPTION 'payout %: where it was held from cannot be changed', OLD.id USING ERRCODE = 'TP002';
        END IF;
        RETURN NEW;
      END IF;
      IF NOT payout_may_go(OLD.status, NEW.status) THEN
        RAISE EXCEPTION 'payout %: % cannot become %', OLD.id, OLD.status, NEW.status USING ERRCODE = 'TP001';
      END IF;
      IF NEW.status = 'held' AND NEW.held_from IS DISTINCT FROM OLD.status THEN
        RAISE EXCEPTION 'payout %: it is %, so it cannot be held from %', OLD.id, OLD.status, NEW.held_from
          USING ERRCODE = 'TP001';
      END IF;
      NEW.status_since := ledger_now();
      RETURN NEW;
    END
    $$;
    CREATE TRIGGER guard_payout BEFORE UPDATE ON payouts FOR EACH ROW EXECUTE FUNCTION guard_payout();

    -- What a change needs besides the table of states: attempts, and a trusted history. Asked after each statement, so
    -- that the server's life is read once for all its rows.
    CREATE FUNCTION guard_payout_changes() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
      change record;
      trusted boolean;
    BEGIN
      FOR change IN
        SELECT n.id, o.status AS was, o.held_from, n.status AS becomes, a.has_live, a.has_paid, a.put_back
        FROM new_rows n JOIN old_rows o USING (id)
          CROSS JOIN LATERAL (
            SELECT coalesce(bool_or(outcome IS NULL), false) AS has_live,
                   coalesce(bool_or(outcome = 'paid'), false) AS has_paid,
                   coalesce(bool_or(outcome IS NULL AND is_being_put_back(txid)), false) AS put_back
            FROM attempts WHERE reference = n.reference) a
        WHERE n.status <> o.status
      LOOP
        IF change.was = 'held' AND change.becomes NOT IN ('rejected', 'settled_externally', 'confirmed')
          AND change.becomes <> change.held_from AND NOT (change.becomes = 'signed' AND change.put_back)
          AND NOT (change.becomes = 'scheduled' AND change.held_from IN ('signed', 'broadcast', 'confirming')) THEN
          RAISE EXCEPTION 'payout %: held from %, it cannot go to %', change.id, change.held_from, change.becomes
            USING ERRCODE = 'TP001';
        END IF;
        IF change.becomes = 'signed' AND NOT change.put_back
          OR change.becomes IN ('failed', 'rejected', 'expired', 'cancelled', 'settled_externally') THEN
          trusted := coalesce(trusted, history_is_trusted());
          IF NOT trusted OR change.was IN ('kyc_pending', 'compliance_pending', 'queued')
            AND change.becomes = 'signed' THEN
            RAISE EXCEPTION 'payout %: it cannot be % before the history is trusted', change.id, change.becomes
              USING ERRCODE = 'TP003';
          END IF;
        END IF;
        IF change.becomes IN ('signed', 'broadcast') AND NOT change.has_live
          OR change.becomes = 'confirming' AND NOT (change.has_live OR change.has_paid) THEN
          RAISE EXCEPTION 'payout %: % needs a live attempt', change.id, change.becomes USING ERRCODE = 'TP004';
        END IF;
        IF change.becomes = 'confirmed' AND NOT change.has_paid THEN
          RAISE EXCEPTION 'payout %: confirmed needs an attempt that paid', change.id USING ERRCODE = 'TP004';
        END IF;
        IF change.becomes IN ('scheduled', 'failed', 'rejected', 'expired', 'cancelled', 'settled_externally')
          AND (change.has_live OR change.has_paid) THEN
          RAISE EXCEPTION 'payout %: % while an attempt is live or paid', change.id, change.becomes
            USING ERRCODE = 'TP004';
        END IF;
      END LOOP;
      RETURN NULL;
    END
    $$;
    CREATE TRIGGER guard_payout_changes AFTER UPDATE ON payouts
      REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
      FOR EACH STATEMENT EXECUTE FUNCTION guard_payout_changes();

    CREATE FUNCTION refuse_removal() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      RAISE EXCEPTION '% keeps its rows for ever', TG_TABLE_NAME USING ERRCODE = 'TP005';
    END
    $$;
    """#

  private static let transactions = #"""

    -- Asked once a statement, for all its rows: the answer about the history reads the server's control file.
    CREATE FUNCTION guard_new_transactions() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
      settings ledger_settings;
      moment timestamptz := ledger_now();
      trusted boolean := history_is_trusted();
      added record;
    BEGIN
      SELECT * INTO STRICT settings FROM ledger_settings;
      FOR added IN SELECT txid, status, head_time_ms, expiration_ms FROM new_rows LOOP
        IF added.expiration_ms - added.head_time_ms > settings.max_expiration_ms
          OR added.expiration_ms > unix_ms(moment) + settings.clock_bound_ms + settings.max_expiration_ms THEN
          RAISE EXCEPTION 'transaction %: it would live longer than % ms', encode(added.txid, 'hex'),
            settings.max_expiration_ms USING ERRCODE = 'TP006';
        END IF;
        IF added.status <> 'signed' THEN
          RAISE EXCEPTION 'a transaction cannot begin as %', added.status USING ERRCODE = 'TP001';
        END IF;
        IF NOT trusted AND NOT is_being_put_back(added.txid) THEN
          RAISE EXCEPTION 'transaction %: nothing is signed while the history is not trusted',
            encode(added.txid, 'hex') USING ERRCODE = 'TP003';
        END IF;
      END LOOP;
      RETURN NULL;
    END
    $$;
    CREATE TRIGGER guard_new_transactions AFTER INSERT ON transactions REFERENCING NEW TABLE AS new_rows
      FOR EACH STATEMENT EXECUTE FUNCTION guard_new_transactions();

    CREATE FUNCTION guard_transaction() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF (NEW.txid, NEW.wallet, NEW.signer, NEW.signed_bytes, NEW.reference_block_number, NEW.head_time_ms,
          NEW.expiration_ms, NEW.fee_limit_sun, NEW.signed_at)
        IS DISTINCT FROM
         (OLD.txid, OLD.wallet, OLD.signer, OLD.signed_bytes, OLD.reference_block_number, OLD.head_time_ms,
          OLD.expiration_ms, OLD.fee_limit_sun, OLD.signed_at) THEN
        RAISE EXCEPTION 'transaction %: what was signed cannot be changed', encode(OLD.txid, 'hex')
          USING ERRCODE = 'TP002';
      END IF;
      IF NEW.status = OLD.status THEN
        IF OLD.status IN ('solid', 'failed_on_chain', 'dead') AND NEW IS DISTINCT FROM OLD THEN
          RAISE EXCEPTION 'transaction %: its end cannot be changed', encode(OLD.txid, 'hex') USING ERRCODE = 'TP002';
        END IF;
        RETURN NEW;
      END IF;
      IF NOT (CASE OLD.status
          WHEN 'signed' THEN NEW.status IN ('sent', 'included', 'solid', 'failed_on_chain', 'dead', 'anomalous')
          WHEN 'sent' THEN NEW.status IN ('included', 'solid', 'failed_on_chain', 'dead', 'anomalous')
          WHEN 'included' THEN NEW.status IN ('sent', 'solid', 'failed_on_chain', 'anomalous')
          WHEN 'anomalous' THEN NEW.status IN ('solid', 'failed_on_chain')
          ELSE false END) THEN
        RAISE EXCEPTION 'transaction %: % cannot become %', encode(OLD.txid, 'hex'), OLD.status, NEW.status
          USING ERRCODE = 'TP001';
      END IF;
      NEW.status_since := ledger_now();
      RETURN NEW;
    END
    $$;
    CREATE TRIGGER guard_transaction BEFORE UPDATE ON transactions FOR EACH ROW EXECUTE FUNCTION guard_transaction();
    """#

  private static let attempts = #"""

    -- An attempt comes with its transaction, in one database transaction, so that no payout can be added later to what
    -- was signed without it; or it is put back.
    CREATE FUNCTION guard_new_attempts() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
      trusted boolean := history_is_trusted();
      added record;
    BEGIN
      FOR added IN
        SELECT n.reference, n.txid, n.outcome,
          coalesce(t.xmin = pg_current_xact_id()::xid, false) AS comes_with_its_transaction
        FROM new_rows n LEFT JOIN transactions t USING (txid)
      LOOP
        IF added.outcome IS NOT NULL THEN
          RAISE EXCEPTION 'an attempt cannot begin as %', added.outcome USING ERRCODE = 'TP001';
        END IF;
        IF NOT (trusted AND added.comes_with_its_transaction) AND NOT is_being_put_back(added.txid) THEN
          IF trusted THEN
            RAISE EXCEPTION 'reference %: an attempt comes with its transaction', encode(added.reference, 'hex')
              USING ERRCODE = 'TP002';
          END IF;
          RAISE EXCEPTION 'reference %: nothing is signed while the history is not trusted',
            encode(added.reference, 'hex') USING ERRCODE = 'TP003';
        END IF;
      END LOOP;
      RETURN NULL;
    END
    $$;
    CREATE TRIGGER guard_new_attempts AFTER INSERT ON attempts REFERENCING NEW TABLE AS new_rows
      FOR EACH STATEMENT EXECUTE FUNCTION guard_new_attempts();

    -- An attempt ends once, and only as its transaction did.
    CREATE FUNCTION guard_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
      ended transaction_status;
    BEGIN
      IF (NEW.reference, NEW.payout_id, NEW.number, NEW.txid, NEW.token, NEW.recipient, NEW.amount)
        IS DISTINCT FROM (OLD.reference, OLD.payout_id, OLD.number, OLD.txid, OLD.token, OLD.recipient, OLD.amount)
        OR OLD.outcome IS NOT NULL AND NEW.outcome IS DISTINCT FROM OLD.outcome THEN
        RAISE EXCEPTION 'reference %: an attempt cannot be changed', encode(OLD.reference, 'hex')
          USING ERRCODE = 'TP002';
      END IF;
      IF NEW.outcome IS NOT NULL AND OLD.outcome IS NULL THEN
        SELECT status INTO ended FROM transactions WHERE txid = NEW.txid;
        IF ended::text IS DISTINCT FROM (CASE NEW.outcome WHEN 'paid' THEN 'solid' ELSE NEW.outcome::text END) THEN
          RAISE EXCEPTION 'reference %: outcome % while its transaction is %', encode(OLD.reference, 'hex'),
            NEW.outcome, ended USING ERRCODE = 'TP004';
        END IF;
        NEW.ended_at := ledger_now();
      END IF;
      RETURN NEW;
    END
    $$;
    CREATE TRIGGER guard_attempt BEFORE UPDATE ON attempts FOR EACH ROW EXECUTE FUNCTION guard_attempt();
    """#

  private static let history = #"""

    CREATE FUNCTION record_new_payouts() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
      moment timestamptz := ledger_now();
    BEGIN
      INSERT INTO payout_events (payout_id, at, to_status, actor, note)
        SELECT id, moment, status, current_setting('application_name'), note FROM new_rows;
      RETURN NULL;
    END
    $$;
    CREATE TRIGGER record_new_payouts AFTER INSERT ON payouts REFERENCING NEW TABLE AS new_rows
      FOR EACH STATEMENT EXECUTE FUNCTION record_new_payouts();

    -- Gives amounts back into the windows they came from, locked in the order in which accepting and signing lock them.
    CREATE FUNCTION release_limits(
      wanted_scope text, hours timestamptz[], days timestamptz[], amounts bigint[]
    ) RETURNS void LANGUAGE sql AS $$
      SELECT FROM limit_windows
        WHERE scope = wanted_scope
          AND (span = 'hour' AND starts_at = ANY (hours) OR span = 'day' AND starts_at = ANY (days))
        ORDER BY span, starts_at FOR UPDATE;
      UPDATE limit_windows w SET used = w.used - released.amount
        FROM (
          SELECT span, starts_at, sum(amount)::bigint AS amount
          FROM (SELECT 'hour' AS span, * FROM unnest(hours, amounts) AS h (starts_at, amount)
                UNION ALL
                SELECT 'day', * FROM unnest(days, amounts) AS d (starts_at, amount)) by_window
          GROUP BY span, starts_at
        ) released
        WHERE w.scope = wanted_scope AND w.span = released.span AND w.starts_at = released.starts_at
    $$;

    -- One event for each change, in its own transaction; limits go back into the windows they came from.
    CREATE FUNCTION record_payout_changes() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
      moment timestamptz := ledger_now();
    BEGIN
      INSERT INTO payout_events (payout_id, at, from_status, to_status, actor, note)
        SELECT n.id, moment, o.status, n.status, current_setting('application_name'),
               CASE WHEN n.status = 'held' THEN concat_ws(': ', n.hold_reason, n.note) ELSE n.note END
        FROM new_rows n JOIN old_rows o USING (id) WHERE n.status <> o.status ORDER BY n.id;
      PERFORM release_limits('accepted', array_agg(n.hour_window), array_agg(n.day_window), array_agg(n.amount))
        FROM new_rows n JOIN old_rows o USING (id)
        WHERE n.status <> o.status
          AND n.status IN ('failed', 'rejected', 'expired', 'cancelled', 'settled_externally')
        HAVING count(*) > 0;
      RETURN NULL;
    END
    $$;
    CREATE TRIGGER record_payout_changes AFTER UPDATE ON payouts
      REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
      FOR EACH STATEMENT EXECUTE FUNCTION record_payout_changes();

    -- Signer's own limits count every attempt when it is stored, a put-back one too, in the window it was signed in.
    CREATE FUNCTION count_new_attempts() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO limit_windows AS w (scope, span, starts_at, used)
        SELECT 'signed', span, window_start(span, t.signed_at), sum(n.amount)::bigint
        FROM new_rows n JOIN transactions t USING (txid) CROSS JOIN unnest(ARRAY['day', 'hour']) span
        GROUP BY 2, 3 ORDER BY 2, 3
        ON CONFLICT (scope, span, starts_at) DO UPDATE SET used = w.used + excluded.used;
      RETURN NULL;
    END
    $$;
    CREATE TRIGGER count_new_attempts AFTER INSERT ON attempts REFERENCING NEW TABLE AS new_rows
      FOR EACH STATEMENT EXECUTE FUNCTION count_new_attempts();

    CREATE FUNCTION release_ended_attempts() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      PERFORM release_limits('signed', array_agg(window_start('hour', t.signed_at)),
          array_agg(window_start('day', t.signed_at)), array_agg(n.amount))
        FROM new_rows n JOIN old_rows o USING (reference, txid) JOIN transactions t USING (txid)
        WHERE o.outcome IS NULL AND n.outcome IN ('dead', 'failed_on_chain')
        HAVING count(*) > 0;
      RETURN NULL;
    END
    $$;
    CREATE TRIGGER release_ended_attempts AFTER UPDATE ON attempts
      REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
      FOR EACH STATEMENT EXECUTE FUNCTION release_ended_attempts();

    CREATE FUNCTION guard_settings() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF (NEW.environment, NEW.network, NEW.genesis_block_id)
        IS DISTINCT FROM (OLD.environment, OLD.network, OLD.genesis_block_id) THEN
        RAISE EXCEPTION 'a database belongs to one installation for ever' USING ERRCODE = 'TP002';
      END IF;
      RETURN NEW;
    END
    $$;
    CREATE TRIGGER guard_settings BEFORE UPDATE ON ledger_settings FOR EACH ROW EXECUTE FUNCTION guard_settings();

    -- A reference that was put back from a journal knows neither owner nor request, until its payout is accepted again.
    CREATE FUNCTION guard_reference() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF (NEW.reference, NEW.payout_id, NEW.claimed_at) IS DISTINCT FROM (OLD.reference, OLD.payout_id, OLD.claimed_at)
        OR OLD.owner IS NOT NULL OR OLD.request_fingerprint IS NOT NULL THEN
        RAISE EXCEPTION 'reference %: it cannot be changed', encode(OLD.reference, 'hex') USING ERRCODE = 'TP002';
      END IF;
      RETURN NEW;
    END
    $$;
    CREATE TRIGGER guard_reference BEFORE UPDATE ON payout_references
      FOR EACH ROW EXECUTE FUNCTION guard_reference();

    DO $$
    DECLARE
      kept text;
    BEGIN
      FOREACH kept IN ARRAY ARRAY['payouts', 'payout_references', 'payout_events', 'transactions', 'attempts',
                                  'put_backs', 'vouchings', 'journals', 'wallets', 'unclaimed_transfers', 'alarms',
                                  'client_batches', 'settlement_batches', 'limit_windows', 'ledger_settings',
                                  'breaker', 'pause', 'continuity', 'chain_cursors'] LOOP
        EXECUTE format('CREATE TRIGGER refuse_removal BEFORE DELETE OR TRUNCATE ON %I
                        FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal()', kept);
      END LOOP;
      FOREACH kept IN ARRAY ARRAY['payout_events', 'put_backs', 'vouchings', 'journals', 'wallets',
                                  'client_batches'] LOOP
        EXECUTE format('CREATE TRIGGER refuse_change BEFORE UPDATE ON %I
                        FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal()', kept);
      END LOOP;
    END
    $$;
    """#
}
