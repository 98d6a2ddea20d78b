/// By which words payouts are found again, newest first (api.md "GET /payouts").
///
/// It reads every payout once while nothing is accepted or paid: some ten seconds a million.
enum M015Directory {
  static let sql = #"""
    -- Payouts that are there already are entered in one go, however long it takes.
    SET LOCAL statement_timeout = 0;

    -- What of a payout never changes and is looked for, apart from the payouts: those are rewritten with each change of
    -- state, and every index on them with it. Behind each word stands the owner, so that whoever may see only his own
    -- passes by nobody else's, and the id, whose order is that of the list.
    CREATE TABLE payout_directory (
      id uuid NOT NULL,
      owner text NOT NULL,
      beneficiary_user_id text,
      recipient bytea NOT NULL,
      client_batch_id uuid,
      external_id text,
      node_id text,
      session_id text
    );
    CREATE FUNCTION enter_into_directory() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO payout_directory
        SELECT id, owner, beneficiary_user_id, recipient, client_batch_id, external_id, node_id, session_id
        FROM new_rows;
      RETURN NULL;
    END
    $$;
    CREATE TRIGGER payouts_enter_directory AFTER INSERT ON payouts
      REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION enter_into_directory();
    INSERT INTO payout_directory
      SELECT id, owner, beneficiary_user_id, recipient, client_batch_id, external_id, node_id, session_id FROM payouts;

    CREATE INDEX payout_directory_by_owner ON payout_directory (owner, id);
    -- Who names himself finds his own by the index above.
    CREATE INDEX payout_directory_by_beneficiary ON payout_directory (beneficiary_user_id, id)
      WHERE beneficiary_user_id <> owner;
    CREATE INDEX payout_directory_by_recipient ON payout_directory (recipient, owner, id);
    CREATE INDEX payout_directory_by_client_batch ON payout_directory (client_batch_id, owner, id)
      WHERE client_batch_id IS NOT NULL;
    CREATE INDEX payout_directory_by_external_id ON payout_directory (external_id, owner, id)
      WHERE external_id IS NOT NULL;
    CREATE INDEX payout_directory_by_node ON payout_directory (node_id, owner, id) WHERE node_id IS NOT NULL;
    CREATE INDEX payout_directory_by_session ON payout_directory (session_id, owner, id)
      WHERE session_id IS NOT NULL;

    CREATE TRIGGER refuse_change BEFORE UPDATE ON payout_directory
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
    CREATE TRIGGER refuse_removal BEFORE DELETE OR TRUNCATE ON payout_directory
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();

    -- Who may see a payout, and by what it is found, stays as it was accepted, as all else does.
    CREATE FUNCTION guard_payout_words() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF (NEW.beneficiary_user_id, NEW.external_id, NEW.session_id)
        IS DISTINCT FROM (OLD.beneficiary_user_id, OLD.external_id, OLD.session_id) THEN
        RAISE EXCEPTION 'payout %: what was accepted cannot be changed', OLD.id USING ERRCODE = 'TP002';
      END IF;
      RETURN NEW;
    END
    $$;
    CREATE TRIGGER guard_payout_words BEFORE UPDATE OF beneficiary_user_id, external_id, session_id ON payouts
      FOR EACH ROW EXECUTE FUNCTION guard_payout_words();

    -- Nearly every payout is confirmed in the end: those are found among all of their owner's. Each payout leaves some dead
    -- entries here, which whoever reads the index walks over until they are swept.
    CREATE INDEX payouts_by_status ON payouts (status, owner, id) WHERE status <> 'confirmed';
    ALTER TABLE payouts SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 10000);
    ANALYZE payouts, payout_directory;
    """#
}
