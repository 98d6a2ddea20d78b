import Payouts
import TestSupport
import Testing

@testable import Ledger

/// The log's entries as texts, and what the ledger says about them (DESIGN.md §3 "Continuity").
@Suite struct IntentTests {
  /// An acceptance with every field drawn at random, odd texts included.
  private func random(_ generator: inout SeededGenerator) throws -> AcceptedPayout {
    func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in .random(in: 0...255, using: &generator) } }
    func text() -> String {
      String(
        (0..<Int.random(in: 1...9, using: &generator)).map { _ in "aé☃\"\\\n\0 {}:,-".randomElement(using: &generator)!
        })
    }
    func maybe<Value>(_ make: () throws -> Value) rethrows -> Value? {
      Bool.random(using: &generator) ? try make() : nil
    }
    func time() -> Timestamp { Timestamp(milliseconds: .random(in: 0...4_000_000_000_000, using: &generator)) }
    let terms = PayoutTerms(
      id: try PayoutID(bytes: bytes(16)), reference: Reference(exactly: bytes(32)), owner: text(),
      network: Network.allCases.randomElement(using: &generator)!, token: Address(account: bytes(20)), asset: text(),
      recipient: Address(account: bytes(20)),
      amount: try Amount(microUSDT: .random(in: 0...Int64.max, using: &generator)),
      router: RouterType.allCases.randomElement(using: &generator)!,
      batchType: BatchType.allCases.randomElement(using: &generator)!,
      clientBatch: try maybe { try BatchID(bytes: bytes(16)) }, node: maybe(text), kycHash: maybe { bytes(32) },
      createdAt: time(), expiresAt: maybe(time))
    let particulars = PayoutParticulars(
      priority: Priority.allCases.randomElement(using: &generator)!,
      reason: PayoutReason.allCases.randomElement(using: &generator)!, externalID: maybe(text),
      beneficiaryUserID: maybe(text), sessionID: maybe(text), workCredits: maybe(text), customData: maybe(text),
      webhookURL: maybe(text), requestID: text())
    return AcceptedPayout(
      NewPayout(
        terms: terms, seal: Seal(version: 1, keyID: text(), signature: bytes(64)), particulars: particulars,
        fingerprint: bytes(32), status: [.queued, .kycPending, .compliancePending].randomElement(using: &generator)!),
      limitWindows: LimitWindows(at: time()), windowEnd: time())
  }

  // Proves that nothing of an acceptance or an end is lost or changed on its way through the log, whatever it holds.
  @Test func `what is written is read again, field by field`() throws {
    var generator = SeededGenerator(seed: 11)
    for _ in 0..<500 {
      let intent = Intent.accepted(try random(&generator))
      #expect(try Intent(fields: intent.fields) == intent)
    }
    for status in PayoutStatus.allCases where status.isUnpaidFinal {
      for note in [nil, "a\nnote"] {
        let end = PayoutEnd(
          payout: Sample.payoutID(1), reference: Sample.reference(1), status: status, note: note,
          at: Timestamp(milliseconds: 5))
        #expect(try Intent(fields: Intent.ended(end).fields) == .ended(end))
      }
    }
    #expect(try Intent(fields: Intent.marker.fields) == .marker)
  }

  // Proves that what nobody of ours wrote is no intent, and that another version is told apart from it.
  @Test func `entries of another hand are refused, and those of another version told`() throws {
    let good = Intent.accepted(
      AcceptedPayout(
        try Sample.payout(1), limitWindows: LimitWindows(at: Timestamp(milliseconds: 0)),
        windowEnd: Timestamp(milliseconds: 0))
    ).fields
    let required = good.keys.filter { $0 != "v" }
    for name in required {
      var fields = good
      fields[name] = nil
      #expect(throws: IntentError.self, "without \(name)") { try Intent(fields: fields) }
      if !["owner", "asset", "seal_key", "request_id"].contains(name) {
        fields[name] = "?"
        #expect(throws: IntentError.self, "with a wrong \(name)") { try Intent(fields: fields) }
      }
    }
    for version in [nil, "2"] {
      var fields = good
      fields["v"] = version
      #expect(throws: IntentError.unknownVersion(version ?? "none")) { try Intent(fields: fields) }
    }
    let paid = PayoutEnd(
      payout: Sample.payoutID(1), reference: Sample.reference(1), status: .confirmed, note: nil,
      at: Timestamp(milliseconds: 5))
    #expect(throws: IntentError.self) { try Intent(fields: Intent.ended(paid).fields) }
  }

  // Proves that the windows of a record are those that the database counted in.
  @Test func `the windows of an acceptance are the database's`() async throws {
    try await withLedger { test async throws in
      let outcome = try await test.ledger.accept([try Sample.payout(1)], limits: TestLedger.unlimited)
      guard case .accepted(let told) = outcome.first else { throw UnexpectedOutcome("\(outcome)") }
      let stored = try #require(try await test.ledger.payout(Sample.payoutID(1)))
      #expect(told.limitWindows == stored.limitWindows)
      #expect(
        try await test.value(
          "SELECT hour_window = window_start('hour', status_since) AND day_window = window_start('day', status_since) "
            + "FROM payouts") == "true")
    }
  }

  /// The acceptance that stands in the ledger for a sample.
  private func accepted(_ number: Int, fingerprint: UInt8 = 1, _ test: TestLedger) async throws -> AcceptedPayout {
    let record = try #require(try await test.ledger.payout(Sample.payoutID(number)))
    return AcceptedPayout(record, fingerprint: [UInt8](repeating: fingerprint, count: 32))
  }

  // Proves that a put-back row is the lost one to the last column but its time and note, is counted in its windows, and
  // that a second replay, or two at once, change nothing more.
  @Test func `an acceptance is put back exactly, counted, and once`() async throws {
    try await withLedger { test async throws in
      let columns =
        "SELECT (to_jsonb(p) - 'status_since' - 'note')::text FROM payouts p ORDER BY id"
      try await test.accept([
        try Sample.payout(1, customData: "{\"a\": [1]}"),
        try Sample.payout(2, router: .kyc, batchType: .weekly, status: .kycPending),
        try Sample.payout(3, expiresAt: Timestamp(milliseconds: 2_000_000_000_000), batchType: .hourly),
      ])
      let references = try await test.rows(
        "SELECT reference, payout_id, owner, request_fingerprint FROM payout_references")
      let scopes = ["accepted", "accepted_v0", "accepted_kyc"]
      func used() async throws -> [[String: Int64]] {
        var used: [[String: Int64]] = []
        for scope in scopes { used.append(try await test.used(scope)) }
        return used
      }
      let before = (rows: try await test.rows(columns), used: try await used())
      #expect(before.used.map { $0.values.max() } == [3_000_000, 2_000_000, 1_000_000])
      var intents: [AcceptedPayout] = []
      for number in 1...3 { intents.append(try await accepted(number, test)) }
      #expect(try await test.ledger.lost(intents.map { .accepted($0) }) == [])
      try await test.forgetPayouts()
      #expect(try await test.ledger.lost(intents.map { .accepted($0) }) == intents.map { .accepted($0) })
      let twice = intents + intents
      async let first = test.ledger.putBack(acceptances: twice)
      async let second = test.ledger.putBack(acceptances: twice)
      let replays = try await [first, second]
      #expect(replays.map(\.putBack).sorted() == [0, 3])
      #expect(try await test.rows(columns) == before.rows)
      #expect(
        try await test.rows("SELECT reference, payout_id, owner, request_fingerprint FROM payout_references")
          == references)
      #expect(try await used() == before.used)
      #expect(try await test.ledger.lost(intents.map { .accepted($0) }) == [])
      #expect(try await test.value("SELECT count(*) FROM intent_replays") == "1")
      let event = try #require(try await test.ledger.history(of: Sample.payoutID(1)).first)
      #expect(event.to == .queued && event.note == "put back from the log of intents")
    }
  }

  // Proves that a Signer's put-back reference is completed, and that what its transaction may pay goes into no batch.
  @Test func `a payout whose transaction was put back first is held, and released where that has ended`() async throws {
    try await withLedger { test async throws in
      try await test.signed(1)
      let entries = try await test.broadcast()
      let intent = try await accepted(1, test)
      try await test.forgetPayouts()
      try await test.forget(test.txid(1))
      try await test.loseContinuity()
      #expect(try await test.vouch(entries) == .vouched(putBack: [test.txid(1)], missing: []))
      #expect(try await test.ledger.putBack(acceptances: [intent]).putBack == 1)
      let record = try #require(try await test.ledger.payout(Sample.payoutID(1)))
      #expect(record.status == .held && record.heldFrom == .queued)
      #expect(record.holdReason == HoldReason.referenceInUse.rawValue)
      #expect(try await test.value("SELECT owner FROM payout_references") == "owner-1")
      let release = { () async throws -> HeldOutcome in
        try await test.ledger.decide(Sample.payoutID(1), .release, reason: "r", requiredConfirmations: 1)
      }
      guard case .refused(.attemptIsLive) = try await release() else { throw UnexpectedOutcome("released") }
      try await test.head(101, [test.txid(1)])
      try await test.solid(101, [test.txid(1): .paid(test.place(101), Sample.cost)])
      #expect(try await release() == .done(.confirmed))
    }
  }

  // Proves both sides of a key that came again after a restore: the same request is the same payout, another one is held
  // once, for a person.
  @Test func `another request under the same reference is held, the same one is known`() async throws {
    try await withLedger { test async throws in
      try await test.accept([try Sample.payout(1), try Sample.payout(2)])
      let intents = [try await accepted(1, test), try await accepted(2, test)]
      try await test.forgetPayouts()
      try await test.accept([
        try Sample.payout(1, id: 11), try Sample.payout(2, id: 12, amount: 7_000_000, fingerprint: 9),
      ])
      #expect(try await test.ledger.lost(intents.map { .accepted($0) }) == [.accepted(intents[1])])
      let replay = try await test.ledger.putBack(acceptances: intents)
      #expect(replay.putBack == 0 && replay.conflicts == 1)
      let held = try #require(try await test.ledger.payout(Sample.payoutID(12)))
      #expect(held.status == .held && held.holdReason == HoldReason.conflictingAcceptance.rawValue)
      #expect(try await test.status(Sample.payoutID(11)) == .queued)
      // A person has decided: that is not asked again.
      let decided = try await test.ledger.decide(
        Sample.payoutID(12), .release, seen: "conflicting_acceptance", reason: "this one", requiredConfirmations: 19)
      #expect(decided == .done(.queued))
      #expect(try await test.status(Sample.payoutID(12)) == .queued)
      #expect(try await test.ledger.lost(intents.map { .accepted($0) }) == [])
      #expect(try await test.ledger.putBack(acceptances: intents).conflicts == 0)
    }
  }

  // Proves that what was accepted is counted again where it was, whatever limits say, that new payouts feel it, and that an
  // end gives it back to all the windows it was taken from.
  @Test func `no limit refuses what was accepted, and what is put back is counted like it`() async throws {
    try await withLedger { test async throws in
      let full = AcceptanceLimits(
        hourly: nil, daily: try Amount(decimal: "10"),
        perRouter: [.v0: SpanLimits(hourly: nil, daily: try Amount(decimal: "9"))])
      func accept(_ number: Int, _ amount: Int64) async throws -> AcceptanceOutcome? {
        try await test.ledger.accept([try Sample.payout(number, amount: amount)], limits: full).first
      }
      _ = try await accept(1, 6_000_000)
      let lost = try await accepted(1, test)
      try await test.forgetPayouts()
      // After the restore others take what seems to be free.
      guard case .accepted = try await accept(2, 8_000_000) else { throw UnexpectedOutcome("not accepted") }
      #expect(try await test.ledger.putBack(acceptances: [lost]).putBack == 1)
      #expect(try await test.used("accepted")["day"] == 14_000_000)
      #expect(try await test.used("accepted_v0")["day"] == 14_000_000)
      guard case .limitExceeded = try await accept(3, 1) else { throw UnexpectedOutcome("accepted beyond the limit") }
      _ = try await test.ledger.holdQueued(Sample.payoutID(1), note: "n")
      #expect(
        try await test.ledger.decide(Sample.payoutID(1), .reject, reason: "r", requiredConfirmations: 19)
          == .done(.rejected))
      #expect(try await test.used("accepted")["day"] == 8_000_000)
      #expect(try await test.used("accepted_v0")["day"] == 8_000_000)
    }
  }

  // Proves that a payout keeps the window that its client was told: before its end it waits, and when it ended while the
  // payout was lost it is due at once, as a missed one.
  @Test func `a payout that is put back keeps its window, and a missed one is due at once`() async throws {
    try await withLedger { test async throws in
      func due() async throws -> [PayoutID] { try await test.ledger.duePayouts(atMost: 10) }
      try await test.accept([try Sample.payout(1, batchType: .hourly), try Sample.payout(2, batchType: .weekly)])
      let intents = [try await accepted(1, test), try await accepted(2, test)]
      try await test.forgetPayouts()
      // Neither is due because of how long it was away: both ends are the old ones.
      #expect(try await test.ledger.putBack(acceptances: [intents[0]]).putBack == 1)
      #expect(try await due() == [])
      try await test.moveClock(toMilliseconds: 3_600_000)
      #expect(try await due() == [Sample.payoutID(1)])
      try await test.moveClock(toMilliseconds: 8 * 86_400_000)
      #expect(try await test.ledger.putBack(acceptances: [intents[1]]).putBack == 1)
      #expect(Set(try await due()) == [Sample.payoutID(1), Sample.payoutID(2)])
      #expect(try await test.ledger.payout(Sample.payoutID(2))?.windowEnd == intents[1].windowEnd)
    }
  }

  // Proves that an owner hears of a payout that was put back as of any other: the restore took its webhooks too.
  @Test func `a payout that is put back tells its events, its end too`() async throws {
    try await withLedger { test async throws in
      try await test.acceptTold(1...1)
      let intent = try await accepted(1, test)
      try await test.forgetPayouts()
      try await test.force("DELETE FROM webhook_deliveries")
      #expect(try await test.ledger.putBack(acceptances: [intent]).putBack == 1)
      let end = PayoutEnd(
        payout: Sample.payoutID(1), reference: Sample.reference(1), status: .cancelled, note: nil, at: test.now)
      #expect(try await test.ledger.putBack(ends: [end]).ends == 1)
      _ = try await test.ledger.decide(Sample.payoutID(1), .reject, reason: "r", requiredConfirmations: 19)
      #expect(try await test.events(1) == ["payout.queued|pending", "payout.held|pending", "payout.rejected|pending"])
    }
  }

  // Proves what a restore does to a payout's own failures: the journal brings the attempts back, the chain their ends, and
  // the payout fails again, although its lost end had put it on hold meanwhile.
  @Test func `a payout that had failed fails again once its attempts are back`() async throws {
    try await withLedger { test async throws in
      try await test.signed(1)
      let entries = try await test.broadcast()
      let end = PayoutEnd(
        payout: Sample.payoutID(1), reference: Sample.reference(1), status: .failed, note: nil, at: test.now)
      try await test.forget(test.txid(1))
      try await test.force("UPDATE payouts SET status = 'scheduled'")
      try await test.loseContinuity()
      #expect(try await test.ledger.putBack(ends: [end]).ends == 1)
      #expect(try await test.vouch(entries) == .vouched(putBack: [test.txid(1)], missing: []))
      #expect(try await test.status(Sample.payoutID(1)) == .signed)
      try await test.ledger.settle(
        [test.txid(1): .failedOnChain(test.place(101), Sample.cost, result: "REVERT")], retryDelayMilliseconds: 0)
      #expect(try await test.blame(.payout, maximumOwnFailures: 1) == [Sample.payoutID(1)])
      #expect(try await test.status(Sample.payoutID(1)) == .failed)
    }
  }
}
