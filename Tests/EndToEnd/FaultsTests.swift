import Foundation
import Payouts
import TestSupport
import Testing

extension EndToEndTests {
  /// Everything at once: all batch types and priorities, a network with faults, workers that are restarted, webhooks, and
  /// payouts that end in every way that there is by now.
  @Suite struct FaultsTests {
    /// 120 payouts; where `FULL_RUN` is set, 2,000.
    private static let count = ProcessInfo.processInfo.environment["FULL_RUN"] == nil ? 120 : 2_000

    /// One after the other, again and again while payouts flow: what the network does to us.
    private static let faults: [(command: String, body: [String: any Sendable])] = [
      ("faults", ["fault": "refuse", "code": "SERVER_BUSY", "count": 20]),
      ("faults", ["fault": "lose-answer", "call": "broadcasthex", "count": 10]),
      ("fork", ["depth": 3]),
      ("faults", ["fault": "forget", "count": 5]),
      ("slots", ["miss": 4]),
      // Whoever meets one leaves the node alone for a while.
      ("faults", ["fault": "http-status", "status": 503, "count": 5]),
      ("faults", ["fault": "refuse", "code": "TAPOS_ERROR", "count": 5]),
    ]

    @Test func `payouts of all types are each paid once and told while the network fails and workers are restarted`()
      async throws
    {
      // Proves, from the chain, from the limits' own counts and from what clients were told, that none of it costs a
      // payout, a cent, a limit or a webhook.
      // Transactions live long enough to be broadcast again after each fault: ten that died would open the breaker.
      try await Stack.with(
        replicasOfEach: 2, funds: 10_000_000, expirationSeconds: 120, changing: Ends.variables
      ) { stack, client in
        let began = ContinuousClock.now
        try await stack.start()
        let (loadBefore, memoryBefore) = (machineLoad, await stack.workersMemory)
        let (receiver, url) = try await stack.startReceiver(of: "gateway")
        let ends = try await Ends.begin(stack, client, webhookURL: url)
        await stack.change(Ends.variablesOfRelease)
        for signer in stack.replicas where signer.role == .signer {
          #expect(try await stack.end([signer]) == [signer: 0])
          try await stack.start([signer])
        }

        var wishes = try PayoutClient.Wish.draw(Self.count, "faults")
        for index in wishes.indices {
          wishes[index].batchType = ["immediate", "hourly", "daily", "weekly"][index % 4]
          wishes[index].priority = ["low", "normal", "high", "urgent"][index / 4 % 4]
          wishes[index].webhookURL = url
        }
        let before = try await stack.chain.requests()
        let (account, slots) = (Account(), ContinuousClock.now)
        let met = try await Self.pay(wishes, through: stack, client, account)
        // Each fault of answers was met by somebody; a short run may end before the last of them.
        let ofAnswers = Self.faults.filter { $0.command == "faults" }.map { Self.name($0.body) }
        let unmet = ofAnswers.filter { met[$0] ?? 0 == 0 }
        #expect(Self.count < 2_000 ? met.values.reduce(0, +) > 0 : unmet.isEmpty, "met: \(met)")
        try await stack.chain.tell("reset-faults", [:])
        let ids = Set(await account.ids.values)
        #expect(ids.count == Self.count)

        try await stack.payoutctl("release", ends.released.id, "--reason", "the limit was raised")
        try await client.waitUntilConfirmed(Array(ids))
        for (id, status) in ends.expected { try await client.wait(until: id, is: status) }
        let (took, after) = (ContinuousClock.now - began, try await stack.chain.requests())
        let slotsPassed = Int((ContinuousClock.now - slots) / .milliseconds(250))
        let paid = wishes + [ends.released.wish]
        try await stack.expectExactlyOnce(paid)
        try await stack.expectExactLimits(of: paid)
        #expect(try await stack.sql("SELECT state FROM breaker") == "closed")
        let late = try await stack.expectExactRefusals(client, webhookURL: url)
        try await stack.expectExactlyOnce(paid + Array(late.keys))

        let expected = ends.expected.merging((Array(ids) + Array(late.values)).map { ($0, "confirmed") }) { first, _ in
          first
        }
        try await eventually("each end was told by a webhook that verifies", within: .seconds(300)) {
          let told = try ToldEvents(receiver.output)
          return expected.allSatisfy { told.events(of: $0.key).contains("payout.\($0.value)") }
        }
        // Each is told of one end, and of no other.
        let told = try ToldEvents(receiver.output)
        for (id, status) in expected { #expect(told.ends(of: id) == ["payout.\(status)"]) }

        func reads(_ counts: [String: Int]) -> Int {
          counts.filter { $0.key != "/wallet/broadcasthex" }.values.reduce(0, +)
        }
        let asked = reads(after.byPath) - reads(before.byPath)
        let blocks = max(after.blocks - before.blocks, slotsPassed)
        print("\(expected.count) payouts with faults in \(took), answers falsified: \(met.sorted { $0.key < $1.key })")
        print("load \(loadBefore) before, \(machineLoad) after; \(Double(Self.count) / (took / .seconds(1))) payouts/s")
        print("\(Double(asked) / Double(blocks)) node requests a block, broadcasts apart (\(asked) in \(blocks))")
        print("memory in MiB, before: \(memoryBefore); after: \(await stack.workersMemory)")
        receiver.signal(SIGKILL)
      }
    }

    /// Pays while one fault follows another and each worker is ended and begun anew, once at least. What is left of a fault
    /// ends with the next one.
    ///
    /// - Returns: how many answers were falsified, by fault.
    private static func pay(
      _ wishes: [PayoutClient.Wish], through stack: Stack, _ client: PayoutClient, _ account: Account
    ) async throws -> [String: Int] {
      try await withThrowingTaskGroup(of: [String: Int].self) { group in
        group.addTask {
          try await client.pay(wishes, concurrently: 4) { await account.record($0, $1) }
          return [:]
        }
        group.addTask {
          var (number, met) = (0, [String: Int]())
          while await account.count < wishes.count || number < stack.replicas.count {
            let fault = faults[number % faults.count]
            try await stack.chain.tell(fault.command, fault.body)
            let replica = stack.replicas[number % stack.replicas.count]
            #expect(try await stack.end([replica]) == [replica: 0])
            try await stack.start([replica])
            number += 1
            met[name(fault.body), default: 0] += try await stack.chain.faultsMet().values.reduce(0, +)
            try await stack.chain.tell("reset-faults", [:])
          }
          print("\(number) faults and restarts while payouts were handed in")
          return met
        }
        // The first failure ends the other one.
        return try await group.reduce(into: [:]) { $0.merge($1, uniquingKeysWith: +) }
      }
    }

    /// What a fault is called here: its kind and code.
    private static func name(_ body: [String: any Sendable]) -> String {
      [body["fault"], body["code"]].compactMap { $0.map { "\($0)" } }.joined(separator: " ")
    }
  }
}

/// What a receiver printed: every event that was told, by payout.
struct ToldEvents {
  private static let ends: Set<String> = [
    "payout.confirmed", "payout.failed", "payout.rejected", "payout.expired", "payout.cancelled",
    "payout.settled_externally",
  ]
  private var byPayout: [String: Set<String>] = [:]

  /// - Throws: where one of them does not verify.
  init(_ output: String) throws {
    for line in output.split(separator: "\n") where line.hasPrefix("{") && line.hasSuffix("}") {
      let fields = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] ?? [:]
      guard fields["is_verified"] as? Bool == true else { throw Stack.Failure("it does not verify: \(line)") }
      if let type = fields["type"] as? String, let id = fields["payout_id"] as? String {
        byPayout[id, default: []].insert(type)
      }
    }
  }

  /// All events of a payout.
  func events(of id: String) -> Set<String> { byPayout[id] ?? [] }

  /// Those that say that it ended.
  func ends(of id: String) -> Set<String> { events(of: id).intersection(Self.ends) }
}
