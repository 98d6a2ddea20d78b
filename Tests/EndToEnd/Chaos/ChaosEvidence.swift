import Foundation
import Payouts
import TestSupport

/// Gathers what can be known from outside: the chain, the API's answers, and the webhooks that verified.
struct ChaosEvidence {
  let stack: Stack
  let clients: ChaosClients
  let receiver: TestProcess

  init(_ stack: Stack, _ clients: ChaosClients, _ receiver: TestProcess) {
    self.stack = stack
    self.clients = clients
    self.receiver = receiver
  }

  /// All of it.
  ///
  /// - Parameter isAtRest: whether nothing moves any more, so that reservations can be read beside the payouts.
  func world(
    hourlyLimit: PaidWorld.HourlyLimit, day: PaidWorld.Limit?, isAtRest: Bool
  ) async throws -> PaidWorld {
    let client = PayoutClient(urls: await stack.apiURLs)
    let ids = await clients.acknowledged
    var payouts: [String: PaidWorld.Payout] = [:]
    for id in ids { payouts[id] = try await client.payout(id).map(Self.payout) }
    // A webhook may be late: its receiver refuses one whose time is wrong, and is told again after 5 s, 30 s, 2 min.
    let deadline = ContinuousClock.now + .seconds(300)
    while ContinuousClock.now < deadline {
      let told = ToldByWebhook(receiver.output).events
      let ended = payouts.filter { ChaosReport.ends.contains($0.value.status) }
      if ended.allSatisfy({ told[$0.key]?.contains("payout.\($0.value.status)") ?? false }) { break }
      try await Task.sleep(for: .seconds(1))
    }
    return PaidWorld(
      wallet: stack.wallet, balanceBefore: Int64(stack.funds) * 1_000_000,
      balanceAfter: try await stack.chain.balance(of: stack.wallet), orders: await clients.book, payouts: payouts,
      payments: try await stack.chain.payments(from: stack.wallet), told: ToldByWebhook(receiver.output).events,
      hourlyLimit: hourlyLimit, reserved: isAtRest ? try await reserved() : nil, day: day)
  }

  /// What the ledger holds to be reserved in each hour's limit: a refusal tells it of the present hour alone.
  private func reserved() async throws -> [Int64: Int64] {
    let rows = try await stack.sql(
      """
      SELECT unix_ms(starts_at) / 3600000, used FROM limit_windows WHERE scope = 'accepted' AND span = 'hour'
      """)
    let pairs = rows.split(separator: "\n").map { $0.split(separator: "|").compactMap { Int64($0) } }
    guard pairs.allSatisfy({ $0.count == 2 }) else { throw Stack.Failure("no windows: \(rows)") }
    return Dictionary(uniqueKeysWithValues: pairs.map { ($0[0], $0[1]) })
  }

  private static func date(_ text: String) -> Date? {
    try? Date(text, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true))
  }

  private static func payout(_ fields: [String: Any]) -> PaidWorld.Payout {
    let history = (fields["history"] as? [[String: Any]] ?? []).map {
      PaidWorld.Change(from: $0["from"] as? String, to: $0["status"] as? String ?? "")
    }
    let times = (fields["history"] as? [[String: Any]] ?? []).compactMap { ($0["at"] as? String).flatMap(date) }
    func milliseconds(_ date: Date?) -> Int64 { Int64(((date?.timeIntervalSince1970 ?? 0) * 1_000).rounded()) }
    return PaidWorld.Payout(
      status: fields["status"] as? String ?? "", recipient: fields["recipient_address"] as? String ?? "",
      amount: fields["amount_usdt"] as? String ?? "", txid: fields["txid"] as? String, history: history,
      acceptedAt: milliseconds(times.first), endedAt: milliseconds(times.last))
  }
}

/// What a receiver printed, of a system whose clocks jump: a webhook of a wrong time does not verify, and counts for nothing.
struct ToldByWebhook {
  /// The events that verified, by payout.
  private(set) var events: [String: Set<String>] = [:]
  /// How many did not.
  private(set) var unverified = 0

  init(_ output: String) {
    for line in output.split(separator: "\n") where line.hasPrefix("{") && line.hasSuffix("}") {
      let fields = (try? JSONSerialization.jsonObject(with: Data(line.utf8))) as? [String: Any] ?? [:]
      guard fields["is_verified"] as? Bool == true else {
        unverified += 1
        continue
      }
      if let type = fields["type"] as? String, let id = fields["payout_id"] as? String {
        events[id, default: []].insert(type)
      }
    }
  }
}
