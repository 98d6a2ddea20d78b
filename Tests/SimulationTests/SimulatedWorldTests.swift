import Foundation
import Payouts
import TestSupport
import Testing

@testable import Simulation

/// The real workers in simulated worlds (DESIGN.md, "The two laws").
@Suite(.serialized) struct SimulatedWorldTests {
  /// Random schedules in a usual run; the full runs are made by the command.
  static let schedules = ProcessInfo.processInfo.environment["SIMULATED_SCHEDULES"].flatMap { UInt64($0) } ?? 500

  @Test("an undisturbed payout is accepted, scheduled, signed, sent, included and confirmed, and paid once")
  func undisturbedLife() throws {
    let outcome = try Systematic(seed: 1).undisturbed()
    #expect(outcome.violations == [])
    #expect(outcome.ends == [.confirmed: 1])
    #expect(outcome.injected == [])
  }

  @Test("a schedule replays identically from its seed, alone and beside others")
  func replays() async throws {
    let alone = try await Self.simulate("--seed", "12", "--schedules", "1", "--story")
    #expect(alone.contains("confirmed@"))
    #expect(try await Self.simulate("--seed", "12", "--schedules", "1", "--story") == alone)
    let inTurn = try await Self.simulate("--seed", "12", "--schedules", "12")
    #expect(try await Self.simulate("--seed", "12", "--schedules", "12", "--jobs", "2") == inTurn)
  }

  @Test("in random worlds every accepted payout ends, is paid at most once, and nobody else is paid")
  func randomSchedules() async throws {
    var chance = SystemRandomNumberGenerator()
    let first = UInt64.random(in: 1..<1_000_000_000, using: &chance)
    let told = try await Self.simulate(
      "--seed", "\(first)", "--schedules", "\(Self.schedules)", "--jobs", "2", "--no-shrink")
    print("from seed \(first): \(told)")
    #expect(told.contains("violations: 0"))
    // Whatever can go wrong did, or these worlds show nothing about it. Of fewer some are too rare.
    guard Self.schedules >= 400 else { return }
    for channel in Channel.allCases {
      for happening in channel.happenings {
        #expect(told.contains("injected \(channel.rawValue) \(happening.rawValue): "))
      }
    }
    for accident in Accident.Kind.allCases { #expect(told.contains("accident \(accident): ")) }
    // And what it is for came about: in at least a dozen of 500 worlds each.
    let seen = [
      "adoption done", "alarm deep_fork", "alarm failure_expired", "alarm nodes_disagree", "alarm quarantine",
      "alarm unknown_transaction", "finding explained", "put back from journal", "quarantine both_started waited",
      "quarantine journal_lost waited",
    ]
    for what in seen { #expect(told.contains("seen \(what): ")) }
    #expect(told.contains("payouts cancelled: "))
  }

  @Test(
    "a failure or crash at any single input or output of a payout's lives pays it once all the same",
    arguments: [
      // One in twenty of the plain life. The others are longer, and the last one waits for minutes.
      ([Life.happy], 20, 150), (Life.allCases.filter { $0 != .happy && $0 != .quarantined }, 600, 120),
      ([.quarantined], 6_000, 20),
    ])
  func everySingleFault(lives: [Life], every: Int, fewest: Int) async throws {
    // All of them by the command.
    let share = Int.random(in: 0..<every)
    let chosen = lives.flatMap { ["--life", $0.rawValue] }
    let told = try await Self.simulate(
      ["--singles", "\(every)", "--share", "\(share)", "--jobs", "2", "--no-shrink"] + chosen)
    print("share \(share) of single faults of \(lives): \(told)")
    let schedules = try #require(told.firstMatch(of: /([0-9]+) schedules,/).flatMap { Int($0.1) })
    #expect(schedules > fewest)
    #expect(told.contains("payouts confirmed: \(schedules)\n") && told.contains("violations: 0"))
  }

  @Test("crashes at any two inputs and outputs of a payout's life pay it once all the same")
  func pairsOfCrashes() async throws {
    // One in sixteen hundred, another share each time; all of them by the command.
    let share = Int.random(in: 0..<1_600)
    let told = try await Self.simulate("--pairs", "1600", "--share", "\(share)", "--jobs", "2", "--no-shrink")
    print("share \(share) of pairs of crashes: \(told)")
    let pairs = try #require(told.firstMatch(of: /([0-9]+) pairs run, of ([0-9]+)/))
    #expect(try #require(Int(pairs.1)) > 200 && #require(Int(pairs.2)) > 8_000)
    let schedules = try #require(told.firstMatch(of: /([0-9]+) schedules,/).flatMap { Int($0.1) })
    #expect(told.contains("payouts confirmed: \(schedules)\n") && told.contains("violations: 0"))
  }

  /// What the command tells, less the time that it took. By the command a seed tells the same story every time.
  private static func simulate(_ arguments: String...) async throws -> String { try await simulate(arguments) }

  private static func simulate(_ arguments: [String]) async throws -> String {
    // What runs beside it comes first: other tests wait for real time.
    let command = ["-n", "19", try TestProcess.builtExecutable("simulate")] + arguments
    let told = try await ChildProcess.run("/usr/bin/nice", command)
    #expect(told.status == 0, "simulate \(arguments.joined(separator: " "))\n\(told.standardOutput)")
    return told.standardOutput.replacing(/in [0-9.]+ seconds/, with: "")
  }

  @Test("a failing schedule shrinks to the few things that make it fail, and replays by its text")
  func shrinks() throws {
    // Taken for a failure here: PostgreSQL started again, and a crash of a Signer at an output.
    var shrinker = Shrinker(runs: 300) { outcome in
      outcome.accidents.contains { $0.accident == .restart }
        && outcome.injected.contains { $0.place.process.hasPrefix("signer") && $0.happening == .crashesAfter }
    }
    let long = try #require(
      try (1...200).lazy.map { Schedule.random(seed: $0) }.first { shrinker.fails(try $0.run()) })
    let short = try shrinker.shrink(long)
    #expect(short.plan.listed.count == 1)
    #expect(short.accidents?.map(\.accident) == [.restart])
    #expect(short.settings.payouts == 1 && short.settings.replicas == 1)
    let read = try JSONDecoder().decode(Schedule.self, from: JSONEncoder().encode(short))
    #expect(read == short)
    #expect(shrinker.fails(try read.run()))
  }
}
