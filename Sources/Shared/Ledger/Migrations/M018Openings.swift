/// How often the breaker was opened until an operator closes it: also while it is open, so that whoever closes it by what he
/// has seen does not close what came since.
enum M018Openings {
  static let sql = #"""
    ALTER TABLE breaker ADD COLUMN openings bigint NOT NULL DEFAULT 0 CHECK (openings >= 0);

    CREATE OR REPLACE FUNCTION open_breaker(why text, alarm_subject text, alarm_message text) RETURNS void
    LANGUAGE sql AS $$
      UPDATE breaker SET openings = openings + 1, state = 'open', closes_by = 'operator',
        cause = CASE WHEN state = 'open' AND closes_by = 'operator' THEN cause ELSE why END,
        since = CASE WHEN state = 'open' AND closes_by = 'operator' THEN since ELSE ledger_now() END;
      SELECT raise_alarm(why, alarm_subject, alarm_message)
    $$;
    """#
}
