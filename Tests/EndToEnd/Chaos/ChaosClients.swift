import Foundation
import Payouts
import TestSupport

/// The clients of a chaos run: they hand in payouts without a pause, each under a key of its own, ask again until they are
/// answered, and ask again although they were: now and then at once, and all of them in the end. Here stands what they
/// wanted and what they heard.
actor ChaosClients {
  private static let batchTypes = ["immediate", "immediate", "immediate", "hourly", "daily", "weekly"]
  private static let priorities = ["low", "normal", "high", "urgent"]
  /// How long a client goes on asking: longer than the system may be away.
  private static let patience = Duration.seconds(600)
  /// How many ask at once in the end.
  private static let askingAtOnce = 32

  private var orders: [PaidWorld.Order] = []
  /// What each order was asked for with.
  private var wishes: [PayoutClient.Wish] = []
  private var random: SeededGenerator
  private let urls: [String]
  private let webhookURL: String
  /// Few accounts, so that many payouts are alike in recipient and amount.
  private let regulars: [Address]
  /// The token refuses this one, so that its payouts fail by their own fault.
  let refused: Address
  /// How often an answer was that a limit is reached.
  private(set) var refusals = 0
  /// The longest that a client had to ask until it was answered.
  private(set) var longestWait = Duration.zero
  /// How many asked once more in the end, and were answered.
  private(set) var askedAgain = 0

  init(seed: UInt64, urls: [String], webhookURL: String) {
    random = SeededGenerator(seed: seed)
    self.urls = urls
    self.webhookURL = webhookURL
    regulars = [Address(account: random.bytes(20)), Address(account: random.bytes(20))]
    refused = Address(account: random.bytes(20))
  }

  /// What was wanted and heard so far.
  var book: [PaidWorld.Order] { orders }

  /// The payouts that were acknowledged.
  var acknowledged: [String] { orders.flatMap(\.ids) }

  /// Hands in payouts at a pace until told to stop, and returns when each was answered.
  func handIn(every pace: Duration, until end: ContinuousClock.Instant) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      while ContinuousClock.now < end {
        let (number, wish) = try next()
        let asksTwice = Int.random(in: 0..<5, using: &random) == 0
        let pause = Duration.milliseconds(Int.random(in: 0..<4_000, using: &random))
        group.addTask {
          try await self.ask(wish, number)
          guard asksTwice else { return }
          try await Task.sleep(for: pause)
          try await self.ask(wish, number)
        }
        try await Task.sleep(for: pace)
      }
      try await group.waitForAll()
    }
  }

  /// Asks for one more payout, and returns its id; nil where it is refused.
  func ask(_ key: String, _ amount: String, to recipient: Address? = nil) async throws -> String? {
    let wish = PayoutClient.Wish(
      key: key, recipient: recipient ?? Address(account: random.bytes(20)), amount: try Amount(decimal: amount),
      webhookURL: webhookURL)
    let number = note(wish)
    try await ask(wish, number)
    return orders[number].ids.first
  }

  /// Every client asks once more, with the same body, when all has ended: a retry may come at any time.
  ///
  /// Who was accepted must be told the same payout, whatever became of it; another one, or a refusal, is a violation.
  /// Who was refused may be accepted now: a request without an answer may have been carried out after a later one of
  /// its key was refused, and then its client was never told. With the limit full nothing more is accepted, unless the
  /// day ends just then.
  func askAgain() async throws {
    let count = orders.count
    for first in stride(from: 0, to: count, by: Self.askingAtOnce) {
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in first..<min(first + Self.askingAtOnce, count) {
          let wish = wishes[number]
          group.addTask { try await self.ask(wish, number) }
        }
        try await group.waitForAll()
      }
    }
    askedAgain = count
  }

  private func note(_ wish: PayoutClient.Wish) -> Int {
    orders.append(.init(key: wish.key, recipient: wish.recipient, microUSDT: wish.amount.microUSDT))
    wishes.append(wish)
    return orders.count - 1
  }

  private func next() throws -> (Int, PayoutClient.Wish) {
    let number = orders.count
    let isRegular = Int.random(in: 0..<6, using: &random) == 0
    let stranger = Address(account: random.bytes(20))
    let drawn = Int64.random(in: 10_000...50_000_000, using: &random)
    var wish = PayoutClient.Wish(
      key: "chaos-\(number)", recipient: stranger, amount: try Amount(microUSDT: drawn),
      webhookURL: webhookURL)
    if isRegular {
      wish = PayoutClient.Wish(
        key: wish.key, recipient: regulars[number % regulars.count], amount: try Amount(microUSDT: 1_250_000),
        webhookURL: webhookURL)
    }
    // A few fail by their own fault, a few expire.
    if number % 60 == 30 {
      wish = PayoutClient.Wish(key: wish.key, recipient: refused, amount: wish.amount, webhookURL: webhookURL)
    }
    wish.batchType = Self.batchTypes.randomElement(using: &random) ?? "immediate"
    wish.priority = Self.priorities.randomElement(using: &random) ?? "normal"
    if number % 50 == 25 {
      wish.batchType = "weekly"
      wish.expiresAt = Date(timeIntervalSinceNow: 20).formatted(.iso8601)
    }
    return (note(wish), wish)
  }

  private func ask(_ wish: PayoutClient.Wish, _ number: Int) async throws {
    let began = ContinuousClock.now
    // A client of its own for each: its token is good for three hours.
    let answer = try await PayoutClient(urls: urls).ask(wish, within: Self.patience)
    longestWait = max(longestWait, ContinuousClock.now - began)
    switch answer {
    case .accepted(let id):
      // Who was refused by a limit may ask again once there is room; who was accepted is never refused, not even where
      // the same could not be accepted any more.
      if orders[number].ids.isEmpty { orders[number].isRefused = false }
      orders[number].ids.insert(id)
      if orders[number].answeredAt == nil {
        orders[number].answeredAt = Int64((Date().timeIntervalSince1970 * 1_000).rounded(.up))
      }
    case .refused(400, "limit-exceeded"):
      orders[number].isRefused = true
      refusals += 1
    // Too late to be accepted at all: it was asked for after its own expiry.
    case .refused(400, _) where wish.expiresAt != nil: orders[number].isRefused = true
    case .refused(let status, let problem): throw Stack.Failure("\(wish.key): \(status) \(problem)")
    }
  }
}
