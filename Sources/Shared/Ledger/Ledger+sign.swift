public import Payouts
import Postgres

extension Ledger {
  /// How many seconds a timestamp may be moved to get out of a collision of txids.
  private static let collisionsMaximum: Int64 = 5

  /// See `SignerLedger.sign`.
  public func sign(
    _ order: SigningOrder, decide: @escaping @Sendable (SigningBatch) throws -> [SigningDecision]
  ) async throws -> SigningOutcome {
    var secondsLater: Int64 = 0
    while true {
      do {
        return try await sign(order, secondsLater: secondsLater, decide: decide)
      } catch let error as LedgerError
        where error.constraint == "transactions_pkey" && secondsLater < Ledger.collisionsMaximum
      {
        // Equal recipient, amount and millisecond: one transaction, paid once. The next second makes it two.
        secondsLater += 1
      }
    }
  }

  private func sign(
    _ order: SigningOrder, secondsLater: Int64, decide: @escaping @Sendable (SigningBatch) throws -> [SigningDecision]
  ) async throws -> SigningOutcome {
    try await transaction { connection in
      // First, so that Signers sign one after the other: what is in flight and what is used of the limits is then exact,
      // and everybody locks windows before payouts.
      let windows = try await Ledger.lockSignedWindows(on: connection)
      // To lock payouts is to write them: while something forbids to sign, mostly the cap on what is in flight, none is.
      if let block = try await SigningGate(order, on: connection).block { return .blocked(block) }
      let locked = try await Ledger.lockCandidates(order, on: connection)
      // Read after the locks are held: another Signer may have signed or opened the breaker meanwhile.
      let gate = try await SigningGate(locking: order, on: connection)
      if let block = gate.block { return .blocked(block) }
      let records = try locked.rows.map(PayoutRecord.init)
      // All are looked at, also where fewer may be signed: those that cannot be signed now must not hide the others.
      let batch = try await Ledger.describe(
        records, windows, capacity: gate.capacity, secondsLater: secondsLater, on: connection)
      let decisions = records.isEmpty ? [] : try decide(batch)
      let signed = Array(Ledger.transactionsToStore(decisions).prefix(gate.capacity))
      let held = decisions.filter { if case .hold = $0 { true } else { false } }
      try await Ledger.store(signed, order: order, on: connection)
      if gate.isTrial, let trial = signed.first { try await Ledger.beginTrial(trial.txid, on: connection) }
      try await Ledger.hold(held, on: connection)
      let postponed = try await Ledger.postpone(decisions, on: connection)
      return .done(
        signed: signed.count, held: held.count,
        waiting: locked.rows.count - signed.count - held.count - postponed)
    }
  }

  private static func lockCandidates(
    _ order: SigningOrder, on connection: PostgresConnection
  ) async throws -> PostgresResult {
    try await connection.execute(
      PostgresStatement(
        """
        SELECT \(PayoutRecord.columns) FROM payouts p JOIN settlement_batches b ON b.id = p.settlement_batch_id
        WHERE p.settlement_batch_id = $1 AND p.status = 'scheduled' AND b.released_at IS NOT NULL
          AND (p.not_before IS NULL OR p.not_before <= ledger_now())
          AND (p.expires_at IS NULL OR p.expires_at > ledger_now())
          AND NOT EXISTS (SELECT FROM attempts a WHERE a.reference = p.reference AND \(Ledger.isUnblamed))
        ORDER BY p.id LIMIT $2 FOR UPDATE OF p
        """), [.uuid(order.batch.bytes), .int8(Int64(order.maximumPayouts))])
  }

  private static let describeCandidates: PostgresStatement = """
    SELECT c.id, coalesce(max(a.number), 0) AS attempts,
      coalesce(bool_or(a.txid IS NOT NULL AND (a.outcome IS NULL OR a.outcome = 'paid')), false) AS in_use,
      coalesce(array_agg(a.txid) FILTER (WHERE a.txid IS NOT NULL), '{}') AS earlier,
      (SELECT coalesce(array_agg(u.reference_bits::bigint), '{}') FROM unclaimed_transfers u
       WHERE u.recipient = c.recipient AND u.amount = c.amount AND u.explained_at IS NULL) AS unclaimed,
      (SELECT e.status FROM lost_ends e WHERE e.reference = c.reference AND e.answered_at IS NULL
       ORDER BY e.ended_at DESC LIMIT 1) AS lost_end
    FROM payouts c LEFT JOIN attempts a ON a.reference = c.reference
    WHERE c.id = ANY ($1::uuid[]) GROUP BY c.id
    """
  /// What of the decisions is signed now. Where one of them opens the breaker, nothing. Of twins (equal recipient, amount
  /// and timestamp: one transaction, paid once) the first; the other is signed by the next call, a second later.
  private static func transactionsToStore(_ decisions: [SigningDecision]) -> [SignedPayout] {
    var seen: Set<TxID> = []
    var signed: [SignedPayout] = []
    for decision in decisions {
      switch decision {
      case .hold(_, _, _, opensBreaker: true): return []
      case .hold, .postpone: continue
      case .sign(let payout): if seen.insert(payout.txid).inserted { signed.append(payout) }
      }
    }
    return signed
  }

  private static let openSignedWindows: PostgresStatement = """
    INSERT INTO limit_windows (scope, span, starts_at)
    SELECT 'signed', span, window_start(span, ledger_now()) FROM unnest(ARRAY['day', 'hour']) span
    ON CONFLICT DO NOTHING
    """
  private static let selectSignedWindows: PostgresStatement = """
    SELECT span, used, ledger_now() AS now FROM limit_windows
    WHERE scope = 'signed' AND starts_at = window_start(span, ledger_now()) ORDER BY span FOR UPDATE
    """

  static func lockSignedWindows(on connection: PostgresConnection) async throws -> SignedWindows {
    let results = try await connection.pipeline([(openSignedWindows, []), (selectSignedWindows, [])])
    var used: [LimitSpan: Amount] = [:]
    var now: Timestamp?
    for row in results.last?.rows ?? [] {
      used[try row.named("span")] = try Amount(microUSDT: row.int8("used"))
      now = try row.time("now")
    }
    guard let now, let hour = used[.hour], let day = used[.day] else {
      throw LedgerError(.corrupt, "Signer's limit windows of the present hour and day are missing")
    }
    return SignedWindows(hour: hour, day: day, now: now)
  }

  private static func describe(
    _ records: [PayoutRecord], _ windows: SignedWindows, capacity: Int, secondsLater: Int64,
    on connection: PostgresConnection
  ) async throws -> SigningBatch {
    let described = try await connection.execute(describeCandidates, [.uuidArray(records.map(\.id.bytes))])
    var rows: [PayoutID: PostgresRow] = [:]
    for row in described.rows { rows[try PayoutID(bytes: row.uuid("id"))] = row }
    let candidates = try records.map { record in
      guard let row = rows[record.id] else { throw LedgerError(.corrupt, "a locked payout vanished") }
      return SigningCandidate(
        payout: record, attemptNumber: Int(try row.int4("attempts")) + 1,
        earlierTransactions: try row.bytesArray("earlier").compactMap { $0 }.map { try TxID($0) },
        isReferenceInUse: try row.bool("in_use"), unclaimedReferenceBits: try row.int8ArrayWithNils("unclaimed"),
        lostEnd: try row.textOrNil("lost_end").map { try PostgresRow.name($0, "lost_end") })
    }
    return SigningBatch(
      candidates: candidates, capacity: capacity, signedThisHour: windows.hour, signedThisDay: windows.day,
      now: windows.now,
      secondsLater: secondsLater)
  }

  private static func store(
    _ signed: [SignedPayout], order: SigningOrder, on connection: PostgresConnection
  ) async throws {
    guard !signed.isEmpty else { return }
    let results = try await connection.pipeline(
      storeTransactions(signed, order: order) + [
        (
          """
          UPDATE payouts p SET status = 'signed', not_before = NULL, note = 'txid ' || encode(n.txid, 'hex')
          FROM unnest($1::uuid[], $2::bytea[]) AS n (id, txid) WHERE p.id = n.id AND p.status = 'scheduled'
          """,
          [.uuidArray(signed.map(\.payout.bytes)), .bytesArray(signed.map(\.txid.bytes))]
        )
      ])
    guard results.last?.affectedRows == signed.count else {
      throw LedgerError(.corrupt, "signed other payouts than were locked; nothing was committed")
    }
  }

  /// Transactions with their attempts.
  static func storeTransactions(
    _ signed: [SignedPayout], order: SigningOrder
  ) -> [(PostgresStatement, [PostgresParameter])] {
    [
      (
        """
        INSERT INTO transactions (txid, signed_bytes, reference_block_number, head_time_ms, expiration_ms,
          fee_limit_sun, wallet, signer, signed_at, status_since, next_broadcast_at)
        SELECT n.*, $7, $8, moment, moment, moment FROM unnest(
          $1::bytea[], $2::bytea[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[]) AS n,
          ledger_now() AS moment
        """,
        [
          .bytesArray(signed.map(\.txid.bytes)), .bytesArray(signed.map(\.signedBytes)),
          .int8Array(signed.map(\.referenceBlockNumber)), .int8Array(signed.map(\.headTime.milliseconds)),
          .int8Array(signed.map(\.expiration.milliseconds)), .int8Array(signed.map(\.feeLimit.count)),
          .bytes(order.wallet.bytes), .text(order.signer),
        ]
      ),
      (
        """
        INSERT INTO attempts (reference, payout_id, number, txid, token, recipient, amount)
        SELECT * FROM unnest(
          $1::bytea[], $2::uuid[], $3::integer[], $4::bytea[], $5::bytea[], $6::bytea[], $7::bigint[])
        """,
        [
          .bytesArray(signed.map(\.reference.bytes)), .uuidArray(signed.map(\.payout.bytes)),
          .int4Array(signed.map { Int32($0.attemptNumber) }), .bytesArray(signed.map(\.txid.bytes)),
          .bytesArray(signed.map(\.transfer.token.bytes)), .bytesArray(signed.map(\.transfer.to.bytes)),
          .int8Array(signed.map(\.transfer.amount.microUSDT)),
        ]
      ),
    ]
  }

  private static func hold(_ decisions: [SigningDecision], on connection: PostgresConnection) async throws {
    for decision in decisions {
      guard case .hold(let payout, let reason, let note, let opensBreaker) = decision else { continue }
      _ = try await connection.execute(
        """
        UPDATE payouts SET status = 'held', held_from = status, hold_reason = $2, note = $3
        WHERE id = $1 AND status = 'scheduled'
        """, [.uuid(payout.bytes), .text(reason.rawValue), .text(note)])
      _ = try await connection.execute(
        opensBreaker ? "SELECT open_breaker($1, $2, $3)" : "SELECT raise_alarm($1, $2, $3)",
        [.text(reason.rawValue), .text("payout \(payout)"), .text(note)])
    }
  }

  /// - Returns: how many wait longer now.
  private static func postpone(_ decisions: [SigningDecision], on connection: PostgresConnection) async throws -> Int {
    var commands: [(PostgresStatement, [PostgresParameter])] = []
    for decision in decisions {
      guard case .postpone(let payout, let milliseconds, let note) = decision else { continue }
      commands.append(
        (
          """
          UPDATE payouts SET not_before = ledger_now() + $2 * interval '1 millisecond', note = $3,
            not_before_reason = 'signer_limit'
          WHERE id = $1 AND status = 'scheduled'
          """, [.uuid(payout.bytes), .int8(milliseconds), .text(note)]
        ))
    }
    guard case .text(let note)? = commands.first?.1.last else { return 0 }
    _ = try await connection.pipeline(
      commands + [("SELECT raise_alarm('signer_limit', 'signer', $1)", [.text(note)])])
    return commands.count
  }

  /// See `SignerLedger.holdScheduled`.
  public func holdScheduled(batch: BatchID, note: String) async throws -> [PayoutID] {
    let result = try await transaction { connection in
      let held = try await connection.execute(
        """
        UPDATE payouts SET status = 'held', held_from = status, hold_reason = $2, note = $3
        WHERE settlement_batch_id = $1 AND status = 'scheduled' RETURNING id
        """, [.uuid(batch.bytes), .text(HoldReason.deadLetter.rawValue), .text(note)])
      if !held.rows.isEmpty {
        _ = try await connection.execute(
          "SELECT raise_alarm('dead_letter', $1, $2)", [.text("batch \(batch)"), .text(note)])
      }
      return held
    }
    return try result.rows.map { try PayoutID(bytes: $0.uuid("id")) }
  }

  /// See `SignerLedger.batchesToSign`.
  public func batchesToSign(
    waitingFor milliseconds: Int64, after last: BatchID? = nil, atMost count: Int
  ) async throws -> [BatchID] {
    let result = try await read(
      """
      SELECT settlement_batch_id FROM (
        SELECT DISTINCT settlement_batch_id FROM payouts p
        WHERE status = 'scheduled' AND (expires_at IS NULL OR expires_at > ledger_now())
          AND CASE WHEN not_before IS NULL THEN status_since <= ledger_now() - $1 * interval '1 millisecond'
                   ELSE not_before <= ledger_now() END
          AND ($3::uuid IS NULL OR settlement_batch_id > $3)
          AND EXISTS (SELECT FROM settlement_batches b WHERE b.id = settlement_batch_id AND b.released_at IS NOT NULL)
          AND NOT EXISTS (SELECT FROM attempts a WHERE a.reference = p.reference AND \(Ledger.isUnblamed))
        ORDER BY settlement_batch_id LIMIT $2
      ) waiting JOIN settlement_batches b ON b.id = settlement_batch_id
      ORDER BY array_position(ARRAY['urgent', 'high', 'normal', 'low'], b.priority), b.id
      """, [.int8(milliseconds), .int8(Int64(count)), last.map { .uuid($0.bytes) } ?? .null])
    return try result.rows.map { try BatchID(bytes: $0.uuid("settlement_batch_id")) }
  }
}

/// What Signer signed in the present windows, under their lock.
struct SignedWindows {
  let hour: Amount
  let day: Amount
  let now: Timestamp
}

/// Everything that may forbid signing, read in the signing transaction (DESIGN.md §3 point 1).
struct SigningGate {
  let block: SigningBlock?
  /// What forbids even what a person orders while the breaker is open: money may be moved to safety then.
  let blockInEmergency: SigningBlock?
  /// How many may be signed now: no more than may be out, one where it is the breaker's trial.
  let capacity: Int
  /// Whether the one that may be signed is the breaker's trial.
  let isTrial: Bool
  /// The same where what is to be signed cannot be the breaker's trial.
  var blockBesidesTrial: SigningBlock? { block ?? (isTrial ? .breakerOpen : nil) }

  /// Locks what it reads of the breaker and the pause: what opens it or pauses waits or comes first, and of several Signers
  /// one begins its trial. Whoever holds this lock takes no payout's any more: others lock payouts first.
  ///
  /// By statements of their own: what is read by the next one is then of after the wait.
  static func lock(on connection: PostgresConnection) async throws {
    _ = try await connection.pipeline([
      ("SELECT FROM breaker FOR NO KEY UPDATE", []), ("SELECT FROM pause FOR SHARE", []),
    ])
  }

  /// Reads it with that locked.
  init(locking order: SigningOrder, on connection: PostgresConnection) async throws {
    try await Self.lock(on: connection)
    try await self.init(order, on: connection)
  }

  init(_ order: SigningOrder, on connection: PostgresConnection) async throws {
    let row = try await connection.execute(
      """
      SELECT continuous() AS continuous,
        EXISTS (SELECT FROM unclaimed_transfers WHERE explained_at IS NULL AND acknowledged_at IS NULL) AS findings,
        (SELECT paused FROM pause) AS paused, b.state AS breaker,
        coalesce(b.state = 'open' AND b.closes_by = 'trial' AND b.trial_at <= ledger_now(), false) AS trial_due,
        coalesce((SELECT number FROM chain_cursors WHERE view = 'head') >= $1, false) AS fence_fresh,
        (SELECT count(*) FROM transactions
         WHERE status IN ('signed', 'sent') AND wallet = $2 AND expiration_ms > $3) AS in_flight
      FROM breaker b
      """,
      [
        .int8(order.head.number - order.fenceLagBlocks), .bytes(order.wallet.bytes),
        .int8(order.head.time.milliseconds),
      ]
    ).single()
    let inFlight = Int(try row.int8("in_flight"))
    isTrial = try row.bool("trial_due")
    capacity = min(max(0, order.maximumInFlight - inFlight), order.maximumSigned, isTrial ? 1 : .max)
    let isContinuous = try row.bool("continuous")
    blockInEmergency = isContinuous ? nil : .notContinuous
    block =
      if !isContinuous {
        .notContinuous
      } else if try row.bool("findings") {
        .openFinding
      } else if try row.bool("paused") {
        .paused
      } else if try row.text("breaker") == "half_open" {
        .breakerTrial
      } else if try row.text("breaker") != "closed", !isTrial {
        .breakerOpen
      } else if try !row.bool("fence_fresh") {
        .fenceBehind
      } else if capacity == 0 {
        .inFlightLimit
      } else {
        nil
      }
  }
}
