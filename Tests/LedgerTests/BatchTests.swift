import Payouts
import Postgres
import TestSupport
import Testing

@testable import Ledger

/// Batches of clients: accepted whole or not at all, under one id for ever.
@Suite struct BatchTests {
  /// What an outcome is, for comparison: payouts by their samples' numbers.
  static func name(_ outcome: RequestOutcome) -> String {
    func numbers(_ ids: [PayoutID?]) -> String {
      ids.map { id in
        (1...2_000).first { Sample.payoutID($0) == id }.map(String.init) ?? "-"
      }.joined(separator: ",")
    }
    func batch(_ id: BatchID?) -> String { (1...20).first { Sample.batchID($0) == id }.map(String.init) ?? "-" }
    func told(_ records: [PayoutRecord]) -> String {
      Set(records.map { batch($0.terms.clientBatch) }).sorted().joined(separator: "+")
        + ": \(numbers(records.map(\.id)))"
    }
    return switch outcome {
    case .accepted(let records): "accepted \(told(records))"
    case .replayed(let records): "replayed \(told(records))"
    case .differentRequest: "different"
    case .limitExceeded(let use): "limit \(use.span.rawValue) \(use.used) of \(use.limit)"
    case .knownUnder(let names): "known \(batch(names.clientBatch)): \(numbers(names.payouts))"
    case .refused(let error): "refused \(error.code)"
    }
  }

  private func accept(
    _ requests: [AcceptanceRequest], hourly: Int64? = nil, daily: Int64? = nil, _ test: TestLedger
  ) async throws -> [String] {
    let limits = AcceptanceLimits(
      hourly: try hourly.map { try Amount(microUSDT: $0) }, daily: try daily.map { try Amount(microUSDT: $0) })
    return try await test.ledger.accept(requests, limits: limits).map(Self.name)
  }

  private func batches(_ test: TestLedger) async throws -> [String] {
    try await test.rows(
      """
      SELECT owner, payout_count, total_amount,
        (SELECT count(*) FROM payouts p WHERE p.client_batch_id = b.id) AS there
      FROM client_batches b ORDER BY id
      """)
  }

  /// Takes payouts away with everything about them, as a restore to before their acceptance does.
  private func forget(_ numbers: ClosedRange<Int>, batches: Bool = false, _ test: TestLedger) async throws {
    let ids = numbers.map { Sample.sql(Sample.payoutID($0)) }.joined(separator: ", ")
    try await test.force(
      """
      DELETE FROM payouts WHERE id IN (\(ids)); DELETE FROM payout_references WHERE payout_id IN (\(ids));
      DELETE FROM payout_events WHERE payout_id IN (\(ids)); DELETE FROM payout_directory WHERE id IN (\(ids));
      \(batches ? "DELETE FROM client_batches" : "SELECT");
      """)
  }

  // Proves that a batch stands as it was asked for, beside single payouts, and what becomes of it under the same and other
  // fields, another number of payouts, and as a single payout.
  @Test func `a batch is one request, and known by each of its references`() async throws {
    try await withLedger { test async throws in
      #expect(
        try await accept([Sample.batch(1, 1...3), AcceptanceRequest(Sample.payout(9)), Sample.batch(2, 10...10)], test)
          == ["accepted 1: 1,2,3", "accepted -: 9", "accepted 2: 10"])
      #expect(try await batches(test) == ["owner-1|3|3000000|3", "owner-1|1|1000000|1"])
      #expect(
        try await accept(
          [
            Sample.batch(1, 1...3), Sample.batch(7, 1...3, ids: [1: 101, 2: 102, 3: 103]),
            Sample.batch(7, 1...2, fingerprint: 2), Sample.batch(7, 1...4, fingerprint: 2),
            AcceptanceRequest(Sample.payout(3, id: 104, fingerprint: 2)), Sample.batch(7, 3...5, fingerprint: 3),
          ], test)
          == [
            "accepted 1: 1,2,3", "replayed 1: 1,2,3", "different", "different", "different", "different",
          ])
      #expect(try await test.value("SELECT count(*) FROM payouts") == "5")
      #expect(try await batches(test).count == 2)
      #expect(try await test.used("accepted") == ["hour": 5_000_000, "day": 5_000_000])
    }
  }

  // Proves all or none where the database refuses one of a batch, first, middle or last, and that those beside it stand.
  @Test func `where one of a batch is refused, all of it is, and nothing else`() async throws {
    try await withLedger { test async throws in
      for bad in 1...3 {
        let numbers = (bad * 10 + 1)...(bad * 10 + 3)
        let outcomes = try await accept(
          [
            AcceptanceRequest(Sample.payout(bad * 10 + 5)),
            Sample.batch(bad, numbers, customData: [bad * 10 + bad: "{no json"]),
            Sample.batch(bad + 5, (bad * 10 + 6)...(bad * 10 + 7)),
          ], test)
        #expect(
          outcomes == [
            "accepted -: \(bad * 10 + 5)", "refused refused",
            "accepted \(bad + 5): \(bad * 10 + 6),\(bad * 10 + 7)",
          ])
      }
      #expect(try await accept([Sample.batch(9, 90...92, amount: Int64.max / 2)], test) == ["refused refused"])
      #expect(try await accept([Sample.batch(9, 100...200)], test) == ["refused refused"])
      #expect(try await test.value("SELECT count(*) FROM payouts") == "9")
      #expect(try await test.value("SELECT count(*) FROM payout_references") == "9")
      #expect(try await batches(test) == Array(repeating: "owner-1|2|2000000|2", count: 3))
      #expect(try await test.used("accepted") == ["hour": 9_000_000, "day": 9_000_000])
    }
  }

  // Proves both sides of a limit for a whole batch: what does not fit whole takes nothing, and tells what was used before it.
  @Test func `a batch fits into a limit whole, or takes nothing`() async throws {
    try await withLedger { test async throws in
      #expect(
        try await accept(
          [
            Sample.batch(1, 1...3, amount: 20), Sample.batch(2, 4...6, amount: 20), Sample.batch(3, 7...8, amount: 20),
            AcceptanceRequest(Sample.payout(9, amount: 1)),
          ], hourly: 100, test)
          == [
            "accepted 1: 1,2,3", "limit hour 0.00006 of 0.0001", "accepted 3: 7,8", "limit hour 0.0001 of 0.0001",
          ])
      #expect(
        try await accept([Sample.batch(4, 1...3, ids: [1: 11], amount: 20)], hourly: 1, test) == ["replayed 1: 1,2,3"])
      #expect(try await test.used("accepted") == ["hour": 100, "day": 100])
      #expect(try await batches(test) == ["owner-1|3|60|3", "owner-1|2|40|2"])
    }
  }

  // Proves that of one batch that many ask for at once, from several pools, one is stored and all are told of it.
  @Test func `simultaneous requests for one batch are one batch`() async throws {
    try await withLedger { test async throws in
      let outcomes = try await withThrowingTaskGroup(of: [String].self) { group in
        for pool in 1...6 {
          group.addTask {
            let pools = TestLedger.pool(test.url, connectionLimit: 2)
            let ledger = TestLedger.ledger(pools)
            let outcomes: Result<[RequestOutcome], any Error>
            do {
              let ids = Dictionary(uniqueKeysWithValues: (1...4).map { ($0, pool * 100 + $0) })
              let request = try Sample.batch(pool, 1...4, ids: ids)
              outcomes = .success(try await ledger.accept([request], limits: TestLedger.unlimited))
            } catch {
              outcomes = .failure(error)
            }
            await pools.close()
            return try outcomes.get().map(Self.name)
          }
        }
        return try await group.reduce(into: []) { $0 += $1 }
      }
      let first = try #require(outcomes.first { $0.hasPrefix("accepted") })
      #expect(outcomes.count { $0.hasPrefix("accepted") } == 1)
      #expect(outcomes.count { $0 == first.replacing("accepted", with: "replayed") } == 5)
      #expect(try await batches(test) == ["owner-1|4|4000000|4"])
    }
  }

  // Proves that what a disaster left of a batch draws the rest back to it: rows tell the batch, bare names their payouts, and
  // whatever is sealed otherwise is told the names first. It is never under two ids, and counted once.
  @Test func `what is left of a batch says which batch it is`() async throws {
    try await withLedger { test async throws in
      #expect(try await accept([Sample.batch(1, 1...4)], test) == ["accepted 1: 1,2,3,4"])
      // Rows of 1 and 2 stand, of 3 the bare name that a Signer put back, of 4 nothing.
      try await forget(3...4, test)
      try await test.run(
        "INSERT INTO payout_references (reference, payout_id) VALUES (\(Sample.sql(Sample.reference(3).bytes)), "
          + "\(Sample.sql(Sample.payoutID(3))))")
      let others = [1: 101, 2: 102, 3: 103, 4: 104]
      #expect(try await accept([Sample.batch(2, 1...4, ids: others)], test) == ["known 1: 1,2,3,-"])
      #expect(try await accept([Sample.batch(1, 1...4, ids: [3: 103, 4: 104])], test) == ["known 1: 1,2,3,-"])
      #expect(try await accept([Sample.batch(1, 1...4, ids: others, fingerprint: 2)], test) == ["different"])
      // It was accepted: whatever limits say by now, a refusal would have its client ask for all of it once more.
      #expect(try await test.value("SELECT count(*) FROM payouts") == "2")
      #expect(
        try await accept(
          [Sample.batch(1, 1...4, ids: [4: 104]), Sample.batch(2, 1...4, ids: others)], hourly: 4_000_000, test)
          == ["accepted 1: 1,2,3,104", "replayed 1: 1,2,3,104"])
      #expect(try await batches(test) == ["owner-1|4|4000000|4"])
      #expect(try await test.used("accepted") == ["hour": 6_000_000, "day": 6_000_000])
      #expect(try await test.value("SELECT count(*) FROM payout_references WHERE owner IS NULL") == "0")
    }
  }

  // Proves the same where bare names are all that is left: nothing tells the batch's id, so that it gets a new one, whole.
  @Test func `bare names alone keep their payouts' ids`() async throws {
    try await withLedger { test async throws in
      #expect(try await accept([Sample.batch(1, 1...3)], test) == ["accepted 1: 1,2,3"])
      try await forget(1...3, batches: true, test)
      try await test.run(
        "INSERT INTO payout_references (reference, payout_id) VALUES (\(Sample.sql(Sample.reference(2).bytes)), "
          + "\(Sample.sql(Sample.payoutID(2))))")
      #expect(try await accept([Sample.batch(2, 1...3, ids: [1: 101, 2: 102, 3: 103])], test) == ["known -: -,2,-"])
      #expect(
        try await accept([Sample.batch(2, 1...3, ids: [1: 101, 3: 103])], test) == ["accepted 2: 101,2,103"])
      #expect(try await batches(test) == ["owner-1|3|3000000|3"])
    }
  }

  // Proves what the status counts: each final state on its side, and what was lost on neither.
  @Test func `a batch is told by how many were paid and how many ended unpaid`() async throws {
    try await withLedger { test async throws in
      #expect(try await test.ledger.clientBatch(Sample.batchID(1)) == nil)
      #expect(try await accept([Sample.batch(1, 1...14), AcceptanceRequest(Sample.payout(20))], test).count == 2)
      for (number, status) in PayoutStatus.allCases.enumerated() {
        try await test.force(
          "UPDATE payouts SET status = '\(status.rawValue)' WHERE id = \(Sample.sql(Sample.payoutID(number + 1)))"
            .replacing("'held'", with: "'held', held_from = 'queued', hold_reason = 'r'")
            .replacing("'scheduled'", with: "'signed'"))
      }
      let progress = try #require(try await test.ledger.clientBatch(Sample.batchID(1)))
      #expect(
        progress
          == ClientBatchProgress(
            id: Sample.batchID(1), owner: "owner-1",
            size: ClientBatchSize(payoutCount: 14, total: try Amount(decimal: "14")), completedCount: 2, failedCount: 4)
      )
      try await forget(1...14, test)
      let lost = try #require(try await test.ledger.clientBatch(Sample.batchID(1)))
      #expect(lost.size.payoutCount == 14 && lost.completedCount == 0 && lost.failedCount == 0)
    }
  }
}

/// What the log of intents tells of batches, and what is put back of them.
@Suite struct BatchReplayTests {
  /// The acceptances of a batch as Ingest writes them.
  private func acceptances(_ request: AcceptanceRequest, _ test: TestLedger) async throws -> [AcceptedPayout] {
    guard case .accepted(let records)? = try await test.ledger.accept([request], limits: TestLedger.unlimited).first
    else { throw UnexpectedOutcome("not accepted") }
    let size = try request.size
    return records.map { AcceptedPayout($0, fingerprint: request.payouts[0].fingerprint, batchSize: size) }
  }

  private func rows(_ test: TestLedger) async throws -> [String] {
    try await test.rows(
      """
      SELECT b.id, b.owner, b.payout_count, b.total_amount,
        (SELECT string_agg(p.id::text, ',' ORDER BY p.id) FROM payouts p WHERE p.client_batch_id = b.id) AS there
      FROM client_batches b ORDER BY id
      """)
  }

  private func forgetAll(_ test: TestLedger) async throws {
    try await test.force(
      """
      DELETE FROM payouts; DELETE FROM payout_references; DELETE FROM payout_events; DELETE FROM payout_directory;
      DELETE FROM client_batches; DELETE FROM limit_windows WHERE scope LIKE 'accepted%';
      """)
  }

  // Proves that the size is written and read, that entries without one are read as before, and that a wrong one is refused.
  @Test func `an entry tells how large its batch is`() throws {
    let payout = try Sample.payout(1, clientBatch: 1)
    let (windows, time) = (LimitWindows(at: Timestamp(milliseconds: 0)), Timestamp(milliseconds: 0))
    let size = ClientBatchSize(payoutCount: 100, total: try Amount(decimal: "7"))
    let sized = Intent.accepted(
      AcceptedPayout(payout, limitWindows: windows, windowEnd: time, batchSize: size))
    #expect(sized.fields["v"] == "1")
    #expect(try Intent(fields: sized.fields) == sized)
    let plain = Intent.accepted(AcceptedPayout(payout, limitWindows: windows, windowEnd: time))
    #expect(try Intent(fields: plain.fields) == plain)
    #expect(Set(sized.fields.keys).subtracting(plain.fields.keys) == ["batch_count", "batch_total"])
    for (name, values) in [
      ("batch_count", [nil, "0", "101", "-1", "x"]), ("batch_total", [nil, "0", "-1", "x"]),
    ] as [(String, [String?])] {
      for value in values {
        var fields = sized.fields
        fields[name] = value
        #expect(throws: IntentError.self, "\(name) \(value ?? "missing")") { try Intent(fields: fields) }
      }
    }
  }

  // Proves that a batch that was lost wholly stands again, row by row, in whatever parts it comes; also from entries that
  // tell no size.
  @Test func `a lost batch is put back whole`() async throws {
    try await withLedger { test async throws in
      let entries = try await acceptances(try Sample.batch(1, 1...4), test)
      let before = try await rows(test)
      try await forgetAll(test)
      #expect(try await test.ledger.putBack(acceptances: Array(entries[1...1])).putBack == 1)
      #expect(try await test.value("SELECT payout_count || ' ' || total_amount FROM client_batches") == "4 4000000")
      #expect(try await test.ledger.putBack(acceptances: entries).putBack == 3)
      #expect(try await rows(test) == before)
      #expect(try await test.used("accepted") == ["hour": 4_000_000, "day": 4_000_000])
      try await forgetAll(test)
      let unsized = entries.map { AcceptedPayout($0.payout, limitWindows: $0.limitWindows, windowEnd: $0.windowEnd) }
      #expect(try await test.ledger.putBack(acceptances: unsized).putBack == 4)
      #expect(try await rows(test) == before)
      #expect(try await test.ledger.putBack(acceptances: unsized).putBack == 0)
    }
  }

  // Proves that the log's part of a batch and the client's own request make one batch, whichever comes first.
  @Test func `a part of a batch that is put back and its client's request are one batch`() async throws {
    try await withLedger { test async throws in
      let entries = try await acceptances(try Sample.batch(1, 1...3), test)
      try await forgetAll(test)
      // The log has lost one, and its client asks after the replay.
      #expect(try await test.ledger.putBack(acceptances: Array(entries[0...1])).putBack == 2)
      let again = try Sample.batch(2, 1...3, ids: [1: 101, 2: 102, 3: 103])
      #expect(
        try await test.ledger.accept([again], limits: TestLedger.unlimited).map(BatchTests.name) == ["known 1: 1,2,-"])
      let sealed = try Sample.batch(1, 1...3, ids: [3: 103])
      #expect(
        try await test.ledger.accept([sealed], limits: TestLedger.unlimited).map(BatchTests.name)
          == ["accepted 1: 1,2,103"])
      // The late entry is the same request under another id: no loss, and nothing of it stays.
      #expect(try await test.ledger.lost(entries.map { .accepted($0) }) == [])
      #expect(try await test.ledger.putBack(acceptances: entries).putBack == 0)
      #expect(try await test.value("SELECT count(*) FROM payouts WHERE client_batch_id IS NOT NULL") == "3")

      // Its client asks first: the batch of the log has no row, not even an empty one.
      try await forgetAll(test)
      _ = try await test.ledger.accept([again], limits: TestLedger.unlimited)
      #expect(try await test.ledger.putBack(acceptances: entries).putBack == 0)
      #expect(try await test.rows("SELECT id FROM client_batches") == ["\(Sample.batchID(2))"])
    }
  }
}
