/// API keys (api.md "Who may call"): with what their owners prove that they call.
///
/// Of a key's secret only its SHA-256 stands here. It is 32 random bytes, so that nobody finds it by trying, and
/// whoever reads this table can call in nobody's name. Nor can whoever writes in it: a row counts under the seal of
/// Ingest alone, which covers all of it but when it was made and revoked.
enum M016APIKeys {
  static let sql = #"""
    -- What a role may do at most; a test holds it against the program's own table.
    CREATE FUNCTION role_permissions(of_role text) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
      SELECT CASE of_role
        WHEN 'admin'
          THEN ARRAY['payment:create', 'payment:read', 'payment:list', 'payment:stats', 'payment:admin']
        WHEN 'node_operator' THEN ARRAY['payment:create', 'payment:read', 'payment:list']
        WHEN 'end_user' THEN ARRAY['payment:read', 'payment:list']
        WHEN 'service' THEN ARRAY['payment:create', 'payment:read', 'payment:list']
        ELSE ARRAY[]::text[] END
    $$;

    CREATE TABLE api_keys (
      id bytea PRIMARY KEY CHECK (octet_length(id) = 8),
      secret_digest bytea NOT NULL CHECK (octet_length(secret_digest) = 32),
      name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 128),
      owner text NOT NULL CHECK (octet_length(owner) BETWEEN 1 AND 1020),
      role text NOT NULL CHECK (role IN ('admin', 'node_operator', 'end_user', 'service')),
      permissions text[] NOT NULL,
      node_ids text[] NOT NULL CHECK (cardinality(node_ids) <= 1000 AND array_position(node_ids, NULL) IS NULL),
      created_by text NOT NULL CHECK (created_by <> ''),
      -- No key makes another one.
      created_proof text NOT NULL CHECK (created_proof IN ('jwt', 'gateway')),
      created_at timestamptz NOT NULL DEFAULT ledger_now(),
      expires_at timestamptz,
      revoked_at timestamptz,
      revoked_by text CHECK (revoked_by <> ''),
      seal_key_id text NOT NULL CHECK (octet_length(seal_key_id) BETWEEN 1 AND 64),
      seal_signature bytea NOT NULL CHECK (octet_length(seal_signature) = 64),
      CONSTRAINT api_key_revoked_by_somebody CHECK ((revoked_at IS NULL) = (revoked_by IS NULL)),
      CONSTRAINT api_key_expires_later CHECK (expires_at > created_at),
      -- A key narrows its role and never widens it.
      CONSTRAINT api_key_within_its_role CHECK (
        cardinality(permissions) > 0 AND permissions <@ role_permissions(role))
    );
    CREATE INDEX api_keys_by_owner ON api_keys (owner, created_at DESC);

    CREATE FUNCTION guard_api_key() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF (NEW.id, NEW.secret_digest, NEW.name, NEW.owner, NEW.role, NEW.permissions, NEW.node_ids, NEW.created_by,
          NEW.created_proof, NEW.created_at, NEW.expires_at, NEW.seal_key_id, NEW.seal_signature)
        IS DISTINCT FROM
         (OLD.id, OLD.secret_digest, OLD.name, OLD.owner, OLD.role, OLD.permissions, OLD.node_ids, OLD.created_by,
          OLD.created_proof, OLD.created_at, OLD.expires_at, OLD.seal_key_id, OLD.seal_signature)
        OR OLD.revoked_at IS NOT NULL OR NEW.revoked_at IS NULL THEN
        RAISE EXCEPTION 'API key %: it is revoked once, and nothing else of it changes', encode(OLD.id, 'hex')
          USING ERRCODE = 'TP002';
      END IF;
      RETURN NEW;
    END
    $$;
    CREATE TRIGGER guard_api_key BEFORE UPDATE ON api_keys FOR EACH ROW EXECUTE FUNCTION guard_api_key();
    CREATE TRIGGER refuse_removal BEFORE DELETE OR TRUNCATE ON api_keys
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
    """#
}
