/// Registered webhook endpoints (api.md "Webhooks"), told of their owner's events beside a payout's own `webhook_url`.
///
/// - `webhook_endpoints`: who wants to be told of what, and where. A row is never removed: `deleted_at` or `disabled_at`
///   ends it for good, and nothing of it but these and the count of its failures changes.
/// - `webhook_endpoint_secrets`: with what an endpoint's webhooks are signed; in clear, as in `webhook_secrets`.
/// - `webhook_deliveries` names the endpoint it is for (none: the payout's own URL), and holds events that are no single
///   payout's too: those of a client's batch, and trials.
enum M021WebhookEndpoints {
  static let sql = endpoints + deliveries + telling

  private static let endpoints = #"""
    CREATE TABLE webhook_endpoints (
      id uuid PRIMARY KEY,
      owner text NOT NULL CHECK (owner <> ''),
      url text NOT NULL CHECK (char_length(url) BETWEEN 1 AND 2048),
      -- NULL: all of them.
      events text[] CHECK (cardinality(events) BETWEEN 1 AND 32 AND array_position(events, NULL) IS NULL),
      description text CHECK (char_length(description) BETWEEN 1 AND 256),
      created_at timestamptz NOT NULL DEFAULT ledger_now(),
      -- Tries since the last success, and when the first of them failed.
      failures integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
      first_failed_at timestamptz,
      disabled_at timestamptz,
      disabled_reason text,
      deleted_at timestamptz,
      CHECK ((failures = 0) = (first_failed_at IS NULL)),
      CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL))
    );
    CREATE INDEX webhook_endpoints_listening ON webhook_endpoints (owner)
      WHERE deleted_at IS NULL AND disabled_at IS NULL;
    CREATE INDEX webhook_endpoints_by_owner ON webhook_endpoints (owner, id) WHERE deleted_at IS NULL;

    CREATE TABLE webhook_endpoint_secrets (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      endpoint_id uuid NOT NULL REFERENCES webhook_endpoints,
      secret bytea NOT NULL CHECK (octet_length(secret) BETWEEN 24 AND 64),
      made_at timestamptz NOT NULL DEFAULT ledger_now(),
      valid_until timestamptz
    );
    CREATE UNIQUE INDEX one_present_webhook_secret_an_endpoint ON webhook_endpoint_secrets (endpoint_id)
      WHERE valid_until IS NULL;
    CREATE INDEX webhook_endpoint_secrets_by_endpoint ON webhook_endpoint_secrets (endpoint_id, id);

    CREATE FUNCTION guard_webhook_endpoint() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF (NEW.id, NEW.owner, NEW.url, NEW.events, NEW.description, NEW.created_at)
          IS DISTINCT FROM (OLD.id, OLD.owner, OLD.url, OLD.events, OLD.description, OLD.created_at)
        OR OLD.deleted_at IS NOT NULL AND NEW.deleted_at IS DISTINCT FROM OLD.deleted_at
        OR OLD.disabled_at IS NOT NULL
          AND (NEW.disabled_at, NEW.disabled_reason) IS DISTINCT FROM (OLD.disabled_at, OLD.disabled_reason) THEN
        RAISE EXCEPTION 'webhook endpoint %: it is disabled and deleted once, and nothing else of it changes', OLD.id
          USING ERRCODE = 'TP002';
      END IF;
      RETURN NEW;
    END
    $$;
    CREATE TRIGGER guard_webhook_endpoint BEFORE UPDATE ON webhook_endpoints
      FOR EACH ROW EXECUTE FUNCTION guard_webhook_endpoint();
    CREATE TRIGGER refuse_removal BEFORE DELETE OR TRUNCATE ON webhook_endpoints
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
    CREATE TRIGGER refuse_removal BEFORE DELETE OR TRUNCATE ON webhook_endpoint_secrets
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
    """#

  private static let deliveries = #"""

    -- What is told of a payout is made of its columns. What is told of anything else stands whole in 'details', the
    -- member 'data' of what is sent, to the letter. No foreign key to the endpoint: no payment waits for its row.
    ALTER TABLE webhook_deliveries
      ALTER COLUMN payout_id DROP NOT NULL,
      ALTER COLUMN status DROP NOT NULL,
      ADD COLUMN endpoint_id uuid,
      ADD COLUMN batch_id uuid,
      ADD COLUMN details json,
      -- When its owner asked for it once more: its time runs from then on.
      ADD COLUMN redelivered_at timestamptz,
      ADD CONSTRAINT webhook_of_a_payout_or_else CHECK (
        (payout_id IS NULL) = (status IS NULL) AND (payout_id IS NULL) = (details IS NOT NULL)),
      ADD CONSTRAINT webhook_of_one_thing CHECK (num_nonnulls(payout_id, batch_id) <= 1),
      ADD CONSTRAINT only_payouts_have_a_url CHECK (payout_id IS NOT NULL OR endpoint_id IS NOT NULL);
    CREATE INDEX webhook_deliveries_by_endpoint ON webhook_deliveries (endpoint_id, number)
      WHERE endpoint_id IS NOT NULL;
    CREATE INDEX webhook_deliveries_by_state ON webhook_deliveries (endpoint_id, state, number)
      WHERE endpoint_id IS NOT NULL;
    """#

  private static let telling = #"""

    -- Those of the owners who have an endpoint: one look at an index for each owner.
    CREATE FUNCTION webhook_listeners(owners text[]) RETURNS text[] LANGUAGE plpgsql STABLE AS $$
    BEGIN
      RETURN (SELECT array_agg(o.owner) FROM unnest(owners) AS o (owner)
        WHERE EXISTS (
          SELECT FROM webhook_endpoints w
          WHERE w.owner = o.owner AND w.deleted_at IS NULL AND w.disabled_at IS NULL OFFSET 0));
    END
    $$;

    -- The payout's own URL and each endpoint of its owner are told each in an order of its own: one that fails keeps
    -- nobody else's event of this payout back.
    CREATE OR REPLACE FUNCTION store_webhooks(told uuid[]) RETURNS void LANGUAGE sql AS $$
      INSERT INTO webhook_deliveries (
        payout_id, endpoint_id, owner, url, origin, event, status, at, txid, hold_reason, next_try_at)
      SELECT p.id, t.endpoint_id, p.owner, t.url, webhook_origin(t.url), 'payout.' || p.status, p.status, ledger_now(),
        (SELECT a.txid FROM attempts a
         WHERE a.reference = p.reference AND (a.outcome IS NULL OR a.outcome = 'paid')
           AND (a.token, a.recipient, a.amount) = (p.token, p.recipient, p.amount)
         ORDER BY a.late LIMIT 1),
        p.hold_reason,
        greatest(ledger_now(),
          (SELECT max(e.next_try_at) FROM webhook_deliveries e
           WHERE e.payout_id = p.id AND e.endpoint_id IS NOT DISTINCT FROM t.endpoint_id AND e.state = 'pending'
             AND e.tries < webhook_tries_in_order()))
      FROM payouts p CROSS JOIN LATERAL (
        SELECT NULL::uuid AS endpoint_id, p.webhook_url AS url WHERE p.webhook_url IS NOT NULL
        UNION ALL
        SELECT w.id, w.url FROM webhook_endpoints w
        WHERE w.owner = p.owner AND w.deleted_at IS NULL AND w.disabled_at IS NULL
          AND (w.events IS NULL OR 'payout.' || p.status = ANY (w.events))) t
      WHERE p.id = ANY (told) ORDER BY p.id, t.endpoint_id NULLS FIRST
    $$;

    -- Where nobody has an endpoint, both cost one look at an empty index beside what they did before.
    CREATE OR REPLACE FUNCTION tell_new_payouts() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
      listeners text[];
      told uuid[];
    BEGIN
      IF EXISTS (SELECT FROM webhook_endpoints WHERE deleted_at IS NULL AND disabled_at IS NULL) THEN
        listeners := webhook_listeners(
          (SELECT array_agg(DISTINCT owner) FROM new_rows WHERE is_told_by_webhook(status)));
      END IF;
      SELECT array_agg(id) INTO told FROM new_rows
        WHERE (webhook_url IS NOT NULL OR owner = ANY (listeners)) AND is_told_by_webhook(status);
      IF told IS NOT NULL THEN
        PERFORM store_webhooks(told);
      END IF;
      RETURN NULL;
    END
    $$;

    CREATE OR REPLACE FUNCTION tell_payout_changes() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
      listeners text[];
      told uuid[];
    BEGIN
      IF EXISTS (SELECT FROM webhook_endpoints WHERE deleted_at IS NULL AND disabled_at IS NULL) THEN
        listeners := webhook_listeners(
          (SELECT array_agg(DISTINCT owner) FROM new_rows WHERE is_told_by_webhook(status)));
      END IF;
      SELECT array_agg(n.id) INTO told FROM new_rows n JOIN old_rows o USING (id)
        WHERE (n.webhook_url IS NOT NULL OR n.owner = ANY (listeners))
          AND n.status <> o.status AND is_told_by_webhook(n.status);
      IF told IS NOT NULL THEN
        PERFORM store_webhooks(told);
      END IF;
      RETURN NULL;
    END
    $$;
    """#
}
