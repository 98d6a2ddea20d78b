/// Payouts, their references, batches, limits and history (DESIGN.md §2).
enum M002Payouts {
  static let sql = #"""
    CREATE TYPE payout_status AS ENUM (
      'kyc_pending', 'compliance_pending', 'queued', 'scheduled', 'signed', 'broadcast', 'confirming', 'held',
      'confirmed', 'failed', 'rejected', 'expired', 'cancelled', 'settled_externally');

    -- Who used a reference first. Never purged: it is what makes a key count once for ever.
    CREATE TABLE payout_references (
      reference bytea PRIMARY KEY CHECK (octet_length(reference) = 32),
      payout_id uuid NOT NULL UNIQUE,
      owner text,
      request_fingerprint bytea CHECK (octet_length(request_fingerprint) = 32),
      claimed_at timestamptz NOT NULL DEFAULT ledger_now()
    );

    CREATE TABLE client_batches (
      id uuid PRIMARY KEY,
      owner text NOT NULL,
      payout_count integer NOT NULL CHECK (payout_count BETWEEN 1 AND 100),
      total_amount bigint NOT NULL CHECK (total_amount > 0),
      created_at timestamptz NOT NULL DEFAULT ledger_now()
    );

    CREATE TABLE settlement_batches (
      id uuid PRIMARY KEY,
      router text NOT NULL CHECK (router IN ('v0', 'kyc')),
      batch_type text NOT NULL CHECK (batch_type IN ('immediate', 'hourly', 'daily', 'weekly')),
      priority text NOT NULL CHECK (priority IN ('low', 'normal', 'high', 'urgent')),
      window_end timestamptz NOT NULL,
      payout_count integer NOT NULL CHECK (payout_count BETWEEN 1 AND 100),
      total_amount bigint NOT NULL CHECK (total_amount > 0),
      created_at timestamptz NOT NULL DEFAULT ledger_now(),
      released_at timestamptz,
      CHECK (released_at IS NULL OR released_at >= created_at)
    );

    CREATE TABLE payouts (
      id uuid PRIMARY KEY,
      reference bytea NOT NULL UNIQUE REFERENCES payout_references,
      owner text NOT NULL CHECK (owner <> ''),
      network text NOT NULL,
      token bytea NOT NULL CHECK (octet_length(token) = 21 AND get_byte(token, 0) = 65),
      asset text NOT NULL,
      recipient bytea NOT NULL CHECK (octet_length(recipient) = 21 AND get_byte(recipient, 0) = 65),
      amount bigint NOT NULL CHECK (amount > 0),
      router text NOT NULL CHECK (router IN ('v0', 'kyc')),
      batch_type text NOT NULL CHECK (batch_type IN ('immediate', 'hourly', 'daily', 'weekly')),
      client_batch_id uuid REFERENCES client_batches,
      node_id text,
      kyc_hash bytea CHECK (octet_length(kyc_hash) = 32),
      created_at timestamptz NOT NULL,
      expires_at timestamptz,
      seal_version bigint NOT NULL,
      seal_key_id text NOT NULL,
      seal_signature bytea NOT NULL,

      priority text NOT NULL CHECK (priority IN ('low', 'normal', 'high', 'urgent')),
      reason text NOT NULL,
      external_id text CHECK (char_length(external_id) <= 128),
      beneficiary_user_id text,
      session_id text,
      work_credits text,
      custom_data jsonb,
      webhook_url text,
      request_id text NOT NULL,
      accepted_status payout_status NOT NULL,
      hour_window timestamptz NOT NULL,
      day_window timestamptz NOT NULL,

      status payout_status NOT NULL,
      status_since timestamptz NOT NULL DEFAULT ledger_now(),
      note text,
      held_from payout_status,
      hold_reason text,
      settlement_batch_id uuid REFERENCES settlement_batches,
      not_before timestamptz,
      CONSTRAINT held_has_reason_and_origin
        CHECK ((status = 'held') = (held_from IS NOT NULL) AND (held_from IS NULL) = (hold_reason IS NULL)),
      CONSTRAINT held_from_a_waiting_state
        CHECK (held_from NOT IN ('held', 'confirmed', 'failed', 'rejected', 'expired', 'cancelled',
                                 'settled_externally')),
      CONSTRAINT scheduled_is_in_a_batch CHECK (status <> 'scheduled' OR settlement_batch_id IS NOT NULL)
    );
    CREATE INDEX payouts_queued ON payouts (status_since, id) WHERE status = 'queued';
    CREATE INDEX payouts_scheduled ON payouts (settlement_batch_id, id) WHERE status = 'scheduled';
    CREATE INDEX payouts_confirming ON payouts (id) WHERE status = 'confirming';
    CREATE INDEX payouts_held ON payouts (status_since) WHERE status = 'held';
    CREATE INDEX payouts_expiring ON payouts (expires_at)
      WHERE expires_at IS NOT NULL
        AND status IN ('kyc_pending', 'compliance_pending', 'queued', 'scheduled', 'held');

    CREATE TABLE payout_events (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      payout_id uuid NOT NULL,
      at timestamptz NOT NULL DEFAULT ledger_now(),
      from_status payout_status,
      to_status payout_status NOT NULL,
      actor text NOT NULL,
      note text
    );
    CREATE INDEX payout_events_by_payout ON payout_events (payout_id, id);

    -- What is used of a limit in a window: 'accepted' by Ingest, 'signed' by Signer.
    CREATE TABLE limit_windows (
      scope text NOT NULL CHECK (scope IN ('accepted', 'signed')),
      span text NOT NULL CHECK (span IN ('hour', 'day')),
      starts_at timestamptz NOT NULL,
      used bigint NOT NULL DEFAULT 0 CONSTRAINT limit_use_is_never_negative CHECK (used >= 0),
      PRIMARY KEY (scope, span, starts_at)
    );

    CREATE FUNCTION window_start(span text, moment timestamptz) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
      SELECT date_trunc(span, moment, 'UTC')
    $$;
    """#
}
