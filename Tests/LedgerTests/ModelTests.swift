import Foundation
import Ledger
import Payouts
import TestSupport
import Testing

@testable import Simulation

/// The simulator's model of the ledger against real PostgreSQL.
///
/// A world is a ledger of its own, on which one to twenty sequences follow one another, each with new payouts and on all that
/// the earlier ones left. After every operation its answer and all rows are compared. `MODEL_SEQUENCES` says how many
/// sequences each test runs: the full run has 100,000. What disagrees tells its world's seed: `TEST_SEED` begins with it.
@Suite struct ModelTests {
  static let sequences = ProcessInfo.processInfo.environment["MODEL_SEQUENCES"].flatMap { Int($0) } ?? 200
  static let sequencesPerWorldMaximum = 20
  static let operationsPerSequence = 25
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

  private func walk(_ name: String, _ step: (inout ModelWalk) async throws -> Void) async throws {
    var tally = Tally()
    var seed = TestSupport.SeededGenerator.printedSeed(for: name)
    var seeds = TestSupport.SeededGenerator(seed: seed)
    try await withLedger { test in
      let clock = LedgerClock(url: test.url)
      try await clock.freeze(at: test.now)
      try await test.keepWorld()
      while tally.sequences < Self.sequences {
        try await test.beginKeptWorld()
        if tally.worlds % Self.worldsPerVacuum == 0 { try await test.vacuum() }
        var walk = try await ModelWalk(test, clock, seed: seed)
        do {
          try await self.walk(&walk, atMost: Self.sequences - tally.sequences, step)
        } catch {
          Issue.record("\(name): world with TEST_SEED=\(seed)")
          throw error
        }
        tally.add(walk)
        if tally.worlds % 100 == 0 { print("\(name): \(tally.sequences) sequences agree") }
        seed = seeds.next()
      }
      await clock.close()
    }
    tally.report()
    print("\(name): \(tally.sequences) sequences of \(Self.operationsPerSequence) operations agree")
  }

  private func walk(
    _ walk: inout ModelWalk, atMost count: Int, _ step: (inout ModelWalk) async throws -> Void
  ) async throws {
    for sequence in 0..<min(count, 1 + walk.roll(Self.sequencesPerWorldMaximum)) {
      walk.begin(sequence)
      for _ in 0..<Self.operationsPerSequence { try await step(&walk) }
    }
  }
}

/// What the worlds of a run came to.
private struct Tally {
  private(set) var worlds = 0
  private(set) var sequences = 0
  private var answers: [String: Int] = [:]
  private var ends: [PayoutStatus: Int] = [:]

  mutating func add(_ walk: ModelWalk) {
    worlds += 1
    sequences += walk.sequences
    answers.merge(walk.answers, uniquingKeysWith: +)
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
  }
}
