// Proves how nodes are registered, verified and suspended, that a nonce counts once for ever, and what the database
// refuses.
import Payouts
import Testing

@testable import Ledger

extension TestLedger {
  /// Terms of node `node-1`, unless told otherwise.
  static func kycTerms(
    node: String = "node-1", wallet: UInt8 = 0x61, hash: UInt8 = 1, level: ComplianceLevel = .enhanced
  ) -> KYCTerms {
    KYCTerms(
      node: node, wallet: Address(account: [UInt8](repeating: wallet, count: 20)),
      kycHash: [UInt8](repeating: hash, count: 32), level: level)
  }

  /// A proof whose signature nobody checks here, which holds for some time from the test's begin.
  func kycProof(_ nonce: UInt8, validFor milliseconds: Int64 = 3_600_000) -> KYCProof {
    KYCProof(
      nonce: [UInt8](repeating: nonce, count: 32), signedBy: Address(account: [UInt8](repeating: 0x0a, count: 20)),
      signature: [UInt8](repeating: 0x5c, count: 65), validUntil: now.advanced(byMilliseconds: milliseconds))
  }

  /// Registers a node that must not stand yet.
  @discardableResult
  func registered(_ terms: KYCTerms) async throws -> KYCNode {
    guard case .registered(let node) = try await ledger.register(terms, by: "root") else { throw NothingThrown() }
    return node
  }

  func standing(_ id: String = "node-1") async throws -> KYCStatus? { try await ledger.kycNode(id)?.status }
}

@Suite struct KYCTests {
  private static let year: Int64 = 365 * 86_400_000

  @Test func `a node is registered once, verified, and suspended, each with its event`() async throws {
    try await withLedger { test async throws in
      let terms = TestLedger.kycTerms()
      let node = try await test.registered(terms)
      #expect(node.terms == terms && node.status == .pending && node.registeredBy == "root" && node.proof == nil)
      #expect(node.expiresAt.milliseconds(since: node.registeredAt) == Self.year)
      #expect(try await test.ledger.register(terms, by: "another") == .standsAlready(node))
      #expect(try await test.ledger.kycNode("node-2") == nil)
      let proof = test.kycProof(1)
      guard case .verified(let verified) = try await test.ledger.verify(terms, by: proof) else {
        Issue.record("not verified")
        return
      }
      #expect(verified.status == .verified && verified.proof == proof && verified.verifiedAt != nil)
      #expect(try await test.ledger.verify(terms, by: test.kycProof(2)) == .notPending(verified))
      #expect(try await test.ledger.register(terms, by: "root") == .standsAlready(verified))
      for other in [
        TestLedger.kycTerms(wallet: 0x62), TestLedger.kycTerms(hash: 2), TestLedger.kycTerms(level: .basic),
      ] {
        #expect(try await test.ledger.register(other, by: "root") == .otherTerms(verified))
      }
      guard case .suspended(let suspended) = try await test.ledger.suspend(node: "node-1", reason: "why") else {
        Issue.record("not suspended")
        return
      }
      #expect(suspended.status == .suspended && suspended.suspendedReason == "why" && suspended.proof == proof)
      #expect(try await test.ledger.suspend(node: "node-1", reason: "else") == .suspended(suspended))
      #expect(try await test.ledger.suspend(node: "node-2", reason: "why") == .unknownNode)
      #expect(try await test.ledger.verify(TestLedger.kycTerms(node: "node-2"), by: proof) == .unknownNode)
      #expect(
        try await test.rows("SELECT from_status, to_status, note, actor FROM kyc_events ORDER BY id") == [
          "|pending||ledger-tests", "pending|verified||ledger-tests", "verified|suspended|why|ledger-tests",
        ])
    }
  }

  @Test func `a node that is over is registered anew as pending, and its history keeps what stood there`() async throws
  {
    // Proves it after its time and after a suspension, and that the old signature does not count again.
    try await withLedger { test async throws in
      let (first, second) = (TestLedger.kycTerms(), TestLedger.kycTerms(wallet: 0x62, hash: 2, level: .basic))
      try await test.registered(first)
      _ = try await test.ledger.verify(first, by: test.kycProof(1))
      _ = try await test.ledger.suspend(node: "node-1", reason: "why")
      let again = try await test.registered(first)
      #expect(again.status == .pending && again.proof == nil && again.suspendedAt == nil && again.verifiedAt == nil)
      #expect(try await test.ledger.verify(first, by: test.kycProof(1)) == .nonceUsed)
      #expect(try await test.standing() == .pending)
      try await test.moveClock(toMilliseconds: Self.year + 60_000)
      let anew = try await test.registered(second)
      #expect(anew.terms == second && anew.status == .pending)
      #expect(try await test.ledger.verify(first, by: test.kycProof(2, validFor: Self.year + 120_000)) == .otherTerms)
      #expect(
        try await test.rows(
          "SELECT from_status, to_status, encode(substr(wallet, 21), 'hex') FROM kyc_events ORDER BY id")
          == [
            "|pending|61", "pending|verified|61", "verified|suspended|61", "suspended|pending|61",
            "expired|pending|62",
          ])
      #expect(
        try await test.value("SELECT count(*) FROM kyc_events WHERE signature IS NOT NULL AND nonce IS NOT NULL") == "2"
      )
    }
  }

  @Test func `a node expires by the ledger's clock, verified or pending, and a suspended one stays so`() async throws {
    try await withLedger { test async throws in
      for node in ["pending", "verified", "suspended"] {
        try await test.registered(TestLedger.kycTerms(node: node))
      }
      _ = try await test.ledger.verify(TestLedger.kycTerms(node: "verified"), by: test.kycProof(1))
      _ = try await test.ledger.suspend(node: "suspended", reason: "why")
      try await test.moveClock(toMilliseconds: Self.year - 60_000)
      for node in ["pending", "verified", "suspended"] {
        #expect(try await test.standing(node)?.rawValue == node)
      }
      try await test.moveClock(toMilliseconds: Self.year + 60_000)
      #expect(try await test.standing("pending") == .expired)
      #expect(try await test.standing("verified") == .expired)
      #expect(try await test.standing("suspended") == .suspended)
      let expired = try #require(try await test.ledger.kycNode("pending"))
      let late = test.kycProof(2, validFor: Self.year + 120_000)
      #expect(try await test.ledger.verify(expired.terms, by: late) == .notPending(expired))
      #expect(try await test.ledger.suspend(node: "pending", reason: "why") == .isOver(expired))
    }
  }

  @Test func `a signature holds until its time by the ledger's clock, and at most eight days`() async throws {
    // Proves both bounds, and that what is refused uses no nonce.
    try await withLedger { test async throws in
      let (terms, days) = (TestLedger.kycTerms(), 8 * TestLedger.day)
      try await test.registered(terms)
      #expect(try await test.ledger.verify(terms, by: test.kycProof(1, validFor: 0)) == .signatureIsOver)
      let long = test.kycProof(1, validFor: days + 600_000)
      #expect(try await test.ledger.verify(terms, by: long) == .signatureHoldsTooLong)
      try await test.moveClock(toMilliseconds: days + 660_000)
      #expect(try await test.ledger.verify(terms, by: long) == .signatureIsOver)
      #expect(try await test.value("SELECT count(*) FROM compliance_nonces") == "0")
      try await test.moveClock(toMilliseconds: 600_000)
      guard case .verified = try await test.ledger.verify(terms, by: long) else {
        Issue.record("not verified within its time")
        return
      }
    }
  }

  @Test func `a nonce counts once, whoever uses it at once`() async throws {
    // Proves it for twenty nodes at one time: one is verified, nineteen stay pending.
    try await withLedger(connectionLimit: 10) { test async throws in
      let nodes = (1...20).map { TestLedger.kycTerms(node: "node-\($0)") }
      for terms in nodes { try await test.registered(terms) }
      let proof = test.kycProof(7)
      let outcomes = try await withThrowingTaskGroup(of: KYCVerification.self) { group in
        for terms in nodes { group.addTask { try await test.ledger.verify(terms, by: proof) } }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(outcomes.count { $0 == .nonceUsed } == 19)
      #expect(try await test.value("SELECT count(*) FROM kyc_nodes WHERE status = 'verified'") == "1")
      #expect(
        try await test.value("SELECT k.node_id = n.node_id FROM compliance_nonces n JOIN kyc_nodes k USING (nonce)")
          == "true")
    }
  }

  @Test func `one of many that register a node at once does so`() async throws {
    try await withLedger(connectionLimit: 10) { test async throws in
      let outcomes = try await withThrowingTaskGroup(of: KYCRegistration.self) { group in
        for number in 1...10 {
          group.addTask {
            try await test.ledger.register(TestLedger.kycTerms(hash: UInt8(number)), by: "root-\(number)")
          }
        }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      let node = try #require(try await test.ledger.kycNode("node-1"))
      #expect(outcomes.count { $0 == .registered(node) } == 1)
      #expect(outcomes.count { $0 == .otherTerms(node) } == 9)
      #expect(try await test.value("SELECT count(*) FROM kyc_events") == "1")
    }
  }

  @Test func `the database lets a node change in legal ways only, and its nonces and events never`() async throws {
    try await withLedger { test async throws in
      let terms = TestLedger.kycTerms()
      try await test.registered(terms)
      let proof = """
        verified_at = now(), nonce = sha256('n'), signed_by = wallet, signature = decode(repeat('00', 65), 'hex'),
        signature_valid_until = now() + interval '1 hour'
        """
      let changes = [
        "node_id = 'x'", "wallet = substr(sha256('x'), 1, 21)", "kyc_hash = sha256('x')",
        "compliance_level = 'government'", "registered_at = now() + interval '1 hour'", "registered_by = 'x'",
        "expires_at = now() + interval '2 days'",
      ]
      for change in changes {
        // Pending, it stays as it is: no second registration, and no other change.
        let refused = try await test.refusal("UPDATE kyc_nodes SET \(change)")
        #expect(refused == "TP001" || refused == "TP002", "\(change)")
        #expect(
          try await test.refusal(
            "UPDATE kyc_nodes SET status = 'suspended', suspended_at = now(), suspended_reason = 'r', \(change)")
            == "TP002", "\(change)")
      }
      #expect(try await test.refusal("UPDATE kyc_nodes SET status = 'verified', \(proof)") == "TP002", "no nonce")
      #expect(try await test.refusal("UPDATE kyc_nodes SET status = 'verified'") == "TP002", "no proof")
      #expect(try await test.refusal("UPDATE kyc_nodes SET status = 'rejected', \(proof)") == "TP002")
      #expect(
        try await test.refusal(
          "INSERT INTO kyc_nodes (node_id, wallet, kyc_hash, compliance_level, status, registered_by, expires_at) "
            + "SELECT 'y', wallet, kyc_hash, 'basic', 'rejected', 'r', expires_at FROM kyc_nodes") == "TP001")
      _ = try await test.ledger.verify(terms, by: test.kycProof(1))
      for status in ["pending", "verified", "rejected"] {
        let refused = try await test.refusal("UPDATE kyc_nodes SET status = '\(status)'")
        #expect(refused == "TP001", "\(status)")
      }
      #expect(try await test.refusal("UPDATE kyc_nodes SET signature = decode(repeat('01', 65), 'hex')") == "TP001")
      #expect(try await test.refusal("UPDATE compliance_nonces SET nonce = sha256('x')") == "TP005")
      #expect(try await test.refusal("UPDATE kyc_events SET note = 'x'") == "TP005")
      let nonce = "INSERT INTO compliance_nonces (nonce, node_id, payout_id) VALUES (sha256('z'),"
      #expect(try await test.refusal("\(nonce) NULL, NULL)") == "compliance_nonce_of_one_thing")
      #expect(try await test.refusal("\(nonce) 'node-1', gen_random_uuid())") == "compliance_nonce_of_one_thing")
      #expect(
        try await test.refusal(
          "INSERT INTO compliance_nonces (nonce, node_id) SELECT nonce, node_id FROM compliance_nonces")
          == "compliance_nonces_pkey")
      #expect(try await test.ledger.kycNode("node-1")?.status == .verified)
    }
  }
}
