/// Looking at what is under way costs the same however much of it there is, and however much is finished.
enum M009Depths {
  static let sql = #"""
    -- The stages between queue and end, each in the order in which payouts came into it: how many, since when, and which
    -- are to be confirmed next.
    -- The stronger lock first: whoever waits for it holds none yet.
    DROP INDEX payouts_confirming;
    CREATE INDEX payouts_under_way ON payouts (status, status_since, id)
      WHERE status IN ('scheduled', 'signed', 'broadcast', 'confirming');
    """#
}
