import Foundation
import Ledger
import Payouts
import Synchronization
import TestSupport
import Testing
import Worker

@testable import Monitor

/// What registered endpoints are told, by the real sender to real receivers.
@Suite struct EndpointWebhookTests {
  private static let day: Int64 = 86_400_000

  private func out(secondsMax: Int64 = 60) throws -> PinnedHTTPOut {
    PinnedHTTPOut(
      resolver: SystemHostResolver(), callable: CallableAddresses(allowed: [try IPNetwork("127.0.0.0/8")]),
      secondsMax: secondsMax)
  }

  private func secret(_ number: UInt8) throws -> WebhookSecret {
    try WebhookSecret(bytes: [UInt8](repeating: number, count: 32))
  }

  @discardableResult
  private func register(
    _ scene: PayingScene, _ number: Int, at url: String, owner: String = "owner-1"
  ) async throws -> WebhookEndpointID {
    let terms = WebhookEndpointTerms(
      id: PayingScene.payoutID(9_000 + number), owner: owner, url: url, events: nil, description: nil)
    let made = try await scene.ledger.makeWebhookEndpoint(terms, secret: secret(UInt8(number)))
    return try #require(made).terms.id
  }

  /// The signatures of a request, held against these secrets.
  private func isSigned(_ request: ReceivedWebhook, by secrets: [WebhookSecret]) throws -> Bool {
    let seconds = try #require(request.headers.first(name: "webhook-timestamp").flatMap { Int64($0) })
    let signatures = secrets.map { $0.signature(id: request.id, seconds: seconds, body: request.body) }
    return request.headers.first(name: "webhook-signature") == signatures.joined(separator: " ")
  }

  @Test func `an endpoint and the payout's own URL are told the same, each by its own secret`() async throws {
    try await PayingScene.run { scene in
      try await WebhookReceiver.run { receiver in
        let monitor = try scene.monitor(out: try out())
        try await register(scene, 1, at: receiver.url("/endpoint"))
        try await scene.accept(1...1, toldTo: receiver.url("/own"))
        try await scene.hold(1)
        try await scene.run(monitor.deliverWebhooks[0])
        try await scene.run(monitor.deliverWebhooks[0])
        let owners = try await scene.ledger.webhookSecrets(of: "owner-1")
        for (path, secrets) in [("/endpoint", [try secret(1)]), ("/own", owners)] {
          let got = receiver.received.filter { $0.path == path }
          #expect(got.map(\.event) == ["payout.queued", "payout.held"], "\(path)")
          #expect(try got.allSatisfy { try isSigned($0, by: secrets) }, "\(path)")
        }
        let bodies = Dictionary(grouping: receiver.received) { $0.event }.mapValues { Set($0.map(\.body)) }
        #expect(bodies.values.allSatisfy { $0.count == 1 })
        #expect(Set(receiver.received.map(\.id)).count == 4)
      }
    }
  }

  @Test func `a dead endpoint delays neither a living one of the same owner nor the payout's own URL`() async throws {
    try await PayingScene.run { scene in
      try await WebhookReceiver.run(answering: { _ in .silence }) { dead in
        try await WebhookReceiver.run { living in
          try await WebhookReceiver.run { own in
            try await register(scene, 1, at: dead.url())
            try await register(scene, 2, at: living.url())
            let monitor = try scene.monitor(out: try out(secondsMax: 600))
            try await withThrowingTaskGroup(of: Void.self) { group in
              for step in monitor.deliverWebhooks.prefix(4) {
                group.addTask {
                  do {
                    while true {
                      try Task.checkCancellation()
                      if case .idle(let milliseconds) = try await step.run() {
                        try await Task.sleep(for: .milliseconds(milliseconds))
                      }
                    }
                  } catch { guard Task.isCancelled else { throw error } }
                }
              }
              defer { group.cancelAll() }
              try await scene.accept(1...10, toldTo: own.url())
              for number in 1...10 { try await scene.hold(number) }
              try await eventually("the living are told all") {
                living.received.count == 20 && own.received.count == 20
              }
              #expect(dead.received.count <= DeliverWebhooks.atOnce)
              for receiver in [living, own] {
                for number in 1...10 {
                  let events = receiver.received.filter { $0.payout == "\(PayingScene.payoutID(number))" }
                    .compactMap(\.event)
                  #expect(events == ["payout.queued", "payout.held"])
                }
              }
            }
          }
        }
      }
    }
  }

  @Test func `a test and a redelivery arrive, the latter under its webhook-id with the same body`() async throws {
    try await PayingScene.run { scene in
      try await WebhookReceiver.run { receiver in
        let monitor = try scene.monitor(out: try out())
        let id = try await register(scene, 1, at: receiver.url())
        let trial = try #require(try await scene.ledger.storeTestWebhook(for: id))
        try await scene.run(monitor.deliverWebhooks[0])
        let first = try #require(receiver.received.first)
        #expect(first.id == "\(trial.id)" && first.event == "webhook.test")
        let json = try #require(try JSONSerialization.jsonObject(with: Data(first.body)) as? [String: Any])
        #expect(Set(json.keys) == ["type", "timestamp", "data"])
        #expect(json["timestamp"] as? String == "\(trial.createdAt)")
        #expect(json["data"] as? [String: String] == ["webhook_id": "\(id)"])
        #expect(try isSigned(first, by: [secret(1)]))
        _ = try await scene.ledger.redeliverWebhook(trial.id)
        try await scene.run(monitor.deliverWebhooks[0])
        #expect(receiver.received.map(\.id) == [first.id, first.id])
        #expect(receiver.received.map(\.body) == [first.body, first.body])
      }
    }
  }

  @Test func `both secrets of an endpoint sign for a day after a rotation`() async throws {
    try await PayingScene.run { scene in
      try await WebhookReceiver.run { receiver in
        let monitor = try scene.monitor(out: try out())
        let id = try await register(scene, 1, at: receiver.url())
        _ = try await scene.ledger.rotateWebhookEndpointSecret(id, to: secret(2), oldValidMilliseconds: Self.day)
        for secrets in [[try secret(2), try secret(1)], [try secret(2)]] {
          _ = try await scene.ledger.storeTestWebhook(for: id)
          try await scene.run(monitor.deliverWebhooks[0])
          #expect(try isSigned(try #require(receiver.received.last), by: secrets))
          try await scene.wait(milliseconds: Self.day + 60_000)
        }
        #expect(receiver.received.count == 2)
      }
    }
  }

  @Test func `what is due to an endpoint that was deleted is given up without a call`() async throws {
    // Proves it also for what a change stored that still saw the endpoint.
    try await PayingScene.run { scene in
      let out = ScriptedOut { _ in 200 }
      let monitor = try scene.monitor(out: out)
      let id = try await register(scene, 1, at: "https://hooks.example/in")
      _ = try await scene.ledger.storeTestWebhook(for: id)
      _ = try await scene.ledger.deleteWebhookEndpoint(id)
      try await scene.pool.executeScript("UPDATE webhook_deliveries SET state = 'pending', ended_at = NULL")
      try await scene.run(monitor.deliverWebhooks[0])
      #expect(try await scene.deliveries() == ["webhook.test given_up 0"])
      #expect(out.sent.isEmpty)
    }
  }
}
