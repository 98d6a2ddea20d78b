/// What limits count, held against what counts in them, row by row.
public enum ExactLimits {
  /// Asks for each window of each limit that counts anything else than the payouts, or attempts, which count in it: one
  /// `line` each, with its scope, span and beginning, what it says is used, and what is.
  public static let wrongWindows = """
    SELECT concat_ws('|', w.scope, w.span, w.starts_at, w.used, counted.amount) AS line
    FROM limit_windows w CROSS JOIN LATERAL (
      SELECT coalesce(sum(amount), 0) AS amount FROM (
        SELECT amount FROM payouts
        WHERE w.scope IN ('accepted', 'accepted_' || router)
          AND CASE w.span WHEN 'hour' THEN hour_window ELSE day_window END = w.starts_at
          AND status NOT IN ('failed', 'rejected', 'expired', 'cancelled', 'settled_externally')
        UNION ALL
        SELECT amount FROM attempts JOIN transactions USING (txid)
        WHERE w.scope = 'signed' AND date_trunc(w.span, signed_at, 'UTC') = w.starts_at
          AND (outcome IS NULL OR outcome = 'paid')) counting) counted
    WHERE w.used <> counted.amount
    """
}
