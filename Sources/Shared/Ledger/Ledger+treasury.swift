import Payouts
import Postgres

/// Treasury orders: the wallet's own money to an address of Signer's configuration (DESIGN.md §3 "The fence").
extension Ledger {
  /// See `OperatorLedger.order`.
  public func order(_ sweep: TreasuryOrder) async throws {
    _ = try await transaction { connection in
      // Claimed for ever, so that no payout can have it. Whoever gives the same order at this moment waits here.
      let claimed = try await connection.execute(
        "INSERT INTO payout_references (reference, payout_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        [.bytes(sweep.reference.bytes), .uuid(sweep.id.bytes)])
      if claimed.affectedRows == 0 {
        let known = try await connection.execute("SELECT FROM treasury_orders WHERE id = $1", [.uuid(sweep.id.bytes)])
        guard known.rows.isEmpty else { return }
        // Its own where a restore took the order and a Signer put its transaction back: then that one is the order's.
        let holder = try await connection.execute(
          "SELECT FROM payout_references WHERE reference = $1 AND payout_id = $2",
          [.bytes(sweep.reference.bytes), .uuid(sweep.id.bytes)])
        guard !holder.rows.isEmpty else {
          throw LedgerError(
            .refused, "the reference of treasury order \(sweep.id) is somebody else's; nothing was ordered")
        }
      }
      _ = try await connection.pipeline([
        (
          """
          INSERT INTO treasury_orders (id, reference, token, recipient, amount, despite_breaker, reason)
          VALUES ($1, $2, $3, $4, $5, $6, $7)
          """,
          [
            .uuid(sweep.id.bytes), .bytes(sweep.reference.bytes), .bytes(sweep.token.bytes),
            .bytes(sweep.recipient.bytes), .int8(sweep.amount.microUSDT), .bool(sweep.isDespiteBreaker),
            .text(sweep.reason),
          ]
        ),
        (
          Ledger.recordAct,
          [
            .text("treasury order \(sweep.id)"),
            .text(
              "ordered \(sweep.amount) USDT to \(sweep.recipient)"
                + (sweep.isDespiteBreaker ? ", despite the breaker: " : ": ") + sweep.reason),
          ]
        ),
      ])
    }
  }

  /// See `OperatorLedger.treasuryOrders`.
  public func treasuryOrders(atMost count: Int) async throws -> [TreasuryOrderRecord] {
    try await read(
      """
      SELECT o.*, t.status FROM treasury_orders o LEFT JOIN transactions t USING (txid)
      ORDER BY o.ordered_at DESC, o.id DESC LIMIT $1
      """, [.int8(Int64(count))]
    ).rows.map { row in
      let order = try TreasuryOrder(row)
      let refusal = try row.textOrNil("refusal")
      let status: TransactionStatus? = try row.textOrNil("status").map { try PostgresRow.name($0, "status") }
      let txid = try row.bytesOrNil("txid").map { try TxID($0) }
      let state: TreasuryOrderRecord.State =
        if let refusal { .refused(refusal) } else if let txid { .signed(txid, status ?? .signed) } else { .ordered }
      return TreasuryOrderRecord(
        order: order, orderedBy: try row.text("ordered_by"), orderedAt: try row.time("ordered_at"), state: state)
    }
  }

  /// See `OrderLedger.signTreasuryOrder`.
  public func signTreasuryOrder(
    _ signing: TreasurySigning, decide: @escaping @Sendable (TreasuryOrder) throws -> TreasuryDecision
  ) async throws -> SigningOutcome {
    try await transaction { connection in
      // First, as for payouts: Signers sign one after the other.
      _ = try await Ledger.lockSignedWindows(on: connection)
      guard try await Ledger.hasTreasuryOrders(on: connection) else { return .done(signed: 0, held: 0, waiting: 0) }
      // Windows change with the hour: at that moment two Signers hold two, and only one of them the breaker.
      try await SigningGate.lock(on: connection)
      let orders = try await Ledger.waitingTreasuryOrders(on: connection)
      guard let first = orders.first else { return .done(signed: 0, held: 0, waiting: 0) }
      let gate = try await SigningGate(signing.order(named: first.id), on: connection)
      for order in orders {
        // Those despite the breaker come first: what blocks this one blocks the rest.
        if let block = order.isDespiteBreaker ? gate.blockInEmergency : gate.blockBesidesTrial {
          return .blocked(block)
        }
        if let outcome = try await Ledger.carryOut(try decide(order), of: order, signing, on: connection) {
          return outcome
        }
      }
      return .done(signed: 0, held: 0, waiting: orders.count)
    }
  }

  /// - Returns: nil where the order waits: then another one has its turn.
  private static func carryOut(
    _ decision: TreasuryDecision, of order: TreasuryOrder, _ signing: TreasurySigning,
    on connection: PostgresConnection
  ) async throws -> SigningOutcome? {
    switch decision {
    case .wait: return nil
    case .refuse(let why):
      try await Ledger.refuse(order, why, on: connection)
      return .done(signed: 0, held: 1, waiting: 0)
    case .sign(let signed):
      _ = try await connection.execute(
        "UPDATE treasury_orders SET txid = $2, signed_in = pg_current_xact_id() WHERE id = $1",
        [.uuid(order.id.bytes), .bytes(signed.txid.bytes)])
      _ = try await connection.pipeline(
        Ledger.storeTransactions([signed], order: signing.order(named: order.id)))
      return .done(signed: 1, held: 0, waiting: 0)
    }
  }

  private static func hasTreasuryOrders(on connection: PostgresConnection) async throws -> Bool {
    try await connection.execute(
      "SELECT EXISTS (SELECT FROM treasury_orders WHERE txid IS NULL AND refused_at IS NULL) AS any", []
    ).single().bool("any")
  }

  /// Behind so many orders that wait another one is not looked at.
  private static let waitingTreasuryOrdersMaximum: Int64 = 100

  /// Those that may be signed next, in their order, locked. In an emergency nothing else is waited for; the others wait while
  /// one is still on its way, unless that one is anomalous and may stay so. One whose transaction a Signer put back, after a
  /// restore took its signing, is signed.
  private static func waitingTreasuryOrders(on connection: PostgresConnection) async throws -> [TreasuryOrder] {
    _ = try await connection.execute(
      """
      UPDATE treasury_orders o SET txid = a.txid FROM attempts a
      WHERE a.reference = o.reference AND o.txid IS NULL AND o.refused_at IS NULL
      """, [])
    let waiting = try await connection.execute(
      """
      SELECT * FROM treasury_orders WHERE txid IS NULL AND refused_at IS NULL
        AND (despite_breaker OR NOT EXISTS (
          SELECT FROM treasury_orders s JOIN attempts a ON a.reference = s.reference JOIN transactions t ON t.txid = a.txid
          WHERE a.outcome IS NULL AND t.status <> 'anomalous'))
      ORDER BY despite_breaker DESC, ordered_at, id LIMIT $1 FOR UPDATE
      """, [.int8(waitingTreasuryOrdersMaximum)])
    return try waiting.rows.map { try TreasuryOrder($0) }
  }

  private static func refuse(_ order: TreasuryOrder, _ why: String, on connection: PostgresConnection) async throws {
    _ = try await connection.pipeline([
      (
        "UPDATE treasury_orders SET refused_at = ledger_now(), refusal = $2 WHERE id = $1",
        [.uuid(order.id.bytes), .text(why)]
      ),
      (
        "SELECT raise_alarm('treasury_refused', $1, $2)",
        [.text("treasury order \(order.id)"), .text("\(order.amount) USDT to \(order.recipient): \(why)")]
      ),
    ])
  }
}

extension TreasuryOrder {
  fileprivate init(_ row: PostgresRow) throws {
    self.init(
      id: try PayoutID(bytes: row.uuid("id")), token: try Address(bytes: row.bytes("token")),
      recipient: try Address(bytes: row.bytes("recipient")), amount: try Amount(microUSDT: row.int8("amount")),
      isDespiteBreaker: try row.bool("despite_breaker"), reason: try row.text("reason"))
  }
}
