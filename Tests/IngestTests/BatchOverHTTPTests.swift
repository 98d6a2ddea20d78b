import Ledger
import Payouts
import Synchronization
import Testing

@testable import Ingest

/// POST /payouts/batch and GET /payouts/batch/{batch_id}, over real HTTP on a real server.
struct BatchOverHTTPTests {
  private func post(
    _ ingest: RunningIngest, _ payouts: [String], key: String? = nil, token: String? = nil
  ) async throws -> RunningIngest.Reply {
    try await ingest.post(batchBody(payouts), key: key, token: token, path: "/payouts/batch")
  }

  private func ids(_ reply: RunningIngest.Reply) throws -> [String] {
    try reply.member("payout_ids")?.items.compactMap(\.textValue) ?? []
  }

  private func number(_ name: String, _ reply: RunningIngest.Reply) throws -> String? {
    guard case .number(let text)? = try reply.member(name) else { return nil }
    return text
  }

  private func isReplay(_ reply: RunningIngest.Reply) -> Bool {
    reply.headers.first(name: "Idempotency-Replayed") == "true"
  }

  @Test func `a batch is stored, sealed, told, logged and enqueued, each payout under the batch's id`() async throws {
    // Proves the whole of an acceptance: the answer, every row, its seal, which covers the batch, its intents and entries.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let bodies = [
        payoutBody(["external_id": "\"a\""]), payoutBody(["amount_usdt": "\"0.75\"", "batch_type": "\"hourly\""]),
        payoutBody(["external_id": "\"c\"", "priority": "\"high\""]),
      ]
      let reply = try await post(ingest, bodies, key: "k")
      #expect(reply.status == 201 && !isReplay(reply))
      let batch = try #require(try reply.text("batch_id"))
      #expect(reply.headers.first(name: "Location") == "/payouts/batch/\(batch)")
      #expect(try number("total_payouts", reply) == "3" && reply.text("total_amount_usdt") == "25.75")
      #expect(try reply.text("status") == "processing")
      let told = try ids(reply)
      #expect(Set(told).count == 3)
      var latest: [String] = []
      for (index, id) in told.enumerated() {
        let record = try #require(try await scene.ledger.payout(PayoutID(id)))
        #expect(record.terms.clientBatch?.description == batch)
        #expect(record.particulars.externalID == ["a", nil, "c"][index])
        #expect(
          record.terms.reference == Reference(owner: "client-1", idempotencyKey: "k", index: UInt32(index)))
        let seals = try SealVerifier(Sealer(IngestScene.sealKey).publicKeyText)
        #expect(seals.isIntact(record.seal, on: record.terms))
        let shown = try await ingest.get("/payouts/\(id)")
        #expect(try shown.text("batch_id") == batch)
        latest.append(try #require(try shown.text("estimated_confirmation")))
      }
      // The hourly one ends last; what is told of it later is not earlier.
      #expect(try #require(try reply.text("estimated_completion")) <= latest[1])
      let listed = try await ingest.get("/payouts?batch_id=\(batch)").member("payouts")?.items ?? []
      #expect(Set(listed.compactMap { $0["payout_id"]?.textValue }) == Set(told))
      #expect(listed.allSatisfy { $0["batch_id"]?.textValue == batch })
      try await until("all are enqueued") {
        let now = Set(try await scene.enqueued())
        return Set(try await scene.enqueued(in: .payoutsHourly)) == [told[1]] && now == [told[0], told[2]]
      }
      let intents = try await scene.streams.intents(after: .zero, atMost: 100).map { try Intent(fields: $0.fields) }
      let entries = intents.compactMap { if case .accepted(let accepted) = $0 { accepted } else { nil } }
      #expect(entries.map { "\($0.payout.terms.id)" } == told)
      #expect(try Set(entries.map(\.batchSize)) == [ClientBatchSize(payoutCount: 3, total: Amount(decimal: "25.75"))])
      #expect(Set(entries.map(\.payout.fingerprint)).count == 1)
      #expect(ingest.metric("payouts_ingest_payouts_accepted_total{outcome=\"new\"}") == 3)
      #expect(
        try await scene.sql("SELECT owner, payout_count, total_amount FROM client_batches") == "client-1|3|25750000")
      let under = try await ingest.post(batchBody(bodies), key: "p", path: "/api/payment/payouts/batch")
      #expect(under.headers.first(name: "Location")?.hasPrefix("/api/payment/payouts/batch/") == true)
    }
  }

  @Test func `every wrong field of every payout is named at once, and nothing is stored`() async throws {
    // Proves each refusal of a body, by its fields' names, and that a refused one leaves its key free.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let (good, many) = (payoutBody(), Array(repeating: payoutBody(), count: 101))
      let cases: [(String, [String])] = [
        ("{}", ["payouts"]), (#"{"payouts":null}"#, ["payouts"]), (#"{"payouts":[]}"#, ["payouts"]),
        (#"{"payouts":{}}"#, ["payouts"]), (batchBody(many), ["payouts"]),
        (#"{"payouts":[\#(good)],"key":1}"#, ["key"]),
        (batchBody([good, "7", "[]", "null"]), ["payouts[1]", "payouts[2]", "payouts[3]"]),
        (
          batchBody([
            payoutBody(["amount_usdt": "0"]), good,
            payoutBody(["reason": nil, "surplus": "1", "amount_usdt": "\"x\""]),
            payoutBody(["expires_at": "\"2020-01-01T00:00:00Z\""]), payoutBody(["router_type": "\"kyc\""]), "{}",
          ]),
          [
            "payouts[0].amount_usdt", "payouts[2].amount_usdt", "payouts[2].reason", "payouts[2].surplus",
            "payouts[3].expires_at", "payouts[4].router_type", "payouts[5].recipient_address",
            "payouts[5].router_type", "payouts[5].amount_usdt", "payouts[5].reason",
          ]
        ),
      ]
      for (body, fields) in cases {
        let reply = try await ingest.post(body, key: "k", path: "/payouts/batch")
        #expect(reply.status == 400 && reply.problem == "invalid-request", "\(body.prefix(80))")
        #expect(reply.wrongFields == fields, "\(body.prefix(80))")
      }
      #expect(try await ingest.post("[", key: "k", path: "/payouts/batch").problem == "malformed-json")
      #expect(try await ingest.post(good, key: "k", path: "/payouts/batch").wrongFields.contains("payouts"))
      let large = "{\"payouts\":[\"" + String(repeating: "a", count: 1 << 20) + "\"]}"
      #expect(try await ingest.post(large, path: "/payouts/batch").status == 413)
      let text = try await ingest.post(
        batchBody([good]), headers: ["Content-Type": "text/plain"], path: "/payouts/batch")
      #expect(text.status == 415)
      #expect(try await scene.payoutCount() == 0)
      #expect(try await post(ingest, [good], key: "k").status == 201)
      #expect(try await ingest.get("/payouts/batch").status == 405)
    }
  }

  @Test func `one to a hundred payouts are a batch`() async throws {
    // Proves both ends of the count, and that the largest one is answered again by the same bytes.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      #expect(try await post(ingest, [payoutBody()], key: "one").status == 201)
      let bodies = (0..<100).map { payoutBody(["external_id": "\"\($0)\"", "amount_usdt": "10000"]) }
      let reply = try await post(ingest, bodies, key: "hundred")
      #expect(reply.status == 201)
      #expect(try ids(reply).count == 100 && reply.text("total_amount_usdt") == "1000000")
      #expect(try await post(ingest, bodies, key: "hundred").bytes == reply.bytes)
      #expect(try await scene.payoutCount() == 101)
    }
  }

  @Test func `the same key with anything else is refused`() async throws {
    // Proves 422 for another order, more, fewer, another field, and a single payout, both ways round; and that another
    // spelling is the same request, and another caller's key another key.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let (a, b) = (payoutBody(), payoutBody(["amount_usdt": "1"]))
      let first = try await post(ingest, [a, b], key: "k")
      #expect(first.status == 201)
      for other in [[b, a], [a], [a, b, b], [a, a], [a, payoutBody(["amount_usdt": "1", "external_id": "\"x\""])]] {
        let reply = try await post(ingest, other, key: "k")
        #expect(reply.status == 422 && reply.problem == "idempotency-mismatch")
      }
      for single in [a, b] { #expect(try await ingest.post(single, key: "k").status == 422) }
      #expect(try await ingest.post(a, key: "single").status == 201)
      for batch in [[a], [a, b]] { #expect(try await post(ingest, batch, key: "single").status == 422) }
      #expect(try await scene.payoutCount() == 3)
      let spelt = try await post(
        ingest, [payoutBody(["priority": "\"normal\""]), payoutBody(["amount_usdt": "1.0"])], key: "k")
      #expect(spelt.status == 201 && isReplay(spelt) && spelt.bytes == first.bytes)
      #expect(spelt.headers["Location"] == first.headers["Location"])
      #expect(try await post(ingest, [b], key: "k", token: ingest.token("other")).status == 201)
      // Without a key each is a batch of its own.
      #expect(try await post(ingest, [a, b]).text("batch_id") != post(ingest, [a, b]).text("batch_id"))
    }
    try await scene.serving(["REQUIRE_IDEMPOTENCY_KEY": "true"]) { ingest async throws in
      #expect(try await post(ingest, [payoutBody()]).problem == "idempotency-key-required")
    }
  }

  @Test func `fifty simultaneous identical batches on two replicas are one`() async throws {
    // Proves the race on one key across replicas: one answer that is new, 49 replays with the same bytes, one batch.
    let scene = try await IngestScene()
    try await scene.serving { first async throws in
      try await scene.serving(ledger: scene.replicaLedger()) { second async throws in
        let (token, bodies) = (first.token(), (0..<5).map { payoutBody(["external_id": "\"\($0)\""]) })
        let replies = try await withThrowingTaskGroup(of: RunningIngest.Reply.self) { group in
          for number in 0..<50 {
            group.addTask { try await post(number % 2 == 0 ? first : second, bodies, key: "race", token: token) }
          }
          return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(replies.allSatisfy { $0.status == 201 })
        #expect(Set(replies.map(\.bytes)).count == 1)
        #expect(replies.count(where: isReplay) == 49)
        #expect(try await scene.payoutCount() == 5)
        #expect(try await scene.sql("SELECT count(*) FROM client_batches") == "1")
        #expect(
          try await scene.sql("SELECT used FROM limit_windows WHERE scope = 'accepted' AND span = 'hour'") == "62500000"
        )
      }
    }
  }

  @Test func `a limit has room for the whole batch, or for nothing of it`() async throws {
    // Proves both sides, and that the refusal tells the whole batch's sum.
    let scene = try await IngestScene()
    try await scene.serving(["DAILY_PAYOUT_LIMIT_USDT": "100"]) { ingest async throws in
      #expect(try await post(ingest, [payoutBody(["amount_usdt": "60"])], key: "a").status == 201)
      let bodies = [payoutBody(["amount_usdt": "20"]), payoutBody(["amount_usdt": "20.000001"])]
      let refused = try await post(ingest, bodies, key: "b")
      #expect(refused.status == 400 && refused.problem == "limit-exceeded")
      #expect(try refused.text("requested_usdt") == "40.000001" && refused.text("used_usdt") == "60")
      #expect(try await scene.payoutCount() == 1)
      #expect(try await post(ingest, [bodies[0], bodies[0]], key: "b").status == 201)
      #expect(try await scene.payoutCount() == 3)
    }
  }

  @Test func `who may send a batch, and who may see it`() async throws {
    // Proves ownership: a node operator for its own nodes in every payout, an end user not at all, strangers see nothing.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let operatorToken = ingest.token("operator", role: "node_operator", nodes: ["n"])
      let (own, other) = (payoutBody(["node_id": "\"n\""]), payoutBody(["node_id": "\"m\""]))
      for bodies in [[own, other], [other, own], [own, payoutBody()]] {
        #expect(try await post(ingest, bodies, token: operatorToken).problem == "forbidden")
      }
      #expect(try await scene.payoutCount() == 0)
      #expect(try await post(ingest, [own, own], token: ingest.token("u", role: "end_user")).status == 403)
      let batch = try #require(try await post(ingest, [own, own], token: operatorToken).text("batch_id"))
      let path = "/payouts/batch/\(batch)"
      #expect(try await ingest.get(path, token: operatorToken).status == 200)
      #expect(try await ingest.get(path, token: ingest.token("root", role: "admin")).status == 200)
      #expect(
        try await ingest.get(
          path.uppercased().replacing("/PAYOUTS/BATCH", with: "/payouts/batch"), token: operatorToken
        ).status == 200)
      for path in [path, "/payouts/batch/\(PayoutID.random())", "/payouts/batch/x", "/payouts/batch/transaction"] {
        let reply = try await ingest.get(path, token: ingest.token("stranger"))
        #expect(reply.status == 404 && reply.problem == "not-found")
      }
      #expect(try await ingest.get(path + "?x=1").status == 400)
    }
  }

  @Test func `a batch tells how many were paid, ended unpaid and go on`() async throws {
    // Proves each word of the status by what became of the payouts.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let reply = try await post(ingest, [payoutBody(), payoutBody(), payoutBody()], key: "k")
      let (batch, payouts) = (try #require(try reply.text("batch_id")), try ids(reply))
      let steps: [([String], String, String)] = [
        (["queued", "signed", "broadcast"], "0 0 3", "processing"),
        (["confirmed", "failed", "confirming"], "1 1 1", "processing"),
        (["confirmed", "settled_externally", "confirmed"], "3 0 0", "completed"),
        (["confirmed", "settled_externally", "cancelled"], "2 1 0", "partially_failed"),
        (["rejected", "expired", "failed"], "0 3 0", "failed"),
      ]
      for (statuses, counts, word) in steps {
        for (id, status) in zip(payouts, statuses) {
          try await scene.sql(
            "SET session_replication_role = replica; UPDATE payouts SET status = '\(status)' WHERE id = '\(id)'")
        }
        let shown = try await ingest.get("/payouts/batch/\(batch)")
        #expect(try shown.text("status") == word)
        let told = try ["completed_payouts", "failed_payouts", "pending_payouts"].map { try number($0, shown) ?? "" }
        #expect(told.joined(separator: " ") == counts)
        #expect(try number("total_payouts", shown) == "3" && shown.text("total_amount_usdt") == "37.5")
        #expect(try shown.text("batch_id") == batch)
        // The first answer is kept for ever.
        #expect(try await post(ingest, [payoutBody(), payoutBody(), payoutBody()], key: "k").bytes == reply.bytes)
      }
    }
  }

  @Test func `an acceptance is told again although it would be refused now, and whole only`() async throws {
    // Proves that a key is kept for ever, also where a maximum was lowered; and that a part of a batch is not the batch.
    let scene = try await IngestScene()
    let bodies = [payoutBody(), payoutBody(["amount_usdt": "13"])]
    let first = Mutex<[UInt8]>([])
    try await scene.serving { ingest async throws in
      let reply = try await post(ingest, bodies, key: "k")
      first.withLock { $0 = reply.bytes }
    }
    await scene.streams.flushAll()
    try await scene.serving(["V0_MAX_PAYOUT_USDT": "12.75"]) { ingest async throws in
      let again = try await post(ingest, bodies, key: "k")
      #expect(again.status == 201 && isReplay(again) && again.bytes == first.withLock { $0 })
      let entries = try await scene.streams.intents(after: .zero, atMost: 100).map { try Intent(fields: $0.fields) }
      #expect(entries.count == 2)
      #expect(try await post(ingest, bodies.reversed(), key: "k").status == 422)
      #expect(try await post(ingest, bodies, key: "new").wrongFields == ["payouts[1].amount_usdt"])
      try await scene.sql(
        "SET session_replication_role = replica; DELETE FROM payouts WHERE amount = 13000000; "
          + "DELETE FROM payout_references r WHERE NOT EXISTS (SELECT FROM payouts p WHERE p.id = r.payout_id)")
      // A refusal would have the client ask for all of it under another key, and a part of it is on its way.
      let part = try await post(ingest, bodies, key: "k")
      #expect(part.status == 503 && part.problem == "outcome-unknown")
    }
  }

  @Test func `what a disaster left of a batch is made whole under its old id`() async throws {
    // Proves the way back over HTTP: a row that stands, a bare name and one that is gone; sealed anew, every one.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let bodies = [payoutBody(), payoutBody(["amount_usdt": "2"]), payoutBody(["amount_usdt": "3"])]
      let reply = try await post(ingest, bodies, key: "k")
      let (batch, before) = (try reply.text("batch_id"), try ids(reply))
      let bare = Reference(owner: "client-1", idempotencyKey: "k", index: 1)
      try await scene.sql(
        "SET session_replication_role = replica; DELETE FROM payouts WHERE id <> '\(before[0])'; "
          + "DELETE FROM payout_directory WHERE id <> '\(before[0])'; "
          + "DELETE FROM payout_references WHERE payout_id <> '\(before[0])'; "
          + "INSERT INTO payout_references (reference, payout_id) VALUES ('\\x\(bare)', '\(before[1])')")
      let again = try await post(ingest, bodies, key: "k")
      let after = try ids(again)
      #expect(try again.status == 201 && again.text("batch_id") == batch)
      #expect(after[0] == before[0] && after[1] == before[1] && after[2] != before[2])
      let seals = try SealVerifier(Sealer(IngestScene.sealKey).publicKeyText)
      for id in after {
        let record = try #require(try await scene.ledger.payout(PayoutID(id)))
        #expect(seals.isIntact(record.seal, on: record.terms) && record.terms.clientBatch?.description == batch)
      }
      #expect(try await scene.sql("SELECT count(*) FROM client_batches") == "1")
      #expect(try await post(ingest, bodies, key: "k").bytes == again.bytes)
      #expect(try await scene.payoutCount() == 3)
    }
  }

  @Test func `an unknown outcome is told as such, and the same key finds the batch`() async throws {
    // Proves the third outcome for a batch, and that who was told of it is found in the audit records by its batch.
    let scene = try await IngestScene()
    let counting = CountingLedger(scene.ledger)
    try await scene.serving(ledger: counting) { ingest async throws in
      let bodies = [payoutBody(), payoutBody()]
      counting.fail(.after(.outcomeUnknown))
      #expect(try await post(ingest, bodies, key: "k").problem == "outcome-unknown")
      counting.fail(nil)
      let found = try await post(ingest, bodies, key: "k")
      #expect(found.status == 201 && isReplay(found))
      #expect(try await scene.payoutCount() == 2)
      let batch = try #require(try found.text("batch_id"))
      try await until("it is recorded") {
        try await scene.sql("SELECT count(*) FROM audit_records WHERE detail = 'batch \(batch)'") == "1"
      }
    }
  }
}

/// The body of POST /payouts/batch.
func batchBody(_ payouts: [String]) -> String { "{\"payouts\":[" + payouts.joined(separator: ",") + "]}" }
