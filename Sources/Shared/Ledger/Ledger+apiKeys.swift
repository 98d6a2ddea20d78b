import Payouts
import Postgres

/// API keys: made once, looked up with each call, revoked once. What stands here proves nobody: it holds digests only,
/// and counts only under a seal that no database can make.
extension Ledger: APIKeyLedger {
  private static let insertAPIKey: PostgresStatement = """
    INSERT INTO api_keys (
      id, secret_digest, name, owner, role, permissions, node_ids, created_by, created_proof, expires_at,
      seal_key_id, seal_signature)
    VALUES ($1, $2, $3, $4, $5, $6::text[], $7::text[], $8, $9, $10::timestamptz, $11, $12)
    ON CONFLICT (id) DO NOTHING
    """
  private static let revokeKey: PostgresStatement = """
    UPDATE api_keys SET revoked_at = ledger_now(), revoked_by = $2 WHERE id = $1 AND revoked_at IS NULL
    """
  private static let selectAPIKey = "SELECT \(APIKeyRecord.columns) FROM api_keys WHERE id = $1"

  /// See `APIKeyLedger.apiKey`.
  public func apiKey(_ id: APIKeyID) async throws -> APIKeyRecord? {
    try await read(Ledger.selectAPIKey, [.bytes(id.bytes)]).rows.first.map { try APIKeyRecord($0) }
  }

  /// See `APIKeyLedger.makeAPIKey`.
  public func makeAPIKey(_ terms: APIKeyTerms, seal: APIKeySeal) async throws -> APIKeyRecord {
    try await transaction { connection in
      _ = try await connection.execute(
        Ledger.insertAPIKey, terms.parameters + [.text(seal.keyID), .bytes(seal.signature)])
      guard let record = try await Ledger.storedKey(terms.id, on: connection), record.terms == terms,
        record.seal == seal
      else {
        throw LedgerError(.refused, "another API key has this id: make the key under a new one")
      }
      return record
    }
  }

  /// See `APIKeyLedger.revokeAPIKey`.
  public func revokeAPIKey(_ id: APIKeyID, by caller: String) async throws -> APIKeyRecord? {
    try await transaction { connection in
      _ = try await connection.execute(Ledger.revokeKey, [.bytes(id.bytes), .text(caller)])
      return try await Ledger.storedKey(id, on: connection)
    }
  }

  /// See `APIKeyLedger.apiKeys`.
  public func apiKeys(of owner: String?, atMost count: Int) async throws -> [APIKeyRecord] {
    try await read(
      """
      SELECT \(APIKeyRecord.columns) FROM api_keys WHERE $1::text IS NULL OR owner = $1::text
      ORDER BY created_at DESC, id LIMIT $2
      """, [owner.map { .text($0) } ?? .null, .int8(Int64(count))]
    ).rows.map { try APIKeyRecord($0) }
  }

  private static func storedKey(_ id: APIKeyID, on connection: PostgresConnection) async throws -> APIKeyRecord? {
    try await connection.execute(PostgresStatement(selectAPIKey), [.bytes(id.bytes)]).rows.first
      .map { try APIKeyRecord($0) }
  }
}

extension APIKeyTerms {
  /// In the order of the columns. Permissions are sorted, so that the same ones are stored alike.
  fileprivate var parameters: [PostgresParameter] {
    [
      .bytes(id.bytes), .bytes(secretDigest), .text(name), .text(owner), .text(role.rawValue),
      .textArray(permissions.map(\.rawValue).sorted()), .textArray(nodeIDs), .text(createdBy), .text(createdProof),
      expiresAt.map { .timestamp(microsecondsSinceUnixEpoch: $0.microseconds) } ?? .null,
    ]
  }
}

extension APIKeyRecord {
  /// What `init(_ row:)` reads of table `api_keys`.
  fileprivate static let columns = """
    id, secret_digest, name, owner, role, permissions, node_ids, created_by, created_proof, created_at, expires_at,
      revoked_at, revoked_by, seal_key_id, seal_signature,
      CASE WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN expires_at <= ledger_now() THEN 'expired' ELSE 'valid' END
        AS state
    """

  fileprivate init(_ row: PostgresRow) throws {
    let permissions: [CallerPermission] = try row.textArray("permissions").map {
      try PostgresRow.name($0, "permissions")
    }
    self.init(
      terms: APIKeyTerms(
        id: try APIKeyID(bytes: row.bytes("id")), secretDigest: try row.bytes("secret_digest"),
        name: try row.text("name"), owner: try row.text("owner"), role: try row.named("role"),
        permissions: Set(permissions), nodeIDs: try row.textArray("node_ids"), createdBy: try row.text("created_by"),
        createdProof: try row.text("created_proof"), expiresAt: try row.timeOrNil("expires_at")),
      seal: APIKeySeal(keyID: try row.text("seal_key_id"), signature: try row.bytes("seal_signature")),
      createdAt: try row.time("created_at"), revokedAt: try row.timeOrNil("revoked_at"),
      revokedBy: try row.textOrNil("revoked_by"), state: try row.named("state"))
  }
}
