import Payouts
import Postgres
import Testing

@testable import Ledger

/// Ingest's half: many payouts in one transaction, each for itself.
@Suite struct AcceptTests {
  /// What an outcome is, for comparison.
  static func name(_ outcome: AcceptanceOutcome) -> String {
    switch outcome {
    case .accepted(let record): "accepted \(record.id)"
    case .replayed(let record): "replayed \(record.id)"
    case .differentRequest: "different"
    case .limitExceeded(let use):
      "limit \(use.router.map { "\($0.rawValue) " } ?? "")\(use.span.rawValue) \(use.used) of \(use.limit)"
    case .knownUnder(let id): "known \(id)"
    case .refused(let error): "refused \(error.code)"
    }
  }

  private func accept(
    _ payouts: [NewPayout], hourly: Int64? = nil, daily: Int64? = nil, _ test: TestLedger
  ) async throws -> [String] {
    let limits = AcceptanceLimits(
      hourly: try hourly.map { try Amount(microUSDT: $0) }, daily: try daily.map { try Amount(microUSDT: $0) })
    return try await test.ledger.accept(payouts, limits: limits).map(Self.name)
  }

  private func id(_ number: Int) -> String { "\(Sample.payoutID(number))" }

  // Proves that what is read back is what was accepted, field by field, optional ones too.
  // Found by a review: a Signer's journal had put the name of a payout back that was paid already; its client asked again,
  // was refused for a limit that was full by then, and would have asked under another key.
  @Test func `no limit refuses what a Signer has put back by its name`() async throws {
    try await withLedger { test async throws in
      try await test.run(
        "INSERT INTO payout_references (reference, payout_id) VALUES (\(Sample.sql(Sample.reference(1).bytes)), "
          + "\(Sample.sql(Sample.payoutID(1))))")
      let full = AcceptanceLimits(hourly: try Amount(microUSDT: 1), daily: nil)
      let outcomes = try await test.ledger.accept([try Sample.payout(1), try Sample.payout(2)], limits: full)
      #expect(outcomes.map { Self.name($0) } == ["accepted \(Sample.payoutID(1))", "limit hour 1 of 0.000001"])
      #expect(try await test.used("accepted") == ["hour": 1_000_000, "day": 1_000_000])
    }
  }

  @Test func `what is accepted is read back whole`() async throws {
    try await withLedger { test async throws in
      let full = NewPayout(
        terms: PayoutTerms(
          id: Sample.payoutID(1), reference: Sample.reference(1), owner: "öwner", network: .devnet,
          token: Sample.token, recipient: Sample.recipient(1), amount: try Amount(microUSDT: Int64.max / 4),
          router: .kyc, batchType: .weekly, clientBatch: nil, node: "node-7", kycHash: [UInt8](repeating: 9, count: 32),
          createdAt: test.now, expiresAt: test.now.advanced(byMilliseconds: 1)),
        seal: Seal(version: 1, keyID: "key", signature: [UInt8](repeating: 3, count: 64)),
        particulars: PayoutParticulars(
          priority: .urgent, reason: .uptimeReward, externalID: "é", beneficiaryUserID: "user", sessionID: "session",
          workCredits: "1.50", customData: #"{"a": [1, null]}"#, webhookURL: "https://example.org/hook",
          requestID: "request"),
        fingerprint: [UInt8](repeating: 2, count: 32), status: .kycPending)
      let bare = try Sample.payout(2)
      let outcomes = try await test.ledger.accept([full, bare], limits: TestLedger.unlimited)
      for (payout, outcome) in zip([full, bare], outcomes) {
        guard case .accepted(let told) = outcome else { throw UnexpectedOutcome("\(outcome)") }
        let read = try #require(try await test.ledger.payout(payout.terms.id))
        #expect(read == told)
        #expect(read.terms == payout.terms)
        #expect(read.seal == payout.seal)
        #expect(read.particulars == payout.particulars)
        #expect(read.status == payout.status && read.acceptedStatus == payout.status)
        #expect(read.settlementBatch == nil && read.notBefore == nil && read.heldFrom == nil)
      }
      #expect(try await test.ledger.payout(Sample.payoutID(3)) == nil)
    }
  }

  // Proves each outcome beside the others in one group: new, twin within the group, replay, another body, known name.
  @Test func `each payout of a group has its own outcome`() async throws {
    try await withLedger { test async throws in
      #expect(try await accept([Sample.payout(1)], test) == ["accepted \(id(1))"])
      let outcomes = try await accept(
        [
          Sample.payout(1),  // the very same again: it is the one that was accepted
          Sample.payout(1, id: 11),  // the client asks again
          Sample.payout(1, id: 12, fingerprint: 9),  // under the same key with another body
          Sample.payout(2), Sample.payout(2, id: 22), Sample.payout(2, id: 23, fingerprint: 9),
        ], test)
      #expect(
        outcomes == [
          "accepted \(id(1))", "replayed \(id(1))", "different", "accepted \(id(2))", "replayed \(id(2))", "different",
        ])
      #expect(try await test.used("accepted") == ["hour": 2_000_000, "day": 2_000_000])
      #expect(try await accept([], test) == [])
    }
  }

  // Proves that one that the database refuses fails alone: a bad JSON, a zero byte, an id that is taken, a sum that no
  // window can hold; and that those before and after it are accepted.
  @Test func `one refused among many fails alone`() async throws {
    try await withLedger { test async throws in
      let outcomes = try await accept(
        [
          Sample.payout(1), Sample.payout(2, customData: "{no json"), Sample.payout(3),
          Sample.payout(4, customData: "\"\\u0000\""), Sample.payout(5, id: 1), Sample.payout(6, status: .signed),
          Sample.payout(7, amount: Int64.max), Sample.payout(8),
        ], test)
      #expect(
        outcomes == [
          "accepted \(id(1))", "refused refused", "accepted \(id(3))", "refused refused", "refused refused",
          "refused illegalChange", "refused refused", "accepted \(id(8))",
        ])
      #expect(try await test.value("SELECT count(*) FROM payouts") == "3")
      #expect(try await test.value("SELECT count(*) FROM payout_references") == "3")
      #expect(try await test.used("accepted") == ["hour": 3_000_000, "day": 3_000_000])
    }
  }

  // Proves both sides of both limits, that what does not fit takes nothing, and that a smaller one still fits.
  @Test func `limits are exact`() async throws {
    try await withLedger { test async throws in
      #expect(
        try await accept(
          [Sample.payout(1, amount: 60), Sample.payout(2, amount: 41), Sample.payout(3, amount: 40)], hourly: 100, test)
          == ["accepted \(id(1))", "limit hour 0.00006 of 0.0001", "accepted \(id(3))"])
      #expect(
        try await accept([Sample.payout(4, amount: 1)], hourly: 100, test) == ["limit hour 0.0001 of 0.0001"])
      #expect(
        try await accept(
          [Sample.payout(4, amount: 6), Sample.payout(5, amount: 5)], hourly: 1_000, daily: 105, test)
          == ["limit day 0.0001 of 0.000105", "accepted \(id(5))"])
      // No sum overflows into room that is not there.
      #expect(
        try await accept([Sample.payout(6, amount: Int64.max)], hourly: Int64.max, test)
          == ["limit hour 0.000105 of 9223372036854.775807"])
      // A replay takes nothing and is not refused by a full window.
      #expect(try await accept([Sample.payout(1, id: 9, amount: 60)], hourly: 1, test) == ["replayed \(id(1))"])
      let use = LimitUse(
        router: nil, span: .hour, startsAt: Timestamp(milliseconds: 0), limit: .zero, used: .zero)
      #expect(use.endsAt == Timestamp(milliseconds: 3_600_000))
    }
  }

  // Proves that a payout needs room in all and for its router, on both sides of each, and takes from both or from none; and
  // that an unpaid end gives back to both.
  @Test func `limits count in all and per router`() async throws {
    try await withLedger { test async throws in
      func limits(_ inAll: Int64?, v0: Int64? = nil, kyc: Int64? = nil) throws -> AcceptanceLimits {
        func hourly(_ amount: Int64?) throws -> SpanLimits {
          SpanLimits(hourly: try amount.map { try Amount(microUSDT: $0) }, daily: nil)
        }
        return AcceptanceLimits(
          hourly: try hourly(inAll).hourly, daily: nil, perRouter: [.v0: try hourly(v0), .kyc: try hourly(kyc)])
      }
      func accept(_ payouts: [NewPayout], _ limits: AcceptanceLimits) async throws -> [String] {
        try await test.ledger.accept(payouts, limits: limits).map(Self.name)
      }
      #expect(
        try await accept(
          [
            Sample.payout(1, amount: 60), Sample.payout(2, amount: 1),
            Sample.payout(3, amount: 41, router: .kyc), Sample.payout(4, amount: 40, router: .kyc),
          ], limits(100, v0: 60)) == [
            "accepted \(id(1))", "limit v0 hour 0.00006 of 0.00006", "limit hour 0.00006 of 0.0001",
            "accepted \(id(4))",
          ])
      #expect(
        try await accept(
          [Sample.payout(5, amount: 6, router: .kyc), Sample.payout(6, amount: 5, router: .kyc)], limits(nil, kyc: 45))
          == ["limit kyc hour 0.00004 of 0.000045", "accepted \(id(6))"])
      let used = "SELECT scope, used FROM limit_windows WHERE span = 'hour' ORDER BY scope"
      #expect(try await test.rows(used) == ["accepted|105", "accepted_kyc|45", "accepted_v0|60"])
      try await test.run("UPDATE payouts SET status = 'cancelled' WHERE amount IN (60, 5)")
      #expect(try await test.rows(used) == ["accepted|40", "accepted_kyc|40", "accepted_v0|0"])
    }
  }

  // Proves that limits are exact and references single although several pools accept at once: 8 × 25 payouts of 1 into
  // 120, each key asked for by two of the pools.
  @Test func `limits and references are exact under concurrency`() async throws {
    try await withLedger { test async throws in
      let outcomes = try await withThrowingTaskGroup(of: [AcceptanceOutcome].self) { group in
        for pool in 0..<8 {
          group.addTask {
            let pools = TestLedger.pool(test.url, connectionLimit: 2)
            let ledger = TestLedger.ledger(pools)
            var outcomes: [AcceptanceOutcome] = []
            do {
              for part in 0..<5 {
                let group = try (0..<5).map { index in
                  let number = (pool / 2) * 25 + part * 5 + index + 1
                  return try Sample.payout(number, id: number + pool % 2 * 1_000, amount: 1)
                }
                outcomes += try await ledger.accept(
                  group, limits: AcceptanceLimits(hourly: try Amount(microUSDT: 80), daily: nil))
              }
            } catch {
              await pools.close()
              throw error
            }
            await pools.close()
            return outcomes
          }
        }
        return try await group.reduce(into: []) { $0 += $1 }
      }
      var counts: [String: Int] = [:]
      for outcome in outcomes { counts[String(Self.name(outcome).prefix(5)), default: 0] += 1 }
      #expect(outcomes.count == 200)
      #expect(counts["accep"] == 80)
      #expect((counts["repla"] ?? 0) + (counts["limit"] ?? 0) == 120)
      #expect(counts.keys.sorted() == ["accep", "limit", "repla"])
      #expect(try await test.used("accepted") == ["hour": 80, "day": 80])
      #expect(try await test.value("SELECT count(DISTINCT reference) || ' ' || count(*) FROM payouts") == "80 80")
    }
  }

  // Proves the way back after a disaster that lost a payout's row but not its name: first the known id is told, then the
  // payout is accepted under it once, and replays are told as usual.
  @Test func `a payout whose row was lost is accepted again under its known name`() async throws {
    try await withLedger { test async throws in
      try await test.signed(1)
      let journal = try await test.take()
      // Everything of it is lost; the Signer's journal brings back its name, without owner and request.
      try await test.forget(test.txid(1))
      try await test.force("DELETE FROM payouts; DELETE FROM payout_references")
      #expect(try await test.vouch(journal) == .vouched(putBack: [test.txid(1)], missing: []))
      #expect(try await accept([Sample.payout(1, id: 7)], test) == ["known \(id(1))"])
      #expect(try await test.value("SELECT count(*) FROM payouts") == "0")
      #expect(
        try await accept([Sample.payout(1), Sample.payout(1, id: 7)], test)
          == ["accepted \(id(1))", "replayed \(id(1))"])
      #expect(try await accept([Sample.payout(1, id: 8)], test) == ["replayed \(id(1))"])
      #expect(try await accept([Sample.payout(1, id: 8, fingerprint: 5)], test) == ["different"])
      // It may be paid already: it is held, and nothing else waits for it.
      try await test.accept([Sample.payout(2)])
      let batches = try await test.ledger.schedule(
        [Sample.payoutID(1), Sample.payoutID(2)], maximumPerBatch: 100
      ) { Sample.batchID(5) }
      #expect(batches == [SettlementBatch(id: Sample.batchID(5), payouts: [Sample.payoutID(2)])])
      let held = try #require(try await test.ledger.payout(Sample.payoutID(1)))
      #expect(held.status == .held && held.holdReason == HoldReason.referenceInUse.rawValue)
      #expect(held.heldFrom == .queued)
      #expect(try await test.rows("SELECT kind FROM alarms") == ["reference_in_use"])
    }
  }

  // Proves that a row that is lost while its whole reference is still there takes the same request only.
  @Test func `a lost row takes no other request`() async throws {
    try await withLedger { test async throws in
      try await test.accept([Sample.payout(1)])
      try await test.force("DELETE FROM payouts")
      #expect(try await accept([Sample.payout(1, id: 7)], test) == ["known \(id(1))"])
      #expect(try await accept([Sample.payout(1, fingerprint: 5)], test) == ["different"])
      #expect(try await accept([Sample.payout(1)], test) == ["accepted \(id(1))"])
    }
  }

  // Proves that the windows are those of the ledger's clock: the next hour is empty, the day is not.
  @Test func `windows are hours and days of UTC by the ledger's clock`() async throws {
    try await withLedger { test async throws in
      // One second before an hour's end that is not a day's end.
      let noon = (test.now.milliseconds / 86_400_000 + 1) * 86_400_000 + 43_200_000
      func setClock(_ time: Int64) async throws {
        try await test.run("UPDATE ledger_settings SET clock_offset_ms = \(time) - unix_ms(now())")
      }
      try await setClock(noon - 5_000)
      #expect(
        try await accept([Sample.payout(1, amount: 10)], hourly: 10, daily: 20, test) == ["accepted \(id(1))"])
      try await setClock(noon)
      #expect(
        try await accept(
          [Sample.payout(2, amount: 10), Sample.payout(3, amount: 1)], hourly: 20, daily: 20, test)
          == ["accepted \(id(2))", "limit day 0.00002 of 0.00002"])
      let windows = try await test.rows(
        "SELECT span, unix_ms(starts_at) - \(noon), used FROM limit_windows WHERE scope = 'accepted' ORDER BY 1, 2")
      #expect(windows == ["day|-43200000|20", "hour|-3600000|10", "hour|0|10"])
      try await setClock(noon + 43_200_000)
      #expect(try await accept([Sample.payout(3, amount: 20)], daily: 20, test) == ["accepted \(id(3))"])
    }
  }
}
