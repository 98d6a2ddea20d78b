// Proves what registered endpoints are told, in which order, by whose secret, and when no more.
import Foundation
import Payouts
import Testing

@testable import Ledger

extension TestLedger {
  static let day: Int64 = 86_400_000

  /// An endpoint's name; the greater the number, the later.
  static func endpointID(_ number: Int) -> WebhookEndpointID { Sample.batchID(9_000 + number) }

  static func secret(_ number: Int) throws -> WebhookSecret {
    try WebhookSecret(bytes: [UInt8](repeating: UInt8(number), count: 32))
  }

  /// Registers an endpoint, on a server of its own unless told otherwise; nil where its owner has too many.
  @discardableResult
  func register(
    _ number: Int, owner: String = "owner-1", events: [WebhookEvent]? = nil, url: String? = nil
  ) async throws -> WebhookEndpoint? {
    try await ledger.makeWebhookEndpoint(
      WebhookEndpointTerms(
        id: Self.endpointID(number), owner: owner, url: url ?? "https://e\(number).example/in", events: events,
        description: nil),
      secret: Self.secret(number))
  }

  /// All that is told, each as `payout's number or -, endpoint's number or -, event, state`, in order.
  func tellings() async throws -> [String] {
    try await rows(
      """
      SELECT coalesce(right(payout_id::text, 1), '-'), coalesce(regexp_replace(url, '^https://e([0-9]+).example.*', '\\1'), '-'),
        event, state FROM webhook_deliveries ORDER BY number
      """)
  }
}

@Suite struct WebhookEndpointTests {
  @Test func `each endpoint of the owner that listens to an event is told beside the payout's own URL`() async throws {
    try await withLedger { test async throws in
      try await test.register(1)
      try await test.register(2, events: [.cancelled, .batchCompleted])
      try await test.register(3, owner: "owner-2")
      try await test.acceptTold(1...1, to: "https://e0.example/")
      try await test.acceptTold(2...2, to: nil)
      try await test.run("UPDATE payouts SET status = 'cancelled'")
      #expect(
        try await test.tellings() == [
          "1|0|payout.queued|pending", "1|1|payout.queued|pending", "2|1|payout.queued|pending",
          "1|0|payout.cancelled|pending", "1|1|payout.cancelled|pending", "1|2|payout.cancelled|pending",
          "2|1|payout.cancelled|pending", "2|2|payout.cancelled|pending",
        ])
      let told = try await test.value(
        "SELECT count(*) FROM webhook_deliveries WHERE at = (SELECT max(at) FROM payout_events) AND status = 'cancelled'"
      )
      #expect(told == "5")
    }
  }

  @Test func `who registers nothing is told nothing, nor by a change that is rolled back or no event`() async throws {
    try await withLedger { test async throws in
      try await test.register(1, owner: "owner-2")
      try await test.acceptTold(1...1, to: nil)
      #expect(try await test.tellings().isEmpty)
      try await test.register(2)
      #expect(try await test.refusal("UPDATE payouts SET status = 'cancelled'; SELECT 1 / 0") == "22012")
      _ = try await test.ledger.schedule([Sample.payoutID(1)], maximumPerBatch: 100) { Sample.batchID(1) }
      try await test.run("UPDATE payouts SET note = 'a word'")
      #expect(try await test.tellings().isEmpty)
      try await test.sign()
      try await test.broadcast()
      #expect(try await test.tellings() == ["1|2|payout.broadcast|pending"])
    }
  }

  @Test func `an endpoint that fails keeps neither another one's events back nor the payout's own URL's`() async throws
  {
    // Proves the order by payout and receiver: at the failing one the later event waits, at the others it is due.
    try await withLedger { test async throws in
      try await test.register(1)
      try await test.register(2)
      try await test.acceptTold(1...1, to: "https://e0.example/")
      try await test.run("UPDATE payouts SET status = 'cancelled'")
      var events: [String: [String]] = [:]
      var last: String?
      for origin in ["https://e0.example", "https://e1.example", "https://e2.example"] {
        let lot = try #require(try await test.claim(after: last))
        last = origin
        #expect(lot.origin == origin && lot.deliveries.map(\.event) == ["payout.queued"])
        for delivery in lot.deliveries {
          if origin == "https://e1.example" {
            try await test.fail(delivery, delay: 60_000)
          } else {
            _ = try await test.ledger.record(.delivered("HTTP 204"), of: delivery)
          }
        }
        try await test.release(lot)
      }
      while let lot = try await test.claim() {
        events[lot.origin] = lot.deliveries.map(\.event)
        for delivery in lot.deliveries { _ = try await test.ledger.record(.delivered("HTTP 204"), of: delivery) }
        try await test.release(lot)
      }
      #expect(events == ["https://e0.example": ["payout.cancelled"], "https://e2.example": ["payout.cancelled"]])
      try await test.moveClock(toMilliseconds: 61_000)
      #expect(try await test.claim()?.deliveries.map(\.event) == ["payout.queued"])
    }
  }

  @Test func `a delivery to an endpoint is signed by that endpoint's secrets, the old one for a day more`() async throws
  {
    try await withLedger { test async throws in
      try await test.register(1)
      try await test.register(2, url: "https://e1.example/other")
      try await test.acceptTold(1...1, to: "https://e1.example/own")
      let until = try await test.ledger.rotateWebhookEndpointSecret(
        TestLedger.endpointID(1), to: TestLedger.secret(7), oldValidMilliseconds: TestLedger.day)
      let now = try #require(try await test.value("SELECT unix_ms(ledger_now())").flatMap { Int64($0) })
      #expect(abs(try #require(until).milliseconds - now - TestLedger.day) < 120_000)
      for (moved, secrets) in [(0, [7, 1]), (TestLedger.day - 60_000, [7, 1]), (TestLedger.day + 60_000, [7])] {
        try await test.moveClock(toMilliseconds: moved)
        let lot = try #require(try await test.claim())
        #expect(
          try lot.deliveries.map(\.endpoint) == [
            nil, .init(id: TestLedger.endpointID(1), secrets: secrets.map { try TestLedger.secret($0) }),
            .init(id: TestLedger.endpointID(2), secrets: [TestLedger.secret(2)]),
          ], "\(moved)")
        try await test.release(lot)
      }
      #expect(
        try await test.ledger.rotateWebhookEndpointSecret(
          TestLedger.endpointID(8), to: TestLedger.secret(8), oldValidMilliseconds: 1) == nil)
    }
  }

  @Test func `an endpoint that is deleted is told no more, and its secrets sign nothing`() async throws {
    // Proves it for what waits, for what is stored by a change that saw it alive, and that it is deleted once.
    try await withLedger { test async throws in
      try await test.register(1)
      try await test.acceptTold(1...1, to: nil)
      let deleted = try #require(try await test.ledger.deleteWebhookEndpoint(TestLedger.endpointID(1)))
      #expect(deleted.deletedAt != nil && !deleted.isListening)
      try await test.moveClock(toMilliseconds: 5_000)
      #expect(try await test.ledger.deleteWebhookEndpoint(TestLedger.endpointID(1)) == deleted)
      #expect(try await test.ledger.webhookEndpoint(TestLedger.endpointID(1)) == deleted)
      try await test.run("UPDATE payouts SET status = 'cancelled'")
      #expect(try await test.tellings() == ["1|1|payout.queued|given_up"])
      #expect(
        try await test.value("SELECT count(*) FROM webhook_endpoint_secrets WHERE valid_until <= ledger_now()") == "1")
      try await test.run(
        "UPDATE webhook_deliveries SET state = 'pending', ended_at = NULL, last_result = NULL")
      #expect(try await test.claim() == nil)
      #expect(
        try await test.rows("SELECT state, last_result, tries FROM webhook_deliveries")
          == ["given_up|its endpoint was deleted or disabled|0"])
      #expect(try await test.ledger.webhookEndpoints(of: "owner-1", before: nil, limit: 9).isEmpty)
      #expect(try await test.ledger.storeTestWebhook(for: TestLedger.endpointID(1)) == nil)
      #expect(
        try await test.ledger.rotateWebhookEndpointSecret(
          TestLedger.endpointID(1), to: TestLedger.secret(8), oldValidMilliseconds: 1) == nil)
      #expect(try await test.ledger.deleteWebhookEndpoint(TestLedger.endpointID(2)) == nil)
    }
  }

  @Test func `an endpoint that fails for three days and twenty tries is disabled, with an alarm`() async throws {
    // Proves both bounds, each not enough alone, and that one success counts from the beginning.
    try await withLedger { test async throws in
      try await test.register(1)
      try await test.acceptTold(1...60, to: nil)
      var now: Int64 = 0
      func tries(_ count: Int, succeeding: Bool = false) async throws {
        now += 40_000
        try await test.moveClock(toMilliseconds: now)
        let lot = try #require(try await test.claim(atMost: count))
        for delivery in lot.deliveries {
          if succeeding {
            _ = try await test.ledger.record(.delivered("HTTP 200"), of: delivery)
          } else {
            _ = try await test.ledger.record(
              .failed("HTTP 500", delayMilliseconds: 30_000, lifetimeMilliseconds: 30 * TestLedger.day), of: delivery)
          }
        }
        try await test.release(lot)
      }
      func endpoint() async throws -> WebhookEndpoint {
        try #require(try await test.ledger.webhookEndpoint(TestLedger.endpointID(1)))
      }
      try await tries(30)
      #expect(try await endpoint().failures == 30, "often enough, and not long enough")
      try await tries(1, succeeding: true)
      #expect(try await endpoint().failures == 0)
      #expect(try await endpoint().firstFailedAt == nil)
      now += 4 * TestLedger.day
      try await tries(19)
      now += 3 * TestLedger.day
      #expect(try await endpoint().isListening, "long enough, and not often enough")
      try await tries(1)
      let disabled = try await endpoint()
      #expect(disabled.disabledAt != nil && disabled.disabledReason?.contains("three days") == true)
      #expect(
        try await test.rows("SELECT state, count(*) FROM webhook_deliveries GROUP BY state ORDER BY state")
          == ["delivered|1", "given_up|59"])
      #expect(
        try await test.rows("SELECT kind, subject, count FROM alarms")
          == ["webhook_endpoint_disabled|\(TestLedger.endpointID(1))|1"])
      #expect(try await test.ledger.webhookDepth().disabledEndpoints == 1)
      #expect(try await test.ledger.storeTestWebhook(for: TestLedger.endpointID(1)) == nil)
      #expect(try await test.ledger.webhookEndpoints(of: "owner-1", before: nil, limit: 9) == [disabled])
    }
  }

  @Test func `an endpoint whose receiver answers 410 is disabled, and no other`() async throws {
    try await withLedger { test async throws in
      try await test.register(1)
      try await test.register(2)
      try await test.acceptTold(1...2, to: nil)
      let lot = try #require(try await test.claim())
      #expect(try await test.ledger.record(.gone("HTTP 410"), of: lot.deliveries[0]) == .gone)
      try await test.release(lot)
      #expect(
        try await test.tellings() == [
          "1|1|payout.queued|gone", "1|2|payout.queued|pending", "2|1|payout.queued|given_up",
          "2|2|payout.queued|pending",
        ])
      #expect(try await test.ledger.webhookEndpoint(TestLedger.endpointID(1))?.disabledReason?.contains("410") == true)
      #expect(try await test.ledger.webhookEndpoint(TestLedger.endpointID(2))?.isListening == true)
    }
  }

  @Test func `an owner has twenty endpoints at most, also where many are made at once`() async throws {
    try await withLedger { test async throws in
      let made = try await withThrowingTaskGroup(of: Bool.self) { group in
        for number in 1...24 { group.addTask { try await test.register(number) != nil } }
        return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
      }
      #expect(made == WebhookEndpoint.ownedMaximum)
      #expect(try await test.register(30, owner: "owner-2") != nil)
      let all = try await test.ledger.webhookEndpoints(of: nil, before: nil, limit: 100).map(\.terms.id)
      #expect(all.count == 21 && all == all.sorted().reversed())
      let some = try await test.ledger.webhookEndpoints(of: "owner-1", before: all[5], limit: 3).map(\.terms.id)
      #expect(some == Array(all[6...8]))
      _ = try await test.ledger.deleteWebhookEndpoint(all[9])
      #expect(try await test.register(31) != nil)
      #expect(try await test.register(32) == nil)
    }
  }

  @Test func `deliveries are listed newest first, and one that is over is told again under its id`() async throws {
    try await withLedger { test async throws in
      try await test.register(1)
      try await test.acceptTold(1...3, to: nil)
      let ledger = test.ledger
      let id = TestLedger.endpointID(1)
      func page(_ state: WebhookState? = nil, before: Int64? = nil, limit: Int = 10) async throws
        -> [WebhookDeliveryRecord]
      { try await ledger.webhookDeliveries(to: id, state: state, before: before, limit: limit) }
      let trial = try #require(try await ledger.storeTestWebhook(for: id))
      #expect(trial.event == "webhook.test" && trial.payout == nil && trial.state == .pending)
      let all = try await page()
      #expect(all.first == trial && all.map(\.payout) == [nil] + [3, 2, 1].map(Sample.payoutID))
      #expect(try await page(before: all[0].number, limit: 2) == Array(all[1...2]))
      let lot = try #require(try await test.claim())
      let told = try #require(lot.deliveries.last)
      #expect(told.id == trial.id && told.payout == nil)
      guard case .other(_, let data) = told.told else { throw WebhookTestError() }
      #expect(data.contains("\(id)"))
      for delivery in lot.deliveries.prefix(2) { _ = try await ledger.record(.delivered("HTTP 204"), of: delivery) }
      try await test.release(lot)
      let over = try await page(.delivered)
      #expect(over.map(\.id) == [all[2].id, all[3].id])
      #expect(over.allSatisfy { $0.nextTryAt == nil && $0.lastResult == "HTTP 204" && $0.tries == 1 })
      #expect(try await page(.pending).map(\.id) == [all[0].id, all[1].id])
      #expect(try await ledger.redeliverWebhook(all[0].id) == .waitsAlready)
      #expect(try await ledger.redeliverWebhook(Sample.payoutID(9)) == .unknown)
      // Four days later its time begins anew: it fails, and is tried again.
      try await test.moveClock(toMilliseconds: 4 * TestLedger.day)
      guard case .pending(let again) = try await ledger.redeliverWebhook(over[1].id) else { throw WebhookTestError() }
      #expect(again.id == over[1].id && again.tries == 0 && again.createdAt == over[1].createdAt)
      let second = try #require(try await test.claim())
      let revived = try #require(second.deliveries.first { $0.id == again.id })
      #expect(try await test.fail(revived) == .pending)
      #expect(try await ledger.webhookDelivery(again.id)?.lastResult == "HTTP 500")
      try await test.release(second)
      _ = try await ledger.deleteWebhookEndpoint(id)
      #expect(try await ledger.redeliverWebhook(again.id) == .endpointIsOver)
    }
  }

  @Test func `nothing of an endpoint changes but its failures and its end`() async throws {
    try await withLedger { test async throws in
      try await test.register(1)
      for change in [
        "id = gen_random_uuid()", "owner = 'x'", "url = 'x'", "events = '{payout.queued}'", "description = 'x'",
        "created_at = now()",
      ] {
        #expect(try await test.refusal("UPDATE webhook_endpoints SET \(change)") == "TP002", "\(change)")
      }
      try await test.run("UPDATE webhook_endpoints SET disabled_at = now(), disabled_reason = 'r', deleted_at = now()")
      for change in ["deleted_at = NULL", "disabled_at = NULL, disabled_reason = NULL", "disabled_reason = 'x'"] {
        #expect(try await test.refusal("UPDATE webhook_endpoints SET \(change)") == "TP002", "\(change)")
      }
    }
  }
}

private struct WebhookTestError: Error {}
