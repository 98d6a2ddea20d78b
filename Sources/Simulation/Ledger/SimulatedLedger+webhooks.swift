import Ledger
import Payouts

extension SimulatedLedger: WebhookLedger {
  func claimWebhooks(
    after origin: String?, leaseMilliseconds: Int64, atMost count: Int
  ) async throws -> WebhookClaim {
    try await write("claim webhooks") {
      $0.claimWebhooks(after: origin, leaseMilliseconds: leaseMilliseconds, atMost: count)
    }
  }

  func record(_ result: WebhookResult, of delivery: WebhookDelivery) async throws -> WebhookState? {
    try await write("record webhook") { $0.record(result, of: delivery) }
  }

  func release(_ lot: WebhookLot, restMilliseconds: Int64?, lifetimeMilliseconds: Int64) async throws -> Int {
    try await write("release webhooks") {
      $0.release(lot, restMilliseconds: restMilliseconds, lifetimeMilliseconds: lifetimeMilliseconds)
    }
  }

  func webhookSecrets(of owner: String) async throws -> [WebhookSecret] {
    try await read("webhook secrets") { $0.webhookSecrets(of: owner) }
  }

  func makeWebhookSecret(of owner: String, _ candidate: WebhookSecret) async throws -> [WebhookSecret] {
    try await write("make webhook secret") { $0.makeWebhookSecret(of: owner, candidate) }
  }

  func webhookDepth() async throws -> WebhookDepth { try await read("webhook depth") { $0.webhookDepth() } }
}
