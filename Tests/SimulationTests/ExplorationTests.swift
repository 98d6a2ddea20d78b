import Foundation
import Payouts
import Testing

@testable import Simulation

/// How schedules are enumerated and shortened, and what is left of a world.
@Suite struct ExplorationTests {
  @Test("the second crash of a pair is looked for in the life after the first one, its recovery included")
  func secondCrashes() throws {
    let systematic = Systematic(seed: 1)
    let undisturbed = Set(try systematic.undisturbed().visited.map(\.place))
    let first = try #require(
      try systematic.firstCrashes().first { $0.channel == .broadcast && $0.happening == .crashesAfter })
    let (_, life) = try systematic.life(after: first)
    let seconds = Systematic.secondCrashes(after: first, in: life)
    let places = life.visited.map(\.place)
    let reached = try #require(places.firstIndex(of: first.place))
    // Every place that it comes to, whoever comes to it, and none of those before.
    #expect(Set(seconds.map(\.place)) == Set(places[(reached + 1)...]))
    #expect(Set(seconds.map(\.place.process)) == ["scheduler-1", "signer-1", "monitor-1"])
    // The Signer that starts anew looks at the history anew.
    #expect(seconds.contains { $0.place.process == "signer-1" && !undisturbed.contains($0.place) })
    // Both really come.
    let last = try #require(systematic.pairs(first, seconds).last)
    #expect(try last.run().injected == last.plan.listed)
  }

  @Test("all shares together are all single faults and all pairs, each once")
  func shares() throws {
    let all = try Systematic(seed: 1).singles()
    let shared = try (0..<3).map { try Systematic(seed: 1, share: .init(every: 3, from: $0)).singles() }
    #expect(shared.map(\.count).reduce(0, +) == all.count && Set(shared.joined()) == Set(all))

    let whole = Systematic(seed: 1)
    let firsts = Array(try whole.firstCrashes().prefix(40))
    let seconds = Array(firsts.reversed().prefix(11))
    let pairs = firsts.flatMap { whole.pairs($0, seconds) }
    var parts: [Schedule] = []
    for from in 0..<12 {
      let part = Systematic(seed: 1, share: .init(every: 12, from: from))
      parts += try part.firstCrashes().filter(firsts.contains).flatMap { part.pairs($0, seconds) }
    }
    #expect(parts.count == 40 * 11 && Set(parts) == Set(pairs))
  }

  @Test("lies are listed like faults: a schedule that needs one shrinks to it, and replays by its text")
  func shrinksLies() throws {
    // Taken for a failure here: a Signer was told a forged block, and a Monitor lost the answer to a COMMIT.
    var shrinker = Shrinker(runs: 300) { outcome in
      func happened(_ happening: Happening, to process: String) -> Bool {
        outcome.injected.contains { $0.place.process.hasPrefix(process) && $0.happening == happening }
      }
      return happened(.forges, to: "signer") && happened(.answerIsLost, to: "monitor")
    }
    let long = try #require(
      try (1...200).lazy.map { Schedule.random(seed: $0) }.first { shrinker.fails(try $0.run()) })
    let lies = try long.run().injected.count { $0.channel == .lie }
    let short = try shrinker.shrink(long)
    #expect(lies > 10)
    #expect(short.plan.listed.map(\.happening).sorted { $0.rawValue < $1.rawValue } == [.answerIsLost, .forges])
    #expect(short.plan.liesPerTenThousand == 0 && short.accidents == [] && short.settings.nodes == 3)
    let read = try JSONDecoder().decode(Schedule.self, from: JSONEncoder().encode(short))
    #expect(read == short)
    #expect(try read.run().injected == short.plan.listed)
  }

  @Test("nothing of a world is left when it is over, not even of processes that died in it")
  func worldsAreFreed() throws {
    for seed in UInt64(1)...4 {
      weak var world: SimulatedWorld?
      weak var host: SimulationHost?
      do {
        let present = try SimulatedWorld(Schedule.random(seed: seed))
        (world, host) = (present, present.host)
        _ = present.run()
      }
      #expect(world == nil && host == nil, "seed \(seed)")
    }
  }
}
