import Foundation
import Payouts
import Testing

@testable import Simulation

/// The lives whose inputs and outputs are gone through one by one: each shows what it is there for.
@Suite struct LifeTests {
  private func outcome(_ life: Life) throws -> SimulatedWorld.Outcome {
    let outcome = try life.schedule(seed: 1, []).run(isRecording: true)
    #expect(outcome.violations == [])
    #expect(outcome.ends == [.confirmed: 1])
    #expect(outcome.injected == [])
    return outcome
  }

  /// How often a payout came into a state.
  private func times(_ status: PayoutStatus, _ outcome: SimulatedWorld.Outcome) -> Int {
    outcome.story.filter { $0.hasPrefix("payout") }.map {
      $0.matches(of: /\b([a-z_]+)@/).count { $0.1 == status.rawValue }
    }
    .reduce(0, +)
  }

  private func tells(_ outcome: SimulatedWorld.Outcome, _ text: String) -> Bool {
    outcome.story.contains { $0.contains(text) }
  }

  @Test("the happy life signs once and nobody is called")
  func happy() throws {
    let outcome = try outcome(.happy)
    #expect(times(.signed, outcome) == 1 && !tells(outcome, "alarm"))
  }

  @Test("a second attempt follows a first one that was in no block before it expired")
  func secondAttempt() throws {
    let outcome = try outcome(.secondAttempt)
    #expect(times(.signed, outcome) == 2 && times(.confirming, outcome) == 1 && tells(outcome, "failure_expired"))
  }

  @Test("a second attempt follows a first one that failed in its block for lack of energy")
  func outOfEnergy() throws {
    let outcome = try outcome(.outOfEnergy)
    #expect(times(.signed, outcome) == 2 && times(.confirming, outcome) == 2 && tells(outcome, "failure_energy"))
  }

  @Test("PostgreSQL starts again between sending and the block, and the Signer vouches a second time")
  func restarted() throws {
    let outcome = try outcome(.restarted)
    #expect(outcome.accidents.contains { $0.accident == .restart } && times(.signed, outcome) == 1)
    #expect(outcome.visited.count { $0.place.site == "vouch" } == 2)
  }

  @Test("a restore after sending is mended by the log of intents and the Signer's journal")
  func restored() throws {
    let outcome = try outcome(.restored)
    #expect(tells(outcome, "put back from the log of intents") && tells(outcome, "put back from the journal of"))
  }

  @Test("a restore after sending that takes the Signer's disk with it is waited out")
  func quarantined() throws {
    #expect(tells(try outcome(.quarantined), "quarantine ended by waiting"))
  }

  @Test("two Signers both vouch, and both may act")
  func twoSigners() throws {
    let visited = try outcome(.twoSigners).visited
    #expect(Set(visited.filter { $0.place.site == "vouch" }.map(\.place.process)) == ["signer-1", "signer-2"])
  }

  @Test("the singles of several lives are those of each, and each can be told by its text")
  func singlesOfLives() throws {
    let singles = try Systematic(seed: 1, lives: [.happy, .restarted]).singles()
    let happy = singles.filter { $0.accidents == nil }
    let restarted = singles.filter { $0.accidents?.contains { $0.accident == .restart } == true }
    #expect(happy == (try Systematic(seed: 1).singles()) && happy.count > 2_000)
    #expect(restarted.count > happy.count && restarted.count + happy.count == singles.count)
    for channel in Channel.allCases where channel != .lie {
      let happenings = restarted.flatMap(\.plan.listed).filter { $0.channel == channel }.map(\.happening)
      #expect(Set(happenings) == Set(channel.happenings))
    }
    let text = try JSONEncoder().encode(try #require(restarted.first))
    #expect(try JSONDecoder().decode(Schedule.self, from: text) == restarted.first)
  }
}
