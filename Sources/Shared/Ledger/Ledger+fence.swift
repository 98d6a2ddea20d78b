import Payouts
import Postgres

extension Ledger {
  /// Stores what nobody of ours signed. Known is what stands in `transactions` now, after the block arrived: a Signer
  /// stores before it broadcasts, so that nothing of ours can be in a block and not in the table. One that a fork moved to
  /// another block is the same finding, there; what a quorum says of it in a solid block takes the place of what one node
  /// said, and stays.
  static func store(
    _ told: [ChainFinding], in place: BlockPlace, isSolid: Bool, on connection: PostgresConnection
  ) async throws {
    guard !told.isEmpty else { return }
    // One statement cannot store the same row twice.
    var names: Set<FindingName> = []
    let suspects = told.filter {
      names.insert(FindingName(txid: $0.txid, kind: $0.kind, logIndex: $0.logIndex)).inserted
    }
    _ = try await connection.execute(
      """
      INSERT INTO unclaimed_transfers AS f (txid, kind, log_index, wallet, recipient, amount, reference_bits, timestamp_ms,
        block_number, block_id, is_solid)
      SELECT n.txid, n.kind, n.log_index, n.wallet, n.recipient, n.amount::numeric, n.bits, n.timestamp_ms, $9, $10, $11
      FROM unnest($1::bytea[], $2::text[], $3::integer[], $4::bytea[], $5::bytea[], $6::text[], $7::integer[],
          $8::bigint[])
        AS n (txid, kind, log_index, wallet, recipient, amount, bits, timestamp_ms)
      WHERE NOT EXISTS (SELECT FROM transactions t WHERE t.txid = n.txid)
      ON CONFLICT (txid, kind, log_index)
        DO UPDATE SET block_number = excluded.block_number, block_id = excluded.block_id, is_solid = excluded.is_solid,
          wallet = CASE WHEN excluded.is_solid THEN excluded.wallet ELSE f.wallet END,
          recipient = CASE WHEN excluded.is_solid THEN excluded.recipient ELSE f.recipient END,
          amount = CASE WHEN excluded.is_solid THEN excluded.amount ELSE f.amount END,
          reference_bits = CASE WHEN excluded.is_solid THEN excluded.reference_bits ELSE f.reference_bits END,
          timestamp_ms = CASE WHEN excluded.is_solid THEN excluded.timestamp_ms ELSE f.timestamp_ms END
        WHERE excluded.is_solid OR NOT f.is_solid
      """,
      [
        .bytesArray(suspects.map(\.txid.bytes)), .textArray(suspects.map(\.kind.rawValue)),
        .int4Array(suspects.map { Int32(clamping: $0.logIndex) }), .bytesArray(suspects.map(\.wallet.bytes)),
        .bytesArray(suspects.map(\.recipient?.bytes)), .textArray(suspects.map(\.amountText)),
        .int4Array(suspects.map { $0.referenceBits.map { Int32(clamping: $0) } }),
        .int8Array(suspects.map(\.timestamp?.milliseconds)), .int8(place.number), .bytes(place.id.bytes),
        .bool(isSolid),
      ])
  }

  /// What a Signer has put back is no finding.
  static func closeExplainedFindings(on connection: PostgresConnection) async throws {
    _ = try await connection.execute(
      """
      UPDATE unclaimed_transfers u SET explained_at = ledger_now()
      WHERE explained_at IS NULL AND EXISTS (SELECT FROM transactions t WHERE t.txid = u.txid)
      """, [])
  }

  /// See `MonitorLedger.judgeFindings`. Before the Signers have vouched, a finding may be a transaction that a restore
  /// lost; afterwards it means that somebody else holds the key.
  public func judgeFindings() async throws -> Int {
    let result = try await transaction { connection in
      // A block that was read while its transaction was being put back: neither saw the other.
      try await Ledger.closeExplainedFindings(on: connection)
      let judged = try await connection.execute(
        """
        UPDATE unclaimed_transfers u SET judged_at = ledger_now()
        WHERE judged_at IS NULL AND explained_at IS NULL AND acknowledged_at IS NULL AND continuous()
          AND NOT EXISTS (SELECT FROM transactions t WHERE t.txid = u.txid)
        RETURNING txid, kind, block_number
        """, [])
      for row in judged.rows {
        let txid = try TxID(row.bytes("txid"))
        _ = try await connection.execute(
          "SELECT open_breaker('unknown_transaction', $1, $2)",
          [
            .text("transaction \(txid)"),
            .text(
              "\(try row.text("kind")) \(txid) in block \(try row.int8("block_number")) moved a watched account and "
                + "was signed by no Signer of ours: treat the key as stolen"),
          ])
      }
      return judged
    }
    return result.rows.count
  }

  /// See `MonitorLedger.raiseAlarm`.
  public func raiseAlarm(kind: String, subject: String, message: String) async throws {
    _ = try await execute("SELECT raise_alarm($1, $2, $3)", [.text(kind), .text(subject), .text(message)])
  }

  /// See `SignerLedger.openBreaker`.
  public func openBreaker(cause: String, subject: String, message: String) async throws {
    _ = try await execute("SELECT open_breaker($1, $2, $3)", [.text(cause), .text(subject), .text(message)])
  }
}

/// What makes two findings the same.
private struct FindingName: Hashable {
  let txid: TxID
  let kind: ChainFinding.Kind
  let logIndex: Int
}
