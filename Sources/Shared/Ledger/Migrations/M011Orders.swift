/// What operators order Signers to do: adopt a transaction that a restore lost, and move the wallet's money to a cold
/// wallet; and what the guards ask of the exits of `held` (DESIGN.md §2, §3 "The fence").
enum M011Orders {
  static let sql = tables + signing + exits

  private static let tables = #"""
    -- A transaction on the chain that the ledger does not know, and the waiting payout that it pays. A Signer journals it
    -- and puts it back as if it had signed it; Monitor then judges it as any other.
    CREATE TABLE adoptions (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      txid bytea NOT NULL CHECK (octet_length(txid) = 32),
      wallet bytea NOT NULL REFERENCES wallets,
      signed_bytes bytea NOT NULL CHECK (octet_length(signed_bytes) BETWEEN 66 AND 511872),
      reference_block_number bigint NOT NULL CHECK (reference_block_number >= 0),
      head_time_ms bigint NOT NULL,
      expiration_ms bigint NOT NULL,
      fee_limit_sun bigint NOT NULL CHECK (fee_limit_sun >= 0),
      signed_at timestamptz NOT NULL,
      reference bytea NOT NULL CHECK (octet_length(reference) = 32),
      payout_id uuid NOT NULL,
      token bytea NOT NULL CHECK (octet_length(token) = 21 AND get_byte(token, 0) = 65),
      recipient bytea NOT NULL CHECK (octet_length(recipient) = 21 AND get_byte(recipient, 0) = 65),
      amount bigint NOT NULL CHECK (amount > 0),
      ordered_by text NOT NULL DEFAULT current_setting('application_name'),
      reason text NOT NULL CHECK (reason <> ''),
      ordered_at timestamptz NOT NULL DEFAULT ledger_now(),
      signer text,
      done_at timestamptz,
      refused_at timestamptz,
      refusal text,
      CHECK (expiration_ms > head_time_ms),
      CHECK (num_nonnulls(done_at, refused_at) <= 1),
      CHECK ((done_at IS NULL) = (signer IS NULL) AND (refused_at IS NULL) = (refusal IS NULL))
    );
    CREATE UNIQUE INDEX one_adoption_a_transaction ON adoptions (txid) WHERE refused_at IS NULL;
    CREATE UNIQUE INDEX one_open_adoption_a_reference ON adoptions (reference)
      WHERE done_at IS NULL AND refused_at IS NULL;

    -- The wallet's own money to an address that Signer's own configuration names. The order has a reference and an attempt
    -- as a payout has, so that it is signed, journaled, sent and followed in the same way, and once.
    CREATE TABLE treasury_orders (
      id uuid PRIMARY KEY,
      reference bytea NOT NULL UNIQUE REFERENCES payout_references,
      token bytea NOT NULL CHECK (octet_length(token) = 21 AND get_byte(token, 0) = 65),
      recipient bytea NOT NULL CHECK (octet_length(recipient) = 21 AND get_byte(recipient, 0) = 65),
      amount bigint NOT NULL CHECK (amount > 0),
      despite_breaker boolean NOT NULL,
      ordered_by text NOT NULL DEFAULT current_setting('application_name'),
      reason text NOT NULL CHECK (reason <> ''),
      ordered_at timestamptz NOT NULL DEFAULT ledger_now(),
      txid bytea UNIQUE CHECK (octet_length(txid) = 32),
      signed_in xid8,
      refused_at timestamptz,
      refusal text,
      CHECK (num_nonnulls(txid, refused_at) <= 1),
      CHECK ((refused_at IS NULL) = (refusal IS NULL))
    );
    CREATE INDEX treasury_orders_waiting ON treasury_orders (ordered_at, id)
      WHERE txid IS NULL AND refused_at IS NULL;

    CREATE FUNCTION guard_adoption() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF to_jsonb(NEW) - ARRAY['signer', 'done_at', 'refused_at', 'refusal']
        IS DISTINCT FROM to_jsonb(OLD) - ARRAY['signer', 'done_at', 'refused_at', 'refusal']
        OR OLD.done_at IS NOT NULL OR OLD.refused_at IS NOT NULL THEN
        RAISE EXCEPTION 'adoption %: an order is carried out or refused once, and not changed', OLD.id
          USING ERRCODE = 'TP002';
      END IF;
      RETURN NEW;
    END
    $$;
    CREATE TRIGGER guard_adoption BEFORE UPDATE ON adoptions FOR EACH ROW EXECUTE FUNCTION guard_adoption();

    -- No limit counts an attempt of an order: so no payout may pass for one.
    CREATE FUNCTION guard_new_treasury_order() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW.txid IS NOT NULL OR NEW.refused_at IS NOT NULL
        OR EXISTS (SELECT FROM payouts WHERE id = NEW.id OR reference = NEW.reference)
        OR NOT EXISTS (SELECT FROM payout_references
                       WHERE reference = NEW.reference AND payout_id = NEW.id AND owner IS NULL) THEN
        RAISE EXCEPTION 'treasury order %: it begins unsigned, with a reference that is its own', NEW.id
          USING ERRCODE = 'TP002';
      END IF;
      RETURN NEW;
    END
    $$;
    CREATE TRIGGER guard_new_treasury_order BEFORE INSERT ON treasury_orders
      FOR EACH ROW EXECUTE FUNCTION guard_new_treasury_order();

    CREATE FUNCTION guard_treasury_order() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF to_jsonb(NEW) - ARRAY['txid', 'signed_in', 'refused_at', 'refusal']
        IS DISTINCT FROM to_jsonb(OLD) - ARRAY['txid', 'signed_in', 'refused_at', 'refusal']
        OR OLD.txid IS NOT NULL OR OLD.refused_at IS NOT NULL THEN
        RAISE EXCEPTION 'treasury order %: an order is signed or refused once, and not changed', OLD.id
          USING ERRCODE = 'TP002';
      END IF;
      RETURN NEW;
    END
    $$;
    CREATE TRIGGER guard_treasury_order BEFORE UPDATE ON treasury_orders
      FOR EACH ROW EXECUTE FUNCTION guard_treasury_order();

    DO $$
    DECLARE
      kept text;
    BEGIN
      FOREACH kept IN ARRAY ARRAY['adoptions', 'treasury_orders'] LOOP
        EXECUTE format('CREATE TRIGGER refuse_removal BEFORE DELETE OR TRUNCATE ON %I
                        FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal()', kept);
      END LOOP;
    END
    $$;
    """#

  private static let signing = #"""

    -- An operator moves the money to safety while the key counts as stolen: the only signature besides a put-back while a
    -- finding is open. Never while the history is not vouched for.
    CREATE FUNCTION is_emergency_sweep(wanted bytea) RETURNS boolean LANGUAGE sql STABLE AS $$
      SELECT EXISTS (
        SELECT FROM treasury_orders
        WHERE txid = wanted AND despite_breaker AND signed_in = pg_current_xact_id_if_assigned()) AND continuous()
    $$;

    CREATE OR REPLACE FUNCTION guard_new_transactions() RETURNS trigger LANGUAGE plpgsql AS $$
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
        IF NOT trusted AND NOT is_being_put_back(added.txid) AND NOT is_emergency_sweep(added.txid) THEN
          RAISE EXCEPTION 'transaction %: nothing is signed while the history is not trusted',
            encode(added.txid, 'hex') USING ERRCODE = 'TP003';
        END IF;
      END LOOP;
      RETURN NULL;
    END
    $$;

    CREATE OR REPLACE FUNCTION guard_new_attempts() RETURNS trigger LANGUAGE plpgsql AS $$
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
        IF NOT (trusted AND added.comes_with_its_transaction) AND NOT is_being_put_back(added.txid)
          AND NOT (added.comes_with_its_transaction AND is_emergency_sweep(added.txid)) THEN
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

    -- Signer's own limits count every attempt when it is stored, a put-back one too, in the window it was signed in. They
    -- bound what leaves to others, so that a treasury order is not counted, and nothing of it released.
    CREATE OR REPLACE FUNCTION count_new_attempts() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO limit_windows AS w (scope, span, starts_at, used)
        SELECT 'signed', span, window_start(span, t.signed_at), sum(n.amount)::bigint
        FROM new_rows n JOIN transactions t USING (txid) CROSS JOIN unnest(ARRAY['day', 'hour']) span
        WHERE NOT EXISTS (SELECT FROM treasury_orders o WHERE o.id = n.payout_id)
        GROUP BY 2, 3 ORDER BY 2, 3
        ON CONFLICT (scope, span, starts_at) DO UPDATE SET used = w.used + excluded.used;
      RETURN NULL;
    END
    $$;

    CREATE OR REPLACE FUNCTION release_ended_attempts() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      PERFORM release_limits('signed', array_agg(window_start('hour', t.signed_at)),
          array_agg(window_start('day', t.signed_at)), array_agg(n.amount))
        FROM new_rows n JOIN old_rows o USING (reference, txid) JOIN transactions t USING (txid)
        WHERE o.outcome IS NULL AND n.outcome IN ('dead', 'failed_on_chain')
          AND NOT EXISTS (SELECT FROM treasury_orders s WHERE s.id = n.payout_id)
        HAVING count(*) > 0;
      RETURN NULL;
    END
    $$;
    """#

  private static let exits = #"""

    -- As before, and besides:
    -- 'confirmed' needs an attempt that paid this very payout, not another one under its reference;
    -- a held payout whose reference paid somebody else may end unpaid: it was never paid, and never will be;
    -- a held payout whose attempt is anomalous may be settled by a person: the attempt stays live, and nothing of its
    -- reference is ever signed again.
    CREATE OR REPLACE FUNCTION guard_payout_changes() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
      change record;
      trusted boolean;
      is_bound boolean;
    BEGIN
      FOR change IN
        SELECT n.id, n.reference, o.status AS was, o.held_from, n.status AS becomes, a.has_live, a.has_paid,
          a.has_paid_this, a.put_back
        FROM new_rows n JOIN old_rows o USING (id)
          CROSS JOIN LATERAL (
            SELECT coalesce(bool_or(outcome IS NULL), false) AS has_live,
                   coalesce(bool_or(outcome = 'paid'), false) AS has_paid,
                   coalesce(bool_or(outcome = 'paid'
                     AND (token, recipient, amount) = (n.token, n.recipient, n.amount)), false) AS has_paid_this,
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
        IF change.becomes = 'confirmed' AND NOT change.has_paid_this THEN
          RAISE EXCEPTION 'payout %: confirmed needs an attempt that paid it', change.id USING ERRCODE = 'TP004';
        END IF;
        is_bound := change.has_live OR change.has_paid;
        IF is_bound AND change.was = 'held' AND change.becomes IN ('rejected', 'settled_externally') THEN
          is_bound := change.has_paid_this OR EXISTS (
            SELECT FROM attempts a JOIN transactions t USING (txid)
            WHERE a.reference = change.reference AND a.outcome IS NULL
              AND NOT (change.becomes = 'settled_externally' AND t.status = 'anomalous'));
        END IF;
        IF change.becomes IN ('scheduled', 'failed', 'rejected', 'expired', 'cancelled', 'settled_externally')
          AND is_bound THEN
          RAISE EXCEPTION 'payout %: % while an attempt is live or paid', change.id, change.becomes
            USING ERRCODE = 'TP004';
        END IF;
      END LOOP;
      RETURN NULL;
    END
    $$;
    """#
}
