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
    let life = try systematic.schedule([first]).run(isRecording: true)
    let seconds = Systematic.secondCrashes(after: first, in: life)
    let places = life.visited.map(\.place)
    let reached = try #require(places.firstIndex(of: first.place))
    // Every place that it comes to, whoever comes to it, and none of those before.
    #expect(Set(seconds.map(\.place)) == Set(places[(reached + 1)...]))
    #expect(Set(seconds.map(\.place.process)) == ["scheduler-1", "signer-1", "monitor-1"])
    // The Signer that starts anew looks at the history anew.
    #expect(seconds.contains { $0.place.process == "signer-1" && !undisturbed.contains($0.place) })
    // Both really come.
    let last = try #require(systematic.pairs(0, first, seconds).last)
    #expect(try last.run().injected == last.plan.listed)
  }

  @Test("all shares together are all single faults and all pairs, each once")
  func shares() throws {
    #expect(
      (0..<30).allSatisfy { index in
        (0..<3).count { Systematic.Share(every: 3, from: $0).contains(index) } == 1
      })
    let whole = Systematic(seed: 1)
    let singles = try (0..<3).map { try Systematic(seed: 1, share: .init(every: 3, from: $0)).singles().count }
    #expect(singles.reduce(0, +) == (try whole.singles().count))

    // Of twelve shares three take each first crash in turn, and four of them its seconds.
    let firsts = try whole.firstCrashes()
    let seconds = Array(firsts.dropFirst().prefix(11))
    let parts = (0..<12).map { Systematic(seed: 1, share: .init(every: 12, from: $0)) }
    #expect(try parts.prefix(3).map { try $0.firstCrashes().count }.reduce(0, +) == firsts.count)
    let pairs = [0, 3, 6, 9].flatMap { parts[$0].pairs(0, firsts[0], seconds) }
    #expect(pairs.count == 11 && Set(pairs) == Set(whole.pairs(0, firsts[0], seconds)))
  }

  @Test("what happened to a Signer that a smaller world lacks does not happen in it")
  func smallerWorldsLackSigners() throws {
    var schedule = Schedule.random(seed: 1, kind: .quarantine)
    schedule.settings.replicas = 1
    schedule.accidents = [Accident.away(signer: 1, slots: 3), .diskLost(signer: 1), .diskFound(signer: 1)]
      .enumerated().map { SlotAccident(slot: Int64(5 + $0.offset), accident: $0.element) }
    #expect(try schedule.run().violations.isEmpty)
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
    // Here sets have another order in each world: a schedule is looked for that can be told again by its list.
    var (lies, listed) = (0, Schedule?.none)
    for seed in UInt64(1)...200 where listed == nil {
      let long = Schedule.random(seed: seed)
      let outcome = try long.run()
      guard shrinker.fails(outcome) else { continue }
      lies = outcome.injected.count { $0.channel == .lie }
      let shrunk = try shrinker.shrink(long)
      if shrunk.plan.liesPerTenThousand == 0 { listed = shrunk }
    }
    let short = try #require(listed)
    #expect(lies > 10)
    // Another lie may have to come first, such as a branch that the node holds to.
    #expect(Set(short.plan.listed.map(\.happening)).isSuperset(of: [.answerIsLost, .forges]))
    #expect(short.plan.listed.count <= 4)
    for index in short.plan.listed.indices {
      var shorter = short
      shorter.plan.listed.remove(at: index)
      #expect(!shrinker.fails(try shorter.run()))
    }
    #expect(short.accidents == [] && short.settings.nodes == 3)
    let read = try JSONDecoder().decode(Schedule.self, from: JSONEncoder().encode(short))
    #expect(read == short)
    #expect(shrinker.fails(try read.run()))
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
