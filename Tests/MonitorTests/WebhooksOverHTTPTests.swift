import Foundation
import Ledger
import Payouts
import Synchronization
import TestSupport
import Testing
import Worker

@testable import Monitor

/// Webhooks from the ledger to real receivers, with everything between them real.
@Suite struct WebhooksOverHTTPTests {
  private func out(secondsMax: Int64 = 60) throws -> PinnedHTTPOut {
    PinnedHTTPOut(
      resolver: SystemHostResolver(), callable: CallableAddresses(allowed: [try IPNetwork("127.0.0.0/8")]),
      secondsMax: secondsMax)
  }

  @Test func `a receiver verifies what it gets by Python's own means`() async throws {
    // The outside word on the signature: a receiver's program that knows the header names, the secret's text and the body.
    try await PayingScene.run { scene in
      try await WebhookReceiver.run { receiver in
        let monitor = try scene.monitor(out: try out())
        try await scene.accept(1...3, toldTo: receiver.url("/in?key=1"))
        try await scene.hold(2)
        try await scene.run(monitor.deliverWebhooks[0])
        #expect(receiver.received.count == 4)
        #expect(receiver.received.allSatisfy { $0.path == "/in?key=1" })
        let secret = try #require(try await scene.ledger.webhookSecrets(of: "owner-1").first)
        let lines = receiver.received.map { request in
          let names = ["webhook-id", "webhook-timestamp", "webhook-signature"]
          let values = names.map { request.headers.first(name: $0) ?? "" }
          return ([secret.text] + values + [Hex.text(request.body)]).joined(separator: " ")
        }
        let script = """
          import base64, hashlib, hmac, json, sys
          for line in sys.stdin:
              secret, name, seconds, signature, body = line.split()
              body = bytes.fromhex(body)
              key = base64.b64decode(secret[len("whsec_"):])
              wanted = base64.b64encode(hmac.new(key, f"{name}.{seconds}.".encode() + body, hashlib.sha256).digest())
              event = json.loads(body)
              print(hmac.compare_digest("v1," + wanted.decode(), signature), event["type"])
          """
        #expect(
          try await PythonScript.run(script, lines: lines).sorted() == [
            "True payout.held", "True payout.queued", "True payout.queued", "True payout.queued",
          ])
      }
    }
  }

  @Test func `a dead and a slow endpoint delay none of the eighteen others`() async throws {
    // Both have fifty deliveries, and have had their first ones for a while. Each of 180 payouts that are then accepted
    // one by one, ten for each other endpoint, is told sooner than a single answer of the slow one takes; the delays from
    // commit to receipt are printed.
    try await PayingScene.run { scene in
      try await WebhookReceiver.run(answering: { _ in .silence }) { dead in
        try await WebhookReceiver.run(answering: { _ in .late(milliseconds: Self.slowMilliseconds) }) { slow in
          try await withReceivers(18) { others in
            try await scene.accept(1...50, toldTo: dead.url())
            try await scene.accept(51...100, toldTo: slow.url())
            let monitor = try scene.monitor(out: try out(secondsMax: 600))
            try await running(monitor.deliverWebhooks) {
              try await eventually("both were called") { !dead.received.isEmpty && !slow.received.isEmpty }
              var committed: [String: ContinuousClock.Instant] = [:]
              for number in 0..<180 {
                try await scene.accept((number + 201)...(number + 201), toldTo: others[number % 18].url())
                committed["\(PayingScene.payoutID(number + 201))"] = .now
              }
              try await eventually("everybody else is told all") { others.allSatisfy { $0.received.count == 10 } }
              // One server gets two requests at a time, however many deliverers there are.
              #expect(dead.received.count <= DeliverWebhooks.atOnce)
              let delays = try others.flatMap(\.received).map { received in
                received.at - (try #require(committed[received.payout ?? ""]))
              }.sorted()
              #expect(delays.count == 180 && delays[179] < .milliseconds(Self.slowMilliseconds))
              print(
                "webhooks' delay of 18 beside a dead and a slow one: median \(delays[90]), p99 \(delays[178]), most \(delays[179])"
              )
            }
          }
        }
      }
    }
  }

  /// How long the slow endpoint takes for each answer.
  private static let slowMilliseconds: Int64 = 20_000

  @Test func `two Monitors side by side tell each event once and in order`() async throws {
    try await PayingScene.run { scene in
      try await withReceivers(3) { receivers in
        for (index, receiver) in receivers.enumerated() {
          try await scene.accept((index * 20 + 1)...(index * 20 + 20), toldTo: receiver.url())
        }
        for number in 1...60 where number % 2 == 0 { try await scene.hold(number) }
        let steps = try ["monitor-1", "monitor-2"].flatMap {
          try scene.monitor($0, out: try out()).deliverWebhooks
        }
        try await running(steps) {
          try await eventually("all is told") {
            try await scene.count("SELECT count(*) FROM webhook_deliveries WHERE state = 'pending'") == 0
          }
        }
        let received = receivers.flatMap(\.received)
        #expect(received.count == 90 && Set(received.map(\.id)).count == 90)
        for number in 1...60 {
          let events = received.filter { $0.payout == "\(PayingScene.payoutID(number))" }.compactMap(\.event)
          #expect(events == ["payout.queued"] + (number % 2 == 0 ? ["payout.held"] : []), "payout \(number)")
        }
      }
    }
  }

  @Test func `a private address is a failed try with a reason, and no word of it goes out`() async throws {
    try await PayingScene.run { scene in
      try await WebhookReceiver.run { receiver in
        let strict = PinnedHTTPOut(resolver: SystemHostResolver(), callable: CallableAddresses())
        let monitor = try scene.monitor(out: strict)
        try await scene.accept(1...1, toldTo: receiver.url())
        try await scene.run(monitor.deliverWebhooks[0])
        #expect(receiver.received.isEmpty)
        #expect(try await scene.deliveries() == ["payout.queued pending 1"])
        let row = try await scene.pool.execute("SELECT last_result FROM webhook_deliveries").rows[0]
        #expect(
          try row.text("last_result")
            == "refused_address: 127.0.0.1 is 127.0.0.1, loopback; WEBHOOK_ALLOWED_NETWORKS does not name it")
      }
    }
  }

  /// Receivers for the time of `body`.
  private func withReceivers(_ count: Int, _ body: ([WebhookReceiver]) async throws -> Void) async throws {
    func open(_ opened: [WebhookReceiver]) async throws {
      if opened.count == count { return try await body(opened) }
      try await WebhookReceiver.run { try await open(opened + [$0]) }
    }
    try await open([])
  }

  /// Lets steps go round beside one another for the time of `body`, then ends them where they stand.
  private func running(_ steps: [Step], _ body: () async throws -> Void) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for step in steps {
        group.addTask {
          do {
            while true {
              try Task.checkCancellation()
              if case .idle(let milliseconds) = try await step.run() {
                try await Task.sleep(for: .milliseconds(milliseconds))
              }
            }
          } catch {
            guard Task.isCancelled else { throw error }
          }
        }
      }
      defer { group.cancelAll() }
      try await body()
    }
  }
}
