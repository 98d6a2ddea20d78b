public import Payouts
import Postgres

/// Registered endpoints (see `WebhookEndpointLedger`). Secrets are bound as parameters and never part of a text.
extension Ledger: WebhookEndpointLedger {
  /// How many pending deliveries are given up with their endpoint; those beyond are when they are claimed.
  private static let endedAtOnceMaximum: Int64 = 10_000

  // MARK: Making, reading, ending

  private static let insertEndpoint = PostgresStatement(
    """
    INSERT INTO webhook_endpoints (id, owner, url, events, description)
    SELECT $1::uuid, $2::text, $3::text, $4::text[], $5::text
    WHERE (SELECT count(*) FROM webhook_endpoints WHERE owner = $2::text AND deleted_at IS NULL) < $6::int8
    RETURNING \(WebhookEndpoint.columns)
    """)
  private static let insertEndpointSecret: PostgresStatement = """
    INSERT INTO webhook_endpoint_secrets (endpoint_id, secret) VALUES ($1, $2)
    """
  private static let selectEndpoint = "SELECT \(WebhookEndpoint.columns) FROM webhook_endpoints WHERE id = $1"

  /// See `WebhookEndpointLedger.makeWebhookEndpoint`. Two of one owner are made one after the other, so that they are
  /// counted (the first number of the lock is 'tpwh').
  public func makeWebhookEndpoint(
    _ terms: WebhookEndpointTerms, secret: WebhookSecret
  ) async throws -> WebhookEndpoint? {
    try await transaction { connection in
      _ = try await connection.execute(
        "SELECT pg_advisory_xact_lock(1953527656, hashtext($1))", [.text(terms.owner)])
      let made = try await connection.execute(
        Ledger.insertEndpoint,
        [
          .uuid(terms.id.bytes), .text(terms.owner), .text(terms.url),
          terms.events.map { .textArray($0.map(\.rawValue)) } ?? .null, terms.description.map { .text($0) } ?? .null,
          .int8(Int64(WebhookEndpoint.ownedMaximum)),
        ])
      guard let row = made.rows.first else { return nil }
      _ = try await connection.execute(
        Ledger.insertEndpointSecret, [.uuid(terms.id.bytes), secret.withBytes { .bytes($0) }])
      return try WebhookEndpoint(row)
    }
  }

  /// See `WebhookEndpointLedger.webhookEndpoint`.
  public func webhookEndpoint(_ id: WebhookEndpointID) async throws -> WebhookEndpoint? {
    try await read(Ledger.selectEndpoint, [.uuid(id.bytes)]).rows.first.map { try WebhookEndpoint($0) }
  }

  /// See `WebhookEndpointLedger.webhookEndpoints`.
  public func webhookEndpoints(
    of owner: String?, before: WebhookEndpointID?, limit: Int
  ) async throws -> [WebhookEndpoint] {
    var (narrowed, parameters) = ("deleted_at IS NULL", [PostgresParameter.int8(Int64(limit))])
    if let owner {
      parameters.append(.text(owner))
      narrowed += " AND owner = $\(parameters.count)"
    }
    if let before {
      parameters.append(.uuid(before.bytes))
      narrowed += " AND id < $\(parameters.count)"
    }
    return try await read(
      "SELECT \(WebhookEndpoint.columns) FROM webhook_endpoints WHERE \(narrowed) ORDER BY id DESC LIMIT $1", parameters
    ).rows.map { try WebhookEndpoint($0) }
  }

  /// See `WebhookEndpointLedger.deleteWebhookEndpoint`.
  public func deleteWebhookEndpoint(_ id: WebhookEndpointID) async throws -> WebhookEndpoint? {
    try await transaction { connection in
      let deleted = try await connection.execute(
        "UPDATE webhook_endpoints SET deleted_at = ledger_now() WHERE id = $1 AND deleted_at IS NULL",
        [.uuid(id.bytes)])
      if deleted.affectedRows > 0 {
        _ = try await connection.execute(
          """
          UPDATE webhook_endpoint_secrets SET valid_until = ledger_now()
          WHERE endpoint_id = $1 AND (valid_until IS NULL OR valid_until > ledger_now())
          """, [.uuid(id.bytes)])
        try await Ledger.giveUpAll(of: id, "its endpoint was deleted", on: connection)
      }
      return try await connection.execute(PostgresStatement(Ledger.selectEndpoint), [.uuid(id.bytes)]).rows.first
        .map { try WebhookEndpoint($0) }
    }
  }

  // MARK: Secrets

  /// See `WebhookEndpointLedger.rotateWebhookEndpointSecret`. Two that rotate at once do so one after the other: both
  /// secrets sign, the first one for a while.
  public func rotateWebhookEndpointSecret(
    _ id: WebhookEndpointID, to secret: WebhookSecret, oldValidMilliseconds: Int64
  ) async throws -> Timestamp? {
    try await transaction { connection in
      guard try await Ledger.lock(id, on: connection) else { return nil }
      let old = try await connection.execute(
        """
        UPDATE webhook_endpoint_secrets SET valid_until = ledger_now() + $2 * interval '1 millisecond'
        WHERE endpoint_id = $1 AND valid_until IS NULL RETURNING valid_until
        """, [.uuid(id.bytes), .int8(oldValidMilliseconds)])
      _ = try await connection.execute(
        Ledger.insertEndpointSecret, [.uuid(id.bytes), secret.withBytes { .bytes($0) }])
      return try old.single().time("valid_until")
    }
  }

  private static let endpointSecrets: PostgresStatement = """
    SELECT endpoint_id, secret FROM (
      SELECT endpoint_id, secret, row_number() OVER (PARTITION BY endpoint_id ORDER BY id DESC) AS place
      FROM webhook_endpoint_secrets
      WHERE endpoint_id = ANY ($1::uuid[]) AND (valid_until IS NULL OR valid_until > ledger_now())) s
    WHERE place <= $2 ORDER BY endpoint_id, place
    """

  /// With what endpoints are signed now, the newest first.
  static func secrets(
    ofEndpoints ids: [[UInt8]], on connection: PostgresConnection
  ) async throws -> [WebhookEndpointID: [WebhookSecret]] {
    let rows = try await connection.execute(
      endpointSecrets, [.uuidArray(ids), .int8(Int64(webhookSecretsMaximum))]
    ).rows
    return try rows.reduce(into: [:]) { secrets, row in
      secrets[try WebhookEndpointID(bytes: row.uuid("endpoint_id")), default: []].append(
        try WebhookSecret(bytes: row.bytes("secret")))
    }
  }

  // MARK: Failing

  /// Takes an endpoint's row before the rows of its deliveries, as everybody does who changes both.
  ///
  /// - Returns: whether anything is told to it.
  @discardableResult
  static func lock(_ id: WebhookEndpointID, on connection: PostgresConnection) async throws -> Bool {
    let row = try await connection.execute(
      """
      SELECT coalesce(deleted_at, disabled_at) IS NULL AS is_listening FROM webhook_endpoints
      WHERE id = $1 FOR NO KEY UPDATE
      """, [.uuid(id.bytes)]
    ).rows.first
    return try row?.bool("is_listening") ?? false
  }

  private static let succeed: PostgresStatement = """
    UPDATE webhook_endpoints SET failures = 0, first_failed_at = NULL WHERE id = $1 AND failures > 0
    """
  private static let fail: PostgresStatement = """
    UPDATE webhook_endpoints SET failures = failures + 1, first_failed_at = coalesce(first_failed_at, ledger_now())
    WHERE id = $1 AND deleted_at IS NULL AND disabled_at IS NULL
    RETURNING failures >= $2 AND first_failed_at + $3 * interval '1 millisecond' <= ledger_now() AS is_too_often
    """
  private static let disable: PostgresStatement = """
    UPDATE webhook_endpoints SET disabled_at = ledger_now(), disabled_reason = $2
    WHERE id = $1 AND deleted_at IS NULL AND disabled_at IS NULL
    RETURNING owner, webhook_origin(url) AS origin
    """

  /// Counts a try of an endpoint whose row is locked, and disables one that keeps failing or wants no more.
  ///
  /// - Returns: whether it is disabled by this.
  static func count(
    _ result: WebhookResult, of id: WebhookEndpointID, on connection: PostgresConnection
  ) async throws -> Bool {
    let reason: String
    switch result {
    case .delivered:
      _ = try await connection.execute(succeed, [.uuid(id.bytes)])
      return false
    case .gone: reason = "its receiver answered 410: it wants to be told no more"
    case .failed:
      let failed = try await connection.execute(
        fail,
        [
          .uuid(id.bytes), .int8(Int64(WebhookEndpoint.disabledAfterTries)),
          .int8(WebhookEndpoint.disabledAfterMilliseconds),
        ])
      guard try failed.rows.first?.bool("is_too_often") == true else { return false }
      reason = "it failed for three days and at least \(WebhookEndpoint.disabledAfterTries) tries without one success"
    }
    let disabled = try await connection.execute(disable, [.uuid(id.bytes), .text(reason)])
    guard let row = disabled.rows.first else { return false }
    try await giveUpAll(of: id, "its endpoint was disabled", on: connection)
    let told = "a webhook endpoint of \(try row.text("owner")) at \(try row.text("origin")) was disabled: \(reason)"
    _ = try await connection.execute(
      "SELECT raise_alarm('webhook_endpoint_disabled', $1, $2)", [.text("\(id)"), .text(told)])
    return true
  }

  private static func giveUpAll(
    of id: WebhookEndpointID, _ why: String, on connection: PostgresConnection
  ) async throws {
    _ = try await connection.execute(
      """
      UPDATE webhook_deliveries SET state = 'given_up', ended_at = ledger_now(), last_result = $2
      WHERE id IN (
        SELECT id FROM webhook_deliveries WHERE endpoint_id = $1 AND state = 'pending' ORDER BY number LIMIT $3)
      """, [.uuid(id.bytes), .text(why), .int8(endedAtOnceMaximum)])
  }
}

extension WebhookEndpoint {
  /// What `init(_ row:)` reads of table `webhook_endpoints`.
  fileprivate static let columns = """
    id, owner, url, events, description, created_at, failures, first_failed_at, disabled_at, disabled_reason, deleted_at
    """

  fileprivate init(_ row: PostgresRow) throws {
    let events: [WebhookEvent]? = try row.textArrayOrNil("events")?.map { try PostgresRow.name($0, "events") }
    self.init(
      terms: WebhookEndpointTerms(
        id: try WebhookEndpointID(bytes: row.uuid("id")), owner: try row.text("owner"), url: try row.text("url"),
        events: events, description: try row.textOrNil("description")),
      createdAt: try row.time("created_at"), failures: Int(try row.int4("failures")),
      firstFailedAt: try row.timeOrNil("first_failed_at"), disabledAt: try row.timeOrNil("disabled_at"),
      disabledReason: try row.textOrNil("disabled_reason"), deletedAt: try row.timeOrNil("deleted_at"))
  }
}
