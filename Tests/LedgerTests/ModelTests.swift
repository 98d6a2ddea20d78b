import Foundation
import Ledger
import Payouts
import TestSupport
import Testing

@testable import Simulation

/// The simulator's model of the ledger against real PostgreSQL.
@Suite struct ModelTests {
  /// Sequences of operations; the full run has 100,000.
  static let sequences = ProcessInfo.processInfo.environment["MODEL_SEQUENCES"].flatMap { Int($0) } ?? 60
  /// Sequences on one database: what stands in it grows.
  static let sequencesPerDatabase = 30
  static let operationsPerSequence = 25

  @Test(
    "whatever is asked in whatever order, the model of the ledger and real PostgreSQL answer alike and hold the same")
  func modelAgreesWithPostgres() async throws { try await walk("the ledger's model") { try await $0.step() } }

  // DESIGN.md §3 point 1: locks, constraints and isolation make of two transactions at once one after the other.
  @Test("of two operations at the same moment comes what comes of one after the other")
  func modelAgreesWithPostgresTwoAtOnce() async throws {
    try await walk("the ledger's model, two at once", hasWebhooks: false) { walk in
      if walk.roll(2) == 0 { try await walk.pair() } else { try await walk.step() }
    }
  }

  private func walk(
    _ name: String, hasWebhooks: Bool = true, _ step: (inout ModelWalk) async throws -> Void
  ) async throws {
    var generator = TestSupport.SeededGenerator(printedFor: name)
    var done = 0
    var answers: [String: Int] = [:]
    var ends: [PayoutStatus: Int] = [:]
    while done < Self.sequences {
      let batch = min(Self.sequencesPerDatabase, Self.sequences - done)
      let seed = generator.next()
      let walk = try await withLedger { test in
        var walk = try await ModelWalk(test, seed: seed, hasWebhooks: hasWebhooks)
        for sequence in 0..<batch {
          walk.begin(sequence)
          for _ in 0..<Self.operationsPerSequence { try await step(&walk) }
        }
        return walk
      }
      answers.merge(walk.answers, uniquingKeysWith: +)
      for row in walk.model.payouts.values { ends[row.status, default: 0] += 1 }
      done += batch
    }
    for (answer, count) in answers.sorted(by: { $0.key < $1.key }) { print("  \(answer) ×\(count)") }
    print("  payouts: \(ends.sorted { $0.key.rawValue < $1.key.rawValue }.map { "\($0.key) \($0.value)" })")
    // A walk in which nothing is ever signed, sent or paid would agree, too.
    for wanted in ["accept: accepted ", "sign: done", "take: true ", "vouch: vouched"] {
      #expect(answers[wanted, default: 0] > 0, "no operation came to \(wanted)")
    }
    #expect(ends[.confirmed, default: 0] > 0)
    print("\(name): \(done) sequences of \(Self.operationsPerSequence) operations agree")
  }
}
