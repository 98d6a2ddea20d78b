import Ledger
import Payouts

/// Several worlds one after the other in one database: its connections, with all that is prepared on them, stay warm.
extension TestLedger {
  /// Keeps what now stands in all tables and counters, to begin other worlds from.
  func keepWorld() async throws {
    try await run(
      """
      CREATE SCHEMA kept;
      CREATE TABLE kept.counters AS SELECT schemaname || '.' || sequencename AS name, last_value FROM pg_sequences;
      DO $$
      DECLARE name text;
      BEGIN
        FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
          EXECUTE format('CREATE TABLE kept.%I AS TABLE public.%I', name, name);
        END LOOP;
      END
      $$
      """)
  }

  /// Begins another world: with what was kept, and vouched for as it was then.
  func beginKeptWorld() async throws {
    try await force(
      """
      DO $$
      DECLARE name text;
      BEGIN
        FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
          EXECUTE format('DELETE FROM public.%I', name);
          EXECUTE format('INSERT INTO public.%I OVERRIDING SYSTEM VALUE TABLE kept.%I', name, name);
        END LOOP;
      END
      $$;
      SELECT setval(name::regclass, coalesce(last_value, 1), last_value IS NOT NULL) FROM kept.counters;
      UPDATE continuity SET transactions_file_node = (server_life()).transactions_file_node;
      UPDATE vouchings SET transactions_file_node = (server_life()).transactions_file_node;
      """)
  }

  /// Frees what earlier worlds have left.
  func vacuum() async throws {
    let tables = try await rows("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'")
    try await pool.executeScript("VACUUM \(tables.joined(separator: ", "))")
  }
}
