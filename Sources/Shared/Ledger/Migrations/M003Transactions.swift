/// Signed transactions and the attempts they carry (DESIGN.md §2, §3). These tables hold the living and stay
/// unpartitioned: uniqueness does not reach across partitions.
enum M003Transactions {
  static let sql = #"""
    CREATE TYPE transaction_status AS ENUM (
      'signed', 'sent', 'included', 'solid', 'failed_on_chain', 'dead', 'anomalous');
    CREATE TYPE attempt_outcome AS ENUM ('paid', 'failed_on_chain', 'dead');

    CREATE TABLE transactions (
      txid bytea PRIMARY KEY CHECK (octet_length(txid) = 32),
      wallet bytea NOT NULL CHECK (octet_length(wallet) = 21 AND get_byte(wallet, 0) = 65),
      signer text NOT NULL,
      signed_bytes bytea NOT NULL CHECK (octet_length(signed_bytes) BETWEEN 66 AND 511872),
      reference_block_number bigint NOT NULL CHECK (reference_block_number >= 0),
      head_time_ms bigint NOT NULL,
      expiration_ms bigint NOT NULL,
      fee_limit_sun bigint NOT NULL CHECK (fee_limit_sun >= 0),
      signed_at timestamptz NOT NULL,
      status transaction_status NOT NULL DEFAULT 'signed',
      status_since timestamptz NOT NULL DEFAULT ledger_now(),
      next_broadcast_at timestamptz NOT NULL DEFAULT ledger_now(),
      last_answer text,
      block_number bigint,
      block_id bytea,
      block_time_ms bigint,
      result text,
      fee_sun bigint,
      energy_used bigint,
      bandwidth_used bigint,
      CHECK (expiration_ms > head_time_ms),
      CHECK ((status IN ('included', 'solid', 'failed_on_chain')) <= (block_number IS NOT NULL))
    );
    CREATE INDEX transactions_to_broadcast ON transactions (next_broadcast_at) WHERE status IN ('signed', 'sent');
    CREATE INDEX transactions_unsettled ON transactions (expiration_ms)
      WHERE status IN ('signed', 'sent', 'included', 'anomalous');
    CREATE INDEX transactions_included ON transactions (block_number) WHERE status = 'included';

    -- No foreign key to payouts: a restore may have lost the row, and the attempt is still true.
    CREATE TABLE attempts (
      reference bytea NOT NULL CHECK (octet_length(reference) = 32),
      payout_id uuid NOT NULL,
      number integer NOT NULL CHECK (number >= 1),
      txid bytea NOT NULL REFERENCES transactions,
      token bytea NOT NULL CHECK (octet_length(token) = 21 AND get_byte(token, 0) = 65),
      recipient bytea NOT NULL CHECK (octet_length(recipient) = 21 AND get_byte(recipient, 0) = 65),
      amount bigint NOT NULL CHECK (amount > 0),
      outcome attempt_outcome,
      ended_at timestamptz,
      PRIMARY KEY (reference, txid),
      CHECK ((outcome IS NULL) = (ended_at IS NULL))
    );
    CREATE UNIQUE INDEX one_live_or_paid_attempt_a_reference ON attempts (reference)
      WHERE outcome IS NULL OR outcome = 'paid';
    CREATE INDEX attempts_by_txid ON attempts (txid);
    CREATE INDEX attempts_by_payout ON attempts (payout_id);

    -- What a Signer put back from its journal, in the transaction that did so: the only way to store a signature
    -- while the history is not trusted.
    CREATE TABLE put_backs (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      txid bytea NOT NULL CHECK (octet_length(txid) = 32),
      signer text NOT NULL,
      journal_id bytea NOT NULL,
      database_transaction xid8 NOT NULL DEFAULT pg_current_xact_id(),
      at timestamptz NOT NULL DEFAULT ledger_now()
    );
    CREATE INDEX put_backs_by_txid ON put_backs (txid);

    CREATE FUNCTION is_being_put_back(wanted bytea) RETURNS boolean LANGUAGE sql STABLE AS $$
      SELECT EXISTS (
        SELECT FROM put_backs WHERE txid = wanted AND database_transaction = pg_current_xact_id_if_assigned())
    $$;

    -- How far Monitor has read the chain, without a gap, in each of its two views.
    CREATE TABLE chain_cursors (
      view text PRIMARY KEY CHECK (view IN ('head', 'solid')),
      number bigint NOT NULL,
      block_id bytea NOT NULL CHECK (octet_length(block_id) = 32),
      block_time_ms bigint NOT NULL,
      moved_at timestamptz NOT NULL DEFAULT ledger_now()
    );

    -- The part of the head's branch that may still be undone.
    CREATE TABLE chain_blocks (
      number bigint PRIMARY KEY,
      block_id bytea NOT NULL CHECK (octet_length(block_id) = 32),
      block_time_ms bigint NOT NULL
    );
    """#
}
