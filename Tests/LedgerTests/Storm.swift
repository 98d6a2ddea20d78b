import Ledger
import Payouts
import Postgres
import Synchronization

/// A small generator whose whole sequence follows from its seed (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var value = state
    value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
    return value ^ value >> 31
  }
}

/// Everybody at once on one database, with random data, for some seconds.
final class Storm: Sendable {
  let test: TestLedger
  /// Ledgers on pools of their own, so that connections do not queue behind one another.
  let ledgers: [Ledger]
  let seed: UInt64
  /// It goes on until then at least, and until every step has done its share.
  private let end: ContinuousClock.Instant
  /// It ends then at the latest.
  private let limit: ContinuousClock.Instant
  private let numbers = Counter()
  private let batches = Counter()
  /// How often each step did something.
  let worked = Mutex<[String: Int]>([:])

  init(test: TestLedger, ledgers: [Ledger], seed: UInt64, seconds: Int) {
    self.test = test
    self.ledgers = ledgers
    self.seed = seed
    end = .now + .seconds(seconds)
    limit = end + .seconds(300)
  }

  /// How many kinds of steps there are, and how much each of them does at least.
  static let stepCount = 11
  static func workMinimum(_ step: String) -> Int { step == "close" ? 3 : 20 }

  private var isOver: Bool {
    let now = ContinuousClock.now
    return now >= limit
      || now >= end && worked.withLock { $0.filter { $0.value >= Self.workMinimum($0.key) }.count } == Self.stepCount
  }

  /// Runs all steps, two of each, until the end. The first error ends it.
  func run() async throws {
    let steps: [(String, @Sendable (Ledger, inout SeededGenerator) async throws -> Int)] = [
      ("accept", accept), ("schedule", schedule), ("sign", sign), ("broadcast", broadcast), ("head", head),
      ("solid", solid), ("judge", judge), ("expire", expire), ("confirm", confirm),
      ("blame", blame), ("close", close),
    ]
    try await withThrowingTaskGroup(of: Void.self) { group in
      for (index, step) in steps.enumerated() {
        for replica in 0..<2 {
          group.addTask { [self] in
            var generator = SeededGenerator(seed: seed &+ UInt64(index * 2 + replica))
            while !isOver {
              let count = try await step.1(ledgers[(index + replica) % ledgers.count], &generator)
              worked.withLock { $0[step.0, default: 0] += count }
              if count == 0 { try await Task.sleep(for: .milliseconds(2)) }
            }
          }
        }
      }
      try await group.waitForAll()
    }
  }

  @Sendable private func accept(_ ledger: Ledger, _ generator: inout SeededGenerator) async throws -> Int {
    let now = try await TestLedger.clock(test.pool)
    var payouts: [NewPayout] = []
    for _ in 0..<Int.random(in: 1...15, using: &generator) {
      let isNew = Int.random(in: 0..<5, using: &generator) > 0
      let number = isNew ? numbers.next() : Int.random(in: 1...50, using: &generator)
      let life = Int64.random(in: 100...3_000, using: &generator)
      payouts.append(
        try Sample.payout(
          number, id: isNew ? number : number + 1_000_000, amount: Int64.random(in: 1...1_000, using: &generator),
          expiresAt: Bool.random(using: &generator) ? now.advanced(byMilliseconds: life) : nil,
          priority: Priority.allCases.randomElement(using: &generator) ?? .normal,
          router: RouterType.allCases.randomElement(using: &generator) ?? .v0,
          fingerprint: isNew ? 1 : UInt8.random(in: 1...2, using: &generator)))
    }
    let limit = try Amount(microUSDT: Int64.random(in: 100_000...2_000_000, using: &generator))
    let routers = [RouterType.kyc: SpanLimits(hourly: nil, daily: try Amount(microUSDT: limit.microUSDT / 3))]
    let outcomes = try await ledger.accept(
      payouts, limits: AcceptanceLimits(hourly: limit, daily: nil, perRouter: routers))
    return outcomes.filter { if case .accepted = $0 { true } else { false } }.count
  }

  @Sendable private func schedule(_ ledger: Ledger, _ generator: inout SeededGenerator) async throws -> Int {
    let size = Int.random(in: 1...20, using: &generator)
    let name: @Sendable () -> BatchID = { Sample.batchID(self.batches.next()) }
    let count = Int.random(in: 1...60, using: &generator)
    let made =
      if Bool.random(using: &generator) {
        try await ledger.scheduleDue(atMost: count, maximumPerBatch: size, newBatchID: name)
      } else {
        try await ledger.schedule(
          ledger.duePayouts(atMost: count).shuffled(using: &generator), maximumPerBatch: size, newBatchID: name)
      }
    return made.reduce(0) { $0 + $1.payouts.count }
  }

  @Sendable private func sign(_ ledger: Ledger, _ generator: inout SeededGenerator) async throws -> Int {
    var count = 0
    for batch in try await ledger.batchesToSign(waitingFor: 0, atMost: 10).shuffled(using: &generator) {
      let head = try await ledger.cursor(.head)?.number ?? 0
      let seed = generator.next()
      let outcome = try await ledger.sign(test.order(batch, head: head, maximumInFlight: 200)) { batch in
        var generator = SeededGenerator(seed: seed)
        return batch.candidates.compactMap { candidate in
          switch Int.random(in: 0..<20, using: &generator) {
          case 0: .hold(candidate.payout.id, .signerLimit, note: "random", opensBreaker: false)
          case 1, 2: nil
          default:
            .sign(
              Sample.signed(
                candidate, batch, lifeMilliseconds: Int64.random(in: 200...1_500, using: &generator)))
          }
        }
      }
      if case .done(let signed, _, _) = outcome { count += signed }
    }
    return count
  }

  @Sendable private func broadcast(_ ledger: Ledger, _ generator: inout SeededGenerator) async throws -> Int {
    let now = try await TestLedger.clock(test.pool)
    let lot = try await ledger.takeForBroadcast(
      wallet: Sample.wallet, headTime: now, leaseMilliseconds: 100, atMost: 40)
    try await ledger.record(
      lot.transactions.shuffled(using: &generator).map {
        BroadcastRecord(
          txid: $0.txid, isTaken: Int.random(in: 0..<4, using: &generator) > 0, answer: "told", retryMilliseconds: 20)
      })
    return lot.transactions.count
  }

  /// Some of what is out, in random order.
  private func some(_ statuses: String, _ condition: String = "true") async throws -> [TxID] {
    let result = try await test.pool.execute(
      PostgresStatement(
        """
        SELECT txid FROM transactions WHERE status = ANY ('{\(statuses)}'::transaction_status[]) AND \(condition)
        ORDER BY random() LIMIT 25
        """))
    return try result.rows.map { try TxID($0.bytes("txid")) }
  }

  /// A third of the payouts never find a block, so that there are deaths to judge.
  private static let isEverIncluded = "get_byte(txid, 31) % 3 <> 0"

  @Sendable private func head(_ ledger: Ledger, _ generator: inout SeededGenerator) async throws -> Int {
    guard let cursor = try await ledger.cursor(.head) else { return 0 }
    let solid = try await ledger.cursor(.solid)?.number ?? 0
    if Int.random(in: 0..<6, using: &generator) == 0, cursor.number - 2 > solid {
      return try await ledger.undoHead(above: cursor.number - 2)?.count ?? 0
    }
    let block = Sample.place(
      cursor.number + 1, at: try await TestLedger.clock(test.pool), branch: UInt8.random(in: 0...9, using: &generator))
    let applied = try await ledger.apply(
      head: HeadBlock(
        place: block, transactions: try await some("signed,sent", Self.isEverIncluded), suspects: [],
        keepAbove: min(solid, block.number) - 5), after: cursor)
    return applied ? 1 : 0
  }

  @Sendable private func solid(_ ledger: Ledger, _ generator: inout SeededGenerator) async throws -> Int {
    guard let cursor = try await ledger.cursor(.solid), let head = try await ledger.cursor(.head),
      cursor.number + 3 < head.number
    else { return 0 }
    let place = Sample.place(cursor.number + 1, at: try await TestLedger.clock(test.pool))
    var verdicts: [TxID: TransactionVerdict] = [:]
    for txid in try await some("included", "block_number <= \(place.number)") {
      verdicts[txid] =
        Int.random(in: 0..<3, using: &generator) == 0
        ? .failedOnChain(place, Sample.cost, result: "REVERT") : .paid(place, Sample.cost)
    }
    let applied = try await ledger.apply(
      solid: place, after: cursor, verdicts: verdicts, retryDelayMilliseconds: 10)
    return applied ? 1 : 0
  }

  @Sendable private func judge(_ ledger: Ledger, _ generator: inout SeededGenerator) async throws -> Int {
    let place = try await ledger.cursor(.solid)
    let candidates = try await ledger.unjudged(atMost: 50)
    var verdicts: [TxID: TransactionVerdict] = [:]
    for candidate in candidates.shuffled(using: &generator) {
      if candidate.transaction.status == .included, let place {
        verdicts[candidate.transaction.txid] = .paid(place, Sample.cost)
      } else {
        verdicts[candidate.transaction.txid] = .dead
      }
    }
    try await ledger.settle(verdicts, retryDelayMilliseconds: 10)
    return verdicts.count
  }

  /// Most failures are the payout's own, and three of them end it.
  @Sendable private func blame(_ ledger: Ledger, _ generator: inout SeededGenerator) async throws -> Int {
    var count = 0
    for failure in try await ledger.unblamedFailures(atMost: 20).shuffled(using: &generator) {
      let blame = Int.random(in: 0..<4, using: &generator) > 0 ? .payout : FailureBlame.walletShort
      _ = try await ledger.blame(blame, for: failure, maximumOwnFailures: 3)
      count += 1
    }
    return count
  }

  /// A third of all transactions die, so that the breaker opens all the time: a person closes it, or its trial does.
  @Sendable private func close(_ ledger: Ledger, _ generator: inout SeededGenerator) async throws -> Int {
    if Int.random(in: 0..<8, using: &generator) == 0 {
      _ = try await test.pool.execute(
        "UPDATE breaker SET trial_at = now() WHERE state = 'open' AND closes_by = 'trial'")
      return 0
    }
    return try await ledger.closeBreaker(reason: "storm") == nil ? 0 : 1
  }

  @Sendable private func expire(_ ledger: Ledger, _ generator: inout SeededGenerator) async throws -> Int {
    try await ledger.expire(atMost: Int.random(in: 1...20, using: &generator)).count
  }

  @Sendable private func confirm(_ ledger: Ledger, _ generator: inout SeededGenerator) async throws -> Int {
    guard let head = try await ledger.cursor(.head) else { return 0 }
    return try await ledger.confirm(headNumber: head.number, requiredConfirmations: 5, atMost: 50).count
  }
}
