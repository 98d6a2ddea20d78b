/// Quarantine: the wait that stands in for a vouching that cannot be had, and what a journal may still bring after it
/// (DESIGN.md §3 "Continuity").
enum M010Quarantine {
  static let sql = quarantines + journals + lateAttempts + unprovenPayouts

  private static let quarantines = #"""
    -- Whose vouching is replaced, and the present wait. A wait belongs to one life of the server: where the server has
    -- another one it is begun anew, by a Signer that sees the head of the chain agree with the clock.
    CREATE TABLE quarantines (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      -- No reference to journals: a restore may have lost the declaration, and other Signers still list the name.
      signer text NOT NULL CHECK (signer ~ '^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$'),
      cause text NOT NULL CHECK (cause IN ('signer_away', 'journal_lost', 'both_started', 'wallet_past')),
      -- The journal that takes the place of the lost one.
      journal_id bytea CHECK (octet_length(journal_id) = 16),
      -- How long what was signed in the lost part may live.
      expiration_ms bigint NOT NULL CHECK (expiration_ms > 0),
      reason text NOT NULL,
      declared_by text NOT NULL DEFAULT current_setting('application_name'),
      declared_at timestamptz NOT NULL DEFAULT ledger_now(),
      system_identifier bigint,
      timeline text,
      server_start timestamptz,
      transactions_oid bigint,
      transactions_file_node bigint,
      began_at timestamptz,
      begin_block_number bigint,
      until_ms bigint,
      ended_at timestamptz,
      ended_by text,
      outcome text CHECK (outcome IN ('waited', 'vouched', 'replaced')),
      CHECK ((cause = 'journal_lost') = (journal_id IS NOT NULL)),
      CHECK (num_nulls(system_identifier, timeline, server_start, transactions_oid, transactions_file_node, began_at,
        begin_block_number, until_ms) IN (0, 8)),
      CHECK (num_nulls(ended_at, ended_by, outcome) IN (0, 3))
    );
    CREATE UNIQUE INDEX one_open_quarantine_a_signer ON quarantines (signer) WHERE ended_at IS NULL;

    -- Whether the wait belongs to the present life of the server.
    CREATE FUNCTION is_of_present_life(q quarantines) RETURNS boolean LANGUAGE sql STABLE AS $$
      SELECT q.began_at IS NOT NULL
        AND (q.system_identifier, q.timeline, q.server_start, q.transactions_oid, q.transactions_file_node)
          = (s.system_identifier, s.timeline, s.server_start, s.transactions_oid, s.transactions_file_node)
      FROM server_life() s
    $$;

    -- Whether all that was signed in a lost part is on the solid chain or dead, and the fence has read it: a solid block
    -- is late enough, and the head's branch, which the fence reads block by block, holds that very block.
    CREATE FUNCTION quarantine_is_over(q quarantines) RETURNS boolean LANGUAGE sql STABLE AS $$
      SELECT q.ended_at IS NULL AND is_of_present_life(q) AND EXISTS (
        SELECT FROM chain_cursors solid JOIN chain_cursors head ON head.view = 'head' AND head.number >= solid.number
          JOIN chain_blocks b ON b.number = solid.number AND b.block_id = solid.block_id
        WHERE solid.view = 'solid' AND solid.number > q.begin_block_number AND solid.block_time_ms >= q.until_ms)
    $$;

    CREATE FUNCTION guard_quarantine() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF (NEW.id, NEW.signer, NEW.cause, NEW.expiration_ms, NEW.reason, NEW.declared_by, NEW.declared_at)
        IS DISTINCT FROM
         (OLD.id, OLD.signer, OLD.cause, OLD.expiration_ms, OLD.reason, OLD.declared_by, OLD.declared_at)
        OR NEW.journal_id IS DISTINCT FROM OLD.journal_id OR OLD.ended_at IS NOT NULL THEN
        RAISE EXCEPTION 'quarantine %: it cannot be changed', OLD.id USING ERRCODE = 'TP002';
      END IF;
      IF NEW.until_ms IS DISTINCT FROM OLD.until_ms AND is_of_present_life(OLD) THEN
        RAISE EXCEPTION 'quarantine %: it began under this life of the server', OLD.id USING ERRCODE = 'TP002';
      END IF;
      IF NEW.outcome = 'waited' AND NOT quarantine_is_over(OLD) THEN
        RAISE EXCEPTION 'quarantine %: its blocks are not read yet', OLD.id USING ERRCODE = 'TP003';
      END IF;
      RETURN NEW;
    END
    $$;
    CREATE TRIGGER guard_quarantine BEFORE UPDATE ON quarantines FOR EACH ROW EXECUTE FUNCTION guard_quarantine();
    """#

  private static let journals = #"""

    -- Journals whose place another one took. What they hold may still come; they never vouch again.
    CREATE TABLE retired_journals (
      journal_id bytea PRIMARY KEY CHECK (octet_length(journal_id) = 16),
      signer text NOT NULL REFERENCES journals,
      wallet bytea NOT NULL REFERENCES wallets,
      quarantine_id bigint NOT NULL REFERENCES quarantines,
      database_transaction xid8 NOT NULL DEFAULT pg_current_xact_id(),
      retired_at timestamptz NOT NULL DEFAULT ledger_now()
    );

    CREATE FUNCTION guard_journal() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF EXISTS (SELECT FROM retired_journals WHERE journal_id = NEW.journal_id) THEN
        RAISE EXCEPTION 'the journal % is retired', encode(NEW.journal_id, 'hex') USING ERRCODE = 'TP002';
      END IF;
      IF TG_OP = 'INSERT' THEN
        RETURN NEW;
      END IF;
      IF (NEW.signer, NEW.wallet, NEW.declared_at) IS DISTINCT FROM (OLD.signer, OLD.wallet, OLD.declared_at)
        OR NOT EXISTS (SELECT FROM retired_journals
                       WHERE journal_id = OLD.journal_id AND database_transaction = pg_current_xact_id()) THEN
        RAISE EXCEPTION 'the journal of % changes by the end of a quarantine only', OLD.signer USING ERRCODE = 'TP002';
      END IF;
      RETURN NEW;
    END
    $$;
    DROP TRIGGER refuse_change ON journals;
    CREATE TRIGGER guard_journal BEFORE INSERT OR UPDATE ON journals FOR EACH ROW EXECUTE FUNCTION guard_journal();

    DO $$
    DECLARE
      kept text;
    BEGIN
      FOREACH kept IN ARRAY ARRAY['quarantines', 'retired_journals'] LOOP
        EXECUTE format('CREATE TRIGGER refuse_removal BEFORE DELETE OR TRUNCATE ON %I
                        FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal()', kept);
      END LOOP;
      CREATE TRIGGER refuse_change BEFORE UPDATE ON retired_journals
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
    END
    $$;
    """#

  private static let lateAttempts = #"""

    -- An attempt that a journal brought after another one of its reference had paid. Its transaction can no longer be
    -- included; it is there so that its end is read and told.
    ALTER TABLE attempts ADD COLUMN late boolean NOT NULL DEFAULT false;
    DROP INDEX one_live_or_paid_attempt_a_reference;
    CREATE UNIQUE INDEX one_live_or_paid_attempt_a_reference ON attempts (reference)
      WHERE (outcome IS NULL OR outcome = 'paid') AND NOT late;

    CREATE FUNCTION guard_late_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF TG_OP = 'UPDATE' THEN
        RAISE EXCEPTION 'reference %: an attempt cannot be changed', encode(OLD.reference, 'hex')
          USING ERRCODE = 'TP002';
      END IF;
      IF NOT is_being_put_back(NEW.txid) OR NOT EXISTS (
          SELECT FROM transactions t, chain_cursors c
          WHERE t.txid = NEW.txid AND c.view = 'solid' AND t.expiration_ms <= c.block_time_ms) THEN
        RAISE EXCEPTION 'reference %: only what a journal brings after its time is late', encode(NEW.reference, 'hex')
          USING ERRCODE = 'TP002';
      END IF;
      RETURN NEW;
    END
    $$;
    CREATE TRIGGER guard_late_attempt BEFORE INSERT ON attempts
      FOR EACH ROW WHEN (NEW.late) EXECUTE FUNCTION guard_late_attempt();
    CREATE TRIGGER guard_lateness BEFORE UPDATE ON attempts
      FOR EACH ROW WHEN (NEW.late <> OLD.late) EXECUTE FUNCTION guard_late_attempt();

    -- Nothing can take a payment back that should not have been, so everything stops: another attempt of its reference had
    -- paid before, or its payout has ended unpaid meanwhile (settled by a person, or before a journal brought the attempt).
    CREATE FUNCTION tell_paid_twice() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW.late THEN
        PERFORM open_breaker('paid_twice', 'payout ' || NEW.payout_id, 'transaction ' || encode(NEW.txid, 'hex')
          || ', which a journal brought late, has paid as another one of the same reference has');
      ELSIF EXISTS (SELECT FROM payouts WHERE reference = NEW.reference
          AND status IN ('failed', 'rejected', 'expired', 'cancelled', 'settled_externally')) THEN
        PERFORM open_breaker('paid_after_end', 'payout ' || NEW.payout_id, 'transaction ' || encode(NEW.txid, 'hex')
          || ' has paid, and its payout had ended unpaid: the owner was told so, or was paid another way');
      END IF;
      RETURN NULL;
    END
    $$;
    CREATE TRIGGER tell_paid_twice AFTER UPDATE ON attempts
      FOR EACH ROW WHEN (NEW.outcome = 'paid' AND OLD.outcome IS NULL) EXECUTE FUNCTION tell_paid_twice();
    """#

  private static let unprovenPayouts = #"""

    -- Signed when a rollback was seen and the log of intents was gone: in the lost part its attempt may have died and a
    -- person settled it another way. Where its attempt ends unpaid it is held, not signed again.
    ALTER TABLE payouts ADD COLUMN is_unproven boolean NOT NULL DEFAULT false;
    """#
}
