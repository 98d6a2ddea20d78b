/// The ground: what this installation is, its clock, and whether its history can be trusted (DESIGN.md §3 "Continuity").
enum M001Foundation {
  static let sql = #"""
    CREATE TABLE ledger_settings (
      only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
      environment text NOT NULL CHECK (environment IN ('dev', 'staging', 'production')),
      network text NOT NULL CHECK (network IN ('mainnet', 'shasta', 'nile', 'devnet')),
      genesis_block_id bytea NOT NULL CHECK (octet_length(genesis_block_id) = 32),
      max_expiration_ms bigint NOT NULL CHECK (max_expiration_ms BETWEEN 1000 AND 86400000),
      clock_bound_ms bigint NOT NULL CHECK (clock_bound_ms > 0),
      clock_offset_ms bigint NOT NULL DEFAULT 0,
      CONSTRAINT clock_offset_only_in_dev CHECK (clock_offset_ms = 0 OR environment = 'dev')
    );

    -- The one clock of all deadlines: every replica asks the same server, so that all agree. It stands still during
    -- a transaction, so that all its statements see one window.
    CREATE FUNCTION ledger_now() RETURNS timestamptz LANGUAGE sql STABLE AS $$
      SELECT transaction_timestamp()
        + coalesce((SELECT clock_offset_ms FROM ledger_settings), 0) * interval '1 millisecond'
    $$;

    CREATE FUNCTION unix_ms(moment timestamptz) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
      SELECT (extract(epoch FROM moment) * 1000)::bigint
    $$;

    CREATE TABLE wallets (
      address bytea PRIMARY KEY CHECK (octet_length(address) = 21),
      network text NOT NULL,
      begin_block_number bigint NOT NULL CHECK (begin_block_number >= 0),
      begin_block_id bytea NOT NULL CHECK (octet_length(begin_block_id) = 32),
      begin_block_time_ms bigint NOT NULL,
      declared_at timestamptz NOT NULL DEFAULT ledger_now()
    );

    -- Which journal a Signer's name stands for. Another id under a known name is a lost journal.
    CREATE TABLE journals (
      signer text PRIMARY KEY CHECK (signer ~ '^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$'),
      wallet bytea NOT NULL REFERENCES wallets,
      journal_id bytea NOT NULL UNIQUE CHECK (octet_length(journal_id) = 16),
      declared_at timestamptz NOT NULL DEFAULT ledger_now()
    );

    -- The 'transactions' table is made in a later migration; what identifies it is read by name when asked for.
    -- The timeline comes from the log's file name: pg_control_checkpoint() lags after a promotion.
    CREATE FUNCTION server_life(
      OUT system_identifier bigint, OUT timeline text, OUT server_start timestamptz,
      OUT transactions_oid bigint, OUT transactions_file_node bigint
    ) LANGUAGE plpgsql STABLE AS $$
    BEGIN
      SELECT c.system_identifier INTO system_identifier FROM pg_control_system() c;
      timeline := substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8);
      server_start := pg_postmaster_start_time();
      transactions_oid := 'transactions'::regclass::oid::bigint;
      transactions_file_node := pg_relation_filenode('transactions')::bigint;
    END
    $$;

    CREATE TABLE vouchings (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      signer text NOT NULL REFERENCES journals,
      run_id bytea NOT NULL CHECK (octet_length(run_id) = 16),
      signer_names text[] NOT NULL CHECK (cardinality(signer_names) > 0),
      journal_id bytea NOT NULL,
      system_identifier bigint NOT NULL,
      timeline text NOT NULL,
      server_start timestamptz NOT NULL,
      transactions_oid bigint NOT NULL,
      transactions_file_node bigint NOT NULL,
      put_back integer NOT NULL CHECK (put_back >= 0),
      vouched_at timestamptz NOT NULL DEFAULT ledger_now()
    );
    CREATE INDEX vouchings_by_signer ON vouchings (signer, id DESC);

    CREATE TABLE continuity (
      only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
      system_identifier bigint NOT NULL,
      timeline text NOT NULL,
      server_start timestamptz NOT NULL,
      transactions_oid bigint NOT NULL,
      transactions_file_node bigint NOT NULL,
      vouched_by text NOT NULL,
      vouched_at timestamptz NOT NULL DEFAULT ledger_now()
    );

    -- False after every start of the server until every Signer has compared its own journal with this database.
    CREATE FUNCTION continuous() RETURNS boolean LANGUAGE sql STABLE AS $$
      SELECT EXISTS (
        SELECT FROM continuity c, server_life() s
        WHERE c.system_identifier = s.system_identifier AND c.timeline = s.timeline
          AND c.server_start = s.server_start AND c.transactions_oid = s.transactions_oid
          AND c.transactions_file_node = s.transactions_file_node)
    $$;

    CREATE TABLE unclaimed_transfers (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      txid bytea NOT NULL CHECK (octet_length(txid) = 32),
      kind text NOT NULL CHECK (kind IN ('owned_transaction', 'token_transfer')),
      log_index integer NOT NULL DEFAULT -1,
      wallet bytea NOT NULL,
      recipient bytea,
      amount numeric,
      reference_bits integer,
      timestamp_ms bigint,
      block_number bigint NOT NULL,
      block_id bytea NOT NULL,
      found_at timestamptz NOT NULL DEFAULT ledger_now(),
      judged_at timestamptz,
      explained_at timestamptz,
      acknowledged_at timestamptz,
      UNIQUE (txid, kind, log_index)
    );
    CREATE INDEX unclaimed_transfers_open ON unclaimed_transfers (id)
      WHERE explained_at IS NULL AND acknowledged_at IS NULL;
    CREATE INDEX unclaimed_transfers_by_recipient ON unclaimed_transfers (recipient, amount)
      WHERE explained_at IS NULL;

    -- Nothing is signed, and nothing ends unpaid, unless this holds (DESIGN.md §3 "Continuity").
    CREATE FUNCTION history_is_trusted() RETURNS boolean LANGUAGE sql STABLE AS $$
      SELECT continuous() AND NOT EXISTS (
        SELECT FROM unclaimed_transfers WHERE explained_at IS NULL AND acknowledged_at IS NULL)
    $$;

    CREATE TABLE breaker (
      only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
      state text NOT NULL CHECK (state IN ('closed', 'open', 'half_open')),
      cause text,
      closes_by text CHECK (closes_by IN ('trial', 'operator')),
      since timestamptz NOT NULL DEFAULT ledger_now(),
      CHECK ((state = 'closed') = (cause IS NULL)),
      CHECK ((cause IS NULL) = (closes_by IS NULL))
    );
    INSERT INTO breaker (state) VALUES ('closed');

    CREATE TABLE pause (
      only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
      paused boolean NOT NULL,
      reason text,
      since timestamptz NOT NULL DEFAULT ledger_now(),
      CHECK (paused = (reason IS NOT NULL))
    );
    INSERT INTO pause (paused) VALUES (false);

    CREATE TABLE alarms (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      kind text NOT NULL,
      subject text NOT NULL,
      message text NOT NULL,
      raised_at timestamptz NOT NULL DEFAULT ledger_now(),
      last_at timestamptz NOT NULL DEFAULT ledger_now(),
      count bigint NOT NULL DEFAULT 1,
      acknowledged_at timestamptz
    );
    CREATE UNIQUE INDEX alarms_standing ON alarms (kind, subject) WHERE acknowledged_at IS NULL;

    -- One standing alarm a cause and subject; the same again is counted, not repeated.
    CREATE FUNCTION raise_alarm(alarm_kind text, alarm_subject text, alarm_message text) RETURNS void
    LANGUAGE sql AS $$
      INSERT INTO alarms AS a (kind, subject, message) VALUES (alarm_kind, alarm_subject, alarm_message)
      ON CONFLICT (kind, subject) WHERE acknowledged_at IS NULL
        DO UPDATE SET count = a.count + 1, last_at = ledger_now(), message = excluded.message
    $$;

    -- Opens the breaker until an operator closes it, and raises the alarm that says why.
    CREATE FUNCTION open_breaker(why text, alarm_subject text, alarm_message text) RETURNS void
    LANGUAGE sql AS $$
      UPDATE breaker SET state = 'open', cause = why, closes_by = 'operator', since = ledger_now()
        WHERE state <> 'open' OR closes_by <> 'operator';
      SELECT raise_alarm(why, alarm_subject, alarm_message)
    $$;
    """#
}
