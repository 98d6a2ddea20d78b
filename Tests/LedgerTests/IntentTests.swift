import Payouts
import TestSupport
import Testing

@testable import Ledger

/// The log's entries as texts, and what the ledger says about them (DESIGN.md §3 "Continuity").
@Suite struct IntentTests {
  /// An acceptance with every field drawn at random, odd texts included.
  private func random(_ generator: inout SeededGenerator) throws -> AcceptedIntent {
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
    return AcceptedIntent(
      NewPayout(
        terms: terms, seal: Seal(version: 1, keyID: text(), signature: bytes(64)), particulars: particulars,
        fingerprint: bytes(32), status: [.queued, .kycPending, .compliancePending].randomElement(using: &generator)!),
      windows: LimitWindows(at: time()))
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
      AcceptedIntent(try Sample.payout(1), windows: LimitWindows(at: Timestamp(milliseconds: 0)))
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
  private func accepted(_ number: Int, fingerprint: UInt8 = 1, _ test: TestLedger) async throws -> AcceptedIntent {
    let record = try #require(try await test.ledger.payout(Sample.payoutID(number)))
    return AcceptedIntent(record, fingerprint: [UInt8](repeating: fingerprint, count: 32))
  }

  /// Takes payouts away with everything about them, as a restore to before their acceptance does.
  private func forget(_ test: TestLedger) async throws {
    try await test.force(
      """
      DELETE FROM payouts; DELETE FROM payout_references; DELETE FROM payout_events;
      DELETE FROM limit_windows WHERE scope = 'accepted';
      """)
  }

  // Proves that a put-back row is the lost one to the last column but its time and note, is counted in its windows, and
  // that a second replay, or two at once, change nothing more.
  @Test func `an acceptance is put back exactly, counted, and once`() async throws {
    try await withLedger { test async throws in
      let columns =
        "SELECT (to_jsonb(p) - 'status_since' - 'note')::text FROM payouts p ORDER BY id"
      try await test.accept([
        try Sample.payout(1, customData: "{\"a\": [1]}"), try Sample.payout(2, status: .kycPending),
        try Sample.payout(3, expiresAt: Timestamp(milliseconds: 2_000_000_000_000)),
      ])
      let before = try await test.rows(columns)
      let references = try await test.rows(
        "SELECT reference, payout_id, owner, request_fingerprint FROM payout_references")
      let used = try await test.used("accepted")
      var intents: [AcceptedIntent] = []
      for number in 1...3 { intents.append(try await accepted(number, test)) }
      #expect(try await test.ledger.lost(intents.map { .accepted($0) }) == [])
      try await forget(test)
      #expect(try await test.ledger.lost(intents.map { .accepted($0) }) == intents.map { .accepted($0) })
      let twice = intents + intents
      async let first = test.ledger.putBack(acceptances: twice)
      async let second = test.ledger.putBack(acceptances: twice)
      let replays = try await [first, second]
      #expect(replays.map(\.putBack).sorted() == [0, 3] && replays.map(\.known).sorted() == [3, 6])
      #expect(try await test.rows(columns) == before)
      #expect(
        try await test.rows("SELECT reference, payout_id, owner, request_fingerprint FROM payout_references")
          == references)
      #expect(try await test.used("accepted") == used)
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
      try await forget(test)
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
      try await forget(test)
      try await test.accept([
        try Sample.payout(1, id: 11), try Sample.payout(2, id: 12, amount: 7_000_000, fingerprint: 9),
      ])
      #expect(try await test.ledger.lost(intents.map { .accepted($0) }) == [.accepted(intents[1])])
      let replay = try await test.ledger.putBack(acceptances: intents)
      #expect(replay.putBack == 0 && replay.conflicts == 1 && replay.known == 1)
      let held = try #require(try await test.ledger.payout(Sample.payoutID(12)))
      #expect(held.status == .held && held.holdReason == HoldReason.conflictingAcceptance.rawValue)
      #expect(try await test.status(Sample.payoutID(11)) == .queued)
      // A person has decided: that is not asked again.
      _ = try await test.ledger.decide(Sample.payoutID(12), .release, reason: "this one", requiredConfirmations: 19)
      #expect(try await test.status(Sample.payoutID(12)) == .queued)
      #expect(try await test.ledger.lost(intents.map { .accepted($0) }) == [])
      #expect(try await test.ledger.putBack(acceptances: intents).conflicts == 0)
    }
  }
}
