import Ledger
import Monitor
import Payouts
import Synchronization
import TestSupport
import Testing
import Worker

@testable import Monitor

/// Telling events by webhook (api.md "Webhooks"), with the world outside scripted and time standing still.
@Suite struct DeliverWebhooksTests {
  @Test func `a payment is told from acceptance to confirmation, in these bytes`() async throws {
    // The golden bytes: receivers and later versions of this program rely on them.
    try await PayingScene.run { scene in
      let out = ScriptedOut { _ in 204 }
      let monitor = try scene.monitor(out: out)
      let signer = try scene.signer()
      try await scene.read(monitor)
      try await scene.run(signer.vouch)
      let payout = try scene.payout(1, amount: 12_345_670, webhookURL: "https://hooks.example/in?key=1")
      try await scene.schedule([payout])
      try await scene.run(signer.sign)
      try await scene.run(signer.broadcast)
      let txid = try await scene.txid(1)
      try await scene.live(22, monitor)
      #expect(try await scene.status(1) == .confirmed)
      try await scene.run(monitor.deliverWebhooks[0])

      #expect(out.sent.map(\.url) == [String](repeating: "https://hooks.example/in?key=1", count: 3))
      func body(_ status: String, _ at: Timestamp, _ txid: String) -> String {
        #"{"type":"payout.\#(status)","timestamp":"\#(at)","data":{"payout_id":"\#(PayingScene.payoutID(1))","#
          + #""status":"\#(status)","asset":"USDT","amount_usdt":"12.34567","recipient_address":"#
          + #""\#(PayingScene.recipient(1))","external_id":null,"batch_id":null,"txid":\#(txid),"hold_reason":null}}"#
      }
      let history = try await scene.ledger.history(of: PayingScene.payoutID(1))
      func at(_ status: PayoutStatus) throws -> Timestamp { try #require(history.first { $0.to == status }).at }
      #expect(
        try out.sent.map(\.text) == [
          body("queued", at(.queued), "null"), body("broadcast", at(.broadcast), "\"\(txid)\""),
          body("confirmed", at(.confirmed), "\"\(txid)\""),
        ])
      #expect(Set(out.sent.compactMap { $0.header("webhook-id") }).count == 3)
      #expect(out.sent[0].header("webhook-timestamp") == "\(scene.clock.now().milliseconds / 1_000)")
      // Nobody made a secret: the owner was given one by chance, and may ask for it.
      let secret = try WebhookSecret(bytes: [UInt8](repeating: 0x5e, count: 32))
      #expect(try await scene.ledger.webhookSecrets(of: "owner-1") == [secret])
      for sent in out.sent {
        let signature = secret.signature(
          id: sent.header("webhook-id") ?? "", seconds: scene.clock.now().milliseconds / 1_000, body: sent.body)
        #expect(sent.header("webhook-signature") == signature)
      }
    }
  }

  @Test func `a hold is told with its reason`() async throws {
    try await PayingScene.run { scene in
      let out = ScriptedOut { _ in 200 }
      let monitor = try scene.monitor(out: out)
      try await scene.accept(1...1, toldTo: "https://hooks.example/")
      try await scene.pool.executeScript(
        #"UPDATE payouts SET status = 'held', held_from = 'queued', hold_reason = E'over "it"\n'"#)
      try await scene.run(monitor.deliverWebhooks[0])
      #expect(out.sent.last?.text.hasSuffix(#""txid":null,"hold_reason":"over \"it\"\n"}}"#) == true)
    }
  }

  @Test func `after a rotation both secrets sign`() async throws {
    try await PayingScene.run { scene in
      let out = ScriptedOut { _ in 200 }
      let monitor = try scene.monitor(out: out)
      let secrets = try [1, 2].map { try WebhookSecret(bytes: [UInt8](repeating: $0, count: 32)) }
      _ = try await scene.ledger.makeWebhookSecret(of: "owner-1", secrets[0])
      _ = try await scene.ledger.rotateWebhookSecret(
        of: "owner-1", to: secrets[1], oldValidMilliseconds: 86_400_000)
      try await scene.accept(1...1, toldTo: "https://hooks.example/")
      try await scene.run(monitor.deliverWebhooks[0])
      let sent = try #require(out.sent.first)
      let (id, seconds) = (sent.header("webhook-id") ?? "", scene.clock.now().milliseconds / 1_000)
      let signatures = [secrets[1], secrets[0]].map { $0.signature(id: id, seconds: seconds, body: sent.body) }
      #expect(sent.header("webhook-signature") == signatures.joined(separator: " "))
    }
  }

  @Test func `what fails is sent again by the schedule, the same bytes, for three days`() async throws {
    // Every wait is looked at from both sides; after three days it is given up with an alarm.
    try await PayingScene.run { scene in
      let out = ScriptedOut { _ in 500 }
      let monitor = try scene.monitor(out: out)
      try await scene.accept(1...1, toldTo: "https://hooks.example/")
      try await scene.run(monitor.deliverWebhooks[0])
      var age: Int64 = 0
      for wait in WebhookSchedule.waitsSeconds {
        let before = out.sent.count
        try await scene.wait(milliseconds: wait * 1_000 - 1)
        try await scene.run(monitor.deliverWebhooks[0])
        #expect(out.sent.count == before, "\(wait) s are not over")
        try await scene.wait(milliseconds: 1)
        try await scene.run(monitor.deliverWebhooks[0])
        #expect(out.sent.count == before + 1, "\(wait) s are over")
        age += wait * 1_000
      }
      #expect(Set(out.sent.map(\.text)).count == 1 && Set(out.sent.map { $0.header("webhook-id") }).count == 1)
      #expect(Set(out.sent.map { $0.header("webhook-timestamp") }).count == out.sent.count)
      while age + 28_800_000 < WebhookSchedule.lifetimeMilliseconds {
        try await scene.wait(milliseconds: 28_800_000)
        try await scene.run(monitor.deliverWebhooks[0])
        age += 28_800_000
      }
      let tries = out.sent.count
      #expect(try await scene.deliveries() == ["payout.queued pending \(tries)"])
      try await scene.wait(milliseconds: WebhookSchedule.lifetimeMilliseconds - age)
      try await scene.run(monitor.deliverWebhooks[0])
      #expect(try await scene.deliveries() == ["payout.queued given_up \(tries + 1)"])
      #expect(try await scene.alarms() == ["webhook_given_up"])
      try await scene.wait(milliseconds: 86_400_000)
      try await scene.run(monitor.deliverWebhooks[0])
      #expect(out.sent.count == tries + 1)
    }
  }

  @Test(arguments: [200, 204, 299, 410, 301, 302, 400, 404, 429, 500, 503])
  func `only success and 410 end a delivery`(status: Int) async throws {
    try await PayingScene.run { scene in
      let monitor = try scene.monitor(out: ScriptedOut { _ in status })
      try await scene.accept(1...1, toldTo: "https://hooks.example/")
      try await scene.run(monitor.deliverWebhooks[0])
      let state = status < 300 ? "delivered" : status == 410 ? "gone" : "pending"
      #expect(try await scene.deliveries() == ["payout.queued \(state) 1"])
      #expect(try await scene.alarms().isEmpty)
    }
  }

  @Test func `a later event waits for an earlier one until that has failed five times`() async throws {
    try await PayingScene.run { scene in
      let out = ScriptedOut { request in request.text.contains("queued") ? 500 : 200 }
      let monitor = try scene.monitor(out: out)
      try await scene.accept(1...1, toldTo: "https://hooks.example/")
      try await scene.hold(1)
      for tries in 1...5 {
        try await scene.run(monitor.deliverWebhooks[0])
        let told = tries < 5 ? "pending 0" : "delivered 1"
        #expect(
          try await scene.deliveries() == ["payout.queued pending \(tries)", "payout.held \(told)"])
        try await scene.wait(milliseconds: WebhookSchedule.waitsSeconds[tries - 1] * 1_000)
      }
    }
  }

  @Test func `a process that dies after sending leaves the delivery to the next, under the same id`() async throws {
    // The crash between sending and recording: the first dispatcher's task ends there. At least once.
    try await PayingScene.run { scene in
      let crashing = ScriptedOut { _ throws(HTTPOutError) in throw HTTPOutError(.cancelled, "the process died here") }
      let out = ScriptedOut { _ in 200 }
      try await scene.accept(1...1, toldTo: "https://hooks.example/")
      #expect(try await scene.failure(of: scene.monitor(out: crashing).deliverWebhooks[0]) is CancellationError)
      #expect(try await scene.deliveries() == ["payout.queued pending 0"])
      let other = try scene.monitor("monitor-2", out: out)
      try await scene.run(other.deliverWebhooks[0])
      #expect(out.sent.isEmpty, "the server is still held by the one that died")
      try await scene.wait(milliseconds: DeliverWebhooks.leaseMilliseconds)
      try await scene.run(other.deliverWebhooks[0])
      #expect(try await scene.deliveries() == ["payout.queued delivered 1"])
      #expect(out.sent.map(\.text) == crashing.sent.map(\.text))
      #expect(out.sent.map { $0.header("webhook-id") } == crashing.sent.map { $0.header("webhook-id") })
    }
  }

  @Test func `a server that does not answer rests, and is then served again`() async throws {
    // Ten due deliveries, a server that is dead: two tries find it out, and the others wait with it.
    try await PayingScene.run { scene in
      let isDead = Mutex(true)
      let out = ScriptedOut { _ throws(HTTPOutError) in
        if isDead.withLock({ $0 }) { throw HTTPOutError(.timeout, "no answer within 10 s") }
        return 200
      }
      let monitor = try scene.monitor(out: out)
      try await scene.accept(1...10, toldTo: "https://hooks.example/")
      try await scene.run(monitor.deliverWebhooks[0])
      #expect(out.sent.count == DeliverWebhooks.atOnce)
      try await scene.run(monitor.deliverWebhooks[1])
      #expect(out.sent.count == DeliverWebhooks.atOnce)
      isDead.withLock { $0 = false }
      try await scene.wait(milliseconds: 5_000)
      try await scene.run(monitor.deliverWebhooks[1])
      #expect(try await scene.count("SELECT count(*) FROM webhook_deliveries WHERE state = 'delivered'") == 10)
    }
  }

  @Test func `waits grow by at most a fifth by chance`() {
    struct Most: RandomSource {
      func bytes(_ count: Int) -> [UInt8] { [] }
      func uniform(below bound: UInt64) -> UInt64 { bound - 1 }
    }
    for (tries, wait) in (WebhookSchedule.waitsSeconds + [28_800]).enumerated() {
      #expect(WebhookSchedule.delay(afterTries: tries, random: NoRandomness()) == wait * 1_000)
      #expect(WebhookSchedule.delay(afterTries: tries, random: Most()) == wait * 1_200)
    }
  }
}
