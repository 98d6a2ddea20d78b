/// The registry of nodes whose identity is known (api.md "KYC").
///
/// - `kyc_nodes`: each node as it was registered last, and how that stands. That its time is over is told by the clock
///   (`kyc_status`), so that nobody has to come by and write it down.
/// - `compliance_nonces`: what the compliance authority's signatures were used for. A nonce counts once, for ever.
/// - `kyc_events`: each registration and each change, with its terms; the database writes it.
enum M023KYC {
  static let sql = tables + guards

  private static let tables = #"""
    CREATE TABLE kyc_nodes (
      node_id text PRIMARY KEY CHECK (char_length(node_id) BETWEEN 1 AND 128),
      wallet bytea NOT NULL CHECK (octet_length(wallet) = 21),
      kyc_hash bytea NOT NULL CHECK (octet_length(kyc_hash) = 32),
      compliance_level text NOT NULL
        CHECK (compliance_level IN ('basic', 'enhanced', 'institutional', 'government')),
      -- Without the clock's word: see kyc_status.
      status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'verified', 'rejected', 'suspended')),
      registered_at timestamptz NOT NULL DEFAULT ledger_now(),
      registered_by text NOT NULL CHECK (registered_by <> ''),
      expires_at timestamptz NOT NULL CHECK (expires_at > registered_at),
      verified_at timestamptz,
      nonce bytea CHECK (octet_length(nonce) = 32),
      signed_by bytea CHECK (octet_length(signed_by) = 21),
      signature bytea CHECK (octet_length(signature) = 65),
      signature_valid_until timestamptz,
      suspended_at timestamptz,
      suspended_reason text CHECK (char_length(suspended_reason) BETWEEN 1 AND 500),
      CONSTRAINT kyc_verified_by_a_signature CHECK (
        num_nonnulls(verified_at, nonce, signed_by, signature, signature_valid_until) IN (0, 5)),
      CONSTRAINT kyc_verified_once_verified CHECK (status <> 'verified' OR verified_at IS NOT NULL),
      CONSTRAINT kyc_pending_is_unverified CHECK (status NOT IN ('pending', 'rejected') OR verified_at IS NULL),
      CONSTRAINT kyc_suspended_for_a_reason CHECK (
        (suspended_at IS NULL) = (suspended_reason IS NULL) AND (suspended_at IS NULL) = (status <> 'suspended'))
    );

    CREATE TABLE compliance_nonces (
      nonce bytea PRIMARY KEY CHECK (octet_length(nonce) = 32),
      used_at timestamptz NOT NULL DEFAULT ledger_now(),
      -- What it was used for.
      node_id text REFERENCES kyc_nodes,
      payout_id uuid,
      CONSTRAINT compliance_nonce_of_one_thing CHECK (num_nonnulls(node_id, payout_id) = 1)
    );

    CREATE TABLE kyc_events (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      node_id text NOT NULL REFERENCES kyc_nodes,
      at timestamptz NOT NULL,
      actor text NOT NULL,
      from_status text,
      to_status text NOT NULL,
      note text,
      wallet bytea NOT NULL,
      kyc_hash bytea NOT NULL,
      compliance_level text NOT NULL,
      nonce bytea,
      signature bytea
    );
    CREATE INDEX kyc_events_by_node ON kyc_events (node_id, id);

    -- How a node stands by the ledger's clock.
    CREATE FUNCTION kyc_status(stored text, expires_at timestamptz) RETURNS text LANGUAGE sql STABLE AS $$
      SELECT CASE WHEN stored IN ('pending', 'verified') AND expires_at <= ledger_now() THEN 'expired' ELSE stored END
    $$;
    """#

  private static let guards = #"""

    CREATE FUNCTION guard_kyc_node() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
      was text;
      same_terms boolean;
      same_proof boolean;
    BEGIN
      IF TG_OP = 'INSERT' THEN
        IF NEW.status <> 'pending' THEN
          RAISE EXCEPTION 'node: it is registered as pending' USING ERRCODE = 'TP001';
        END IF;
        RETURN NEW;
      END IF;
      was := kyc_status(OLD.status, OLD.expires_at);
      same_terms :=
        (NEW.wallet, NEW.kyc_hash, NEW.compliance_level, NEW.registered_at, NEW.registered_by, NEW.expires_at)
        IS NOT DISTINCT FROM
        (OLD.wallet, OLD.kyc_hash, OLD.compliance_level, OLD.registered_at, OLD.registered_by, OLD.expires_at);
      same_proof :=
        (NEW.verified_at, NEW.nonce, NEW.signed_by, NEW.signature, NEW.signature_valid_until)
        IS NOT DISTINCT FROM
        (OLD.verified_at, OLD.nonce, OLD.signed_by, OLD.signature, OLD.signature_valid_until);
      IF NEW.node_id <> OLD.node_id THEN
        RAISE EXCEPTION 'node: its id never changes' USING ERRCODE = 'TP002';
      ELSIF NEW.status = 'pending' THEN
        -- A new registration; the events keep what stood here.
        IF was NOT IN ('expired', 'rejected', 'suspended') OR NEW.registered_at < OLD.registered_at THEN
          RAISE EXCEPTION 'node: it is registered anew once it has expired or was rejected or suspended'
            USING ERRCODE = 'TP001';
        END IF;
        RETURN NEW;
      ELSIF NOT same_terms OR (NOT same_proof AND NEW.status <> 'verified') THEN
        RAISE EXCEPTION 'node: its terms change by a new registration alone, and its proof by being verified'
          USING ERRCODE = 'TP002';
      ELSIF NOT (
          was = 'pending' AND NEW.status IN ('verified', 'rejected', 'suspended')
          OR was = 'verified' AND NEW.status = 'suspended') THEN
        RAISE EXCEPTION 'node: from % to % is no legal change', was, NEW.status USING ERRCODE = 'TP001';
      ELSIF NEW.status = 'verified' AND (
          NEW.signature_valid_until <= ledger_now()
          OR NOT EXISTS (SELECT FROM compliance_nonces n WHERE n.nonce = NEW.nonce AND n.node_id = NEW.node_id)) THEN
        RAISE EXCEPTION 'node: it is verified by a signature that holds, whose nonce is used for it'
          USING ERRCODE = 'TP002';
      END IF;
      RETURN NEW;
    END
    $$;
    CREATE TRIGGER guard_kyc_node BEFORE INSERT OR UPDATE ON kyc_nodes
      FOR EACH ROW EXECUTE FUNCTION guard_kyc_node();

    CREATE FUNCTION tell_kyc_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO kyc_events (
        node_id, at, actor, from_status, to_status, note, wallet, kyc_hash, compliance_level, nonce, signature)
      VALUES (
        NEW.node_id, ledger_now(), current_setting('application_name'),
        CASE WHEN TG_OP = 'UPDATE' THEN kyc_status(OLD.status, OLD.expires_at) END, NEW.status, NEW.suspended_reason,
        NEW.wallet, NEW.kyc_hash, NEW.compliance_level, NEW.nonce, NEW.signature);
      RETURN NULL;
    END
    $$;
    CREATE TRIGGER tell_kyc_change AFTER INSERT OR UPDATE ON kyc_nodes
      FOR EACH ROW EXECUTE FUNCTION tell_kyc_change();

    CREATE TRIGGER refuse_removal BEFORE DELETE OR TRUNCATE ON kyc_nodes
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
    CREATE TRIGGER refuse_removal BEFORE DELETE OR TRUNCATE ON compliance_nonces
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
    CREATE TRIGGER refuse_removal BEFORE DELETE OR TRUNCATE ON kyc_events
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
    CREATE TRIGGER refuse_change BEFORE UPDATE ON compliance_nonces
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
    CREATE TRIGGER refuse_change BEFORE UPDATE ON kyc_events
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
    """#
}
