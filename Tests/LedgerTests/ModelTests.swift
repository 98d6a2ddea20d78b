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
  func modelAgreesWithPostgres() async throws {
    var generator = TestSupport.SeededGenerator(printedFor: "the ledger's model")
    var done = 0
    var answers: [String: Int] = [:]
    var ends: [PayoutStatus: Int] = [:]
    while done < Self.sequences {
      let batch = min(Self.sequencesPerDatabase, Self.sequences - done)
      let seed = generator.next()
      let walk = try await withLedger { test in
        var walk = try await ModelWalk(test, seed: seed)
        for sequence in 0..<batch {
          walk.begin(sequence)
          for _ in 0..<Self.operationsPerSequence { try await walk.step() }
        }
        return walk
      }
      answers.merge(walk.answers, uniquingKeysWith: +)
      for row in walk.model.payouts.values { ends[row.status, default: 0] += 1 }
      done += batch
    }
    for (answer, count) in answers.sorted(by: { $0.key < $1.key }) { print("  \(answer) ×\(count)") }
    print("  payouts: \(ends.sorted { $0.key.rawValue < $1.key.rawValue }.map { "\($0.key) \($0.value)" })")
    print("the ledger's model: \(done) sequences of \(Self.operationsPerSequence) operations agree")
  }
}
