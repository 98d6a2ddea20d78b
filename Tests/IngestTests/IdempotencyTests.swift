import Ledger
import Payouts
import Synchronization
import Testing

@testable import Ingest

/// One key, one payout.
struct IdempotencyTests {
  @Test func `the same key and request are answered by the first answer, byte for byte`() async throws {
    // Proves the replay, also for another spelling of the same fields, and after the payout went on.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let first = try await ingest.post(payoutBody(), key: "key")
      #expect(first.status == 201)
      let spellings = [payoutBody(), payoutBody(["amount_usdt": "\"12.50\"", "priority": "\"normal\""])]
      for body in spellings {
        let replay = try await ingest.post(body, key: "key")
        #expect(replay.status == 201 && replay.bytes == first.bytes)
        #expect(replay.headers.first(name: "Idempotency-Replayed") == "true")
        #expect(replay.headers["Location"] == first.headers["Location"])
      }
      try await scene.sql("UPDATE payouts SET status = 'held', held_from = 'queued', hold_reason = 'test'")
      #expect(try await ingest.post(payoutBody(), key: "key").bytes == first.bytes)
      #expect(try await scene.payoutCount() == 1)
    }
  }

  @Test func `the same key with another request is refused, another caller's key is another key`() async throws {
    // Proves 422, and that keys belong to their owner.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      #expect(try await ingest.post(payoutBody(), key: "key").status == 201)
      let other = try await ingest.post(payoutBody(["amount_usdt": "12.500001"]), key: "key")
      #expect(other.status == 422 && other.problem == "idempotency-mismatch")
      #expect(
        try await ingest.post(payoutBody(["amount_usdt": "9"]), key: "key", token: ingest.token("b")).status == 201)
      #expect(try await scene.payoutCount() == 2)
    }
  }

  @Test func `only an accepted request claims a key`() async throws {
    // Proves that a refused request leaves the key free for the mended one.
    let scene = try await IngestScene()
    try await scene.serving(["HOURLY_PAYOUT_LIMIT_USDT": "100"]) { ingest async throws in
      #expect(try await ingest.post(payoutBody(["amount_usdt": "0"]), key: "key").status == 400)
      #expect(try await ingest.post(payoutBody(["amount_usdt": "101"]), key: "key").problem == "limit-exceeded")
      #expect(try await ingest.post(payoutBody(["amount_usdt": "100"]), key: "key").status == 201)
    }
  }

  @Test func `fifty simultaneous identical requests are one payout`() async throws {
    // Proves the race on one key: one 201 that is new, 49 replays with the same bytes, one row.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let token = ingest.token()
      let replies = try await withThrowingTaskGroup(of: RunningIngest.Reply.self) { group in
        for _ in 0..<50 { group.addTask { try await ingest.post(payoutBody(), key: "race", token: token) } }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(replies.allSatisfy { $0.status == 201 })
      #expect(Set(replies.map(\.bytes)).count == 1)
      #expect(replies.count { $0.headers.first(name: "Idempotency-Replayed") == "true" } == 49)
      #expect(try await scene.payoutCount() == 1)
      #expect(
        try await scene.sql("SELECT used FROM limit_windows WHERE scope = 'accepted' AND span = 'hour'") == "12500000")
    }
  }

  @Test func `a key has 1 to 255 printable characters`() async throws {
    // Proves both sides of the length and the alphabet, and that two keys are none.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      #expect(try await ingest.post(payoutBody(), key: String(repeating: "k", count: 255)).status == 201)
      #expect(try await ingest.post(payoutBody(), key: "~ !").status == 201)
      for key in ["", String(repeating: "k", count: 256), "é", "a\tb"] {
        let reply = try await ingest.post(payoutBody(), key: key)
        #expect(reply.status == 400 && reply.problem == "invalid-idempotency-key", "\(key)")
      }
    }
    #expect(throws: Problem.self) { try IdempotencyKey(headers: ["a", "b"]) }
    #expect(throws: Problem.self) { try IdempotencyKey(headers: ["a\u{0}b"]) }
    #expect(try IdempotencyKey(headers: []) == nil)
  }

  @Test func `an acceptance is told again although it would be refused now`() async throws {
    // Proves that a key is kept for ever: the payout has expired, the maximum was lowered, the recipient became a wallet.
    let scene = try await IngestScene()
    let expiring = payoutBody(["expires_at": "\"\(scene.clock.now().advanced(byMilliseconds: 300_000))\""])
    let firsts = Mutex<[[UInt8]]>([])
    try await scene.serving { ingest async throws in
      for (body, key) in [(expiring, "expiring"), (payoutBody(), "plain")] {
        let first = try await ingest.post(body, key: key)
        #expect(first.status == 201)
        firsts.withLock { $0.append(first.bytes) }
      }
    }
    scene.clock.advance(milliseconds: 300_000)
    try await scene.serving(["V0_MAX_PAYOUT_USDT": "12"]) { ingest async throws in
      #expect(try await ingest.post(expiring, key: "expiring").bytes == firsts.withLock { $0[0] })
      #expect(try await ingest.post(payoutBody(), key: "plain").bytes == firsts.withLock { $0[1] })
      #expect(try await ingest.post(payoutBody(["amount_usdt": "13"]), key: "plain").status == 422)
      #expect(try await ingest.post(payoutBody(), key: "new").wrongFields == ["amount_usdt"])
      #expect(try await ingest.post(expiring).wrongFields.sorted() == ["amount_usdt", "expires_at"])
    }
  }

  @Test func `a payout whose row was lost is stored again under the id its key knows`() async throws {
    // Proves `.knownUnder`: after a disaster took the row and left the name, the payout gets its old id and a good seal.
    let scene = try await IngestScene()
    let lost = PayoutID.random()
    let reference = Reference(owner: "client-1", idempotencyKey: "key", index: 0)
    try await scene.sql(
      "INSERT INTO payout_references (reference, payout_id) VALUES ('\\x\(reference)', '\(lost)')")
    try await scene.serving { ingest async throws in
      let reply = try await ingest.post(payoutBody(), key: "key")
      #expect(reply.status == 201)
      #expect(try reply.text("payout_id") == lost.description)
      let record = try #require(try await scene.ledger.payout(lost))
      let verifier = try SealVerifier(Sealer(IngestScene.sealKey).publicKeyText)
      #expect(verifier.isIntact(record.seal, on: record.terms))
    }
  }
}
