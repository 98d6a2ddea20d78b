import Foundation
import Payouts

/// The day's limit, seen from outside: by what a refusal tells, and by how much fits.
enum ChaosLimit {
  /// The most that one payout may be, in USDT.
  private static let most = "10000"
  /// What is left of the limit for the clients who come last, in micro-USDT, and what each of them wants.
  private static let room: Int64 = 100_000_000
  private static let each = "7"

  /// Leaves room for exactly 100 USDT, and has 50 clients want 7 at once at both Ingests: 14 fit, then 2 more USDT, then
  /// nothing.
  ///
  /// - Returns: what the limit is said to count in the end, and what it allows; nil where the day ended meanwhile.
  static func fill(_ stack: Stack, _ clients: ChaosClients) async throws -> PaidWorld.Limit? {
    let today = day()
    try await restart(stack, limit: 1)
    let before = try await used(stack)
    try await restart(stack, limit: before + room)
    var accepted = try await withThrowingTaskGroup(of: Bool.self) { group in
      for number in 1...50 {
        group.addTask { try await clients.ask("limit-\(number)", each) != nil }
      }
      return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
    }
    if try await clients.ask("limit-last", "2") != nil { accepted += 1 }
    if try await clients.ask("limit-beyond", "0.01") != nil { accepted += 1 }
    let after = try await used(stack)
    // At midnight UTC a limit begins anew. Whatever was accepted before that day does not count in it either.
    guard day() == today, stack.began == today else { return nil }
    guard accepted == 15 else { throw Stack.Failure("room for 15 payouts was left, and \(accepted) were accepted") }
    return .init(used: after, allowed: before + room)
  }

  private static func day() -> Int { Int(Date().timeIntervalSince1970) / 86_400 }

  private static func restart(_ stack: Stack, limit: Int64) async throws {
    let ingests = stack.replicas.filter { $0.role == .ingest }
    _ = try await stack.end(ingests)
    // The hour's limit had its turn while everything failed.
    await stack.change([
      "DAILY_PAYOUT_LIMIT_USDT": "\(try Amount(microUSDT: limit))", "HOURLY_PAYOUT_LIMIT_USDT": "100000000",
    ])
    try await stack.start(ingests)
  }

  /// What the day's limit counts, as a refusal says.
  private static func used(_ stack: Stack) async throws -> Int64 {
    let client = PayoutClient(urls: await stack.apiURLs)
    let wish = PayoutClient.Wish(
      key: "probe-\(UUID())", recipient: Address(account: [UInt8](repeating: 0x21, count: 20)),
      amount: try Amount(decimal: most))
    for url in client.urls {
      if let reply = try await client.ask(wish, once: url), reply.status == 400,
        let text = reply.fields["used_usdt"] as? String
      {
        return try Amount(decimal: text).microUSDT
      }
    }
    throw Stack.Failure("no refusal tells what is used of the limit")
  }
}
