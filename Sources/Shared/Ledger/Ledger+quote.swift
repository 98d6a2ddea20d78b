public import Payouts
import Postgres

/// What a transfer has cost lately.
public struct TransferCost: Sendable, Hashable {
  /// How many paid transfers were looked at, one or more.
  public let transfers: Int64
  /// The energy that one took, on average, rounded up.
  public let energy: Int64
  /// What one burned, on average, rounded up.
  public let fee: Sun
}

/// What the ledger knows about payouts that somebody thinks of.
public struct QuoteBasis: Sendable, Hashable {
  /// When it was looked at, by the database's clock.
  public let at: Timestamp
  /// When the window ends in which a payout of that type would be accepted now.
  public let windowEnds: [BatchType: Timestamp]
  /// What is used of the present windows.
  public let windows: [WindowUse]
  /// What transfers have cost; nil where none was seen.
  public let cost: TransferCost?
  /// For each that was asked about: a payout of the same owner, recipient and amount that has not ended, the newest.
  public let twins: [PayoutID?]
}

extension Ledger {
  /// So many of an owner's newest payouts to a recipient are looked at for a twin.
  public static let twinsScannedMaximum = 100
  /// So many of the newest payouts are looked at for what transfers cost.
  public static let costsScannedMaximum = 500

  /// What is known about payouts that an owner thinks of. Nothing is locked or changed: it may be otherwise a moment later.
  ///
  /// Each part is read by an index and no further than its bound; see ``stats(countingAtMost:)``.
  public func quoteBasis(of owner: String, paying terms: [(recipient: Address, amount: Amount)]) async throws
    -> QuoteBasis
  {
    let parameters: [PostgresParameter] = [
      .text(owner), .bytesArray(terms.map(\.recipient.bytes)), .int8Array(terms.map(\.amount.microUSDT)),
    ]
    let results = try await transaction { connection in
      try await connection.pipeline([
        ("SET LOCAL enable_sort = off", []), ("SET LOCAL enable_bitmapscan = off", []),
        ("SET LOCAL enable_seqscan = off", []), (Ledger.readWindows, []), (Ledger.readWindowEnds, []),
        (Ledger.readCosts, []), (Ledger.findTwins, parameters),
      ])
    }
    guard results.count == 7, let first = results[4].rows.first else {
      throw LedgerError(.corrupt, "an answer about payouts that somebody thinks of is missing")
    }
    var windowEnds: [BatchType: Timestamp] = [:]
    for row in results[4].rows { windowEnds[try row.named("batch_type")] = try row.time("ends_at") }
    var twins = [PayoutID?](repeating: nil, count: terms.count)
    for row in results[6].rows {
      let place = Int(try row.int8("place"))
      guard twins.indices.contains(place - 1) else { throw LedgerError(.corrupt, "a twin of no payout was found") }
      twins[place - 1] = try PayoutID(bytes: row.uuid("id"))
    }
    return QuoteBasis(
      at: try first.time("now"), windowEnds: windowEnds, windows: try results[3].rows.map(WindowUse.init),
      cost: try Ledger.cost(results[5].single()), twins: twins)
  }

  private static func cost(_ row: PostgresRow) throws -> TransferCost? {
    guard let energy = try row.int8OrNil("energy"), let fee = try row.int8OrNil("fee") else { return nil }
    return TransferCost(transfers: try row.int8("transfers"), energy: energy, fee: Sun(fee))
  }

  private static let readWindowEnds: PostgresStatement = """
    SELECT batch_type, batch_window_end(batch_type, ledger_now()) AS ends_at, ledger_now() AS now
    FROM unnest(ARRAY['immediate', 'hourly', 'daily', 'weekly']) batch_type
    """

  private static let readCosts = PostgresStatement(
    """
    SELECT count(*) AS transfers, ceil(avg(t.energy_used))::bigint AS energy, ceil(avg(t.fee_sun))::bigint AS fee
    FROM (SELECT p.id FROM payouts p ORDER BY p.id DESC LIMIT \(costsScannedMaximum)) newest
      CROSS JOIN LATERAL (
        SELECT a.txid FROM attempts a WHERE a.payout_id = newest.id AND a.outcome = 'paid' OFFSET 0) a
      CROSS JOIN LATERAL (SELECT c.energy_used, c.fee_sun FROM transactions c WHERE c.txid = a.txid OFFSET 0) t
    WHERE t.energy_used IS NOT NULL AND t.fee_sun IS NOT NULL
    """)

  private static let finals = PayoutStatus.allCases.filter(\.isFinal).map { "'\($0.rawValue)'" }.joined(separator: ", ")

  private static let findTwins = PostgresStatement(
    """
    SELECT asked.place, twin.id
    FROM unnest($2::bytea[], $3::bigint[]) WITH ORDINALITY AS asked (recipient, amount, place)
      CROSS JOIN LATERAL (
        SELECT p.id FROM (
          SELECT d.id FROM payout_directory d WHERE d.recipient = asked.recipient AND d.owner = $1
          ORDER BY d.id DESC LIMIT \(twinsScannedMaximum)) newest
        CROSS JOIN LATERAL (SELECT q.id, q.amount, q.status FROM payouts q WHERE q.id = newest.id OFFSET 0) p
        WHERE p.amount = asked.amount AND p.status NOT IN (\(finals))
        ORDER BY newest.id DESC LIMIT 1) twin
    """)
}
