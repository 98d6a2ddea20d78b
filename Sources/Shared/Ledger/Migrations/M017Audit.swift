/// Audit records (api.md "Who may call"): who did what, when, under which request, and what came of it; append-only and
/// hash-chained.
///
/// - `audit_records`: a record is stored when it comes about, by many transactions at once, and linked a moment later
///   by one at a time: then it gets its place in the chain (`sequence`) and its hash, each once. Nothing else ever
///   changes.
/// - `audit_sink`: up to where the chain was delivered to `AUDIT_SINK_URL`, and who delivers just now.
enum M017Audit {
  static let sql = tables + chain + guards + sink

  private static let tables = #"""
    -- Lengths in characters; `AuditRecord` cuts to the same. Times are whole milliseconds, so that what is told of a
    -- record in RFC 3339 is all that its hash covers.
    CREATE TABLE audit_records (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      at timestamptz NOT NULL CHECK (at BETWEEN '2000-01-01' AND '3000-01-01' AND date_trunc('milliseconds', at) = at),
      service text NOT NULL CHECK (char_length(service) <= 64),
      caller text CHECK (char_length(caller) <= 255),
      role text CHECK (char_length(role) <= 64),
      proof text CHECK (char_length(proof) <= 128),
      operation text NOT NULL CHECK (char_length(operation) <= 64),
      target text CHECK (char_length(target) <= 128),
      request_id text NOT NULL CHECK (char_length(request_id) <= 128),
      status integer NOT NULL CHECK (status BETWEEN 100 AND 599),
      outcome text NOT NULL CHECK (char_length(outcome) <= 64),
      detail text CHECK (char_length(detail) <= 1200),
      sequence bigint UNIQUE CHECK (sequence >= 1),
      hash bytea CHECK (octet_length(hash) = 32),
      CHECK ((sequence IS NULL) = (hash IS NULL)),
      CONSTRAINT no_control_characters CHECK (
        (service || coalesce(caller, '') || coalesce(role, '') || coalesce(proof, '') || operation
          || coalesce(target, '') || request_id || outcome || coalesce(detail, '')) !~ '[\x01-\x1f\x7f-\x9f]')
    );
    CREATE INDEX audit_records_unlinked ON audit_records (id) WHERE sequence IS NULL;
    CREATE INDEX audit_records_by_time ON audit_records (at, id);
    CREATE INDEX audit_records_by_caller ON audit_records (caller, at, id) WHERE caller IS NOT NULL;
    CREATE INDEX audit_records_by_target ON audit_records (target, at, id) WHERE target IS NOT NULL;
    -- Each link leaves a dead entry in the index of what has none, which the next linking walks over until it is swept.
    ALTER TABLE audit_records SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50000);
    """#

  private static let chain = #"""

    -- A field of a hash: its length in 4 bytes and its bytes; FFFFFFFF alone where it is absent.
    CREATE FUNCTION audit_field(value bytea) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
      SELECT CASE WHEN value IS NULL THEN decode('ffffffff', 'hex') ELSE int4send(octet_length(value)) || value END
    $$;

    -- The hash of a record behind another one. The program computes the same by itself (`AuditChain`).
    CREATE FUNCTION audit_hash(previous bytea, entry audit_records) RETURNS bytea LANGUAGE sql STABLE AS $$
      SELECT sha256(
        convert_to('tron-payouts/audit/v1', 'UTF8') || decode('00', 'hex')
          || coalesce(previous, decode(repeat('00', 32), 'hex'))
          || audit_field(int8send(entry.id))
          || audit_field(int8send((extract(epoch FROM entry.at) * 1000000)::bigint))
          || audit_field(convert_to(entry.service, 'UTF8'))
          || audit_field(convert_to(entry.caller, 'UTF8'))
          || audit_field(convert_to(entry.role, 'UTF8'))
          || audit_field(convert_to(entry.proof, 'UTF8'))
          || audit_field(convert_to(entry.operation, 'UTF8'))
          || audit_field(convert_to(entry.target, 'UTF8'))
          || audit_field(convert_to(entry.request_id, 'UTF8'))
          || audit_field(int8send(entry.status::bigint))
          || audit_field(convert_to(entry.outcome, 'UTF8'))
          || audit_field(convert_to(entry.detail, 'UTF8')))
    $$;

    -- Links the oldest records that have no place yet, one caller at a time (the number of the lock is 'tpaudit1'). A
    -- record whose transaction commits later under a lower id is linked later: the order of the chain is that of
    -- places.
    CREATE FUNCTION link_audit(most integer) RETURNS SETOF audit_records LANGUAGE plpgsql AS $$
    DECLARE
      entry audit_records;
      place bigint;
      previous bytea;
    BEGIN
      PERFORM pg_advisory_xact_lock(8390313262614934577);
      SELECT r.sequence, r.hash INTO place, previous FROM audit_records r
        WHERE r.sequence IS NOT NULL ORDER BY r.sequence DESC LIMIT 1;
      place := coalesce(place, 0);
      FOR entry IN SELECT r.* FROM audit_records r WHERE r.sequence IS NULL ORDER BY r.id LIMIT most LOOP
        place := place + 1;
        previous := audit_hash(previous, entry);
        UPDATE audit_records r SET sequence = place, hash = previous WHERE r.id = entry.id;
        entry.sequence := place;
        entry.hash := previous;
        RETURN NEXT entry;
      END LOOP;
    END
    $$;
    """#

  private static let guards = #"""

    CREATE FUNCTION guard_new_audit_record() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      RAISE EXCEPTION 'an audit record begins without a place in the chain' USING ERRCODE = 'TP001';
    END
    $$;
    CREATE TRIGGER guard_new_audit_record BEFORE INSERT ON audit_records FOR EACH ROW
      WHEN (NEW.sequence IS NOT NULL OR NEW.hash IS NOT NULL) EXECUTE FUNCTION guard_new_audit_record();

    -- The only change there is: the next place in the chain, with the right hash.
    CREATE FUNCTION guard_audit_record() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
      place bigint;
      previous bytea;
    BEGIN
      IF OLD.sequence IS NOT NULL
        OR (NEW.id, NEW.at, NEW.service, NEW.caller, NEW.role, NEW.proof)
          IS DISTINCT FROM (OLD.id, OLD.at, OLD.service, OLD.caller, OLD.role, OLD.proof)
        OR (NEW.operation, NEW.target, NEW.request_id, NEW.status, NEW.outcome, NEW.detail)
          IS DISTINCT FROM (OLD.operation, OLD.target, OLD.request_id, OLD.status, OLD.outcome, OLD.detail) THEN
        RAISE EXCEPTION 'audit record %: it gets its place in the chain once, and nothing of it is changed', OLD.id
          USING ERRCODE = 'TP002';
      END IF;
      SELECT r.sequence, r.hash INTO place, previous FROM audit_records r
        WHERE r.sequence IS NOT NULL ORDER BY r.sequence DESC LIMIT 1;
      IF NEW.sequence IS DISTINCT FROM coalesce(place, 0) + 1
        OR NEW.hash IS DISTINCT FROM audit_hash(previous, NEW) THEN
        RAISE EXCEPTION 'audit record %: that is not the next place in the chain, or not its hash', OLD.id
          USING ERRCODE = 'TP002';
      END IF;
      RETURN NEW;
    END
    $$;
    CREATE TRIGGER guard_audit_record BEFORE UPDATE ON audit_records
      FOR EACH ROW EXECUTE FUNCTION guard_audit_record();
    CREATE TRIGGER refuse_removal BEFORE DELETE OR TRUNCATE ON audit_records
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
    """#

  private static let sink = #"""

    -- Taken by one Monitor at a time, for no longer than a call may last; a later claim makes an earlier one void.
    CREATE TABLE audit_sink (
      only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
      sequence bigint NOT NULL DEFAULT 0 CHECK (sequence >= 0),
      moved_at timestamptz,
      claims bigint NOT NULL DEFAULT 0,
      taken_until timestamptz NOT NULL DEFAULT '-infinity'
    );
    INSERT INTO audit_sink DEFAULT VALUES;

    -- Nothing is skipped that is not there yet. Going back tells the receiver something twice, or, after a restore, other
    -- records under known places: by their hashes it sees which.
    CREATE FUNCTION guard_audit_sink() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NOT EXISTS (SELECT FROM audit_records r WHERE r.sequence = NEW.sequence) THEN
        RAISE EXCEPTION 'audit record % is not in the chain: it cannot have been delivered', NEW.sequence
          USING ERRCODE = 'TP002';
      END IF;
      RETURN NEW;
    END
    $$;
    CREATE TRIGGER guard_audit_sink BEFORE UPDATE ON audit_sink FOR EACH ROW
      WHEN (NEW.sequence > OLD.sequence) EXECUTE FUNCTION guard_audit_sink();
    CREATE TRIGGER refuse_removal BEFORE DELETE OR TRUNCATE ON audit_sink
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
    """#
}
