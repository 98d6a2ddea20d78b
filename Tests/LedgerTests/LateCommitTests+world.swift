import Ledger
import Payouts
import TestSupport
import Testing

@testable import Simulation

/// The world that all pairs begin in.
extension LateCommitTests {
  /// What one side knows of it.
  struct World: Sendable {
    let test: TestLedger
    /// What stands in the tables before both operations, on both sides.
    let tables: LedgerTables
    /// The deliveries of payouts 9 and 10, which have names of their own on each side.
    let deliveries: [WebhookDelivery]

    func place(_ view: CursorView) throws -> BlockPlace {
      guard let place = tables.cursors[view] else { throw UnexpectedOutcome("no block of the \(view)") }
      return place
    }
  }

  /// Both sides.
  struct Scene {
    var walk: ModelWalk
    let clock: LedgerClock
    private var deliveries: (real: [WebhookDelivery], modelled: [WebhookDelivery]) = ([], [])

    init(walk: ModelWalk, clock: LedgerClock) {
      self.walk = walk
      self.clock = clock
    }

    var real: World { World(test: walk.test, tables: walk.model, deliveries: deliveries.real) }
    var modelled: World { World(test: walk.test, tables: walk.model, deliveries: deliveries.modelled) }

    /// An operation with nothing beside it, at the same moment on both sides.
    @discardableResult
    mutating func both<Value: Sendable>(_ body: @escaping Body<Value>) async throws -> (real: Value, modelled: Value) {
      let model = ModelledWorld(walk.model)
      guard let told = model.ask(as: "alone", for: 1_000, in: modelled, body) else {
        throw UnexpectedOutcome("the model has not answered")
      }
      try await clock.set(Timestamp(milliseconds: told.at))
      let answers = (real: try await body(walk.test.ledger, real), modelled: try told.result.get())
      walk.model = model.contents
      return answers
    }

    /// Payout 1 is held; 2, 3 and 8 to 11 wait, of which 8 has expired and 9 to 11 are told to two servers; 4 and 5 are in
    /// batches, 6 and 7 are signed. The head is on a false branch, and somebody has ordered to set it anew.
    mutating func prepare() async throws {
      let now = walk.model.now
      let expiring = try Sample.payout(8, expiresAt: now.advanced(byMilliseconds: 30_000))
      let told = try [(9, "one"), (10, "one"), (11, "two")].map { number, server in
        try Sample.payout(number, webhookURL: "https://\(server).example/hook")
      }
      let payouts = try (1...7).map { try Sample.payout($0) } + [expiring] + told
      try await both { ledger, _ in _ = try await ledger.accept(payouts, limits: TestLedger.unlimited) }
      try await both(Act.hold(1).body)
      for number in 4...7 {
        let (id, batch) = (Sample.payoutID(number), Sample.batchID(number))
        try await both { ledger, _ in _ = try await ledger.schedule([id], maximumPerBatch: 1) { batch } }
      }
      for number in 6...7 {
        try await both(Act.sign(number).body)
        walk.model.now = walk.model.now.advanced(byMilliseconds: 5_000)
      }
      try await nameServers()
      let (head, solid, right) = (try real.place(.head), try real.place(.solid), Sample.place(101, at: now))
      let wrong = Sample.place(101, at: now, branch: 9)
      let block = HeadBlock(place: wrong, transactions: [], suspects: [], keepAbove: 99)
      try await both { ledger, _ in _ = try await ledger.apply(head: block, after: head) }
      try await both { ledger, _ in
        _ = try await ledger.apply(solid: right, after: solid, verdicts: [:], retryDelayMilliseconds: 0)
      }
      try await walk.compare("order-head-reset") {
        "\(try await $0.orderHeadReset(reason: "lied to"))"
      } _: {
        "\($0.orderHeadReset(reason: "lied to"))"
      }
      walk.model.now = walk.model.now.advanced(byMilliseconds: 31_000)
    }

    private mutating func nameServers() async throws {
      let claims = try await both { ledger, _ in
        try await ledger.claimWebhooks(after: nil, leaseMilliseconds: 30_000, atMost: 20)
      }
      guard case .lot(let lot) = claims.real, case .lot(let modelled) = claims.modelled else {
        throw UnexpectedOutcome("\(claims)")
      }
      deliveries.real = lot.deliveries.sorted { ($0.payout?.id ?? $0.id) < ($1.payout?.id ?? $1.id) }
      deliveries.modelled = modelled.deliveries.sorted { ($0.payout?.id ?? $0.id) < ($1.payout?.id ?? $1.id) }
      try await both { ledger, _ in
        _ = try await ledger.release(lot, restMilliseconds: nil, lifetimeMilliseconds: 259_200_000)
      }
    }
  }
}

/// The model's ledger, in a world of its own.
struct ModelledWorld {
  /// What came of asking, and when that was.
  struct Ended<Value: Sendable>: Sendable {
    let result: Result<Value, any Error>
    let at: Int64
  }

  /// What the model says of a pair.
  struct Word {
    let waits: Bool
    let answers: [String]
    let moments: [Int64]
    let after: LedgerTables
  }

  private let host: SimulationHost
  private let gate: FaultGate
  private let database: SimulatedDatabase

  init(_ start: LedgerTables, late: [Fault] = [], seed: UInt64 = 1) {
    host = SimulationHost(seed: 1, start: start.now.milliseconds)
    gate = FaultGate(FaultPlan(listed: late), seed: seed, host: host, isRecording: true)
    database = SimulatedDatabase(host)
    database.transaction(actor: TestLedger.actor) { $0 = start }
  }

  var contents: LedgerTables { database.contents }

  /// Asks in a process, and lets the world go on for so long.
  ///
  /// - Returns: nil where the process has died of it.
  func ask<Value: Sendable>(
    as name: String, for milliseconds: Int64, in world: LateCommitTests.World,
    _ body: @escaping LateCommitTests.Body<Value>
  ) -> Ended<Value>? {
    let ledger = SimulatedLedger(database: database, gate: gate, process: SimulatedProcess(name, in: host))
    let ended = Taken<Ended<Value>>()
    ledger.process.start { [host] in
      let result: Result<Value, any Error>
      do { result = .success(try await body(ledger, world)) } catch { result = .failure(error) }
      ended.put(Ended(result: result, at: host.now))
    }
    _ = host.run(until: host.now + milliseconds)
    return ended.value
  }

  /// The first one is asked alone before: that tells its answer, and at which place its COMMIT is to be late.
  static func word(of pair: LateCommitTests.Pair, in world: LateCommitTests.World) throws -> Word {
    let alone = ModelledWorld(world.tables)
    guard let held = alone.ask(as: "held", for: 1_000, in: world, pair.held.body),
      let place = alone.gate.visited.last(where: { $0.channel == .ledgerWrite })?.place
    else { throw UnexpectedOutcome("the model's first operation writes nothing") }
    // Its process dies, since an acceptance that was not answered is asked again at once.
    let late = Fault(place: place, channel: .ledgerWrite, happening: .crashesAndLandsLate)
    // Late enough for the other one to come before it, and not so late that it gives up.
    let seed = (UInt64(1)...1_000).first { (2_000...8_000).contains(late.lateness($0)) } ?? 1
    let both = ModelledWorld(world.tables, late: [late], seed: seed)
    _ = both.ask(as: "held", for: 100, in: world, pair.held.body)
    let told = both.ask(as: "other", for: 60_000, in: world, pair.other.body)
    #expect(both.gate.injected == [late])
    let after = both.contents
    both.host.unwind()
    guard let other = told else { throw UnexpectedOutcome("the model's other operation has not ended") }
    return Word(
      waits: other.at > held.at + late.lateness(seed), answers: [try held.result.get(), try other.result.get()],
      moments: [held.at, other.at], after: after)
  }
}
