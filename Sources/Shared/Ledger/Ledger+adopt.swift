public import Payouts
import Postgres

/// Adoptions: a person orders, a Signer journals and puts back, Monitor judges (DESIGN.md §3 "The fence").
extension Ledger {
  /// See `ReconcileLedger.unexplainedFindings`.
  public func unexplainedFindings(naming named: Set<TxID>, atMost count: Int) async throws -> [UnexplainedFinding] {
    try await read(
      """
      SELECT u.*, d.payout_id, d.done_at IS NOT NULL AS is_done, d.refusal
      FROM (
        SELECT \(FindingRecord.columns) FROM unclaimed_transfers WHERE explained_at IS NULL
        ORDER BY txid = ANY($2) DESC, acknowledged_at IS NOT NULL, is_solid DESC, id LIMIT $1
      ) u LEFT JOIN LATERAL (SELECT * FROM adoptions a WHERE a.txid = u.txid ORDER BY a.id DESC LIMIT 1) d ON true
      ORDER BY u.id
      """, [.int8(Int64(count)), .bytesArray(named.map(\.bytes))]
    ).rows.map { row in
      let payout = try row.uuidOrNil("payout_id").map { try PayoutID(bytes: $0) }
      let refusal = try row.textOrNil("refusal")
      let isDone = try row.bool("is_done")
      let state = payout.map { payout -> AdoptionState in
        if let refusal { return .refused(refusal) }
        return isDone ? .done(payout) : .ordered(payout)
      }
      return UnexplainedFinding(finding: try FindingRecord(row), adoption: state)
    }
  }

  /// See `ReconcileLedger.longestLifeMilliseconds`.
  public func longestLifeMilliseconds() async throws -> Int64 {
    try await read("SELECT max_expiration_ms + clock_bound_ms AS life FROM ledger_settings", []).single().int8("life")
  }

  /// See `ReconcileLedger.payouts`. Reads all payouts: a person asks, about a few findings.
  public func payouts(paying recipient: Address, _ amount: Amount) async throws -> [PayoutRecord] {
    try await read(
      """
      SELECT \(PayoutRecord.columns) FROM payouts p
      WHERE p.recipient = $1 AND p.amount = $2
        AND p.status NOT IN ('signed', 'broadcast', 'confirming', 'confirmed')
        AND NOT EXISTS (
          SELECT FROM attempts a WHERE a.reference = p.reference AND (a.outcome IS NULL OR a.outcome = 'paid'))
      ORDER BY p.id
      """, [.bytes(recipient.bytes), .int8(amount.microUSDT)]
    ).rows.map(PayoutRecord.init)
  }

  /// See `ReconcileLedger.order`.
  public func order(_ adoption: AdoptionOrder) async throws -> AdoptionRefusal? {
    do {
      return try await transaction { connection in
        if let refusal = try await Ledger.refusal(of: adoption, on: connection) { return refusal }
        _ = try await connection.pipeline([
          (Ledger.insertAdoption, Ledger.parameters(of: adoption)),
          (
            Ledger.recordAct,
            [
              .text("payout \(adoption.payout)"),
              .text("ordered to adopt transaction \(adoption.txid): \(adoption.reason)"),
            ]
          ),
        ])
        return nil
      }
    } catch let error as LedgerError
      where ["one_adoption_a_transaction", "one_open_adoption_a_reference"].contains(error.constraint)
    {
      return .alreadyOrdered
    }
  }

  /// Under the payout's lock: nobody signs it meanwhile.
  private static func refusal(
    of adoption: AdoptionOrder, on connection: PostgresConnection
  ) async throws -> AdoptionRefusal? {
    let locked = try await connection.execute(
      """
      SELECT status, reference, (token, recipient, amount) = ($2::bytea, $3::bytea, $4::bigint) AS is_of_same_terms
      FROM payouts WHERE id = $1 FOR UPDATE
      """,
      [
        .uuid(adoption.payout.bytes), .bytes(adoption.transfer.token.bytes), .bytes(adoption.transfer.to.bytes),
        .int8(adoption.transfer.amount.microUSDT),
      ])
    guard let payout = locked.rows.first else { return .unknownPayout }
    let status: PayoutStatus = try payout.named("status")
    guard status.waitsForAttempt else { return .doesNotWait(status) }
    guard try payout.bool("is_of_same_terms") else { return .otherTerms }
    let facts = try await connection.execute(
      """
      SELECT EXISTS (SELECT FROM unclaimed_transfers WHERE txid = $1 AND explained_at IS NULL) AS is_found,
        coalesce((SELECT number FROM chain_cursors WHERE view = 'solid') >= $2, false) AS is_solid,
        (SELECT txid FROM attempts WHERE reference = $3 AND (outcome IS NULL OR outcome = 'paid')
          ORDER BY late LIMIT 1) AS in_use
      """,
      [.bytes(adoption.txid.bytes), .int8(adoption.block.number), .bytes(payout.bytes("reference"))]
    ).single()
    if let inUse = try facts.bytesOrNil("in_use") { return .referenceInUse(try TxID(inUse)) }
    guard try facts.bool("is_found") else { return .noFinding }
    return try facts.bool("is_solid") ? nil : .notSolid
  }

  /// Nobody knows the head's time at which it was signed: its own timestamp is about that, and it cannot have lived longer
  /// than any of ours may.
  private static let insertAdoption: PostgresStatement = """
    INSERT INTO adoptions (txid, wallet, signed_bytes, reference_block_number, head_time_ms, expiration_ms,
      fee_limit_sun, signed_at, reference, payout_id, token, recipient, amount, reason)
    SELECT $1, $2, $3, $4, greatest($6, $5 - s.max_expiration_ms), $5, $7,
      to_timestamp(0) + $6 * interval '1 millisecond', p.reference, p.id, p.token, p.recipient, p.amount, $9
    FROM payouts p, ledger_settings s WHERE p.id = $8
    """

  private static func parameters(of adoption: AdoptionOrder) -> [PostgresParameter] {
    [
      .bytes(adoption.txid.bytes), .bytes(adoption.wallet.bytes), .bytes(adoption.signedBytes),
      .int8(adoption.referenceBlockNumber), .int8(adoption.expiration.milliseconds),
      .int8(adoption.timestamp.milliseconds), .int8(adoption.feeLimit.count), .uuid(adoption.payout.bytes),
      .text(adoption.reason),
    ]
  }

  static let cannotBeTaken =
    "another attempt of its payout's reference is live or has paid, the transaction is another payout's, or it would live "
    + "longer than this ledger allows"

  // MARK: The Signer's part

  /// See `OrderLedger.waitingOrders`.
  public func waitingOrders() async throws -> WaitingOrders {
    let row = try await read(
      """
      SELECT EXISTS (SELECT FROM adoptions WHERE done_at IS NULL AND refused_at IS NULL) AS adoptions,
        EXISTS (SELECT FROM treasury_orders WHERE txid IS NULL AND refused_at IS NULL) AS treasury
      """
    ).single()
    return WaitingOrders(hasAdoptions: try row.bool("adoptions"), hasTreasury: try row.bool("treasury"))
  }

  /// See `OrderLedger.adoptionsToCarryOut`.
  public func adoptionsToCarryOut(wallet: Address, signer: String, atMost count: Int) async throws -> BroadcastLot {
    try await transaction { connection in
      // What is journaled is put back for ever: so nothing is that the ledger could not take.
      let impossible = try await connection.execute(
        """
        SELECT txid FROM adoptions d, ledger_settings s
        WHERE done_at IS NULL AND refused_at IS NULL AND wallet = $1 AND (
          EXISTS (
            SELECT FROM attempts a
            WHERE a.reference = d.reference AND a.txid <> d.txid AND (a.outcome IS NULL OR a.outcome = 'paid'))
          OR EXISTS (SELECT FROM attempts a WHERE a.txid = d.txid AND a.reference <> d.reference)
          OR d.expiration_ms - d.head_time_ms NOT BETWEEN 0 AND s.max_expiration_ms
          OR d.expiration_ms > unix_ms(ledger_now()) + s.clock_bound_ms + s.max_expiration_ms)
        """, [.bytes(wallet.bytes)])
      for row in impossible.rows {
        try await Ledger.refuse(
          adoption: TxID(row.bytes("txid")), Ledger.cannotBeTaken, on: connection)
      }
      let orders = try await connection.execute(
        """
        SELECT d.*, coalesce((SELECT max(number) FROM attempts a WHERE a.reference = d.reference), 0) + 1 AS number
        FROM adoptions d WHERE done_at IS NULL AND refused_at IS NULL AND wallet = $1
        ORDER BY id LIMIT $2 FOR UPDATE OF d
        """, [.bytes(wallet.bytes), .int8(Int64(count))])
      let state = try await connection.execute("SELECT *, continuous() AS continuous FROM server_life()", []).single()
      return BroadcastLot(
        life: try ServerLife(state), isContinuous: try state.bool("continuous"),
        transactions: try orders.rows.map { row in
          JournalEntry(
            txid: try TxID(row.bytes("txid")), wallet: wallet, signer: signer,
            signedBytes: try row.bytes("signed_bytes"),
            referenceBlockNumber: try row.int8("reference_block_number"),
            headTime: Timestamp(milliseconds: try row.int8("head_time_ms")),
            expiration: Timestamp(milliseconds: try row.int8("expiration_ms")),
            feeLimit: Sun(try row.int8("fee_limit_sun")), signedAt: try row.time("signed_at"),
            payouts: [
              JournalPayout(
                payout: try PayoutID(bytes: row.uuid("payout_id")), reference: try Reference(row.bytes("reference")),
                attemptNumber: Int(try row.int4("number")), token: try Address(bytes: row.bytes("token")),
                recipient: try Address(bytes: row.bytes("recipient")),
                amount: try Amount(microUSDT: row.int8("amount")))
            ])
        })
    }
  }

  /// See `OrderLedger.adopt`.
  public func adopt(_ entry: JournalEntry, signer: String, journalID: [UInt8], life: ServerLife) async throws -> Bool {
    try await transaction { connection in
      // A journal may bring the same transaction for another payout just then: one of the two must see the other's attempt.
      try await Ledger.lockVouching(on: connection)
      let order = try await connection.execute(
        """
        SELECT set_config('application_name', ordered_by, true) FROM adoptions
        WHERE txid = $1 AND done_at IS NULL AND refused_at IS NULL FOR UPDATE
        """, [.bytes(entry.txid.bytes)])
      guard !order.rows.isEmpty else { return false }
      let present = try await connection.execute("SELECT * FROM server_life()", []).single()
      guard try ServerLife(present) == life else { return false }
      let others = try await connection.execute(
        "SELECT FROM attempts WHERE txid = $1 AND reference <> ALL ($2::bytea[])",
        [.bytes(entry.txid.bytes), .bytesArray(entry.payouts.map(\.reference.bytes))])
      guard others.rows.isEmpty else {
        try await Ledger.refuse(adoption: entry.txid, Ledger.cannotBeTaken, on: connection)
        return false
      }
      // As from any journal. The changes of state that it brings are the person's who ordered it.
      let result = try await Ledger.putBack(
        [entry], from: JournalName(signer: signer, journalID: journalID), on: connection)
      guard result.putBack == [entry.txid] else {
        try await Ledger.refuse(
          adoption: entry.txid, Ledger.cannotBeTaken, on: connection)
        return false
      }
      _ = try await connection.execute(
        """
        UPDATE adoptions SET done_at = ledger_now(), signer = $2
        WHERE txid = $1 AND done_at IS NULL AND refused_at IS NULL
        """, [.bytes(entry.txid.bytes), .text(signer)])
      try await Ledger.closeExplainedFindings(on: connection)
      return true
    }
  }

  /// See `OrderLedger.refuseAdoption`.
  public func refuseAdoption(of txid: TxID, _ why: String) async throws {
    try await transaction { connection in try await Ledger.refuse(adoption: txid, why, on: connection) }
  }

  private static func refuse(adoption txid: TxID, _ why: String, on connection: PostgresConnection) async throws {
    let refused = try await connection.execute(
      """
      UPDATE adoptions SET refused_at = ledger_now(), refusal = $2
      WHERE txid = $1 AND done_at IS NULL AND refused_at IS NULL
      """, [.bytes(txid.bytes), .text(why)])
    guard refused.affectedRows == 1 else { return }
    _ = try await connection.execute(
      "SELECT raise_alarm('adoption_refused', $1, $2)", [.text("transaction \(txid)"), .text(why)])
  }
}

extension PayoutStatus {
  /// Whether a transaction can be put back for it: the states from which a Signer may do so (DESIGN.md §2).
  package var waitsForAttempt: Bool {
    switch self {
    case .kycPending, .compliancePending, .queued, .scheduled, .held: true
    case .signed, .broadcast, .confirming, .confirmed, .failed, .rejected, .expired, .cancelled, .settledExternally:
      false
    }
  }
}
