/// What the database remembers of the log of intents: up to where it was compared, what a replay put back, and which ends
/// a restore took (DESIGN.md §3 "Continuity").
enum M008Intents {
  static let sql = #"""
    -- Everything that the log says up to this entry stands in this database: compared entry by entry, while the history
    -- was vouched for, before this row was written. A database that went back in time has the row of its own time.
    CREATE TABLE intent_checkpoint (
      only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
      last_id text NOT NULL CHECK (last_id ~ '^[0-9]{1,20}-[0-9]{1,20}$'),
      system_identifier bigint NOT NULL,
      timeline text NOT NULL,
      server_start timestamptz NOT NULL,
      transactions_oid bigint NOT NULL,
      transactions_file_node bigint NOT NULL,
      at timestamptz NOT NULL DEFAULT ledger_now()
    );

    -- Each time something was put back from the log: the proof that this database had gone back in time.
    CREATE TABLE intent_replays (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      actor text NOT NULL DEFAULT current_setting('application_name'),
      acceptances integer NOT NULL CHECK (acceptances >= 0),
      ends integer NOT NULL CHECK (ends >= 0),
      at timestamptz NOT NULL DEFAULT ledger_now(),
      CHECK (acceptances + ends > 0)
    );

    -- Unpaid ends that the log tells of and the database had lost. Nobody seals an end, so that it is a question to a
    -- person; until it is answered the reference is not signed.
    CREATE TABLE lost_ends (
      reference bytea NOT NULL CHECK (octet_length(reference) = 32),
      payout_id uuid NOT NULL,
      status payout_status NOT NULL
        CHECK (status IN ('failed', 'rejected', 'expired', 'cancelled', 'settled_externally')),
      note text,
      ended_at timestamptz NOT NULL,
      found_at timestamptz NOT NULL DEFAULT ledger_now(),
      answered_at timestamptz,
      -- A reference may end again after the first end was answered, and that end may be lost as well.
      PRIMARY KEY (reference, ended_at)
    );

    CREATE FUNCTION guard_lost_end() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF (NEW.reference, NEW.payout_id, NEW.status, NEW.ended_at, NEW.found_at)
        IS DISTINCT FROM (OLD.reference, OLD.payout_id, OLD.status, OLD.ended_at, OLD.found_at)
        OR NEW.note IS DISTINCT FROM OLD.note OR OLD.answered_at IS NOT NULL THEN
        RAISE EXCEPTION 'reference %: a lost end is answered once, and not changed', encode(OLD.reference, 'hex')
          USING ERRCODE = 'TP002';
      END IF;
      RETURN NEW;
    END
    $$;
    CREATE TRIGGER guard_lost_end BEFORE UPDATE ON lost_ends FOR EACH ROW EXECUTE FUNCTION guard_lost_end();

    -- A new signature begins at 'scheduled'; a Signer that puts back what it signed is not asked.
    CREATE FUNCTION guard_signing_after_lost_end() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
      refused uuid;
    BEGIN
      SELECT n.id INTO refused
        FROM lost_ends e JOIN new_rows n USING (reference) JOIN old_rows o ON o.id = n.id
        WHERE e.answered_at IS NULL AND o.status = 'scheduled' AND n.status = 'signed'
          AND NOT EXISTS (SELECT FROM attempts a
                          WHERE a.reference = n.reference AND a.outcome IS NULL AND is_being_put_back(a.txid))
        LIMIT 1;
      IF FOUND THEN
        RAISE EXCEPTION 'payout %: it ended in a lost part of the history, and nobody has said what holds', refused
          USING ERRCODE = 'TP001';
      END IF;
      RETURN NULL;
    END
    $$;
    CREATE TRIGGER guard_signing_after_lost_end AFTER UPDATE ON payouts
      REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
      FOR EACH STATEMENT EXECUTE FUNCTION guard_signing_after_lost_end();

    DO $$
    DECLARE
      kept text;
    BEGIN
      FOREACH kept IN ARRAY ARRAY['intent_checkpoint', 'intent_replays', 'lost_ends'] LOOP
        EXECUTE format('CREATE TRIGGER refuse_removal BEFORE DELETE OR TRUNCATE ON %I
                        FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal()', kept);
      END LOOP;
      CREATE TRIGGER refuse_change BEFORE UPDATE ON intent_replays
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
    END
    $$;
    """#
}
