import Ledger
import Logging
import Payouts
import Streams
import TestSupport
import Testing

@testable import Ingest

/// The calls of operators over real HTTP. (What each of them does to the ledger is shown by its own tests.)
struct OperatorsOverHTTPTests {
  /// A release that names what the payouts here are held for.
  private static let seen = #"{"reason":"why","hold_reason":"test"}"#

  private func post(
    _ ingest: RunningIngest, _ path: String, _ body: String = #"{"reason":"why"}"#, role: String = "admin"
  ) async throws -> RunningIngest.Reply {
    try await ingest.post(body, token: ingest.token("root", role: role), path: path)
  }

  private func get(_ ingest: RunningIngest, _ path: String) async throws -> RunningIngest.Reply {
    try await ingest.get(path, token: ingest.token("root", role: "admin"))
  }

  /// A payout that is held from `queued`.
  private func hold(_ scene: IngestScene, _ ingest: RunningIngest) async throws -> String {
    let id = try #require(try await ingest.post(payoutBody()).text("payout_id"))
    try await scene.sql(
      "UPDATE payouts SET status = 'held', held_from = 'queued', hold_reason = 'test' WHERE id = '\(id)'")
    return id
  }

  /// What the fence found and the Signers could not explain.
  private func find(_ scene: IngestScene, _ count: Int) async throws {
    try await scene.sql(
      """
      SET session_replication_role = replica;
      INSERT INTO unclaimed_transfers (kind, txid, wallet, block_number, block_id, judged_at)
      SELECT 'owned_transaction', sha256(int8send(i)), '\\x41'::bytea || substr(sha256('w'), 1, 20), 7, sha256('b'), now()
      FROM generate_series(1::bigint, \(count)) i;
      """)
  }

  private func ends(_ scene: IngestScene) async throws -> [String] {
    try await scene.streams.intents(after: .zero, atMost: 1_000).compactMap { entry in
      guard case .ended(let end) = try Intent(fields: entry.fields) else { return nil }
      return "\(end.payout) \(end.status.rawValue)"
    }
  }

  @Test func `breaker and pause are steered in the operator's name, and twice is once`() async throws {
    // Proves the four calls, what they tell, and who stands in the ledger as their author.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      for (path, state, paused) in [
        ("/admin/breaker/open", "open", false), ("/admin/pause", "open", true),
        ("/admin/breaker/close", "closed", true),
        ("/admin/resume", "closed", false),
      ] {
        for changed in [true, false] {
          let isClosing = path.hasSuffix("close")
          let reply = try await post(
            ingest, path, isClosing ? #"{"reason":"why","cause":"operator","openings":2}"# : #"{"reason":"why"}"#)
          #expect(reply.status == 200)
          #expect(try reply.member("changed") == .flag(changed), "\(path)")
          #expect(try reply.member("breaker")?["state"] == .text(state), "\(path)")
          #expect(try (reply.member("paused_since") != .null) == paused, "\(path)")
          #expect(try reply.member("pause_reason") == (paused ? .text("why") : .null))
        }
      }
      let acts = try await scene.sql("SELECT DISTINCT message FROM alarms WHERE kind = 'operator' ORDER BY 1")
      #expect(acts.contains("api/root: closed: why") && acts.contains("api/root: paused: why"))
      #expect(!acts.contains("ingest/tests"))
    }
  }

  @Test func `the breaker is closed only by whoever names what it is open by, and what the fence found`() async throws {
    // Proves that a request that is repeated blindly acknowledges nothing that came since.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      _ = try await post(ingest, "/admin/breaker/open")
      for body in [
        #"{"reason":"a"}"#, #"{"reason":"a","cause":"repeated_failures","openings":1}"#,
        #"{"reason":"a","cause":"operator"}"#,
      ] {
        let reply = try await post(ingest, "/admin/breaker/close", body)
        #expect(try reply.problem == "cannot-decide" && reply.text("detail")?.contains("open by operator") == true)
      }
      try await find(scene, 2)
      let findings = try #require(try await get(ingest, "/admin/unclaimed-transfers").member("findings")).items
      let txids = findings.compactMap { $0["txid"]?.textValue }
      var openings = "1"
      func closing(_ names: [String]) -> String {
        let list = names.map { "\"\($0)\"" }.joined(separator: ",")
        return "{\"reason\":\"a\",\"cause\":\"operator\",\"openings\":\(openings),\"findings\":[\(list)]}"
      }
      // What would have opened it while it was open, by another cause.
      try await scene.sql("SELECT open_breaker('paid_twice', 'payout 7', 'look')")
      #expect(try await post(ingest, "/admin/breaker/close", closing(txids)).problem == "cannot-decide")
      let look = try await get(ingest, "/admin/unclaimed-transfers")
      openings = try #require(try look.member("breaker")?["openings"]?.plainText)
      #expect(try openings == "2" && look.member("breaker")?["cause"] == .text("operator"))
      for names in [[], [txids[0]], [txids[1]]] {
        #expect(try await post(ingest, "/admin/breaker/close", closing(names)).problem == "cannot-decide")
      }
      #expect(try await scene.sql("SELECT count(*) FROM unclaimed_transfers WHERE acknowledged_at IS NULL") == "2")
      #expect(try await post(ingest, "/admin/breaker/close", closing(txids)).member("changed") == .flag(true))
      #expect(try await post(ingest, "/admin/breaker/close", closing(["7"])).wrongFields == ["findings[0]"])
    }
  }

  @Test func `what was done and cannot be told is not called undone`() async throws {
    // Proves the words where the database goes away between the act and the look.
    let scene = try await IngestScene()
    let desk = BlindDesk(ledger: scene.ledger)
    try await scene.serving(desk: desk) { ingest async throws in
      let reply = try await post(ingest, "/admin/pause")
      #expect(reply.status == 503 && reply.problem == "outcome-unknown")
      #expect(try reply.text("detail")?.hasPrefix("It was done") == true)
      #expect(try await scene.ledger.conditions().pauseReason == "why")
    }
  }

  @Test func `every caller has a name of his own in the ledger`() async throws {
    // Proves that ids that are cut, or hold what the server does not keep, stay apart, and that a key's use is told.
    let long = String(repeating: "a", count: 80)
    let ids = [
      "root", long + "b", long + "c", "Jürgen", "Jörgen", "a~b", String(repeating: "x", count: 59),
      "root/key-0f1e2d3c4b5a6978",
    ]
    let key = try APIKeyID(hex: "0f1e2d3c4b5a6978")
    let callers = ids.flatMap { id in
      [Caller.Proof.jwt, .apiKey(key)].map { Caller(id: id, role: .admin, nodeIDs: [], proof: $0) }
    }
    let names = callers.map(\.actor)
    #expect(Set(names).count == names.count)
    for name in names {
      #expect(name.utf8.count <= 63 && name.utf8.allSatisfy { (0x20...0x7e).contains($0) }, "\(name)")
    }
    #expect(names[0] == "api/root" && names[1] == "api/root/key-0f1e2d3c4b5a6978")
    let scene = try await IngestScene()
    for name in names {
      _ = try await scene.ledger.acting(as: name).openBreaker(reason: "why")
      let kept = try await scene.sql("SELECT count(*) FROM alarms WHERE message = '\(name): opened: why'")
      #expect(kept == "1", "\(name)")
    }
    // A transaction that fails, or is another's, keeps nothing of it.
    _ = try await scene.ledger.openBreaker(reason: "mine")
    #expect(try await scene.sql("SELECT count(*) FROM alarms WHERE message = 'ingest/tests: opened: mine'") == "1")
  }

  @Test func `only an admin may steer, and says why`() async throws {
    // Proves permission and body of every operator's call that changes something, and permission of those that look.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let id = try await hold(scene, ingest)
      let changing = [
        "/admin/breaker/open", "/admin/breaker/close", "/admin/pause", "/admin/resume", "/payouts/\(id)/release",
        "/payouts/\(id)/reject", "/payouts/\(id)/settle",
      ]
      for path in changing {
        for role in ["service", "node_operator", "end_user"] {
          #expect(try await post(ingest, path, role: role).problem == "forbidden", "\(path) \(role)")
        }
        let proof = path.hasSuffix("settle") ? ["proof"] : []
        for (body, fields) in [
          ("{}", ["reason"] + proof), (#"{"reason":" "}"#, ["reason"] + proof), (#"{"reason":7}"#, ["reason"] + proof),
          (#"{"reason":"a\u000ab"}"#, ["reason"] + proof), (#"{"reason":"a","x":1}"#, proof + ["x"]),
        ] {
          let reply = try await post(ingest, path, body)
          #expect(reply.status == 400 && reply.wrongFields == fields, "\(path) \(body): \(reply.wrongFields)")
        }
      }
      for path in ["/admin/held", "/admin/unclaimed-transfers", "/admin/queues", "/admin/dead-letters"] {
        #expect(try await ingest.get(path).problem == "forbidden", "\(path)")
        #expect(try await ingest.ask("GET", path, token: nil).status == 401, "\(path)")
      }
      #expect(try await get(ingest, "/admin/held?limit=0").wrongFields == ["limit"])
      #expect(try await get(ingest, "/admin/held?cursor=1").wrongFields == ["cursor"])
      #expect(try await scene.sql("SELECT count(*) FROM alarms WHERE kind = 'operator'") == "0")
      #expect(try await ingest.get("/payouts/\(id)").text("status") == "held")
    }
  }

  @Test func `held payouts are listed, and each of their exits is taken once`() async throws {
    // Proves list and exits, their author in the history, the log of intents, and that an answer that was lost is given again.
    let scene = try await IngestScene()
    try await scene.vouch()
    try await scene.serving { ingest async throws in
      let ids = [
        try await hold(scene, ingest), try await hold(scene, ingest), try await hold(scene, ingest),
      ]
      let held = try #require(try await get(ingest, "/admin/held").member("payouts")).items
      #expect(held.map { $0["payout_id"]?.textValue } == ids)
      #expect(held.allSatisfy { $0["hold_reason"] == .text("test") })
      #expect(try await get(ingest, "/admin/held?limit=1").member("payouts")?.items.count == 1)

      for unseen in [#"{"reason":"why"}"#, #"{"reason":"why","hold_reason":"dead_letter"}"#] {
        let refused = try await post(ingest, "/payouts/\(ids[0])/release", unseen)
        #expect(try refused.problem == "cannot-decide" && refused.text("detail")?.contains("held for test") == true)
      }
      let released = try await post(ingest, "/payouts/\(ids[0])/release", Self.seen)
      #expect(try released.status == 200 && released.text("status") == "queued")
      #expect(try await post(ingest, "/payouts/\(ids[0])/release").problem == "cannot-decide")
      for _ in 0..<2 {
        let rejected = try await post(ingest, "/api/payment/payouts/\(ids[1])/reject")
        #expect(try rejected.status == 200 && rejected.text("status") == "rejected")
        let settled = try await post(ingest, "/payouts/\(ids[2])/settle", #"{"reason":"why","proof":"receipt 7"}"#)
        #expect(try settled.status == 200 && settled.text("status") == "settled_externally")
        #expect(try settled.member("history")?.items.last?["note"] == .text("why (proof: receipt 7)"))
      }
      #expect(try await ends(scene) == ["\(ids[1]) rejected", "\(ids[2]) settled_externally"])
      #expect(try await post(ingest, "/payouts/\(ids[1])/settle", #"{"reason":"a","proof":"b"}"#).status == 409)
      // Who has paid it in yet another way must not be told that this was recorded.
      for (id, path, body) in [
        (ids[1], "reject", #"{"reason":"another"}"#), (ids[2], "settle", #"{"reason":"why","proof":"receipt 8"}"#),
      ] {
        let reply = try await post(ingest, "/payouts/\(id)/\(path)", body)
        #expect(try reply.problem == "cannot-decide" && reply.text("detail")?.contains("these words were said") == true)
      }
      let actors = try await scene.sql("SELECT actor FROM payout_events WHERE from_status = 'held'")
      #expect(actors.split(separator: "\n") == ["api/root", "api/root", "api/root"])
      for id in ["7", "\(PayoutID.random())"] {
        #expect(try await post(ingest, "/payouts/\(id)/reject").problem == "not-found")
      }
    }
  }

  @Test func `nothing ends by an operator while nobody vouches for the history, and a release needs no voucher`()
    async throws
  {
    // Proves DESIGN.md §3 "Continuity" for these calls.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let id = try await hold(scene, ingest)
      for (path, body) in [("reject", #"{"reason":"a"}"#), ("settle", #"{"reason":"a","proof":"b"}"#)] {
        let reply = try await post(ingest, "/payouts/\(id)/\(path)", body)
        #expect(reply.status == 409 && reply.problem == "history-not-trusted")
        #expect(reply.headers.first(name: "Retry-After") == "10")
      }
      #expect(try await ends(scene).isEmpty)
      #expect(try await post(ingest, "/payouts/\(id)/release", Self.seen).text("status") == "queued")
    }
  }

  @Test func `an end is told only once the log of intents has it`() async throws {
    // Proves it for an operator's decision, as CancelPayoutTests do for a client's.
    let scene = try await IngestScene()
    try await scene.vouch()
    try await scene.serving { ingest async throws in
      let id = try await hold(scene, ingest)
      await scene.streams.setFault { $0 == .appendIntents ? .notDone : nil }
      let early = try await post(ingest, "/payouts/\(id)/reject")
      #expect(early.status == 503 && early.problem == "outcome-unknown")
      await scene.streams.setFault(nil)
      try await until("the log has the end") {
        try await post(ingest, "/payouts/\(id)/reject").status == 200
      }
      #expect(try await ends(scene).contains("\(id) rejected"))
    }
  }

  @Test func `queues are told from the ledger also while Redis is away, dead letters are not`() async throws {
    // Proves which half stands on what.
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      _ = try await ingest.post(payoutBody())
      let reply = try await get(ingest, "/admin/queues")
      #expect(reply.status == 200)
      let stages = try #require(try reply.member("stages")).items
      #expect(stages.map { $0["status"]?.textValue }.first == "queued" && stages.first?["payouts"] == .number("1"))
      #expect(try reply.member("streams") == .null)
      #expect(try await get(ingest, "/admin/dead-letters?stream=intents").wrongFields == ["stream"])
      let letters = try await get(ingest, "/admin/dead-letters?stream=batches.ready")
      #expect(letters.status == 503 && letters.problem == "streams-unavailable")
      #expect(try await post(ingest, "/admin/dead-letters/batches.ready:1-0/retry").status == 503)
      for id in ["1-0", "intents:1-0", "batches.ready:x", "batches.ready:1-0:2"] {
        #expect(try await post(ingest, "/admin/dead-letters/\(id)/retry").status == 404, "\(id)")
      }
    }
  }

  @Test func `a dead letter is listed and put back once`() async throws {
    // Proves the calls on a real server.
    let scene = try await IngestScene()
    let redis = try await PrivateRedis.start()
    let streams = try RedisStreams(
      url: redis.url, logger: Logger(label: "tests", factory: { _ in SwiftLogNoOpLogHandler() }))
    try await withThrowingTaskGroup(of: Void.self) { group in
      for connection in streams.connections { group.addTask { try await connection.run() } }
      try await streams.append([["batch_id": "1"]], to: .batchesReady)
      let entry = try #require(
        try await streams.read(
          [.batchesReady], group: .signer, consumer: ConsumerName("anna"), count: 1, blockMilliseconds: 0
        ).first)
      try await streams.deadLetter(entry, group: .signer, error: "why it failed")
      try await scene.serving(queues: streams) { ingest async throws in
        let letters = try #require(try await get(ingest, "/admin/dead-letters").member("dead_letters")).items
        let letter = try #require(letters.first)
        #expect(letters.count == 1 && letter["error"] == .text("why it failed"))
        #expect(letter["fields"] == .object([.init("batch_id", .text("1"))]))
        let id = try #require(letter["id"]?.textValue)
        let path = "/admin/dead-letters/\(id)/retry"
        #expect(try await post(ingest, path, "").text("stream") == "batches.ready")
        #expect(try await post(ingest, path, "").problem == "not-found")
        let queues = try #require(try await get(ingest, "/admin/queues").member("streams")).items
        let ready = try #require(queues.first { $0["stream"] == .text("batches.ready") })
        #expect(ready["entries"] == .number("1") && ready["dead_letters"] == .number("0"))
      }
      group.cancelAll()
    }
    await redis.stop()
  }

  @Test func `what the fence found is listed, with what was acknowledged`() async throws {
    // Proves the list, and that closing the breaker names what it acknowledged.
    let scene = try await IngestScene()
    try await scene.vouch()
    try await scene.serving { ingest async throws in
      try await find(scene, 1)
      let found = try #require(try await get(ingest, "/admin/unclaimed-transfers").member("findings")).items
      #expect(found.count == 1 && found[0]["block_number"] == .number("7") && found[0]["adoption"] == .null)
      #expect(found[0]["is_acknowledged"] == .flag(false))
      let txid = try #require(found[0]["txid"]?.textValue)
      let closed = try await post(ingest, "/admin/breaker/close", "{\"reason\":\"a\",\"findings\":[\"\(txid)\"]}")
      #expect(try closed.member("changed") == .flag(true))
      #expect(try closed.member("acknowledged_findings")?.items.map { $0["txid"] } == [found[0]["txid"]])
      let after = try #require(try await get(ingest, "/admin/unclaimed-transfers").member("findings")).items
      #expect(after.map { $0["is_acknowledged"] } == [.flag(true)])
    }
  }
}

/// A ledger that can be changed, and then not be read.
private struct BlindDesk: OperatorDesk {
  var ledger: Ledger

  func acting(as actor: String) -> BlindDesk { BlindDesk(ledger: ledger.acting(as: actor)) }
  func conditions() async throws -> PayingConditions { throw LedgerError(.unavailable, "away") }
  func breaker() async throws -> BreakerReport { throw LedgerError(.unavailable, "away") }
  func openBreaker(reason: String) async throws -> String? { try await ledger.openBreaker(reason: reason) }
  func closeBreaker(reason: String, seen: SeenBreaker?) async throws -> BreakerClosing {
    try await ledger.closeBreaker(reason: reason, seen: seen)
  }
  func pause(reason: String) async throws -> Bool { try await ledger.pause(reason: reason) }
  func resume(reason: String) async throws -> Bool { try await ledger.resume(reason: reason) }
  func unexplainedFindings(naming named: Set<TxID>, atMost count: Int) async throws -> [UnexplainedFinding] { [] }
  func heldPayouts(atMost count: Int) async throws -> [PayoutRecord] { [] }
  func attempts(of ids: [PayoutID]) async throws -> [PayoutID: [AttemptRecord]] { [:] }
  func payout(_ id: PayoutID) async throws -> PayoutRecord? { nil }
  func decide(
    _ payout: PayoutID, _ decision: HeldDecision, seen: String?, reason: String, requiredConfirmations: Int64
  ) async throws -> HeldOutcome { .refused(.unknownPayout) }
  func stageDepths(countingAtMost maximum: Int64?) async throws -> [StageDepth] { [] }
  func stats(countingAtMost maximum: Int64) async throws -> PayoutStats {
    throw LedgerError(.unavailable, "away")
  }
}
