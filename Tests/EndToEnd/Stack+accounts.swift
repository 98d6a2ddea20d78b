import Payouts
import TestSupport
import Testing

extension Stack {
  /// Lends a stack and a client of it, and ends the stack whatever happens; where it fails, the ends of all logs are shown.
  static func with(
    replicasOfEach count: Int = 1, funds: Int = 1_000_000, expirationSeconds: Int = 30, faces: Int = 1,
    disk: SmallDisk? = nil, changing variables: [String: String] = [:],
    _ body: @Sendable (Stack, PayoutClient) async throws -> Void
  ) async throws {
    let stack = try await Stack(
      replicasOfEach: count, funds: funds, expirationSeconds: expirationSeconds, faces: faces, disk: disk,
      changing: variables)
    let outcome: Result<Void, any Error>
    do {
      outcome = .success(try await body(stack, PayoutClient(urls: await stack.apiURLs)))
    } catch {
      for replica in stack.replicas { print("end of the log of \(replica):\n\(await stack.log(of: replica))") }
      outcome = .failure(error)
    }
    try await stack.stop()
    try outcome.get()
  }

  /// Balances and Transfers of the chain against the client's own list, to the last micro-USDT.
  func expectExactlyOnce(_ wishes: [PayoutClient.Wish]) async throws {
    var owed: [Address: Int64] = [:]
    for wish in wishes { owed[wish.recipient, default: 0] += wish.amount.microUSDT }
    for (recipient, amount) in owed { #expect(try await chain.balance(of: recipient) == amount) }
    #expect(try await chain.balance(of: wallet) == Int64(funds) * 1_000_000 - owed.values.reduce(0, +))
    let expected = wishes.map {
      DevnetOracle.Transfer(from: wallet, to: $0.recipient, microUSDT: $0.amount.microUSDT)
    }
    let seen = try await chain.transfers(from: wallet)
    #expect(seen.count == expected.count)
    #expect(
      Dictionary(grouping: seen) { $0 }.mapValues(\.count) == Dictionary(grouping: expected) { $0 }.mapValues(\.count))
  }
}

extension PayoutClient.Wish {
  /// Drawn wishes to a few recipients; their seed is printed under the name.
  static func draw(_ count: Int, _ name: String) throws -> [PayoutClient.Wish] {
    var random = SeededGenerator(printedFor: name)
    let recipients = (0..<20).map { _ in Address(account: random.bytes(20)) }
    return try (0..<count).map { number in
      PayoutClient.Wish(
        key: "\(name)-\(number)", recipient: recipients[number % recipients.count],
        amount: try Amount(microUSDT: Int64.random(in: 10_000...50_000_000, using: &random)),
        batchType: number.isMultiple(of: 4) ? "hourly" : "immediate")
    }
  }
}

extension PayoutClient {
  /// Polls each payout until it is confirmed.
  func waitUntilConfirmed(_ ids: [String]) async throws {
    for id in ids { try await wait(until: id, is: "confirmed") }
  }

  /// Polls a payout until it is in a state.
  func wait(until id: String, is status: String) async throws {
    try await eventually("payout \(id) is \(status)", within: .seconds(300)) {
      try await self.status(of: id) == status
    }
  }
}
