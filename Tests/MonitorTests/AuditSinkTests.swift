import Foundation
import Ledger
import Logging
import Payouts
import Synchronization
import TestSupport
import Testing
import Worker

@testable import Monitor

/// Audit records on their way to `AUDIT_SINK_URL`, over real sockets, from the real ledger.
@Suite struct AuditSinkTests {
  /// Stores and links records.
  private func add(_ numbers: ClosedRange<Int>, _ scene: PayingScene) async throws {
    try await scene.ledger.record(
      audits: numbers.map { number in
        AuditRecord(
          service: "ingest-1", caller: number % 2 == 0 ? "client-1" : nil, role: nil, proof: nil,
          operation: "createPayout", target: nil, requestID: "request-\(number)", status: 201, outcome: "done",
          detail: "a \"b\" \u{1f600}")
      })
    while try await !scene.ledger.linkAudits(atMost: 500).isEmpty {}
  }

  /// Delivers to a receiver that a test runs.
  private func delivery(
    _ scene: PayingScene, to receiver: WebhookReceiver, metrics: AuditSinkMetrics? = nil
  ) throws -> (deliver: DeliverAudits, webhook: AuditWebhook) {
    let webhook = AuditWebhook(try ServiceURL(receiver.url("/audit?token=t0k3n"), kind: .endpoint))
    return (
      DeliverAudits(
        ledger: scene.ledger, receiver: webhook, metrics: metrics, logger: Logger(label: "monitor")), webhook
    )
  }

  /// Closes the connections, however a test ended.
  private func closing(_ webhooks: [AuditWebhook], _ body: () async throws -> Void) async throws {
    let outcome: Result<Void, any Error>
    do { outcome = .success(try await body()) } catch { outcome = .failure(error) }
    for webhook in webhooks { try await webhook.close() }
    try outcome.get()
  }

  /// The places of the records in a call, in its order.
  private func sequences(_ call: ReceivedWebhook) throws -> [Int] {
    let body = try #require(try JSONSerialization.jsonObject(with: Data(call.body)) as? [String: Any])
    #expect(Set(body.keys) == ["records"])
    let records = try #require(body["records"] as? [[String: Any]])
    return records.compactMap { $0["sequence"] as? Int }
  }

  /// Goes round until nothing is left, however often a call fails.
  ///
  /// - Returns: how many rounds failed.
  private func exhaust(_ deliver: DeliverAudits, _ scene: PayingScene) async throws -> Int {
    var failures = 0
    for _ in 0..<100 {
      do { _ = try await deliver.step.run() } catch is AlarmNotTaken { failures += 1 }
      if try await scene.ledger.auditSinkDepth().waitingCount == 0 { return failures }
    }
    throw SceneError("the records are not delivered")
  }

  @Test func `every record arrives in order and at least once, whatever the receiver does`() async throws {
    // Proves that a receiver that breaks off, is silent, answers 500 or redirects has taken nothing, so that the very
    // same records come again, before any later one; by a Monitor that is another one after each failure.
    let answers = Mutex<[WebhookReply]>([
      .hangUp, .status(500), .status(204), .silence, .status(302), .status(200), .hangUp, .status(503),
    ])
    try await PayingScene.run { scene in
      try await WebhookReceiver.run(answering: { _ in
        answers.withLock { $0.isEmpty ? .status(204) : $0.removeFirst() }
      }) { receiver in
        try await add(1...234, scene)
        let (deliver, webhook) = try delivery(scene, to: receiver)
        let (another, second) = try delivery(scene, to: receiver)
        try await closing([webhook, second]) {
          let failures = try await exhaust(deliver, scene)
          #expect(failures == 6 && receiver.received.count == 9)
          // A restart changes nothing: what follows comes next, and nothing comes again.
          try await add(235...240, scene)
          #expect(try await exhaust(another, scene) == 0)
        }
        let calls = try receiver.received.map(sequences)
        #expect(receiver.received.allSatisfy { $0.path == "/audit?token=t0k3n" })
        #expect(receiver.received.allSatisfy { $0.headers.first(name: "content-type") == "application/json" })
        let batches = [1...100, 101...200, 201...234].flatMap { [[Int]](repeating: Array($0), count: 3) }
        #expect(calls == batches + [Array(235...240)])
      }
    }
  }

  @Test func `a call holds each record with all of its fields`() async throws {
    // Proves the names, and that a receiver can compute each hash from what it gets and the one before.
    try await PayingScene.run { scene in
      try await WebhookReceiver.run { receiver in
        try await add(1...3, scene)
        let registry = PrometheusRegistry()
        let metrics = AuditSinkMetrics(Instruments(worker: "monitor", registry: registry))
        let (deliver, webhook) = try delivery(scene, to: receiver, metrics: metrics)
        try await closing([webhook]) {
          try await scene.wait(milliseconds: 61_000)
          #expect(try await deliver.step.run() == .idle(milliseconds: DeliverAudits.pauseMilliseconds))
          #expect(registry.text().contains("payouts_monitor_audit_sink_behind_records 3\n"))
          #expect(registry.text().contains("payouts_monitor_audit_sink_oldest_age_seconds 61\n"))
          #expect(try await deliver.step.run() == .idle(milliseconds: DeliverAudits.pauseMilliseconds))
          #expect(registry.text().contains("payouts_monitor_audit_sink_behind_records 0\n"))
          #expect(registry.text().contains("payouts_monitor_audit_sink_records_total 3\n"))
        }
        #expect(receiver.received.count == 1)
        let call = try #require(receiver.received.first)
        let body = try #require(try JSONSerialization.jsonObject(with: Data(call.body)) as? [String: Any])
        let records = try #require(body["records"] as? [[String: Any]])
        #expect(
          Set(records[0].keys) == [
            "sequence", "hash", "id", "at", "service", "caller", "role", "proof", "operation", "target", "request_id",
            "status", "outcome", "detail",
          ])
        #expect(records[0]["caller"] is NSNull && records[1]["caller"] as? String == "client-1")
        var chain = AuditChain()
        let stored = try await scene.ledger.audits(after: 0, limit: 9)
        for (told, linked) in zip(records, stored) {
          try chain.take(linked)
          #expect(told["hash"] as? String == Hex.text(chain.hash))
          #expect(told["at"] as? String == linked.audit.at.description)
          #expect(told["detail"] as? String == linked.audit.record.detail)
        }
        #expect(records.count == 3)
      }
    }
  }

  @Test func `a Monitor that dies before it has recorded a call leaves it to be posted again`() async throws {
    // Proves at least once: the batch is nobody else's for a while, then another one posts it again, and the first
    // one's late word moves nothing.
    try await PayingScene.run { scene in
      try await WebhookReceiver.run { receiver in
        try await add(1...5, scene)
        let (deliver, webhook) = try delivery(scene, to: receiver)
        try await closing([webhook]) {
          let batch = try #require(
            try await scene.ledger.takeAudits(leaseMilliseconds: DeliverAudits.leaseMilliseconds, atMost: 3))
          try await webhook.take(DeliverAudits.body(batch))
          #expect(try await deliver.step.run() == .idle(milliseconds: DeliverAudits.pauseMilliseconds))
          #expect(receiver.received.count == 1)
          try await scene.wait(milliseconds: DeliverAudits.leaseMilliseconds)
          #expect(try await exhaust(deliver, scene) == 0)
          #expect(try await scene.ledger.recordDelivered(batch) == false)
        }
        #expect(try receiver.received.map(sequences) == [[1, 2, 3], [1, 2, 3, 4, 5]])
      }
    }
  }

  @Test func `two Monitors deliver beside one another, in order and nothing twice`() async throws {
    // Proves that replicas do not get in each other's way: all that was added meanwhile arrives once, in the chain's
    // order.
    try await PayingScene.run { scene in
      try await WebhookReceiver.run { receiver in
        let (first, firstHook) = try delivery(scene, to: receiver)
        let (second, secondHook) = try delivery(scene, to: receiver)
        try await closing([firstHook, secondHook]) {
          try await withThrowingTaskGroup(of: Void.self) { group in
            for deliver in [first, second] {
              group.addTask {
                try await eventually("all is delivered") {
                  _ = try await deliver.step.run()
                  return try await scene.ledger.deliveredAudits() == 3_000
                }
              }
            }
            for round in 0..<30 { try await add((round * 100 + 1)...(round * 100 + 100), scene) }
            try await group.waitForAll()
          }
        }
        #expect(try receiver.received.flatMap(sequences) == Array(1...3_000))
      }
    }
  }

  @Test func `no error shows the receiver's token`() async throws {
    try await PayingScene.run { scene in
      try await WebhookReceiver.run(answering: { _ in .status(500) }) { receiver in
        try await add(1...1, scene)
        let (deliver, webhook) = try delivery(scene, to: receiver)
        try await closing([webhook]) {
          let error = await #expect(throws: AlarmNotTaken.self) { _ = try await deliver.step.run() }
          let text = "\(try #require(error))"
          #expect(text.contains("answered HTTP 500") && !text.contains("t0k3n"))
        }
      }
    }
  }
}
