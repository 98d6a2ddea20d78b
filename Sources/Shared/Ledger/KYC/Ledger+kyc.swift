import Payouts
import Postgres

/// The registry of nodes (see `KYCLedger`). Whoever changes a node holds its row; the events are the database's own.
extension Ledger: KYCLedger {
  private static let insertNode = PostgresStatement(
    """
    INSERT INTO kyc_nodes (node_id, wallet, kyc_hash, compliance_level, registered_by, expires_at)
    VALUES ($1, $2, $3, $4, $5, ledger_now() + $6 * interval '1 millisecond')
    ON CONFLICT (node_id) DO NOTHING RETURNING \(KYCNode.columns)
    """)
  private static let registerAnew = PostgresStatement(
    """
    UPDATE kyc_nodes SET wallet = $2, kyc_hash = $3, compliance_level = $4, registered_by = $5,
      expires_at = ledger_now() + $6 * interval '1 millisecond', registered_at = ledger_now(), status = 'pending',
      verified_at = NULL, nonce = NULL, signed_by = NULL, signature = NULL, signature_valid_until = NULL,
      suspended_at = NULL, suspended_reason = NULL
    WHERE node_id = $1 RETURNING \(KYCNode.columns)
    """)
  private static let lockNode = PostgresStatement(
    "SELECT \(KYCNode.columns) FROM kyc_nodes WHERE node_id = $1 FOR NO KEY UPDATE")
  private static let judgeTime: PostgresStatement = """
    SELECT $1::timestamptz <= ledger_now() AS is_over,
      $1::timestamptz > ledger_now() + $2 * interval '1 millisecond' AS is_too_far
    """
  private static let useNonce: PostgresStatement = """
    INSERT INTO compliance_nonces (nonce, node_id) VALUES ($1, $2) ON CONFLICT (nonce) DO NOTHING
    """
  private static let verifyNode = PostgresStatement(
    """
    UPDATE kyc_nodes SET status = 'verified', verified_at = ledger_now(), nonce = $2, signed_by = $3, signature = $4,
      signature_valid_until = $5::timestamptz
    WHERE node_id = $1 RETURNING \(KYCNode.columns)
    """)
  private static let suspendNode = PostgresStatement(
    """
    UPDATE kyc_nodes SET status = 'suspended', suspended_at = ledger_now(), suspended_reason = $2
    WHERE node_id = $1 RETURNING \(KYCNode.columns)
    """)

  /// See `KYCLedger.register`.
  public func register(_ terms: KYCTerms, by caller: String) async throws -> KYCRegistration {
    let parameters: [PostgresParameter] = [
      .text(terms.node), .bytes(terms.wallet.bytes), .bytes(terms.kycHash), .text(terms.level.rawValue),
      .text(caller), .int8(KYCNode.registrationMilliseconds),
    ]
    return try await transaction { connection in
      let made = try await connection.execute(Ledger.insertNode, parameters)
      if let row = made.rows.first { return .registered(try KYCNode(row)) }
      guard let node = try await Ledger.lockedNode(terms.node, on: connection) else {
        throw LedgerError(.corrupt, "a node that was registered is gone")
      }
      if node.status.isStanding { return node.terms == terms ? .standsAlready(node) : .otherTerms(node) }
      return .registered(try KYCNode(await connection.execute(Ledger.registerAnew, parameters).single()))
    }
  }

  /// See `KYCLedger.kycNode`.
  public func kycNode(_ id: String) async throws -> KYCNode? {
    try await read("SELECT \(KYCNode.columns) FROM kyc_nodes WHERE node_id = $1", [.text(id)]).rows.first
      .map { try KYCNode($0) }
  }

  /// See `KYCLedger.verify`. Two that use one nonce at once wait for each other at its row, whatever they use it for.
  public func verify(_ terms: KYCTerms, by proof: KYCProof) async throws -> KYCVerification {
    let until = PostgresParameter.timestamp(microsecondsSinceUnixEpoch: proof.validUntil.microseconds)
    return try await transaction { connection in
      guard let node = try await Ledger.lockedNode(terms.node, on: connection) else { return .unknownNode }
      guard node.status == .pending else { return .notPending(node) }
      guard node.terms == terms else { return .otherTerms }
      let time = try await connection.execute(
        Ledger.judgeTime, [until, .int8(KYCProof.aheadMillisecondsMax)]
      ).single()
      if try time.bool("is_over") { return .signatureIsOver }
      if try time.bool("is_too_far") { return .signatureHoldsTooLong }
      let used = try await connection.execute(Ledger.useNonce, [.bytes(proof.nonce), .text(terms.node)])
      guard used.affectedRows == 1 else { return .nonceUsed }
      let verified = try await connection.execute(
        Ledger.verifyNode,
        [.text(terms.node), .bytes(proof.nonce), .bytes(proof.signedBy.bytes), .bytes(proof.signature), until])
      return .verified(try KYCNode(verified.single()))
    }
  }

  /// See `KYCLedger.suspend`.
  public func suspend(node id: String, reason: String) async throws -> KYCSuspension {
    try await transaction { connection in
      guard let node = try await Ledger.lockedNode(id, on: connection) else { return .unknownNode }
      if node.status == .suspended { return .suspended(node) }
      guard node.status.isStanding else { return .isOver(node) }
      let suspended = try await connection.execute(Ledger.suspendNode, [.text(id), .text(reason)])
      return .suspended(try KYCNode(suspended.single()))
    }
  }

  private static func lockedNode(_ id: String, on connection: PostgresConnection) async throws -> KYCNode? {
    try await connection.execute(lockNode, [.text(id)]).rows.first.map { try KYCNode($0) }
  }
}

extension KYCNode {
  /// What `init(_ row:)` reads of table `kyc_nodes`.
  fileprivate static let columns = """
    node_id, wallet, kyc_hash, compliance_level, kyc_status(status, expires_at) AS standing, registered_at,
      registered_by, expires_at, verified_at, nonce, signed_by, signature, signature_valid_until, suspended_at,
      suspended_reason
    """

  fileprivate init(_ row: PostgresRow) throws {
    var proof: KYCProof?
    if let nonce = try row.bytesOrNil("nonce") {
      proof = KYCProof(
        nonce: nonce, signedBy: try Address(bytes: row.bytes("signed_by")), signature: try row.bytes("signature"),
        validUntil: try row.time("signature_valid_until"))
    }
    self.init(
      terms: KYCTerms(
        node: try row.text("node_id"), wallet: try Address(bytes: row.bytes("wallet")),
        kycHash: try row.bytes("kyc_hash"), level: try row.named("compliance_level")),
      status: try row.named("standing"), registeredAt: try row.time("registered_at"),
      registeredBy: try row.text("registered_by"), expiresAt: try row.time("expires_at"),
      verifiedAt: try row.timeOrNil("verified_at"), proof: proof, suspendedAt: try row.timeOrNil("suspended_at"),
      suspendedReason: try row.textOrNil("suspended_reason"))
  }
}
