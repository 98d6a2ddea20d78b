/// Orders of operators to set the head to the solid block that was followed, where its branch is a false one.
enum M013HeadResets {
  static let sql = #"""
    CREATE TABLE head_resets (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      ordered_by text NOT NULL DEFAULT current_setting('application_name'),
      reason text NOT NULL CHECK (reason <> ''),
      ordered_at timestamptz NOT NULL DEFAULT ledger_now(),
      -- Where the head stood, and the solid block to which it was set.
      from_number bigint,
      from_id bytea CHECK (octet_length(from_id) = 32),
      to_number bigint,
      to_id bytea CHECK (octet_length(to_id) = 32),
      done_at timestamptz,
      refused_at timestamptz,
      refusal text,
      CHECK (num_nonnulls(done_at, refused_at) <= 1),
      CHECK (num_nulls(from_number, from_id, to_number, to_id, done_at) IN (0, 5)),
      CHECK ((refused_at IS NULL) = (refusal IS NULL))
    );
    CREATE UNIQUE INDEX one_open_head_reset ON head_resets ((true)) WHERE done_at IS NULL AND refused_at IS NULL;

    CREATE FUNCTION guard_head_reset() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF (NEW.id, NEW.ordered_by, NEW.reason, NEW.ordered_at)
        IS DISTINCT FROM (OLD.id, OLD.ordered_by, OLD.reason, OLD.ordered_at)
        OR OLD.done_at IS NOT NULL OR OLD.refused_at IS NOT NULL THEN
        RAISE EXCEPTION 'head reset %: an order is carried out or refused once, and not changed', OLD.id
          USING ERRCODE = 'TP002';
      END IF;
      RETURN NEW;
    END
    $$;
    CREATE TRIGGER guard_head_reset BEFORE UPDATE ON head_resets FOR EACH ROW EXECUTE FUNCTION guard_head_reset();
    CREATE TRIGGER refuse_removal BEFORE DELETE OR TRUNCATE ON head_resets
      FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
    """#
}
