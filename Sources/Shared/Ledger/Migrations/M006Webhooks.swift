/// Webhooks (api.md "Webhooks"): what is to be told to whom, stored in the transaction of the change that it tells.
///
/// - `webhook_deliveries`: one event for one URL, and how its telling goes. For now the URL is the payout's own; a
///   registered endpoint gets rows of its own beside it, which name it in a column to come.
/// - `webhook_origins`: one row for each server (scheme, host and port) that was ever called, held for a short while by
///   whoever calls it. Never written by the transactions that move payouts, so that no payment waits for a webhook.
/// - `webhook_secrets`: with what an owner's webhooks are signed. The secrets stand here in clear, since each replica of
///   Monitor must sign with them and the owner may ask for them again: whoever reads this table can forge webhooks, never a
///   payout. Nothing of ours logs them.
enum M006Webhooks {
  static let sql = #"""
    CREATE TABLE webhook_secrets (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      owner text NOT NULL,
      secret bytea NOT NULL CHECK (octet_length(secret) BETWEEN 24 AND 64),
      made_at timestamptz NOT NULL DEFAULT ledger_now(),
      valid_until timestamptz
    );
    CREATE UNIQUE INDEX one_present_webhook_secret_an_owner ON webhook_secrets (owner) WHERE valid_until IS NULL;
    CREATE INDEX webhook_secrets_by_owner ON webhook_secrets (owner, id);

    CREATE TABLE webhook_origins (
      origin text COLLATE "C" PRIMARY KEY,
      closed_until timestamptz NOT NULL DEFAULT '-infinity',
      claims bigint NOT NULL DEFAULT 0,
      failures integer NOT NULL DEFAULT 0
    );

    CREATE TYPE webhook_state AS ENUM ('pending', 'delivered', 'gone', 'given_up');

    -- What is told is a snapshot of the change; what of the payout can never change is read from its row. 'number' is the
    -- order of a payout's events; the id is drawn by chance, so that a restored database never gives it to another event.
    CREATE TABLE webhook_deliveries (
      id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
      number bigint GENERATED ALWAYS AS IDENTITY,
      payout_id uuid NOT NULL,
      owner text NOT NULL,
      url text NOT NULL,
      origin text COLLATE "C" NOT NULL,
      event text NOT NULL,
      status payout_status NOT NULL,
      at timestamptz NOT NULL,
      txid bytea,
      hold_reason text,
      state webhook_state NOT NULL DEFAULT 'pending',
      tries integer NOT NULL DEFAULT 0,
      next_try_at timestamptz NOT NULL,
      last_tried_at timestamptz,
      last_result text,
      ended_at timestamptz,
      CHECK ((state = 'pending') = (ended_at IS NULL))
    );
    CREATE INDEX webhook_deliveries_pending ON webhook_deliveries (origin, next_try_at, number)
      WHERE state = 'pending';
    CREATE INDEX webhook_deliveries_pending_by_payout ON webhook_deliveries (payout_id, number)
      WHERE state = 'pending';

    -- After so many failed tries an event no longer keeps the payout's later ones back.
    CREATE FUNCTION webhook_tries_in_order() RETURNS integer LANGUAGE sql IMMUTABLE AS $$ SELECT 5 $$;

    -- Scheme, host and port as they are written, in lower case. Never fails: a payout must not stand still for its URL.
    CREATE FUNCTION webhook_origin(url text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
      SELECT coalesce(left(lower(substring(url FROM '^[A-Za-z]+://[^/?#]+')), 300), 'unknown')
    $$;

    CREATE FUNCTION is_told_by_webhook(status payout_status) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
      SELECT status IN ('queued', 'held', 'broadcast', 'confirmed', 'failed', 'rejected', 'settled_externally', 'expired',
                        'cancelled')
    $$;

    -- An event that must wait for an earlier one becomes due with it, so that nobody looks at it in vain meanwhile; the
    -- order itself is kept where deliveries are claimed.
    CREATE FUNCTION store_webhooks(told uuid[]) RETURNS void LANGUAGE sql AS $$
      INSERT INTO webhook_deliveries (
        payout_id, owner, url, origin, event, status, at, txid, hold_reason, next_try_at)
      SELECT p.id, p.owner, p.webhook_url, webhook_origin(p.webhook_url), 'payout.' || p.status, p.status, ledger_now(),
        (SELECT a.txid FROM attempts a
         WHERE a.reference = p.reference AND (a.outcome IS NULL OR a.outcome = 'paid')
           AND (a.token, a.recipient, a.amount) = (p.token, p.recipient, p.amount)),
        p.hold_reason,
        greatest(ledger_now(),
          (SELECT max(e.next_try_at) FROM webhook_deliveries e
           WHERE e.payout_id = p.id AND e.state = 'pending' AND e.tries < webhook_tries_in_order()))
      FROM payouts p WHERE p.id = ANY (told) ORDER BY p.id
    $$;

    -- Both run after the history is written, once a statement, and ask nothing more where no payout has a URL.
    CREATE FUNCTION tell_new_payouts() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
      told uuid[];
    BEGIN
      SELECT array_agg(id) INTO told FROM new_rows WHERE webhook_url IS NOT NULL AND is_told_by_webhook(status);
      IF told IS NOT NULL THEN
        PERFORM store_webhooks(told);
      END IF;
      RETURN NULL;
    END
    $$;
    CREATE TRIGGER tell_new_payouts AFTER INSERT ON payouts REFERENCING NEW TABLE AS new_rows
      FOR EACH STATEMENT EXECUTE FUNCTION tell_new_payouts();

    CREATE FUNCTION tell_payout_changes() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
      told uuid[];
    BEGIN
      SELECT array_agg(n.id) INTO told FROM new_rows n JOIN old_rows o USING (id)
        WHERE n.webhook_url IS NOT NULL AND n.status <> o.status AND is_told_by_webhook(n.status);
      IF told IS NOT NULL THEN
        PERFORM store_webhooks(told);
      END IF;
      RETURN NULL;
    END
    $$;
    CREATE TRIGGER tell_payout_changes AFTER UPDATE ON payouts
      REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
      FOR EACH STATEMENT EXECUTE FUNCTION tell_payout_changes();

    CREATE TRIGGER refuse_removal BEFORE DELETE OR TRUNCATE ON webhook_secrets
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
    CREATE TRIGGER refuse_removal BEFORE DELETE OR TRUNCATE ON webhook_origins
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
    CREATE TRIGGER refuse_removal BEFORE DELETE OR TRUNCATE ON webhook_deliveries
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
    """#
}
