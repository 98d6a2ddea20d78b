public import Payouts
import Postgres

extension Ledger {
  /// The delay before the next attempt doubles with each attempt, up to this; a longer first delay stays as it is.
  public static let retryDelayMillisecondsMaximum: Int64 = 3_600_000

  /// See `MonitorLedger.apply(solid:after:verdicts:retryDelayMilliseconds:)`.
  public func apply(
    solid block: BlockPlace, after previous: BlockPlace?, verdicts: [TxID: TransactionVerdict],
    retryDelayMilliseconds: Int64
  ) async throws -> Bool {
    try await transaction { connection in
      guard try await Ledger.move(.solid, to: block, after: previous, on: connection) else { return false }
      try await Ledger.settle(verdicts, retryDelayMilliseconds: retryDelayMilliseconds, on: connection)
      return true
    }
  }

  /// See `MonitorLedger.store(findings:in:)`.
  public func store(findings: [ChainFinding], in place: BlockPlace) async throws {
    try await transaction { connection in try await Ledger.store(findings, in: place, isSolid: true, on: connection) }
  }

  /// See `MonitorLedger.settle`.
  public func settle(_ verdicts: [TxID: TransactionVerdict], retryDelayMilliseconds: Int64) async throws {
    try await transaction { connection in
      try await Ledger.settle(verdicts, retryDelayMilliseconds: retryDelayMilliseconds, on: connection)
    }
  }

  private static func settle(
    _ verdicts: [TxID: TransactionVerdict], retryDelayMilliseconds: Int64, on connection: PostgresConnection
  ) async throws {
    var ended = EndedTransactions()
    var anomalies: [(TxID, BlockPlace, String)] = []
    for (txid, verdict) in verdicts.sorted(by: { $0.key < $1.key }) {
      switch verdict {
      case .paid(let place, let cost): ended.append(txid, .solid, place, cost, "SUCCESS")
      case .failedOnChain(let place, let cost, let result): ended.append(txid, .failedOnChain, place, cost, result)
      case .dead: ended.append(txid, .dead, nil, nil, nil)
      case .anomalous(let place, let finding): anomalies.append((txid, place, finding))
      }
    }
    _ = try await connection.execute(lockTransactions, [.bytesArray(verdicts.keys.map(\.bytes))])
    if !ended.txids.isEmpty {
      // Only what ends here has consequences here: what another replica ended is that one's, and may be signed again.
      let (statement, parameters) = ended.command
      let here = Set(try await connection.execute(statement, parameters).rows.map { try TxID($0.bytes("txid")) })
      let news = verdicts.filter { here.contains($0.key) }
      _ = try await connection.pipeline(
        EndedTransactions.consequences(of: news, retryDelayMilliseconds: retryDelayMilliseconds))
      try await tellBreaker(of: news, on: connection)
    }
    for (txid, place, finding) in anomalies { try await store(anomaly: finding, of: txid, in: place, on: connection) }
  }

  /// Proves nothing, so frees nothing: the attempt stays live, its payouts wait for a person, nothing else is signed.
  /// Told once: a person who has closed the breaker over it is not overruled when it is read again.
  private static func store(
    anomaly finding: String, of txid: TxID, in place: BlockPlace, on connection: PostgresConnection
  ) async throws {
    let found = try await connection.execute(
      """
      UPDATE transactions SET status = 'anomalous', block_number = $2, block_id = $3, block_time_ms = $4, result = $5
      WHERE txid = $1 AND status IN ('signed', 'sent', 'included')
      """,
      [
        .bytes(txid.bytes), .int8(place.number), .bytes(place.id.bytes), .int8(place.time.milliseconds),
        .text(finding),
      ])
    guard found.affectedRows == 1 else { return }
    _ = try await connection.pipeline([
      (
        """
        UPDATE payouts p SET status = 'held', held_from = p.status, hold_reason = $2, note = $3
        FROM attempts a
        WHERE a.txid = $1 AND p.reference = a.reference AND p.status IN ('signed', 'broadcast', 'confirming')
        """,
        [.bytes(txid.bytes), .text(HoldReason.anomalousTransaction.rawValue), .text(finding)]
      ),
      (
        "SELECT open_breaker($1, $2, $3)",
        [
          .text(HoldReason.anomalousTransaction.rawValue), .text("transaction \(txid)"),
          .text("transaction \(txid) in solid block \(place.number): \(finding)"),
        ]
      ),
    ])
  }

  /// See `MonitorLedger.unjudged`.
  public func unjudged(atMost count: Int) async throws -> [UnjudgedTransaction] {
    let result = try await read(
      """
      SELECT \(KnownTransaction.columns), t.signed_bytes
      FROM (
        SELECT t.* FROM transactions t, chain_cursors c
        WHERE c.view = 'solid' AND t.status IN ('signed', 'sent', 'included', 'anomalous')
          AND t.expiration_ms <= c.block_time_ms AND t.reference_block_number < c.number
        ORDER BY t.status = 'anomalous', t.expiration_ms, t.txid LIMIT $1
      ) t JOIN attempts a USING (txid) ORDER BY t.txid, a.reference
      """, [.int8(Int64(count))])
    let rows = try Dictionary(result.rows.map { (try TxID($0.bytes("txid")), $0) }) { first, _ in first }
    return try KnownTransaction.group(result.rows).compactMap { transaction in
      try rows[transaction.txid].map { row in
        UnjudgedTransaction(
          transaction: transaction, referenceBlockNumber: try row.int8("reference_block_number"),
          expiration: Timestamp(milliseconds: try row.int8("expiration_ms")),
          signedBytes: try row.bytes("signed_bytes"))
      }
    }
  }

  /// See `MonitorLedger.confirm`.
  public func confirm(
    headNumber: Int64, requiredConfirmations: Int64, atMost count: Int
  ) async throws -> [PayoutID] {
    let result = try await execute(
      """
      WITH due AS (
        SELECT p.id FROM payouts p JOIN attempts a ON a.reference = p.reference AND a.outcome = 'paid'
          JOIN transactions t ON t.txid = a.txid AND t.status = 'solid'
        WHERE p.status = 'confirming' AND $1 - t.block_number + 1 >= $2
        ORDER BY p.status_since, p.id LIMIT $3 FOR UPDATE OF p SKIP LOCKED
      )
      UPDATE payouts p SET status = 'confirmed', note = NULL FROM due WHERE p.id = due.id RETURNING p.id
      """, [.int8(headNumber), .int8(requiredConfirmations), .int8(Int64(count))])
    return try result.rows.map { try PayoutID(bytes: $0.uuid("id")) }
  }
}

/// Transactions with a final verdict, as columns for one statement each.
private struct EndedTransactions {
  private(set) var txids: [[UInt8]?] = []
  private var statuses: [String?] = []
  private var numbers: [Int64?] = []
  private var ids: [[UInt8]?] = []
  private var times: [Int64?] = []
  private var results: [String?] = []
  private var fees: [Int64?] = []
  private var energies: [Int64?] = []
  private var bandwidths: [Int64?] = []

  mutating func append(
    _ txid: TxID, _ status: TransactionStatus, _ place: BlockPlace?, _ cost: TransactionCost?, _ result: String?
  ) {
    txids.append(txid.bytes)
    statuses.append(status.rawValue)
    numbers.append(place?.number)
    ids.append(place?.id.bytes)
    times.append(place?.time.milliseconds)
    results.append(result)
    fees.append(cost?.fee.count)
    energies.append(cost?.energyUsed)
    bandwidths.append(cost?.bandwidthUsed)
  }

  /// Ends those that have not ended, and tells which. What a block held is not dead: first a fork undoes that block.
  var command: (PostgresStatement, [PostgresParameter]) {
    (
      """
      UPDATE transactions t SET status = n.status::transaction_status, block_number = n.number, block_id = n.id,
        block_time_ms = n.time, result = n.result, fee_sun = n.fee, energy_used = n.energy,
        bandwidth_used = n.bandwidth
      FROM unnest($1::bytea[], $2::text[], $3::bigint[], $4::bytea[], $5::bigint[], $6::text[], $7::bigint[],
          $8::bigint[], $9::bigint[])
        AS n (txid, status, number, id, time, result, fee, energy, bandwidth)
      WHERE t.txid = n.txid AND t.status IN ('signed', 'sent', 'included', 'anomalous')
        AND NOT (n.status = 'dead' AND t.status IN ('included', 'anomalous'))
      RETURNING t.txid
      """,
      [
        .bytesArray(txids), .textArray(statuses), .int8Array(numbers), .bytesArray(ids), .int8Array(times),
        .textArray(results), .int8Array(fees), .int8Array(energies), .int8Array(bandwidths),
      ]
    )
  }

  /// Transactions first, then attempts, then payouts: the order in which everybody locks.
  static func consequences(
    of news: [TxID: TransactionVerdict], retryDelayMilliseconds: Int64
  ) -> [(PostgresStatement, [PostgresParameter])] {
    let verdicts = news.sorted { $0.key < $1.key }
    let txids: [[UInt8]?] = verdicts.map(\.key.bytes)
    return [
      (
        """
        UPDATE attempts a SET blame = n.blame,
          outcome = (CASE t.status WHEN 'solid' THEN 'paid' ELSE t.status::text END)::attempt_outcome
        FROM transactions t JOIN unnest($1::bytea[], $2::text[]) AS n (txid, blame) USING (txid)
        WHERE t.txid = a.txid AND a.outcome IS NULL AND t.status IN ('solid', 'failed_on_chain', 'dead')
        """, [.bytesArray(txids), .textArray(verdicts.map(\.value.blame?.rawValue))]
      ),
      (
        """
        UPDATE payouts p SET status = 'confirming', note = 'in solid block ' || t.block_number
        FROM attempts a JOIN transactions t USING (txid)
        WHERE a.txid = ANY ($1::bytea[]) AND a.outcome = 'paid' AND p.reference = a.reference
          AND p.status IN ('signed', 'broadcast')
        """, [.bytesArray(txids)]
      ),
      // A late attempt frees nothing: another one of its reference has paid.
      (
        """
        UPDATE payouts p SET status = 'held', held_from = p.status, hold_reason = $2, is_unproven = false,
          note = 'txid ' || encode(a.txid, 'hex') || ' ended unpaid; it may have ended before, in a lost part of the history'
        FROM attempts a
        WHERE a.txid = ANY ($1::bytea[]) AND a.outcome IN ('dead', 'failed_on_chain') AND p.reference = a.reference
          AND p.is_unproven AND p.status IN ('signed', 'broadcast', 'confirming')
          AND NOT EXISTS (SELECT FROM attempts other WHERE other.reference = p.reference
                          AND (other.outcome IS NULL OR other.outcome = 'paid'))
        """, [.bytesArray(txids), .text(HoldReason.historyUnproven.rawValue)]
      ),
      // What is held for something else by then, as where it was anomalous first, must not be let go for that.
      (
        """
        UPDATE payouts p SET hold_reason = $2, is_unproven = false,
          note = concat_ws('; it was held before: ', 'txid ' || encode(a.txid, 'hex')
            || ' ended unpaid; it may have ended before, in a lost part of the history', p.hold_reason)
        FROM attempts a
        WHERE a.txid = ANY ($1::bytea[]) AND a.outcome IN ('dead', 'failed_on_chain') AND p.reference = a.reference
          AND p.is_unproven AND p.status = 'held'
          AND NOT EXISTS (SELECT FROM attempts other WHERE other.reference = p.reference
                          AND (other.outcome IS NULL OR other.outcome = 'paid'))
        """, [.bytesArray(txids), .text(HoldReason.historyUnproven.rawValue)]
      ),
      (
        """
        INSERT INTO settlement_batches (
          id, router, batch_type, priority, window_end, payout_count, total_amount, released_at)
        SELECT p.id, p.router, p.batch_type, p.priority, ledger_now(), 1, p.amount, ledger_now()
        FROM attempts a JOIN payouts p ON p.reference = a.reference
        WHERE a.txid = ANY ($1::bytea[]) AND a.outcome IN ('dead', 'failed_on_chain')
          AND p.settlement_batch_id IS NULL AND p.status IN ('signed', 'broadcast', 'confirming')
          AND NOT EXISTS (SELECT FROM attempts other WHERE other.reference = p.reference
                          AND (other.outcome IS NULL OR other.outcome = 'paid'))
        ON CONFLICT DO NOTHING
        """, [.bytesArray(txids)]
      ),
      (
        """
        UPDATE payouts p SET status = 'scheduled', settlement_batch_id = coalesce(p.settlement_batch_id, p.id),
          not_before_reason = 'retry',
          not_before = ledger_now() + interval '1 millisecond'
            * least($2 << least(a.number - 1, 30), greatest($2, $3)),
          note = CASE a.outcome WHEN 'dead' THEN 'txid ' || encode(a.txid, 'hex') || ' can never be included'
                 ELSE 'txid ' || encode(a.txid, 'hex') || ' failed on chain: ' || t.result END
        FROM attempts a JOIN transactions t USING (txid)
        WHERE a.txid = ANY ($1::bytea[]) AND a.outcome IN ('dead', 'failed_on_chain') AND p.reference = a.reference
          AND p.status IN ('signed', 'broadcast', 'confirming')
          AND NOT EXISTS (SELECT FROM attempts other WHERE other.reference = p.reference
                          AND (other.outcome IS NULL OR other.outcome = 'paid'))
        """,
        [.bytesArray(txids), .int8(retryDelayMilliseconds), .int8(Ledger.retryDelayMillisecondsMaximum)]
      ),
    ]
  }
}
