public import Payouts
import Postgres

/// What endpoints were told, for their owners (see `WebhookEndpointLedger`).
extension Ledger {
  /// See `WebhookEndpointLedger.webhookDeliveries`. A page reads a bounded part of one index, whatever is asked for.
  public func webhookDeliveries(
    to endpoint: WebhookEndpointID, state: WebhookState?, before: Int64?, limit: Int
  ) async throws -> [WebhookDeliveryRecord] {
    var (narrowed, parameters) = (
      "endpoint_id = $1", [PostgresParameter.uuid(endpoint.bytes), .int8(Int64(limit))]
    )
    if let state {
      parameters.append(.text(state.rawValue))
      narrowed += " AND state = $\(parameters.count)::text::webhook_state"
    }
    if let before {
      parameters.append(.int8(before))
      narrowed += " AND number < $\(parameters.count)"
    }
    return try await read(
      """
      SELECT \(WebhookDeliveryRecord.columns) FROM webhook_deliveries
      WHERE \(narrowed) ORDER BY number DESC LIMIT $2
      """, parameters
    ).rows.map { try WebhookDeliveryRecord($0) }
  }

  /// See `WebhookEndpointLedger.webhookDelivery`.
  public func webhookDelivery(_ id: WebhookID) async throws -> WebhookDeliveryRecord? {
    try await read("SELECT \(WebhookDeliveryRecord.columns) FROM webhook_deliveries WHERE id = $1", [.uuid(id.bytes)])
      .rows.first.map { try WebhookDeliveryRecord($0) }
  }

  private static let insertTest = PostgresStatement(
    """
    INSERT INTO webhook_deliveries (endpoint_id, owner, url, origin, event, at, details, next_try_at)
    SELECT id, owner, url, webhook_origin(url), 'webhook.test', ledger_now(), json_build_object('webhook_id', id),
      ledger_now()
    FROM webhook_endpoints WHERE id = $1 AND deleted_at IS NULL AND disabled_at IS NULL
    RETURNING \(WebhookDeliveryRecord.columns)
    """)

  /// See `WebhookEndpointLedger.storeTestWebhook`.
  public func storeTestWebhook(for id: WebhookEndpointID) async throws -> WebhookDeliveryRecord? {
    try await transaction { connection in
      try await connection.execute(Ledger.insertTest, [.uuid(id.bytes)]).rows.first
        .map { try WebhookDeliveryRecord($0) }
    }
  }

  private static let revive = PostgresStatement(
    """
    UPDATE webhook_deliveries SET state = 'pending', ended_at = NULL, tries = 0, redelivered_at = ledger_now(),
      next_try_at = ledger_now()
    WHERE id = $1 AND state <> 'pending' AND NOT EXISTS (
      SELECT FROM webhook_endpoints w
      WHERE w.id = webhook_deliveries.endpoint_id AND coalesce(w.deleted_at, w.disabled_at) IS NOT NULL)
    RETURNING \(WebhookDeliveryRecord.columns)
    """)

  /// See `WebhookEndpointLedger.redeliverWebhook`.
  public func redeliverWebhook(_ id: WebhookID) async throws -> RedeliveryOutcome {
    try await transaction { connection in
      let revived = try await connection.execute(Ledger.revive, [.uuid(id.bytes)])
      if let row = revived.rows.first { return .pending(try WebhookDeliveryRecord(row)) }
      let found = try await connection.execute(
        "SELECT state = 'pending' AS is_pending FROM webhook_deliveries WHERE id = $1", [.uuid(id.bytes)])
      guard let row = found.rows.first else { return .unknown }
      return try row.bool("is_pending") ? .waitsAlready : .endpointIsOver
    }
  }
}

extension WebhookDeliveryRecord {
  /// What `init(_ row:)` reads of table `webhook_deliveries`.
  fileprivate static let columns = """
    id, number, owner, endpoint_id, event, payout_id, batch_id, state, tries, last_tried_at,
      CASE WHEN state = 'pending' THEN next_try_at END AS waits_until, last_result, at
    """

  fileprivate init(_ row: PostgresRow) throws {
    self.init(
      id: try WebhookID(bytes: row.uuid("id")), number: try row.int8("number"), owner: try row.text("owner"),
      endpoint: try row.uuidOrNil("endpoint_id").map { try WebhookEndpointID(bytes: $0) },
      event: try row.text("event"), payout: try row.uuidOrNil("payout_id").map { try PayoutID(bytes: $0) },
      batch: try row.uuidOrNil("batch_id").map { try BatchID(bytes: $0) }, state: try row.named("state"),
      tries: Int(try row.int4("tries")), lastTriedAt: try row.timeOrNil("last_tried_at"),
      nextTryAt: try row.timeOrNil("waits_until"), lastResult: try row.textOrNil("last_result"),
      createdAt: try row.time("at"))
  }
}
