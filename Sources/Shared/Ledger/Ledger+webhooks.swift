import Payouts
import Postgres

/// Claiming, recording and giving back deliveries (see `WebhookLedger`).
///
/// A server is looked for by hops from one name to the next in the index of pending deliveries: each hop is one look at
/// its first row, however many rows that server has, so that ten thousand due deliveries of a dead one hide nobody.
extension Ledger {
  /// How many servers one look passes.
  static let webhookHopsMaximum = 64
  /// The longest text that is kept of a try's result, in characters.
  static let webhookResultCharactersMaximum = 200

  /// See `WebhookLedger.claimWebhooks`.
  public func claimWebhooks(
    after origin: String?, leaseMilliseconds: Int64, atMost count: Int
  ) async throws -> WebhookClaim {
    let seen = try await execute(
      Ledger.findOrigins, [.text(origin ?? ""), .int4(Int32(Ledger.webhookHopsMaximum))]
    ).rows
    let open = try seen.filter { try $0.bool("is_open") }.map { try $0.text("origin") }
    let last = try seen.count < Ledger.webhookHopsMaximum ? nil : seen.last?.text("origin")
    guard !open.isEmpty else { return .nothing(next: last) }
    return try await transaction { connection in
      _ = try await connection.execute(Ledger.nameOrigins, [.textArray(open)])
      let claimed = try await connection.execute(
        Ledger.claimOrigin, [.textArray(open), .int8(leaseMilliseconds)])
      guard let row = claimed.rows.first else { return .nothing(next: last) }
      let lot = WebhookLot(
        origin: try row.text("origin"), claim: try row.int8("claims"), failures: Int(try row.int4("failures")),
        deliveries: try await Ledger.due(at: try row.text("origin"), atMost: count, on: connection))
      guard lot.deliveries.isEmpty else { return .lot(lot) }
      // All that is due must wait for an earlier event: the next look passes this server.
      _ = try await connection.execute(Ledger.giveBack, [.text(lot.origin), .int8(lot.claim)])
      return .nothing(next: lot.origin)
    }
  }

  /// The servers with pending deliveries, one hop each. Open are those with one that is due and that nobody holds.
  private static let findOrigins = PostgresStatement(
    """
    WITH RECURSIVE origins (origin, next_try_at, hops) AS (
      (SELECT d.origin, d.next_try_at, 1 FROM webhook_deliveries d
       WHERE d.state = 'pending' AND d.origin > $1 ORDER BY d.origin, d.next_try_at LIMIT 1)
      UNION ALL
      SELECT n.origin, n.next_try_at, o.hops + 1
      FROM origins o CROSS JOIN LATERAL (
        SELECT d.origin, d.next_try_at FROM webhook_deliveries d
        WHERE d.state = 'pending' AND d.origin > o.origin ORDER BY d.origin, d.next_try_at LIMIT 1) n
      WHERE o.hops < $2
    )
    SELECT o.origin, o.next_try_at <= ledger_now() AND coalesce(w.closed_until <= ledger_now(), true) AS is_open
    FROM origins o LEFT JOIN webhook_origins w USING (origin) ORDER BY o.hops
    """, readsOnly: true)

  private static let nameOrigins: PostgresStatement = """
    INSERT INTO webhook_origins (origin)
    SELECT n.origin FROM unnest($1::text[]) AS n (origin)
    WHERE NOT EXISTS (SELECT FROM webhook_origins w WHERE w.origin = n.origin) ORDER BY n.origin
    ON CONFLICT DO NOTHING
    """

  private static let claimOrigin: PostgresStatement = """
    UPDATE webhook_origins SET closed_until = ledger_now() + $2 * interval '1 millisecond', claims = claims + 1
    WHERE origin = (
      SELECT origin FROM webhook_origins WHERE origin = ANY ($1::text[]) AND closed_until <= ledger_now()
      ORDER BY origin LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING origin, claims, failures
    """

  private static let giveBack: PostgresStatement = """
    UPDATE webhook_origins SET closed_until = ledger_now() WHERE origin = $1 AND claims = $2
    """

  /// What is due at a server. What is for an endpoint that has ended is given up here, without a call.
  private static func due(
    at origin: String, atMost count: Int, on connection: PostgresConnection
  ) async throws -> [WebhookDelivery] {
    var rows = try await connection.execute(dueDeliveries, [.text(origin), .int8(Int64(count))]).rows
    let ended = try rows.filter { try $0.bool("is_over") }.map { try $0.uuid("id") }
    if !ended.isEmpty {
      _ = try await connection.execute(giveUpEnded, [.uuidArray(ended)])
      rows = try rows.filter { try !$0.bool("is_over") }
    }
    let endpoints = Set(try rows.compactMap { try $0.uuidOrNil("endpoint_id") })
    guard !endpoints.isEmpty else { return try rows.map { try WebhookDelivery($0, [:]) } }
    let valid = try await secrets(ofEndpoints: Array(endpoints), on: connection)
    return try rows.map { try WebhookDelivery($0, valid) }
  }

  /// A payout's later event waits until the earlier one for the same receiver is over, or has failed often enough.
  private static let dueDeliveries: PostgresStatement = """
    SELECT d.id, d.payout_id, d.endpoint_id, d.owner, d.url, d.event, d.status, d.at, d.txid, d.hold_reason, d.tries,
      d.details::text AS details, p.asset, p.amount, p.recipient, p.external_id, p.client_batch_id,
      coalesce(w.deleted_at, w.disabled_at) IS NOT NULL AS is_over
    FROM webhook_deliveries d LEFT JOIN payouts p ON p.id = d.payout_id
      LEFT JOIN webhook_endpoints w ON w.id = d.endpoint_id
    WHERE d.state = 'pending' AND d.origin = $1 AND d.next_try_at <= ledger_now() AND NOT EXISTS (
      SELECT FROM webhook_deliveries e
      WHERE e.payout_id = d.payout_id AND e.endpoint_id IS NOT DISTINCT FROM d.endpoint_id AND e.number < d.number
        AND e.state = 'pending' AND e.tries < webhook_tries_in_order())
    ORDER BY d.next_try_at, d.number LIMIT $2
    """

  private static let giveUpEnded: PostgresStatement = """
    UPDATE webhook_deliveries SET state = 'given_up', ended_at = ledger_now(),
      last_result = 'its endpoint was deleted or disabled'
    WHERE id = ANY ($1::uuid[]) AND state = 'pending'
    """

  /// See `WebhookLedger.record`.
  public func record(_ result: WebhookResult, of delivery: WebhookDelivery) async throws -> WebhookState? {
    let (wanted, text, delay, lifetime) = result.parts
    return try await transaction { connection in
      // Before its delivery, as whoever deletes it does.
      if let endpoint = delivery.endpoint { try await Ledger.lock(endpoint.id, on: connection) }
      let recorded = try await connection.execute(
        Ledger.recordTry,
        [
          .uuid(delivery.id.bytes), .int4(Int32(delivery.tries)), .text(wanted.rawValue),
          .text(String(text.prefix(Ledger.webhookResultCharactersMaximum))), .int8(delay), .int8(lifetime),
        ])
      guard let row = recorded.rows.first else { return nil }
      let state: WebhookState = try row.named("state")
      _ = try await connection.execute(Ledger.moveLaterEvents, [.uuid(delivery.id.bytes)])
      if let endpoint = delivery.endpoint, try await Ledger.count(result, of: endpoint.id, on: connection) {
        return state == .pending ? .givenUp : state
      }
      if state == .givenUp {
        try await Ledger.alarmGivenUp(try row.text("origin"), last: text, on: connection)
      }
      return state
    }
  }

  private static let recordTry: PostgresStatement = """
    UPDATE webhook_deliveries SET tries = tries + 1, last_tried_at = ledger_now(), last_result = $4,
      state = n.state, ended_at = CASE WHEN n.state <> 'pending' THEN ledger_now() END,
      next_try_at = least(
        ledger_now() + $5 * interval '1 millisecond',
        greatest(coalesce(redelivered_at, at) + $6 * interval '1 millisecond', ledger_now()))
    FROM (
      SELECT id AS wanted_id,
        CASE WHEN $3::text = 'pending' AND coalesce(redelivered_at, at) + $6 * interval '1 millisecond' <= ledger_now()
             THEN 'given_up'::webhook_state ELSE $3::text::webhook_state END AS state
      FROM webhook_deliveries WHERE id = $1) n
    WHERE id = n.wanted_id AND webhook_deliveries.state = 'pending' AND tries = $2
    RETURNING webhook_deliveries.state, origin
    """

  /// The payout's later events that were never tried become due with this one while they must wait for it, else at once.
  /// An event that is stored at this very moment is missed and keeps the time it was given: at most one delay of those
  /// that keep the order.
  private static let moveLaterEvents: PostgresStatement = """
    UPDATE webhook_deliveries later SET next_try_at =
      CASE WHEN this.state = 'pending' AND this.tries < webhook_tries_in_order()
           THEN greatest(later.next_try_at, this.next_try_at) ELSE least(later.next_try_at, ledger_now()) END
    FROM webhook_deliveries this
    WHERE this.id = $1 AND later.payout_id = this.payout_id
      AND later.endpoint_id IS NOT DISTINCT FROM this.endpoint_id AND later.number > this.number
      AND later.state = 'pending' AND later.tries = 0
    """

  private static func alarmGivenUp(
    _ origin: String, last: String, on connection: PostgresConnection
  ) async throws {
    _ = try await connection.execute(
      "SELECT raise_alarm('webhook_given_up', $1, $2)",
      [.text(origin), .text("webhooks could not be delivered for too long and were given up; the last try: \(last)")])
  }

  /// See `WebhookLedger.release`.
  public func release(
    _ lot: WebhookLot, restMilliseconds: Int64?, lifetimeMilliseconds: Int64
  ) async throws -> Int {
    try await transaction { connection in
      guard let restMilliseconds else {
        _ = try await connection.execute(
          """
          UPDATE webhook_origins SET closed_until = ledger_now(), failures = 0 WHERE origin = $1 AND claims = $2
          """, [.text(lot.origin), .int8(lot.claim)])
        return 0
      }
      let rests = try await connection.execute(
        """
        UPDATE webhook_origins SET closed_until = ledger_now() + $3 * interval '1 millisecond', failures = failures + 1
        WHERE origin = $1 AND claims = $2
        """, [.text(lot.origin), .int8(lot.claim), .int8(restMilliseconds)])
      // Somebody else calls it by now, and may have an answer.
      guard rests.affectedRows == 1 else { return 0 }
      let old = try await connection.execute(
        """
        UPDATE webhook_deliveries SET state = 'given_up', ended_at = ledger_now(),
          last_result = coalesce(last_result, 'its server never answered')
        WHERE state = 'pending' AND origin = $1
          AND coalesce(redelivered_at, at) + $2 * interval '1 millisecond' < ledger_now()
        """, [.text(lot.origin), .int8(lifetimeMilliseconds)])
      if old.affectedRows > 0 {
        try await Ledger.alarmGivenUp(lot.origin, last: "no answer", on: connection)
      }
      return Int(old.affectedRows)
    }
  }

  /// See `WebhookLedger.webhookDepth`.
  public func webhookDepth() async throws -> WebhookDepth {
    let row = try await read(
      """
      SELECT count(*) AS due, coalesce(unix_ms(ledger_now()) - unix_ms(min(next_try_at)), 0) AS age,
        (SELECT count(*) FROM webhook_endpoints WHERE disabled_at IS NOT NULL AND deleted_at IS NULL) AS disabled
      FROM webhook_deliveries WHERE state = 'pending' AND next_try_at <= ledger_now()
      """
    ).single()
    return WebhookDepth(
      dueCount: try row.int8("due"), oldestDueAgeMilliseconds: max(0, try row.int8("age")),
      disabledEndpoints: try row.int8("disabled"))
  }
}

extension WebhookResult {
  /// The state it leads to unless it is too old, the text that is kept, and both times in milliseconds.
  fileprivate var parts: (state: WebhookState, text: String, delay: Int64, lifetime: Int64) {
    switch self {
    case .delivered(let text): (.delivered, text, 0, 0)
    case .gone(let text): (.gone, text, 0, 0)
    case .failed(let text, let delay, let lifetime): (.pending, text, delay, lifetime)
    }
  }
}

extension WebhookDelivery {
  /// - Parameter secrets: of the endpoints that rows name.
  init(_ row: PostgresRow, _ secrets: [WebhookEndpointID: [WebhookSecret]]) throws {
    let endpoint = try row.uuidOrNil("endpoint_id").map { bytes in
      let id = try WebhookEndpointID(bytes: bytes)
      return Endpoint(id: id, secrets: secrets[id] ?? [])
    }
    let told: Told =
      if let data = try row.textOrNil("details") { .other(at: try row.time("at"), data: data) } else {
        .payout(try WebhookPayout(row))
      }
    self.init(
      id: try WebhookID(bytes: row.uuid("id")), owner: try row.text("owner"), endpoint: endpoint,
      url: try row.text("url"), event: try row.text("event"), told: told, tries: Int(try row.int4("tries")))
  }
}

extension WebhookPayout {
  fileprivate init(_ row: PostgresRow) throws {
    self.init(
      id: try PayoutID(bytes: row.uuid("payout_id")), status: try row.named("status"), at: try row.time("at"),
      asset: try row.text("asset"), amount: try Amount(microUSDT: row.int8("amount")),
      recipient: try Address(bytes: row.bytes("recipient")), externalID: try row.textOrNil("external_id"),
      clientBatch: try row.uuidOrNil("client_batch_id").map { try BatchID(bytes: $0) },
      txid: try row.bytesOrNil("txid").map { try TxID($0) }, holdReason: try row.textOrNil("hold_reason"))
  }
}
