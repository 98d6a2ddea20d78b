public import Payouts
import Postgres

/// Orders to set the head to the solid block that was followed: a person orders, Monitor asks nodes and carries out.
extension Ledger {
  /// See `OperatorLedger.orderHeadReset`.
  public func orderHeadReset(reason: String) async throws -> HeadResetAnswer {
    try await transaction { connection in
      // Of two that order at once the second sees the first one's.
      _ = try await connection.execute("LOCK TABLE head_resets IN SHARE ROW EXCLUSIVE MODE", [])
      let row = try await connection.execute(
        """
        SELECT EXISTS (SELECT FROM head_resets WHERE done_at IS NULL AND refused_at IS NULL) AS stands,
          EXISTS (
            SELECT FROM chain_cursors h JOIN chain_cursors s ON s.view = 'solid' WHERE h.view = 'head'
              AND NOT EXISTS (SELECT FROM chain_blocks b WHERE (b.number, b.block_id) = (s.number, s.block_id)))
            AS is_needed
        """, []
      ).single()
      if try row.bool("stands") { return .standing }
      guard try row.bool("is_needed") else { return .notNeeded }
      _ = try await connection.pipeline([
        ("INSERT INTO head_resets (reason) VALUES ($1)", [.text(reason)]),
        (
          Ledger.recordAct,
          [.text("head"), .text("ordered to set the head to the solid block that was followed: \(reason)")]
        ),
      ])
      return .ordered
    }
  }

  /// See `OperatorLedger.headResets`.
  public func headResets(atMost count: Int) async throws -> [HeadResetRecord] {
    try await read("SELECT * FROM head_resets ORDER BY id DESC LIMIT $1", [.int8(Int64(count))]).rows.map { row in
      let state: HeadResetRecord.State =
        if let refusal = try row.textOrNil("refusal") {
          .refused(refusal)
        } else if let from = try row.int8OrNil("from_number"), let to = try row.int8OrNil("to_number") {
          .done(from: from, to: to)
        } else { .ordered }
      return HeadResetRecord(
        order: HeadResetOrder(
          id: try row.int8("id"), orderedBy: try row.text("ordered_by"), reason: try row.text("reason")),
        orderedAt: try row.time("ordered_at"), state: state)
    }
  }

  /// See `MonitorLedger.resetHead`.
  public func resetHead(
    by order: HeadResetOrder, to solid: BlockPlace, from head: BlockPlace
  ) async throws -> [PayoutID]? {
    try await transaction { connection in
      // The changes of state that it brings are the person's who ordered it.
      let open = try await connection.execute(
        """
        SELECT set_config('application_name', ordered_by, true) FROM head_resets
        WHERE id = $1 AND done_at IS NULL AND refused_at IS NULL FOR UPDATE
        """, [.int8(order.id)])
      guard !open.rows.isEmpty else { return nil }
      let cursors = try await connection.execute(
        "SELECT number AS block_number, block_id, block_time_ms FROM chain_cursors ORDER BY view FOR UPDATE", [])
      guard try cursors.rows.compactMap(BlockPlace.init) == [head, solid] else { return nil }
      let isHeld = try await connection.execute(
        "SELECT FROM chain_blocks WHERE number = $1 AND block_id = $2",
        [.int8(solid.number), .bytes(solid.id.bytes)])
      guard isHeld.rows.isEmpty else { return nil }
      try await Ledger.move(order, to: solid, from: head, on: connection)
      // Whatever the false branch held, below the solid block too: what is in a true block is found there again.
      return try await Ledger.forgetInclusions(
        above: -1, note: "the head was set to solid block \(solid.number)", on: connection)
    }
  }

  private static func move(
    _ order: HeadResetOrder, to solid: BlockPlace, from head: BlockPlace, on connection: PostgresConnection
  ) async throws {
    let place: [PostgresParameter] = [
      .int8(solid.number), .bytes(solid.id.bytes), .int8(solid.time.milliseconds),
    ]
    _ = try await connection.pipeline([
      ("DELETE FROM chain_blocks", []),
      ("INSERT INTO chain_blocks (number, block_id, block_time_ms) VALUES ($1, $2, $3)", place),
      (
        """
        UPDATE chain_cursors SET number = $1, block_id = $2, block_time_ms = $3, moved_at = ledger_now()
        WHERE view = 'head'
        """, place
      ),
      (
        """
        UPDATE head_resets SET done_at = ledger_now(), from_number = $2, from_id = $3, to_number = $4, to_id = $5
        WHERE id = $1
        """, [.int8(order.id), .int8(head.number), .bytes(head.id.bytes), place[0], place[1]]
      ),
      (
        Ledger.recordAct,
        [.text("head"), .text("the head went from block \(head.number) to solid block \(solid.number)")]
      ),
    ])
  }

  /// See `MonitorLedger.refuseHeadReset`.
  public func refuseHeadReset(_ order: HeadResetOrder, _ why: String) async throws {
    try await transaction { connection in
      let refused = try await connection.execute(
        """
        UPDATE head_resets SET refused_at = ledger_now(), refusal = $2
        WHERE id = $1 AND done_at IS NULL AND refused_at IS NULL
        """, [.int8(order.id), .text(why)])
      guard refused.affectedRows == 1 else { return }
      _ = try await connection.execute("SELECT raise_alarm('head_reset_refused', 'head', $1)", [.text(why)])
    }
  }
}
