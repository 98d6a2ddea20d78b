import Foundation
import Payouts
import TestSupport
import Testing

extension EndToEndTests {
  /// Workers are ended and begun anew all day long, and nobody waits for it.
  @Suite struct RestartsTests {
    /// How often a worker is ended and begun anew: 10 times, or what `RESTARTS` says; 200 is what is promised.
    private static let count = ProcessInfo.processInfo.environment["RESTARTS"].flatMap { Int($0) } ?? 10
    /// The longest that one may be delayed by it.
    private static let delayMax = Duration.seconds(30)
    /// What 19 confirmations take on the stack's chain, whose slots last 250 ms, and a slot more.
    private static let confirmationsTake = Duration.seconds(5)
    /// How many clients ask at once.
    private static let clients = 4

    @Test func `workers are restarted under load, each ends with 0, and no payout waits for it`() async throws {
      try await Stack.with(replicasOfEach: 2) { stack, client in
        try await stack.start()
        let account = Account()
        let isOver = Switch()
        let asked = Asked()
        try await withThrowingTaskGroup(of: Void.self) { group in
          for lane in 1...Self.clients {
            group.addTask {
              var number = 0
              while await !isOver.isOn {
                number += 1
                var wish = PayoutClient.Wish(
                  key: "load-\(lane)-\(number)", recipient: Address(account: [UInt8](repeating: 0x71, count: 20)),
                  amount: try Amount(microUSDT: 10_000 * Int64(lane) + Int64(number)))
                wish.priority = ["low", "normal", "high", "urgent"][number % 4]
                let began = Date()
                let id = try await client.pay(wish)
                await asked.record(id, at: began)
                await account.record(wish, id)
                try await Task.sleep(for: .milliseconds(300))
              }
            }
          }
          for turn in 0..<Self.count {
            let chosen = stack.replicas[turn % stack.replicas.count]
            // Each third time nobody is left in that role: in any role, since there are not three times as many replicas.
            let replicas = turn % 3 == 2 ? stack.replicas.filter { $0.role == chosen.role } : [chosen]
            let codes = try await stack.end(replicas)
            for replica in replicas {
              let log = await stack.log(of: replica)
              #expect(codes[replica] == 0, "turn \(turn): \(log)")
            }
            try await stack.start(replicas)
          }
          await isOver.turnOn()
          try await group.waitForAll()
        }
        let ids = await account.ids
        try await client.waitUntilConfirmed(Array(ids.values))
        try await stack.expectExactlyOnce(Array(ids.keys))

        // From the request to the block is what a restart can delay, and whatever the confirmations take beyond the chain's
        // own time.
        var (longest, longestToEnd) = (0.0, 0.0)
        for (id, began) in await asked.times {
          longest = max(longest, try await client.time(of: id, becoming: "confirming").timeIntervalSince(began))
          longestToEnd = max(
            longestToEnd, try await client.time(of: id, becoming: "confirmed").timeIntervalSince(began))
        }
        print(
          "\(Self.count) turns of restarts under load, \(ids.count) payouts, the longest way to a block \(longest) s, to "
            + "the end \(longestToEnd) s")
        #expect(Duration.seconds(longest) < Self.delayMax)
        #expect(Duration.seconds(longestToEnd) < Self.delayMax + Self.confirmationsTake)
      }
    }

    @Test func `a worker that is ended while PostgreSQL hangs ends within its bound, and nothing is lost`() async throws
    {
      // "They do not: they are cancelled … they do not end 5 s after that either" (`WorkerProgram`): 20 s and 5 s.
      try await Stack.with(replicasOfEach: 1) { stack, client in
        try await stack.start()
        let wishes = try PayoutClient.Wish.draw(20, "hanging")
        let account = Account()
        try await client.pay(wishes) { await account.record($0, $1) }
        try await stack.postgres.signalAll(SIGSTOP)
        do {
          try await Task.sleep(for: .seconds(1))
          let began = ContinuousClock.now
          for replica in stack.replicas { await stack.signal(SIGTERM, to: replica) }
          for replica in stack.replicas {
            let code = try await stack.waitForExit(of: replica)
            let took = ContinuousClock.now - began
            print("\(replica) ended with \(code ?? -1), \(took) after SIGTERM, while PostgreSQL hung")
            // 0, or 1 where it was cut off: both by its own doing.
            #expect(code == 0 || code == 1)
          }
        } catch {
          try await stack.postgres.signalAll(SIGCONT)
          throw error
        }
        try await stack.postgres.signalAll(SIGCONT)
        try await stack.start()
        try await client.waitUntilConfirmed(Array(await account.ids.values))
        try await stack.expectExactlyOnce(wishes)
      }
    }
  }
}

/// Since when clients have waited: from the first request for a payout, however often it had to be repeated.
private actor Asked {
  private(set) var times: [String: Date] = [:]

  func record(_ id: String, at time: Date) { times[id] = time }
}

/// Something that is turned on once.
actor Switch {
  private(set) var isOn = false

  func turnOn() { isOn = true }
}

extension PayoutClient {
  /// When a payout first came to a state, by its history.
  func time(of id: String, becoming status: String) async throws -> Date {
    let history = try await payout(id)?["history"] as? [[String: Any]] ?? []
    let time = history.first { $0["status"] as? String == status }.flatMap { $0["at"] as? String }
      .flatMap { try? Date($0, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true)) }
    guard let time else { throw Stack.Failure("\(id) never was \(status): \(history)") }
    return time
  }
}
