public import Payouts
import Postgres

extension Ledger: MonitorLedger {
  /// See `MonitorLedger.watch`.
  public func watch() async throws -> ChainWatch? {
    let result = try await read(
      """
      SELECT address, begin_block_number AS block_number, begin_block_id AS block_id,
        begin_block_time_ms AS block_time_ms, r.id, r.ordered_by, r.reason
      FROM wallets LEFT JOIN head_resets r ON r.done_at IS NULL AND r.refused_at IS NULL ORDER BY begin_block_number
      """)
    guard let first = result.rows.first, let begin = try BlockPlace(first) else { return nil }
    let reset = try first.int8OrNil("id").map {
      HeadResetOrder(id: $0, orderedBy: try first.text("ordered_by"), reason: try first.text("reason"))
    }
    return ChainWatch(
      wallets: Set(try result.rows.map { try Address(bytes: $0.bytes("address")) }), begin: begin, headReset: reset)
  }

  /// See `MonitorLedger.cursor`.
  public func cursor(_ view: CursorView) async throws -> BlockPlace? {
    let result = try await read(
      "SELECT number AS block_number, block_id, block_time_ms FROM chain_cursors WHERE view = $1",
      [.text(view.rawValue)])
    return try result.rows.first.flatMap(BlockPlace.init)
  }

  /// See `MonitorLedger.recentBlocks`.
  public func recentBlocks(atMost count: Int) async throws -> [BlockPlace] {
    let result = try await read(
      """
      SELECT number AS block_number, block_id, block_time_ms FROM chain_blocks ORDER BY number DESC LIMIT $1
      """, [.int8(Int64(count))])
    return try result.rows.compactMap(BlockPlace.init)
  }

  /// See `MonitorLedger.headBlock`.
  public func headBlock(_ number: Int64) async throws -> BlockPlace? {
    let result = try await read(
      "SELECT number AS block_number, block_id, block_time_ms FROM chain_blocks WHERE number = $1", [.int8(number)])
    return try result.rows.first.flatMap(BlockPlace.init)
  }

  /// See `MonitorLedger.known`.
  public func known(_ txids: [TxID]) async throws -> [KnownTransaction] {
    guard !txids.isEmpty else { return [] }
    let result = try await read(
      "SELECT \(KnownTransaction.columns) FROM transactions t JOIN attempts a USING (txid) "
        + "WHERE t.txid = ANY ($1::bytea[]) ORDER BY t.txid, a.reference",
      [.bytesArray(txids.map(\.bytes))])
    return try KnownTransaction.group(result.rows)
  }

  /// See `MonitorLedger.apply(head:after:)`.
  public func apply(head block: HeadBlock, after previous: BlockPlace?) async throws -> Bool {
    try await transaction { connection in
      guard try await Ledger.move(.head, to: block.place, after: previous, on: connection) else { return false }
      let txids = PostgresParameter.bytesArray(block.transactions.map(\.bytes))
      _ = try await connection.pipeline([
        (
          "INSERT INTO chain_blocks (number, block_id, block_time_ms) VALUES ($1, $2, $3)",
          [
            .int8(block.place.number), .bytes(block.place.id.bytes), .int8(block.place.time.milliseconds),
          ]
        ),
        ("DELETE FROM chain_blocks WHERE number <= $1", [.int8(block.keepAbove)]),
        (Ledger.lockTransactions, [txids]),
        (
          """
          UPDATE transactions SET status = 'included', block_number = $2, block_id = $3, block_time_ms = $4
          WHERE txid = ANY ($1::bytea[]) AND status IN ('signed', 'sent')
          """,
          [
            txids, .int8(block.place.number), .bytes(block.place.id.bytes), .int8(block.place.time.milliseconds),
          ]
        ),
        (
          """
          UPDATE payouts p SET status = 'confirming', note = 'in block ' || $2::bigint
          FROM attempts a
          WHERE a.txid = ANY ($1::bytea[]) AND a.outcome IS NULL AND p.reference = a.reference
            AND p.status IN ('signed', 'broadcast')
          """, [txids, .int8(block.place.number)]
        ),
      ])
      try await Ledger.store(block.suspects, in: block.place, isSolid: false, on: connection)
      return true
    }
  }

  /// Compare-and-set: two replicas that read the same block agree, and only one of them applies it.
  static func move(
    _ view: CursorView, to place: BlockPlace, after previous: BlockPlace?, on connection: PostgresConnection
  ) async throws -> Bool {
    let parameters: [PostgresParameter] = [
      .text(view.rawValue), .int8(place.number), .bytes(place.id.bytes), .int8(place.time.milliseconds),
    ]
    guard let previous else {
      let result = try await connection.execute(
        """
        INSERT INTO chain_cursors (view, number, block_id, block_time_ms) VALUES ($1, $2, $3, $4)
        ON CONFLICT DO NOTHING
        """, parameters)
      return result.affectedRows == 1
    }
    let result = try await connection.execute(
      """
      UPDATE chain_cursors SET number = $2, block_id = $3, block_time_ms = $4, moved_at = ledger_now()
      WHERE view = $1 AND number = $5 AND block_id = $6
      """, parameters + [.int8(previous.number), .bytes(previous.id.bytes)])
    return result.affectedRows == 1
  }

  /// See `MonitorLedger.undoHead`.
  public func undoHead(above number: Int64, from head: BlockPlace) async throws -> [PayoutID]? {
    try await transaction { connection in
      // Both are locked first, by a statement of its own: what another replica has done meanwhile is seen.
      let cursors = try await connection.execute(
        "SELECT number AS block_number, block_id, block_time_ms FROM chain_cursors ORDER BY view FOR UPDATE", [])
      guard try cursors.rows.first.flatMap(BlockPlace.init) == head, number <= head.number else { return nil }
      let solid = try await connection.execute(
        """
        SELECT FROM chain_cursors c JOIN chain_blocks b ON b.number = c.number AND b.block_id = c.block_id
        WHERE c.view = 'solid' AND c.number > $1
        """, [.int8(number)])
      guard solid.rows.isEmpty else { return nil }
      let results = try await connection.pipeline([
        ("DELETE FROM chain_blocks WHERE number > $1", [.int8(number)]),
        (
          """
          UPDATE chain_cursors c SET number = b.number, block_id = b.block_id, block_time_ms = b.block_time_ms,
            moved_at = ledger_now()
          FROM chain_blocks b WHERE c.view = 'head' AND b.number = $1
          """, [.int8(number)]
        ),
      ])
      guard results[1].affectedRows == 1 else {
        throw LedgerError(.illegalChange, "block \(number) is not kept: a fork below it cannot be undone")
      }
      return try await Ledger.forgetInclusions(above: number, note: "a fork undid its block", on: connection)
    }
  }

  /// What was in blocks of the head above a number is sent again, and waits for a block. Verdicts are no such blocks.
  static func forgetInclusions(
    above number: Int64, note: String, on connection: PostgresConnection
  ) async throws -> [PayoutID] {
    _ = try await connection.execute(
      "SELECT FROM transactions WHERE status = 'included' AND block_number > $1 ORDER BY txid FOR UPDATE",
      [.int8(number)])
    let undone = try await connection.execute(
      """
      WITH undone AS (
        UPDATE transactions SET status = 'sent', block_number = NULL, block_id = NULL, block_time_ms = NULL,
          next_broadcast_at = ledger_now()
        WHERE status = 'included' AND block_number > $1 RETURNING txid
      )
      UPDATE payouts p SET status = 'broadcast', note = $2
      FROM attempts a JOIN undone USING (txid)
      WHERE a.outcome IS NULL AND NOT a.late AND p.reference = a.reference AND p.status = 'confirming'
      RETURNING p.id
      """, [.int8(number), .text(note)])
    return try undone.rows.map { try PayoutID(bytes: $0.uuid("id")) }
  }
}

extension KnownTransaction {
  static let columns =
    "t.txid, t.status, t.wallet, t.reference_block_number, t.expiration_ms, a.token, a.recipient, a.amount"

  /// One transaction for each run of rows with the same txid.
  static func group(_ rows: [PostgresRow]) throws -> [KnownTransaction] {
    var order: [TxID] = []
    var statuses: [TxID: TransactionStatus] = [:]
    var transfers: [TxID: [ExpectedTransfer]] = [:]
    for row in rows {
      let txid = try TxID(row.bytes("txid"))
      if statuses.updateValue(try row.named("status"), forKey: txid) == nil { order.append(txid) }
      transfers[txid, default: []].append(
        ExpectedTransfer(
          token: try Address(bytes: row.bytes("token")), from: try Address(bytes: row.bytes("wallet")),
          to: try Address(bytes: row.bytes("recipient")), amount: try Amount(microUSDT: row.int8("amount"))))
    }
    return order.compactMap { txid in
      guard let status = statuses[txid], let expected = transfers[txid] else { return nil }
      return KnownTransaction(txid: txid, status: status, transfers: expected)
    }
  }
}
