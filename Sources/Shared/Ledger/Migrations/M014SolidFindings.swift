/// What the fence found in a solid block stands there for good.
enum M014SolidFindings {
  static let sql = #"""
    -- Whether a quorum's solid block holds it: what one node's head block says of it changes nothing then. Of those that are
    -- older than this column nobody knows.
    ALTER TABLE unclaimed_transfers ADD COLUMN is_solid boolean NOT NULL DEFAULT false;
    """#
}
