/// Two of what there should be one of: two accepted requests of one reference, and two references of one transaction.
///
/// - `conflicting_acceptances`: a request whose acceptance a restore took, and whose reference another request has now. Its
///   client was told 201: a person is asked about it, once, wherever the other one has gone meanwhile. Until now the payout's
///   history remembered that, which says nothing where it was held for something else or signed already.
/// - A verdict ends all attempts of its transaction. One that came later, for another reference, would be ended by a verdict
///   that was found for others: paid, although one transfer pays once.
enum M020Twins {
  static let sql = #"""
    CREATE TABLE conflicting_acceptances (
      payout_id uuid PRIMARY KEY,
      reference bytea NOT NULL REFERENCES payout_references,
      told_at timestamptz NOT NULL DEFAULT ledger_now()
    );
    CREATE TRIGGER refuse_removal BEFORE DELETE OR TRUNCATE ON conflicting_acceptances
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
    CREATE TRIGGER refuse_change BEFORE UPDATE ON conflicting_acceptances
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();

    -- Those of before, by the words that their hold left: a person who was asked is not asked again.
    INSERT INTO conflicting_acceptances (payout_id, reference)
      SELECT DISTINCT ON (lost.payout_id) lost.payout_id, p.reference
      FROM payout_events e JOIN payouts p ON p.id = e.payout_id
        CROSS JOIN LATERAL (SELECT substring(e.note FROM 'a restore took payout ([0-9a-f-]{36})')::uuid) lost (payout_id)
      WHERE e.to_status = 'held' AND starts_with(e.note, 'conflicting_acceptance') AND lost.payout_id IS NOT NULL;

    CREATE FUNCTION refuse_twin_attempts() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
      twin record;
    BEGIN
      SELECT n.txid, n.reference INTO twin
        FROM new_rows n JOIN attempts a ON a.txid = n.txid AND a.reference <> n.reference
        WHERE a.xmin <> pg_current_xact_id()::xid LIMIT 1;
      IF FOUND THEN
        RAISE EXCEPTION 'transaction % has attempts of other references than %: one transfer pays once',
          encode(twin.txid, 'hex'), encode(twin.reference, 'hex') USING ERRCODE = 'TP002';
      END IF;
      RETURN NULL;
    END
    $$;
    CREATE TRIGGER refuse_twin_attempts AFTER INSERT ON attempts REFERENCING NEW TABLE AS new_rows
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_twin_attempts();
    """#
}
