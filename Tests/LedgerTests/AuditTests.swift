import Payouts
import Postgres
import Testing

@testable import Ledger

/// Audit records and their chain (api.md "Who may call").
@Suite struct AuditTests {
  /// A record that differs from others by its number.
  static func record(
    _ number: Int, caller: String? = "client-1", target: String? = nil, operation: String = "createPayout",
    outcome: String = "done", detail: String? = nil
  ) -> AuditRecord {
    AuditRecord(
      service: "ingest-1", caller: caller, role: caller.map { _ in "service" }, proof: caller.map { _ in "jwt" },
      operation: operation, target: target, requestID: "request-\(number)", status: 201, outcome: outcome,
      detail: detail)
  }

  /// The chain, checked to its end by the program's own hashes.
  private func verify(_ test: TestLedger) async throws -> AuditChain {
    var chain = AuditChain()
    while true {
      let page = try await test.ledger.audits(after: chain.sequence, limit: 7)
      for next in page { try chain.take(next) }
      if page.count < 7 { return chain }
    }
  }

  /// Where the chain breaks; nil where it fits.
  private func flaw(_ test: TestLedger) async throws -> AuditFlaw? {
    do {
      _ = try await verify(test)
      return nil
    } catch let flaw as AuditFlaw {
      return flaw
    }
  }

  /// Links all there is, a few at a time.
  private func linkAll(_ test: TestLedger) async throws -> [LinkedAudit] {
    var linked: [LinkedAudit] = []
    while true {
      let some = try await test.ledger.linkAudits(atMost: 5)
      if some.isEmpty { return linked }
      linked += some
    }
  }

  // Proves that records that several connections store and link at once form one chain without a gap, in which each
  // stands once, and that the program computes each hash as the database did.
  @Test func `records that are stored and linked at once form one chain that fits`() async throws {
    try await withLedger(connectionLimit: 8) { test async throws in
      let told = try await withThrowingTaskGroup(of: [LinkedAudit].self) { group in
        for writer in 0..<8 {
          group.addTask {
            var linked: [LinkedAudit] = []
            for round in 0..<20 {
              let numbers = (0...(round % 4)).map { writer * 1_000 + round * 10 + $0 }
              try await test.ledger.record(audits: numbers.map { AuditTests.record($0, detail: "d\u{1f600} \($0)") })
              linked += try await test.ledger.linkAudits(atMost: 3)
            }
            return linked
          }
        }
        return try await group.reduce(into: [LinkedAudit]()) { $0 += $1 }
      }
      let all = try await told + linkAll(test)
      let count = 8 * 20 / 4 * (1 + 2 + 3 + 4)
      #expect(all.map(\.link.sequence).sorted() == Array(1...Int64(count)))
      #expect(Set(all.map(\.audit.record.requestID)).count == count)
      let chain = try await verify(test)
      #expect(chain.sequence == Int64(count))
      #expect(chain.hash == all.first { $0.link.sequence == chain.sequence }?.link.hash)
      #expect(try await test.value("SELECT count(*) FROM audit_records WHERE sequence IS NULL") == "0")
      // From the middle, behind a record that is believed.
      let middle = try #require(try await test.ledger.audits(after: 199, limit: 1).first)
      var rest = AuditChain(after: middle.link)
      for next in try await test.ledger.audits(after: 200, limit: 1_000) { try rest.take(next) }
      #expect(rest.hash == chain.hash)
    }
  }

  /// Every field that the hash covers, each changed in one record.
  private static let changes = [
    "at = at + interval '1 millisecond'", "service = 'ingest-2'", "caller = 'mallory'", "caller = NULL",
    "role = 'admin'", "proof = 'gateway'", "operation = 'getPayout'", "target = ''", "target = 't'",
    "request_id = 'r'", "status = 200", "outcome = 'Done'", "detail = 'detail-5 '", "detail = NULL",
    "hash = sha256('x')",
  ]

  // Proves that a record which somebody changes with all guards off is found, whichever field it is, an absent one that
  // becomes empty too, and that it is named; so are a record that is taken out and one that takes another's place.
  @Test func `a record that is changed by force is found by its hash`() async throws {
    try await withLedger { test async throws in
      try await test.ledger.record(audits: (1...9).map { Self.record($0, detail: "detail-\($0)") })
      _ = try await linkAll(test)
      try await test.run("CREATE TABLE kept AS SELECT * FROM audit_records")
      for change in Self.changes {
        try await test.force("UPDATE audit_records SET \(change) WHERE sequence = 5")
        #expect(try await flaw(test) == .altered(sequence: 5, id: 5), "\(change)")
        try await test.force(
          """
          UPDATE audit_records a SET at = k.at, service = k.service, caller = k.caller, role = k.role, proof = k.proof,
            operation = k.operation, target = k.target, request_id = k.request_id, status = k.status,
            outcome = k.outcome, detail = k.detail, hash = k.hash
          FROM kept k WHERE k.id = a.id
          """)
        #expect(try await flaw(test) == nil)
      }
      try await test.force(
        """
        UPDATE audit_records SET sequence = 100 WHERE sequence = 5;
        UPDATE audit_records SET sequence = 5 WHERE sequence = 6;
        UPDATE audit_records SET sequence = 6 WHERE sequence = 100;
        """)
      #expect(try await flaw(test) == .altered(sequence: 5, id: 6))
      try await test.force("DELETE FROM audit_records WHERE sequence = 5")
      #expect(try await flaw(test) == .missing(sequence: 5, found: 6))
    }
  }

  // Proves that fields cannot flow into one another: absent is not empty, and what ends one does not begin the next.
  @Test func `fields do not flow into one another`() {
    func hash(_ caller: String?, _ role: String?) -> [UInt8] {
      let record = AuditRecord(
        service: "s", caller: caller, role: role, proof: nil, operation: "o", target: nil, requestID: "r", status: 200,
        outcome: "done")
      let stored = StoredAudit(id: 1, atMicroseconds: 1_700_000_000_000_000, record: record)
      return AuditChain.hash(of: stored, after: AuditChain.beginning)
    }
    let hashes = [hash(nil, nil), hash("", nil), hash(nil, ""), hash("", ""), hash("ab", "c"), hash("a", "bc")]
    #expect(Set(hashes).count == hashes.count)
  }

  // Proves that nothing but the next place with its hash can be given to a record, once, and that none is removed.
  @Test func `records are only added, and linked once`() async throws {
    try await withLedger { test async throws in
      try await test.ledger.record(audits: (1...3).map { Self.record($0) })
      #expect(try await test.ledger.linkAudits(atMost: 1).count == 1)
      let right = "audit_hash((SELECT p.hash FROM audit_records p WHERE p.sequence = 1), r)"
      for change in [
        "detail = 'x'", "detail = detail", "sequence = sequence", "sequence = 3, hash = \(right)",
        "sequence = 2, hash = sha256('x')", "sequence = 2, hash = \(right), caller = 'x'",
        "sequence = 1, hash = \(right)",
      ] {
        let refusal = try await test.refusal("UPDATE audit_records r SET \(change) WHERE r.id = 2")
        #expect(refusal == "TP002", "\(change)")
      }
      for change in ["detail = 'x'", "sequence = NULL, hash = NULL", "hash = hash"] {
        let refusal = try await test.refusal("UPDATE audit_records r SET \(change) WHERE r.id = 1")
        #expect(refusal == "TP002", "\(change)")
      }
      #expect(try await test.refusal("DELETE FROM audit_records") == "TP005")
      #expect(try await test.refusal("TRUNCATE audit_records") == "TP005")
      let insert = """
        INSERT INTO audit_records (at, service, operation, request_id, status, outcome, sequence, hash)
        VALUES (date_trunc('second', now()), 's', 'o', 'r', 200, 'done', 2, sha256('x'))
        """
      #expect(try await test.refusal(insert) == "TP001")
      #expect(try await test.refusal("UPDATE audit_sink SET sequence = 2") == "TP002")
      #expect(try await test.refusal("DELETE FROM audit_sink") == "TP005")
      try await test.run("UPDATE audit_records r SET sequence = 2, hash = \(right) WHERE r.id = 2")
      #expect(try await linkAll(test).map(\.link.sequence) == [3])
      #expect(try await verify(test).sequence == 3)
    }
  }

  // Proves that a record whose transaction commits after later ones were linked is not forgotten: the chain's order is
  // that of linking.
  @Test func `a record that commits late under a lower id is linked later`() async throws {
    try await withLedger { test async throws in
      try await test.pool.withTransaction { connection in
        _ = try await connection.execute(
          """
          INSERT INTO audit_records (at, service, operation, request_id, status, outcome)
          VALUES (date_trunc('milliseconds', ledger_now()), 's', 'o', 'late', 200, 'done')
          """)
        try await test.ledger.record(audits: [Self.record(1), Self.record(2)])
        #expect(try await linkAll(test).map(\.audit.record.requestID) == ["request-1", "request-2"])
      }
      #expect(try await verify(test).sequence == 2)
      let late = try await linkAll(test)
      #expect(late.map(\.audit.record.requestID) == ["late"] && late.map(\.link.sequence) == [3])
      #expect(late.map(\.audit.id) == [1])
      #expect(try await verify(test).sequence == 3)
    }
  }

  // Proves that what callers send is stored whatever it is: too long, with control characters, beyond the basic plane;
  // cut where the database would refuse it, and read back as it was made.
  @Test func `any text is stored, cut to its maximum and without control characters`() async throws {
    try await withLedger { test async throws in
      let hostile = "\0\u{1b}[2J\u{85}\u{7f}\n" + String(repeating: "\u{1f600}e\u{301}", count: 400)
      let record = AuditRecord(
        service: hostile, caller: hostile, role: hostile, proof: hostile, operation: hostile, target: hostile,
        requestID: hostile, status: 0, outcome: hostile, detail: hostile)
      let empty = AuditRecord(
        service: "", caller: "", role: nil, proof: "", operation: "", target: nil, requestID: "", status: 1_000,
        outcome: "", detail: "")
      try await test.ledger.record(audits: [record, empty])
      let read = try await linkAll(test).map(\.audit.record)
      #expect(read == [record, empty])
      #expect(read.map(\.status) == [100, 599])
      #expect(
        record.caller?.unicodeScalars.count == 255
          && record.detail?.unicodeScalars.count == AuditRecord.detailCharactersMax)
      #expect(record.service.hasPrefix("\u{fffd}\u{fffd}[2J\u{fffd}\u{fffd}\u{fffd}\u{1f600}"))
      #expect(try await verify(test).sequence == 2)
    }
  }

  // Proves that a record that could not be stored at once tells when it happened.
  @Test func `a record that waited is dated back`() async throws {
    try await withLedger { test async throws in
      try await test.freeze()
      try await test.ledger.record(audits: [Self.record(1).waited(milliseconds: 90_000), Self.record(2)])
      let times = try await linkAll(test).map(\.audit.at)
      #expect(times == [test.now.advanced(byMilliseconds: -90_000), test.now])
    }
  }
}
