import Foundation
import Ledger
import Payouts
import Synchronization
import TestSupport
import Testing

@testable import Simulation

/// The simulator's model of the ledger against real PostgreSQL.
///
/// A world is a ledger of its own, on which one to twenty sequences follow one another, each with new payouts and on all that
/// the earlier ones left. After every operation its answer and all rows are compared. `MODEL_SEQUENCES` says how many
/// sequences each test runs: the full run has 100,000, and with `MODEL_LOOKS=5` all rows are compared after every fifth
/// operation and at a sequence's end, which is faster. What disagrees tells its world's seed: `TEST_SEED` begins with
/// it, `MODEL_LANES=1` lets no other world run beside it.
@Suite struct ModelTests {
  static let sequences = ProcessInfo.processInfo.environment["MODEL_SEQUENCES"].flatMap { Int($0) } ?? 200
  static let sequencesPerWorldMaximum = 20
  static let operationsPerSequence = 25
  /// How many operations, each of whose answers is compared, come before all rows are.
  static let operationsPerLook = ProcessInfo.processInfo.environment["MODEL_LOOKS"].flatMap { Int($0) } ?? 1
  /// Worlds at once in each test: more than processors, since a walk waits for PostgreSQL half of its time.
  static let lanes = ProcessInfo.processInfo.environment["MODEL_LANES"].flatMap { Int($0) } ?? 3
  static let disagreementsMaximum = 10
  /// From so many sequences on every operation must have been walked: in 200 of them one that follows upon a rare one, as the
  /// refusal of an adoption does, may not be.
  static let sequencesThatWalkAll = 5_000
  /// In so many sequences every operation and every refusal must have been met.
  static let sequencesThatReachAll = 20_000
  /// Worlds between two times of cleaning up after them.
  static let worldsPerVacuum = 4

  @Test(
    "whatever is asked in whatever order, the model of the ledger and real PostgreSQL answer alike and hold the same")
  func modelAgreesWithPostgres() async throws { try await walk("the ledger's model") { try await $0.step() } }

  // DESIGN.md §3 point 1: locks, constraints and isolation make of two transactions at once one after the other.
  @Test("of two operations at the same moment comes what comes of one after the other, but for rows passed by")
  func modelAgreesWithPostgresTwoAtOnce() async throws {
    try await walk("the ledger's model, two at once") { walk in
      if walk.roll(2) == 0 { try await walk.pair() } else { try await walk.step() }
    }
  }

  private func walk(
    _ name: String, _ step: @escaping @Sendable (inout ModelWalk) async throws -> Void
  ) async throws {
    let run = ModelRun(name, sequences: Self.sequences, step)
    try await withThrowingTaskGroup { group in
      for _ in 0..<Self.lanes { group.addTask { try await run.walkLane() } }
      try await group.waitForAll()
    }
    run.report()
  }
}

/// The worlds of one test: several lanes, each with a database of its own, take one after the other.
private final class ModelRun: Sendable {
  private struct State {
    var seed: UInt64
    var seeds: TestSupport.SeededGenerator
    /// Sequences that no lane has taken.
    var left: Int
    var disagreements = 0
    var tally = Tally()
  }

  private let name: String
  private let step: @Sendable (inout ModelWalk) async throws -> Void
  private let state: Mutex<State>
  private let began = ContinuousClock.now

  init(_ name: String, sequences: Int, _ step: @escaping @Sendable (inout ModelWalk) async throws -> Void) {
    let seed = TestSupport.SeededGenerator.printedSeed(for: name)
    self.name = name
    self.step = step
    state = Mutex(State(seed: seed, seeds: TestSupport.SeededGenerator(seed: seed), left: sequences))
  }

  /// Walks worlds on one database until no sequence is left.
  func walkLane() async throws {
    try await withLedger { test in
      let clock = LedgerClock(url: test.url)
      try await clock.freeze(at: test.now)
      try await test.keepWorld()
      var worlds = 0
      while let seed = nextSeed() {
        try await test.beginKeptWorld()
        if worlds % ModelTests.worldsPerVacuum == 0 { try await test.vacuum() }
        worlds += 1
        var walk = try await ModelWalk(test, clock, seed: seed)
        do {
          try await self.walk(&walk)
        } catch {
          Issue.record("\(name): world with TEST_SEED=\(seed): \(error)")
          guard countDisagreement() else { break }
        }
        add(walk)
      }
      await clock.close()
    }
  }

  private func walk(_ walk: inout ModelWalk) async throws {
    for sequence in 0..<take(1 + walk.roll(ModelTests.sequencesPerWorldMaximum)) {
      walk.begin(sequence)
      for _ in 0..<ModelTests.operationsPerSequence { try await step(&walk) }
      try await walk.compareRows()
    }
  }

  private func nextSeed() -> UInt64? {
    state.withLock { state in
      guard state.left > 0 else { return nil }
      defer { state.seed = state.seeds.next() }
      return state.seed
    }
  }

  /// - Returns: how many of the sequences may be walked.
  private func take(_ wanted: Int) -> Int {
    state.withLock { state in
      let taken = min(wanted, state.left)
      state.left -= taken
      return taken
    }
  }

  /// - Returns: whether to go on: what a long run finds after its first disagreement counts, too.
  private func countDisagreement() -> Bool {
    state.withLock { state in
      state.disagreements += 1
      if state.disagreements >= ModelTests.disagreementsMaximum { state.left = 0 }
      return state.left > 0
    }
  }

  private func add(_ walk: ModelWalk) {
    state.withLock { state in
      state.tally.add(walk)
      guard state.tally.worlds % 100 == 0 else { return }
      print("\(name): \(state.tally.sequences) sequences, \(speed(state.tally))")
    }
  }

  private func speed(_ tally: Tally) -> String {
    let seconds = Int64(max(1, (ContinuousClock.now - began).components.seconds))
    return "\(Int64(tally.sequences) * 10 / seconds) in ten seconds"
  }

  func report() {
    let (tally, disagreements) = state.withLock { ($0.tally, $0.disagreements) }
    tally.report()
    print(
      "\(name): \(tally.sequences) sequences of \(ModelTests.operationsPerSequence) operations, "
        + "\(disagreements) disagreements, \(speed(tally))")
  }
}

/// What the worlds of a run came to.
private struct Tally {
  private(set) var worlds = 0
  private(set) var sequences = 0
  private var answers: [String: Int] = [:]
  private var reached: [String: Int] = [:]
  private var ends: [PayoutStatus: Int] = [:]

  mutating func add(_ walk: ModelWalk) {
    worlds += 1
    sequences += walk.sequences
    answers.merge(walk.answers, uniquingKeysWith: +)
    reached.merge(walk.reached, uniquingKeysWith: +)
    for row in walk.model.payouts.values { ends[row.status, default: 0] += 1 }
  }

  /// A walk in which nothing is ever signed, sent or paid would agree, too.
  func report() {
    for (answer, count) in answers.sorted(by: { $0.key < $1.key }) { print("  \(answer) ×\(count)") }
    print("  payouts: \(ends.sorted { $0.key.rawValue < $1.key.rawValue }.map { "\($0.key) \($0.value)" })")
    for wanted in ["accept: accepted ", "sign: done", "take: true ", "vouch: vouched"] {
      #expect(answers[wanted, default: 0] > 0, "no operation came to \(wanted)")
    }
    #expect(ends[.confirmed, default: 0] > 0)
    let missing = ModelCoverage.wanted.filter { reached[$0, default: 0] == 0 }.sorted()
    print("  not reached: \(missing)")
    // Some operations and refusals take a long story: those of a short run are told only.
    guard sequences >= ModelTests.sequencesThatWalkAll else { return }
    let required = sequences < ModelTests.sequencesThatReachAll ? missing.filter { $0.hasSuffix("walked") } : missing
    #expect(required.isEmpty, "in \(sequences) sequences nothing came to these")
  }
}
