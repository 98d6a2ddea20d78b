import Foundation
import Payouts
import TestSupport
import Testing

extension EndToEndTests {
  /// Everything fails at once, in real processes, and both laws hold all the same. `ops/chaos` runs this for as long, and with
  /// the seed, that it is told.
  @Suite struct ChaosTests {
    private static let environment = ProcessInfo.processInfo.environment
    /// A minute; or what `CHAOS_SECONDS` says.
    private static let seconds = environment["CHAOS_SECONDS"].flatMap { Int($0) } ?? 60
    /// Payouts a second.
    private static let rate = environment["CHAOS_RATE"].flatMap { Int($0) } ?? 4
    /// The hour's limit while everything fails, in micro-USDT: some four fifths of what clients want, so that it is met.
    private static var hourlyLimit: Int64 { Int64(min(max(seconds, 1), 3_600) * rate) * 17_000_000 }
    /// How long a transaction lives: as short as Signer allows. It is sent twice then; some die and are signed again.
    private static let expirationSeconds = 30
    /// How long it may take until all is at rest: a lost transaction is tried again when it is dead, and where ten are,
    /// the breaker lets one through after a minute, or two.
    private static let rest = Duration.seconds(900)
    /// How far the solid chain must be beyond an expiration, in milliseconds: four of devnet's slots.
    private static let slotsBeyond: Int64 = 1_000

    @Test func `every acknowledged payout is paid once or ends unpaid, whatever fails`() async throws {
      // DESIGN.md, "The two laws": a crash of any process, Redis losing its data, PostgreSQL restarting, nodes that time out
      // or fork, duplicate delivery and several replicas; judged by the chain and by what clients were told.
      let seed = Self.environment["CHAOS_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 0..<1_000_000)
      print("chaos: CHAOS_SEED=\(seed) CHAOS_SECONDS=\(Self.seconds)")
      let disk = try await SmallDisk.mount(megabytes: 640)
      if disk == nil { Issue.record("no file system can be mounted here, so no disk gets full: run it as root") }
      try await Stack.with(
        replicasOfEach: 2, funds: 10_000_000, expirationSeconds: Self.expirationSeconds, faces: ChaosPlan.nodes,
        disk: disk,
        changing: [
          "MAX_PAYOUT_RETRY_ATTEMPTS": "2", "HOURLY_PAYOUT_LIMIT_USDT": "\(try Amount(microUSDT: Self.hourlyLimit))",
        ]
      ) { stack, _ in
        try await Self.run(stack, disk, seed: seed)
      }
      try await disk?.unmount()
    }

    private static func run(_ stack: Stack, _ disk: SmallDisk?, seed: UInt64) async throws {
      var clocks: [Stack.Replica: ClockFile] = [:]
      for replica in stack.replicas { clocks[replica] = try await stack.makeClock(of: replica) }
      let (receiver, url) = try await stack.startReceiver(of: "gateway")
      let clients = ChaosClients(seed: seed, urls: await stack.apiURLs, webhookURL: url)
      try await stack.chain.tell("world", ["refuse": "\(clients.refused)"])
      await stack.askFirst(ChaosPlan.nodes)
      try await stack.start()

      let plans = [true, false].map { isOfNetwork in
        ChaosPlan(stack, network: isOfNetwork, disk: disk, clocks: clocks, seed: seed)
      }
      let (keeper, operators) = (ChaosKeeper(stack), ChaosOperators(stack))
      let (began, hour) = (ContinuousClock.now, Self.hour())
      let trouble = try await fail(stack, clients, plans, keeper, operators)
      let minutes = (ContinuousClock.now - began) / .seconds(60)
      // A run that has not come to rest is judged all the same: what is wrong with it says why.
      let (refusals, endedIn) = (await clients.refusals, Self.hour())
      let limited = PaidWorld.HourlyLimit(
        allowed: hourlyLimit, until: Int64(Date().timeIntervalSince1970 * 1_000))
      var (day, end): (PaidWorld.Limit?, String?) = (nil, trouble)
      if trouble == nil { (day, end) = try await finish(stack, clients, operators) }
      let nodeFaults = plans[0].nodeFaults
      try await nodeFaults.endWhatIsOver()
      let verdicts =
        end == nil ? try await ChaosVerdicts(stack, lies: await nodeFaults.stood) : ChaosVerdicts.unknown
      let world = try await ChaosEvidence(stack, clients, receiver)
        .world(hourlyLimit: limited, day: day, isAtRest: end == nil)
      let violations = JudgePaidWorld(world: world).violations()
      var faults: [ChaosFault: Int] = [:]
      for plan in plans { faults.merge(await plan.counts) { first, _ in first } }
      let report = ChaosReport(
        seed: seed, seconds: seconds, minutes: minutes, world: world, faults: faults, falsified: await nodeFaults.met,
        refusalsOfFullDisk: await plans[1].refusalsOfFullDisk, deathsOfPostgres: await plans[1].deathsOfPostgres,
        restarts: await keeper.restarts, decisions: await operators.decisions,
        refusals: hour == endedIn ? refusals : nil, longestWait: await clients.longestWait,
        unverified: ToldByWebhook(receiver.output).unverified, jumpsSeen: await plans[1].jumpsSeen,
        verdicts: verdicts, askedAgain: await clients.askedAgain, violations: violations)
      print(report.text)
      if let end { Issue.record("it does not come to rest: \(end)") }
      // The refusals tell of two limits; here is each window of all of them.
      if end == nil { #expect(try await stack.sql(ExactLimits.wrongWindows) == "") }
      // In less than a minute not each kind of fault has its turn.
      if seconds >= 60 { for lack in report.unmet { Issue.record("the run proves less than it should: \(lack)") } }
      for violation in violations { Issue.record("\(violation)") }
      #expect(try await operators.decide() == nil)
      receiver.signal(SIGKILL)
    }

    /// The hour of the clock, whose limit begins anew with the next one.
    private static func hour() -> Int { Int(Date().timeIntervalSince1970) / 3_600 }

    /// Payouts come in and everything fails; then nothing fails any more, and nobody but the service manager helps.
    ///
    /// - Returns: why it does not come to rest; nil where it does.
    private static func fail(
      _ stack: Stack, _ clients: ChaosClients, _ plans: [ChaosPlan], _ keeper: ChaosKeeper,
      _ operators: ChaosOperators
    ) async throws -> String? {
      let end = ContinuousClock.now + .seconds(seconds)
      return try await withThrowingTaskGroup(of: String?.self) { group in
        group.addTask {
          try await keeper.run()
          return nil
        }
        group.addTask {
          try await withThrowingTaskGroup(of: Void.self) { all in
            all.addTask { try await clients.handIn(every: .milliseconds(1_000 / rate), until: end) }
            for plan in plans { all.addTask { try await plan.run(until: end) } }
            try await all.waitForAll()
          }
          let ended = ContinuousClock.now
          let trouble = try await come(toRest: stack, clients, operators)
          if trouble == nil {
            print("chaos: at rest \((ContinuousClock.now - ended).formatted()) after the last fault")
          }
          await keeper.end()
          return trouble
        }
        return try await group.reduce(nil) { $0 ?? $1 }
      }
    }

    /// What is left when nothing fails any more: the day's limit is filled, every client asks again, and all that was
    /// ever signed expires.
    ///
    /// - Returns: what the day's limit counts; why it does not come to rest, nil where it does.
    private static func finish(
      _ stack: Stack, _ clients: ChaosClients, _ operators: ChaosOperators
    ) async throws -> (PaidWorld.Limit?, String?) {
      let day = try await ChaosLimit.fill(stack, clients)
      if let trouble = try await come(toRest: stack, clients, operators) { return (day, trouble) }
      try await clients.askAgain()
      if let trouble = try await come(toRest: stack, clients, operators) { return (day, trouble) }
      try await outliveTransactions(stack)
      return (day, nil)
    }

    /// Waits until nothing that was ever signed can come into a block any more: a second payment that came after the
    /// chain was read would be seen by nobody.
    private static func outliveTransactions(_ stack: Stack) async throws {
      let text = try await stack.sql("SELECT coalesce(max(expiration_ms), 0) FROM transactions")
      guard let latest = Int64(text) else { throw Stack.Failure("no expiration: \(text)") }
      try await eventually("all that was ever signed has expired on the solid chain", within: .seconds(180)) {
        try await stack.chain.solidTime() > latest + slotsBeyond
      }
    }

    /// Waits until each acknowledged payout has ended, by the API.
    ///
    /// - Returns: why that is not to be; nil where it is so.
    private static func come(
      toRest stack: Stack, _ clients: ChaosClients, _ operators: ChaosOperators
    ) async throws -> String? {
      let client = PayoutClient(urls: await stack.apiURLs)
      var open = Set(await clients.acknowledged)
      let deadline = ContinuousClock.now + rest
      while ContinuousClock.now < deadline {
        for id in open.sorted() {
          if let status = try await client.status(of: id), ChaosReport.ends.contains(status) { open.remove(id) }
        }
        if open.isEmpty { return nil }
        if let trouble = try await operators.decide() { return trouble }
        try await Task.sleep(for: .seconds(1))
      }
      return "\(open.count) payouts come to no end, such as \(open.sorted().prefix(3))"
    }
  }
}
