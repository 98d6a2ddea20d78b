import Foundation
import Payouts
import TestSupport
import Testing

extension Stack {
  /// Holds every window of every limit against what counts in it, row by row, and all windows together against what the
  /// client knows to have been paid, when nothing is under way.
  func expectExactLimits(of paid: [PayoutClient.Wish]) async throws {
    #expect(try await sql(ExactLimits.wrongWindows) == "")
    let sum = paid.reduce(0) { $0 + $1.amount.microUSDT }
    let expected = ["accepted", "accepted_v0", "signed"].flatMap { ["\($0)|day|\(sum)", "\($0)|hour|\(sum)"] }
    let used = try await sql(
      "SELECT scope, span, sum(used) FROM limit_windows WHERE scope <> 'accepted_kyc' GROUP BY 1, 2 ORDER BY 1, 2")
    #expect(used.split(separator: "\n").map(String.init) == expected)
  }

  /// Leaves room for exactly 100 USDT in the day's limit, and has 50 clients ask for 7 at once, at both Ingests: 14 fit, and
  /// then 2 more USDT, and then nothing. Waits until those are paid.
  ///
  /// - Returns: what was accepted, with its ids.
  func expectExactRefusals(
    _ client: PayoutClient, webhookURL: String
  ) async throws -> [PayoutClient.Wish: String] {
    let ingests = replicas.filter { $0.role == .ingest }
    let day =
      "SELECT coalesce(sum(used), 0), date_trunc('day', now(), 'UTC') FROM limit_windows WHERE scope = 'accepted' "
      + "AND span = 'day' AND starts_at = date_trunc('day', now(), 'UTC')"
    let answer = try await sql(day).split(separator: "|")
    let (used, today) = (Int64(answer[0]) ?? 0, answer[1])
    _ = try await end(ingests)
    change(["DAILY_PAYOUT_LIMIT_USDT": "\(try Amount(microUSDT: used + 100_000_000))"])
    try await start(ingests)
    func wish(_ key: String, _ amount: String) throws -> PayoutClient.Wish {
      PayoutClient.Wish(
        key: key, recipient: Address(account: [UInt8](repeating: 0x44, count: 20)),
        amount: try Amount(decimal: amount), webhookURL: webhookURL)
    }
    let answers = try await withThrowingTaskGroup(of: (PayoutClient.Wish, PayoutClient.Answer).self) { group in
      for number in 1...50 {
        let wish = try wish("limit \(number)", "7")
        group.addTask { (wish, try await client.ask(wish)) }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    let full = PayoutClient.Answer.refused(status: 400, problem: "limit-exceeded")
    var accepted: [PayoutClient.Wish: String] = [:]
    for case (let wish, .accepted(let id)) in answers { accepted[wish] = id }
    let last = try wish("limit, to the last cent", "2")
    accepted[last] = try await client.pay(last)
    let beyond = try await client.ask(try wish("limit, one cent more", "0.01"))
    // At midnight the limit begins anew, and nothing is refused.
    if try await sql(day).split(separator: "|")[1] == today {
      #expect(answers.count { $0.1 == full } == 36 && accepted.count == 15 && beyond == full)
    }
    try await client.waitUntilConfirmed(Array(accepted.values))
    return accepted
  }
}
