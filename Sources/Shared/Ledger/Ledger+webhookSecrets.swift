public import Payouts
import Postgres

/// With what an owner's webhooks are signed. Secrets are bound as parameters and never part of a text.
extension Ledger {
  /// How many secrets of an owner sign at most: each makes the header longer.
  static let webhookSecretsMaximum = 3

  private static let validSecrets: PostgresStatement = """
    SELECT secret FROM webhook_secrets
    WHERE owner = $1 AND (valid_until IS NULL OR valid_until > ledger_now()) ORDER BY id DESC LIMIT $2
    """
  private static let insertSecret: PostgresStatement = """
    INSERT INTO webhook_secrets (owner, secret) VALUES ($1, $2) ON CONFLICT DO NOTHING
    """

  /// See `WebhookLedger.webhookSecrets`.
  public func webhookSecrets(of owner: String) async throws -> [WebhookSecret] {
    try await transaction { connection in try await Ledger.secrets(of: owner, on: connection) }
  }

  /// See `WebhookLedger.makeWebhookSecret`. Of two that are made at once the index lets one in, and both callers get it.
  public func makeWebhookSecret(of owner: String, _ candidate: WebhookSecret) async throws -> [WebhookSecret] {
    try await transaction { connection in
      _ = try await connection.execute(
        Ledger.insertSecret, [.text(owner), candidate.withBytes { .bytes($0) }])
      return try await Ledger.secrets(of: owner, on: connection)
    }
  }

  /// See `OperatorLedger.rotateWebhookSecret`. Of two that rotate at once one is let in, and both callers get its secret.
  public func rotateWebhookSecret(
    of owner: String, to secret: WebhookSecret, oldValidMilliseconds: Int64
  ) async throws -> [WebhookSecret] {
    try await transaction { connection in
      _ = try await connection.execute(
        """
        UPDATE webhook_secrets SET valid_until = ledger_now() + $2 * interval '1 millisecond'
        WHERE owner = $1 AND valid_until IS NULL
        """, [.text(owner), .int8(oldValidMilliseconds)])
      _ = try await connection.execute(Ledger.insertSecret, [.text(owner), secret.withBytes { .bytes($0) }])
      _ = try await connection.execute(
        Ledger.recordAct, [.text("webhook secret"), .text("rotated the webhook secret of \(owner)")])
      return try await Ledger.secrets(of: owner, on: connection)
    }
  }

  private static func secrets(
    of owner: String, on connection: PostgresConnection
  ) async throws -> [WebhookSecret] {
    try await connection.execute(validSecrets, [.text(owner), .int8(Int64(webhookSecretsMaximum))])
      .rows.map { try WebhookSecret(bytes: $0.bytes("secret")) }
  }
}
