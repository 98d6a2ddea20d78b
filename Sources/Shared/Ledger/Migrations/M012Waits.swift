/// What tells how long a wait must be (DESIGN.md §3 "Continuity").
enum M012Waits {
  static let sql = #"""
    -- A life of the server as one value, the same in every session.
    CREATE FUNCTION server_life_text() RETURNS text LANGUAGE sql STABLE AS $$
      SELECT concat_ws('/', system_identifier, timeline, extract(epoch FROM server_start), transactions_oid,
        transactions_file_node)
      FROM server_life()
    $$;

    -- Under which life a wait was asked for. One that a restore brought back has the length that was right when it was
    -- asked for: what was signed in the lost part may have been given a longer life.
    ALTER TABLE quarantines ADD COLUMN declared_under text;
    ALTER TABLE quarantines ALTER COLUMN declared_under SET DEFAULT server_life_text();
    CREATE TRIGGER refuse_change BEFORE UPDATE OF declared_under ON quarantines
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();

    -- The longest life of all transactions, without a scan under the vouching lock.
    CREATE INDEX transactions_life ON transactions ((expiration_ms - head_time_ms));
    """#
}
