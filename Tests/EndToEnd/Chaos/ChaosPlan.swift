import Foundation
import TestSupport

/// What a chaos run does to an installation, drawn from a seed: each kind of fault once before any comes again, but for
/// the one that costs a transaction its life, which is seldom.
enum ChaosFault: String, CaseIterable, Sendable {
  case killWorker = "worker killed"
  case killWorkerAgain = "worker killed, another"
  case killSigner = "signer killed"
  case endWorker = "worker ended"
  case freezeWorker = "worker frozen"
  case jumpForward = "clock 10 min ahead"
  case jumpBack = "clock 10 min behind"
  case flushRedis = "Redis flushed"
  case killRedis = "Redis killed"
  case fullRedis = "Redis full"
  case cutRedis = "Redis connections cut"
  case crashPostgres = "PostgreSQL crashed"
  case cutPostgres = "PostgreSQL connections cut"
  case fullDisk = "disk full"
  case fork = "fork"
  case forkAndDrop = "fork that drops"
  case missSlots = "slots missed"
  case freezeSolid = "solid block frozen"
  case loseAnswer = "broadcast answer lost"
  case forget = "broadcast accepted and dropped"
  case duplicate = "DUP for an unknown one"
  case serverBusy = "SERVER_BUSY"
  case refuseReference = "TAPOS_ERROR"
  case breakConnection = "node connection broken"
  case nodeRests = "node answers 503"
  case delayAnswers = "node slow"
  case cutOffNode = "node cut off"
  case nodeBehind = "node behind"
  case lieHidden = "node hides a transaction"
  case lieClaimed = "node claims a payment"
  case keepOut = "transaction kept out until dead"
}

extension ChaosFault {
  /// Whether it is the network's; else it is that of a process of ours or of a server.
  var isOfNetwork: Bool {
    switch self {
    case .killWorker, .killWorkerAgain, .killSigner, .endWorker, .freezeWorker, .jumpForward, .jumpBack, .flushRedis,
      .killRedis, .fullRedis, .cutRedis, .crashPostgres, .cutPostgres, .fullDisk:
      false
    case .fork, .forkAndDrop, .missSlots, .freezeSolid, .loseAnswer, .forget, .duplicate, .serverBusy,
      .refuseReference, .breakConnection, .nodeRests, .delayAnswers, .cutOffNode, .nodeBehind, .lieHidden, .lieClaimed,
      .keepOut:
      true
    }
  }
}

/// Draws faults and lets them happen, one after the other, and counts them. One plan is for the network, another beside it
/// for processes and servers.
actor ChaosPlan {
  /// How many nodes there are. The last one lies, and workers ask it first: that decides nothing where a quorum is asked.
  static let nodes = 3
  /// How long it takes at least from one transaction that is kept out to the next one: ten that die within five minutes
  /// open the breaker, and some die by the other faults.
  private static let keepsOutEvery = Duration.seconds(75)
  /// How long a fault waits for transactions that it can be about.
  private static let patience = Duration.seconds(10)

  private let stack: Stack
  private let disk: SmallDisk?
  private let clocks: [Stack.Replica: ClockFile]
  private let kinds: [ChaosFault]
  private let isOfNetwork: Bool
  private var random: SeededGenerator
  private var deck: [ChaosFault] = []
  private var keptOutAt: ContinuousClock.Instant?
  /// What the nodes were told to do wrong.
  let nodeFaults: ChaosNodeFaults
  /// How often each happened.
  private(set) var counts: [ChaosFault: Int] = [:]
  /// How often PostgreSQL said that it has no room, by a statement of the plan's own.
  private(set) var refusalsOfFullDisk = 0
  /// How often PostgreSQL died of its full disk, so that it had to be started again.
  private(set) var deathsOfPostgres = 0
  /// How often a worker, asked meanwhile, told a time that had jumped.
  private(set) var jumpsSeen = 0

  init(
    _ stack: Stack, network isOfNetwork: Bool, disk: SmallDisk?, clocks: [Stack.Replica: ClockFile], seed: UInt64
  ) {
    self.stack = stack
    self.isOfNetwork = isOfNetwork
    self.disk = disk
    self.clocks = clocks
    nodeFaults = ChaosNodeFaults(stack.chain, liar: Self.nodes)
    random = SeededGenerator(seed: seed ^ (isOfNetwork ? 0x4e_e7 : 0x5e_17))
    kinds = ChaosFault.allCases.filter {
      $0.isOfNetwork == isOfNetwork && ($0 != .fullDisk || disk != nil)
    }
  }

  /// One fault after the other. What is left of a network's fault ends a few faults later.
  func run(until end: ContinuousClock.Instant) async throws {
    while ContinuousClock.now < end {
      if deck.isEmpty { deck = kinds.filter { $0 != .keepOut || mayKeepOut }.shuffled(using: &random) }
      let fault = deck.removeLast()
      if try await happen(fault) { counts[fault, default: 0] += 1 } else if !deck.isEmpty { deck.insert(fault, at: 0) }
      try await pause(200...1_500)
      if isOfNetwork, counts.values.reduce(0, +).isMultiple(of: 6) { try await nodeFaults.heal() }
    }
    if isOfNetwork { try await nodeFaults.heal() }
  }

  private var mayKeepOut: Bool { keptOutAt.map { ContinuousClock.now - $0 >= Self.keepsOutEvery } ?? true }

  private func pause(_ milliseconds: ClosedRange<Int>) async throws {
    try await Task.sleep(for: .milliseconds(Int.random(in: milliseconds, using: &random)))
  }

  private func replica(_ role: Stack.Role? = nil) -> Stack.Replica {
    let chosen = stack.replicas.filter { role == nil || $0.role == role }
    return chosen[Int.random(in: 0..<chosen.count, using: &random)]
  }

  private func node() -> Int { Int.random(in: 1...Self.nodes, using: &random) }

  /// - Returns: whether it could happen: some need a transaction that they can be about.
  private func happen(_ fault: ChaosFault) async throws -> Bool {
    switch fault {
    case .killWorker, .killWorkerAgain: await stack.signal(SIGKILL, to: replica())
    case .killSigner: await stack.signal(SIGKILL, to: replica(.signer))
    case .endWorker: await stack.signal(SIGTERM, to: replica())
    case .freezeWorker:
      let replica = replica()
      await stack.signal(SIGSTOP, to: replica)
      try await pause(500...3_000)
      await stack.signal(SIGCONT, to: replica)
    case .jumpForward: try await jump(seconds: 600)
    case .jumpBack: try await jump(seconds: -600)
    case .flushRedis, .killRedis, .fullRedis, .cutRedis: try await harmRedis(fault)
    case .crashPostgres: try await stack.postgres.restart(mode: .immediate)
    case .cutPostgres:
      try await stack.sql(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
          + "AND backend_type = 'client backend'")
    case .fullDisk: try await fillDisk()
    default: return try await harmNetwork(fault)
    }
    return true
  }

  /// The time of day of a worker that lives jumps, and jumps back.
  private func jump(seconds: Int) async throws {
    try await eventually("a worker answers") {
      await !answeringReplicas().isEmpty
    }
    let answering = await answeringReplicas()
    guard let replica = answering.randomElement(using: &random), let clock = clocks[replica] else { return }
    try clock.set(secondsAhead: seconds)
    try await pause(2_000...5_000)
    if let ahead = await stack.secondsAhead(replica), abs(ahead - Double(seconds)) < 60 { jumpsSeen += 1 }
    try clock.set(secondsAhead: 0)
  }

  /// Those that run and are not about to end: a clock that jumps where nobody reads it is no fault.
  private func answeringReplicas() async -> [Stack.Replica] {
    var answering: [Stack.Replica] = []
    for replica in stack.replicas where await stack.secondsAhead(replica) != nil { answering.append(replica) }
    return answering
  }

  private func redis(_ words: String...) async throws {
    try await ChildProcess.require("/usr/bin/env", ["redis-cli", "-p", "\(stack.redis.port)"] + words)
  }

  private func harmRedis(_ fault: ChaosFault) async throws {
    switch fault {
    case .flushRedis: try await redis("FLUSHALL")
    case .killRedis:
      try await stack.redis.kill()
      try await pause(0...2_000)
      try await stack.redis.restart()
    case .fullRedis:
      try await redis("CONFIG", "SET", "maxmemory", "1")
      try await pause(1_000...4_000)
      try await redis("CONFIG", "SET", "maxmemory", "0")
    default: try await redis("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    }
  }

  /// PostgreSQL meets a full disk: its tables cannot grow, and every other time its log cannot either, of which it dies. It is
  /// started again as a service manager would once there is room.
  private func fillDisk() async throws {
    try await disk?.fill()
    let growing = "CREATE TABLE chaos_growth AS SELECT repeat('x', 9000) FROM generate_series(1, 9)"
    if (try? await stack.sql(growing)) == nil { refusalsOfFullDisk += 1 }
    if counts[.fullDisk, default: 0].isMultiple(of: 2) { _ = try? await stack.sql("SELECT pg_switch_wal()") }
    try await pause(1_000...4_000)
    try await disk?.clear()
    try await pause(200...1_000)
    if await !stack.postgres.isRunning() {
      deathsOfPostgres += 1
      try await stack.postgres.startServer()
    }
    try await eventually("PostgreSQL answers after its disk was full") {
      await (try? stack.sql("SELECT 1")) == "1"
    }
    try await stack.sql("DROP TABLE IF EXISTS chaos_growth")
  }

  private func harmNetwork(_ fault: ChaosFault) async throws -> Bool {
    let chain = stack.chain
    func answers(_ body: [String: any Sendable]) async throws { try await chain.tell("faults", body) }
    switch fault {
    case .fork: try await fork("repush")
    case .forkAndDrop: try await fork("drop")
    case .missSlots: try await chain.tell("slots", ["miss": Int.random(in: 4...20, using: &random)])
    case .freezeSolid:
      try await chain.tell("slots", ["solid_frozen": true])
      try await pause(2_000...5_000)
      try await chain.tell("slots", ["solid_frozen": false])
    case .loseAnswer: try await answers(["fault": "lose-answer", "call": "broadcasthex", "count": 10])
    case .forget: try await answers(["fault": "forget", "count": 5])
    case .duplicate: try await answers(["fault": "refuse", "code": "DUP_TRANSACTION_ERROR", "count": 5])
    case .serverBusy: try await answers(["fault": "refuse", "code": "SERVER_BUSY", "count": 20])
    case .refuseReference: try await answers(["fault": "refuse", "code": "TAPOS_ERROR", "count": 5])
    case .breakConnection: try await answers(["fault": "break-connection", "count": 10])
    case .nodeRests: try await answers(["fault": "http-status", "status": 503, "count": 5])
    case .delayAnswers:
      try await answers(["fault": "delay-answer", "milliseconds": 2_000, "count": 10, "face": node()])
    case .cutOffNode: try await chain.tell("faces", ["face": node(), "sees": "cut_off"])
    case .nodeBehind: try await chain.tell("faces", ["face": node(), "sees": "behind", "blocks": [5]])
    case .lieHidden: return try await hide()
    case .lieClaimed: return try await claim()
    case .keepOut: return try await keepOut()
    default: break
    }
    return true
  }

  /// As deep as may be: only what is not solid can be undone, and a block may come between the question and the order.
  private func fork(_ fate: String) async throws {
    let depth = Int.random(in: 1...6, using: &random)
    do {
      try await stack.chain.tell("fork", ["depth": depth, "transactions": fate])
    } catch is Stack.Failure {
      try await stack.chain.tell("fork", ["depth": 1, "transactions": fate])
    }
  }

  /// The lying node leaves a transaction out of its block, from before it is in one until long after it has expired.
  /// No block comes while it is chosen, so that nobody reads the truth first. It is not to be alone in its block:
  /// without it that would be empty, which the header alone belies.
  private func hide() async throws -> Bool {
    try await nodeFaults.heal()
    let chain = stack.chain
    try await chain.tell("slots", ["halted": true])
    let deadline = ContinuousClock.now + Self.patience / 2
    let subjects = await nodeFaults.subjects
    var pending: [String] = []
    while pending.count < 2, ContinuousClock.now < deadline {
      pending = try await chain.pendingTransactions().filter { !subjects.contains($0) }
      if pending.count < 2 { try await pause(20...100) }
    }
    let hidden = pending.count < 2 ? nil : pending.randomElement(using: &random)
    var isHidden = false
    if let hidden, let expiration = try await chain.expiration(of: hidden) {
      try await nodeFaults.omit(hidden, expiringAt: expiration)
      isHidden = true
    }
    try await chain.tell("slots", ["halted": false])
    return isHidden
  }

  /// The lying node says that a transaction which waits, or which failed, was paid.
  private func claim() async throws -> Bool {
    let pending = try await inSpiteOfFaults { try await $0.pendingTransactions() }
    let included = try await inSpiteOfFaults { try await $0.recentTransactions() }
    let drawn = pending.randomElement(using: &random) ?? included.randomElement(using: &random)?.txid
    guard let txid = drawn else { return false }
    let block = try await inSpiteOfFaults { try await $0.headNumber() }
    return try await tell(["fault": "claim", "txid": txid, "block": block, "face": Self.nodes])
  }

  /// A transaction that has paid is undone, and kept out of every block until it is dead, so that its payout must be
  /// signed again. All the while the lying node says that it paid.
  private func keepOut() async throws -> Bool {
    // A node that is cut off or broken would tell of another chain than the one that forks.
    try await nodeFaults.heal()
    let deadline = ContinuousClock.now + Self.patience
    let subjects = await nodeFaults.subjects
    while ContinuousClock.now < deadline {
      let paid = try await stack.chain.recentTransactions().filter { $0.isPaid && !subjects.contains($0.txid) }
      let newest = paid.filter { $0.block == paid.last?.block }
      if let chosen = newest.randomElement(using: &random),
        let expiration = try await stack.chain.expiration(of: chosen.txid),
        try await nodeFaults.keepOut(chosen.txid, of: chosen.block, expiringAt: expiration)
      {
        keptOutAt = ContinuousClock.now
        return true
      }
      try await pause(20...100)
    }
    return false
  }

  /// What the chain says; this plan's own faults, a broken connection or a 503, may meet its own questions.
  private func inSpiteOfFaults<Answer: Sendable>(
    _ ask: @Sendable (DevnetOracle) async throws -> Answer
  ) async throws -> Answer {
    for _ in 0..<50 {
      if let answer = try? await ask(stack.chain) { return answer }
      try await pause(20...100)
    }
    return try await ask(stack.chain)
  }

  /// A lie about a transaction; none where a fork, or the network's forgetting, has taken it meanwhile.
  private func tell(_ lie: [String: any Sendable]) async throws -> Bool {
    do {
      try await stack.chain.tell("faults", lie)
      return true
    } catch is Stack.Failure {
      return false
    }
  }
}
