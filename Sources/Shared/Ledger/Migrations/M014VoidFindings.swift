/// What the fence found in a block that a fork undid, and that can be in no block any more, has paid nobody.
enum M014VoidFindings {
  static let sql = #"""
    -- Where a finding stands: in a block of the head, in none since a fork undid that one, or in a solid block, which is for
    -- good. Of those that are older than this column nobody knows: they count as solid.
    ALTER TABLE unclaimed_transfers
      ADD COLUMN place text NOT NULL DEFAULT 'solid' CHECK (place IN ('head', 'undone', 'solid')),
      ADD COLUMN expiration_ms bigint,
      ADD CHECK (place = 'solid' OR expiration_ms IS NOT NULL);

    -- The proof is that of a dead transaction (DESIGN.md §3 point 5): every solid block was read, up to one at or after the
    -- expiration, and what is found in one is solid before the cursor moves past it.
    CREATE FUNCTION is_void(place text, expiration_ms bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
      SELECT $1 = 'undone' AND EXISTS (SELECT FROM chain_cursors WHERE view = 'solid' AND block_time_ms >= $2)
    $$;
    """#
}
