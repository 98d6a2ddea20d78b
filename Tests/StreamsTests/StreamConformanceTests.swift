import TestSupport
import Testing

@testable import Streams

/// The promises of `StreamTransport`, each tried on every implementation: the real server and the one in memory.
@Suite struct StreamConformanceTests {
  typealias Kind = StreamFixture.Kind
  let anna = name("anna")
  let berta = name("berta")

  @Test(arguments: Kind.allCases)
  func `entries are delivered first in the order they were appended, with all their fields`(kind: Kind) async throws {
    try await StreamFixture.with(kind) { fixture in
      try await fixture.transport.append(
        [["batch": "1", "empty": ""], ["batch": "2", "ü": "a\r\nb\u{0}"]], to: .batchesReady)
      try await fixture.append(3...2_500)
      let first = try await fixture.read(anna, count: 2)
      #expect(first.map(\.fields) == [["batch": "1", "empty": ""], ["batch": "2", "ü": "a\r\nb\u{0}"]])
      #expect(first.allSatisfy { $0.stream == .batchesReady && $0.deliveries == 1 })
      var rest: [StreamEntry] = []
      while case let page = try await fixture.read(anna, count: 1000), !page.isEmpty { rest += page }
      #expect(numbers(rest) == Array(3...2_500))
      #expect((first + rest).map(\.id) == (first + rest).map(\.id).sorted())
      #expect(try await fixture.transport.length(of: .batchesReady) == 2_500)
    }
  }

  @Test(arguments: Kind.allCases)
  func `what a stream holds is read in order, delivered or not, and stays as it is`(kind: Kind) async throws {
    try await StreamFixture.with(kind) { fixture in
      #expect(try await fixture.transport.contents(of: .batchesReady, atMost: 10).isEmpty)
      try await fixture.append(1...5)
      let taken = try await fixture.read(anna, count: 2)
      try await fixture.transport.acknowledge([taken[0]], group: StreamFixture.group)
      let contents = try await fixture.transport.contents(of: .batchesReady, atMost: 10)
      #expect(try await fixture.transport.contents(of: .batchesReady, atMost: 3) == Array(contents.prefix(3)))
      let rest = try await fixture.read(anna, count: 10)
      #expect(numbers(rest) == [3, 4, 5])
      #expect(contents.map(\.id) == [taken[1].id] + rest.map(\.id))
      #expect(contents.map(\.fields) == [taken[1].fields] + rest.map(\.fields))
    }
  }

  @Test(arguments: Kind.allCases)
  func `nothing is there before anything was appended`(kind: Kind) async throws {
    try await StreamFixture.with(kind) { fixture in
      #expect(try await fixture.transport.length(of: .batchesReady) == 0)
      #expect(try await fixture.read(anna).isEmpty)
      #expect(try await fixture.readPending(anna).isEmpty)
      #expect(try await fixture.claim(anna, idle: 0).isEmpty)
      try await fixture.transport.append([], to: .batchesReady)
      try await fixture.transport.acknowledge([], group: StreamFixture.group)
      #expect(try await fixture.transport.length(of: .batchesReady) == 0)
    }
  }

  @Test(arguments: Kind.allCases)
  func `a read asks each stream for its count`(kind: Kind) async throws {
    try await StreamFixture.with(kind) { fixture in
      try await fixture.append(1...5, to: .payoutsHourly)
      try await fixture.append(6...7, to: .payoutsDaily)
      let streams: [StreamName] = [.payoutsHourly, .payoutsDaily, .payoutsWeekly]
      let entries = try await fixture.read(anna, count: 3, from: streams)
      #expect(numbers(entries.filter { $0.stream == .payoutsHourly }) == [1, 2, 3])
      #expect(numbers(entries.filter { $0.stream == .payoutsDaily }) == [6, 7])
      #expect(numbers(try await fixture.read(anna, count: 3, from: streams)) == [4, 5])
    }
  }

  /// Four consumers read a thousand entries at the same time: together they have each exactly once.
  @Test(arguments: Kind.allCases)
  func `consumers of a group share the work without doubles`(kind: Kind) async throws {
    try await StreamFixture.with(kind) { fixture in
      try await fixture.append(1...1_000)
      let shares = try await withThrowingTaskGroup(of: [Int].self) { group in
        for number in 0..<4 {
          group.addTask {
            var mine: [StreamEntry] = []
            while case let page = try await fixture.read(name("c\(number)"), count: 7), !page.isEmpty {
              mine += page
              try await fixture.transport.acknowledge(page, group: StreamFixture.group)
            }
            return numbers(mine)
          }
        }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(shares.flatMap { $0 }.sorted() == Array(1...1_000))
      #expect(try await fixture.transport.length(of: .batchesReady) == 0)
    }
  }

  @Test(arguments: Kind.allCases)
  func `each group gets every entry`(kind: Kind) async throws {
    try await StreamFixture.with(kind) { fixture in
      try await fixture.append(1...3)
      for group in ["one", "other"] {
        #expect(numbers(try await fixture.read(anna, group: ConsumerGroup(group))) == [1, 2, 3])
      }
    }
  }

  @Test(arguments: Kind.allCases)
  func `acknowledged entries are gone, and doing it twice is harmless`(kind: Kind) async throws {
    try await StreamFixture.with(kind) { fixture in
      try await fixture.append(1...3)
      try await fixture.append(4...4, to: .payoutsDaily)
      let streams: [StreamName] = [.batchesReady, .payoutsDaily]
      let entries = try await fixture.read(anna, from: streams)
      #expect(numbers(entries).sorted() == [1, 2, 3, 4])
      let done = entries.filter { $0.fields["n"] != "2" }
      for _ in 0..<2 { try await fixture.transport.acknowledge(done, group: StreamFixture.group) }
      #expect(try await fixture.transport.length(of: .batchesReady) == 1)
      #expect(try await fixture.transport.length(of: .payoutsDaily) == 0)
      #expect(numbers(try await fixture.readPending(anna, from: streams)) == [2])
      #expect(try await fixture.read(anna, from: streams).isEmpty)
    }
  }

  @Test(arguments: Kind.allCases)
  func `a consumer reads its own pending entries again, page by page, and no others`(kind: Kind) async throws {
    try await StreamFixture.with(kind) { fixture in
      try await fixture.append(1...5)
      _ = try await fixture.read(anna, count: 2)
      _ = try await fixture.read(berta, count: 1)
      _ = try await fixture.read(anna, count: 2)
      let page = try await fixture.readPending(anna, count: 3)
      #expect(numbers(page) == [1, 2, 4] && page.allSatisfy { $0.deliveries == 2 })
      let last = try #require(page.last)
      let rest = try await fixture.readPending(anna, count: 3, after: last.id)
      #expect(numbers(rest) == [5] && rest[0].deliveries == 2)
      #expect(try await fixture.readPending(anna, count: 3, after: rest[0].id).isEmpty)
      let again = try await fixture.readPending(anna, count: 1)
      #expect(numbers(again) == [1] && again[0].deliveries == 3)
      #expect(numbers(try await fixture.readPending(berta)) == [3])
    }
  }

  @Test(arguments: Kind.allCases)
  func `what a dead consumer held is claimed once it lay idle long enough, with true counts`(kind: Kind) async throws {
    try await StreamFixture.with(kind) { fixture in
      try await fixture.append(1...3)
      let held = try await fixture.read(anna, count: 2)
      #expect(try await fixture.claim(berta, idle: 30_000).isEmpty)
      try await fixture.age(held, anna, 20_000)
      #expect(try await fixture.claim(berta, idle: 30_000).isEmpty)
      try await fixture.age(held, anna, 60_000)
      _ = try await fixture.read(anna)
      let claimed = try await fixture.claim(berta, idle: 30_000)
      #expect(numbers(claimed) == [1, 2] && claimed.allSatisfy { $0.deliveries == 2 })
      #expect(claimed.map(\.fields) == held.map(\.fields))
      #expect(try await fixture.claim(berta, idle: 30_000).isEmpty)
      #expect(numbers(try await fixture.readPending(anna)) == [3])
      try await fixture.age(claimed, berta, 60_000)
      let again = try await fixture.claim(name("carla"), idle: 30_000)
      #expect(numbers(again).prefix(2) == [1, 2] && again[0].deliveries == 3)
      try await fixture.transport.acknowledge(again, group: StreamFixture.group)
      #expect(try await fixture.readPending(berta).isEmpty)
    }
  }

  @Test(arguments: Kind.allCases)
  func `a consumer claims its own idle entries too`(kind: Kind) async throws {
    try await StreamFixture.with(kind) { fixture in
      try await fixture.append(1...1)
      try await fixture.age(try await fixture.read(anna), anna, 60_000)
      let claimed = try await fixture.claim(anna, idle: 30_000)
      #expect(numbers(claimed) == [1] && claimed[0].deliveries == 2)
    }
  }

  @Test(arguments: Kind.allCases)
  func `a claim takes its count from each stream, and the next ones the rest`(kind: Kind) async throws {
    try await StreamFixture.with(kind) { fixture in
      let streams: [StreamName] = [.batchesReady, .payoutsDaily]
      try await fixture.append(1...25)
      try await fixture.append(26...30, to: .payoutsDaily)
      let held = try await fixture.read(anna, from: streams)
      try await fixture.age(held, anna, 60_000)
      var pages: [[Int]] = []
      for _ in 0..<4 { pages.append(numbers(try await fixture.claim(berta, count: 10, from: streams))) }
      #expect(pages.map(\.count) == [15, 10, 5, 0])
      #expect(pages.flatMap { $0 }.sorted() == Array(1...30))
    }
  }

  /// Another group's acknowledgement deletes entries under this group's hands: they must vanish without a trace, and
  /// not hide the ones behind them.
  @Test(arguments: Kind.allCases)
  func `entries deleted while pending are passed over`(kind: Kind) async throws {
    try await StreamFixture.with(kind) { fixture in
      try await fixture.append(1...6)
      let held = try await fixture.read(anna)
      let other = ConsumerGroup("other")
      let theirs = try await fixture.read(berta, count: 4, group: other)
      try await fixture.transport.acknowledge(theirs, group: other)
      #expect(numbers(try await fixture.readPending(anna, count: 2)) == [5, 6])
      try await fixture.age(Array(held.suffix(2)), anna, 60_000)
      #expect(numbers(try await fixture.claim(berta, idle: 30_000, count: 2)) == [5, 6])
      #expect(try await fixture.readPending(anna).isEmpty)
    }
  }

  @Test(arguments: Kind.allCases)
  func `a dead letter carries its error and origin, once, and the entry is gone`(kind: Kind) async throws {
    try await StreamFixture.with(kind) { fixture in
      try await fixture.append(7...8)
      let entry = try await fixture.read(anna)[0]
      let error = String(repeating: "é", count: 600)
      for _ in 0..<2 { try await fixture.transport.deadLetter(entry, group: StreamFixture.group, error: error) }
      #expect(try await fixture.transport.length(of: .batchesReady) == 1)
      #expect(numbers(try await fixture.readPending(anna)) == [8])
      let letters = try await fixture.read(anna, from: [StreamName("batches.ready.dead")])
      #expect(
        letters.map(\.fields) == [
          [
            "n": "7", "dead.error": String(repeating: "é", count: 512), "dead.stream": "batches.ready",
            "dead.id": entry.id.description, "dead.group": "stage", "dead.deliveries": "1",
          ]
        ])
    }
  }

  @Test(arguments: Kind.allCases)
  func `an entry that somebody else ended leaves no dead letter`(kind: Kind) async throws {
    try await StreamFixture.with(kind) { fixture in
      try await fixture.append(1...1)
      let entries = try await fixture.read(anna)
      try await fixture.transport.acknowledge(entries, group: StreamFixture.group)
      try await fixture.transport.deadLetter(entries[0], group: StreamFixture.group, error: "late")
      #expect(try await fixture.transport.length(of: StreamName.batchesReady.deadLetters) == 0)
    }
  }

  /// Everything is lost before each single call in turn: all of them go on as if the streams were new.
  @Test(arguments: Kind.allCases)
  func `after everything was lost every call goes on by itself`(kind: Kind) async throws {
    try await StreamFixture.with(kind) { fixture in
      try await fixture.append(1...2)
      let held = try await fixture.read(anna)
      try await fixture.loseEverything()
      #expect(try await fixture.read(anna).isEmpty)
      try await fixture.append(3...4)
      #expect(numbers(try await fixture.read(anna)) == [3, 4])

      try await fixture.loseEverything()
      #expect(try await fixture.readPending(anna).isEmpty)
      try await fixture.loseEverything()
      #expect(try await fixture.claim(anna, idle: 0).isEmpty)
      try await fixture.loseEverything()
      try await fixture.transport.acknowledge(held, group: StreamFixture.group)
      #expect(try await fixture.transport.length(of: .batchesReady) == 0)

      // The letter is kept although the entry is lost: the group is gone as well, so nobody else dealt with it.
      try await fixture.transport.deadLetter(held[0], group: StreamFixture.group, error: "lost")
      #expect(try await fixture.transport.length(of: StreamName.batchesReady.deadLetters) == 1)
      try await fixture.append(5...5)
      #expect(numbers(try await fixture.read(anna)) == [5])
    }
  }

  @Test(arguments: Kind.allCases)
  func `a blocked read wakes when an entry comes to any of its streams`(kind: Kind) async throws {
    try await StreamFixture.with(kind) { fixture in
      for (number, stream) in [StreamName.payoutsHourly, .payoutsDaily].enumerated() {
        let began = ContinuousClock.now
        async let entries = fixture.read(anna, block: 60_000, from: [.payoutsHourly, .payoutsDaily])
        try await fixture.append(number...number, to: stream)
        #expect(numbers(try await entries) == [number])
        #expect(ContinuousClock.now - began < .seconds(60))
      }
    }
  }

  @Test(.timeLimit(.minutes(2)), arguments: Kind.allCases)
  func `a read that finds nothing waits as long as it was told and returns nothing`(kind: Kind) async throws {
    try await StreamFixture.with(kind) { fixture in
      let began = ContinuousClock.now
      let entries = try await fixture.read(anna, block: 150)
      #expect(entries.isEmpty)
      #expect(ContinuousClock.now - began >= .milliseconds(140))
    }
  }

  @Test(arguments: Kind.allCases)
  func `a cancelled blocked read ends at once and takes nothing`(kind: Kind) async throws {
    try await StreamFixture.with(kind) { fixture in
      #expect(try await fixture.read(anna).isEmpty)
      for round in 0..<10 {
        let blocked = Task { try await fixture.read(anna, block: 60_000) }
        if round.isMultiple(of: 2) { try await Task.sleep(for: .milliseconds(round)) }
        blocked.cancel()
        await #expect(throws: CancellationError.self) { _ = try await blocked.value }
      }
      try await fixture.append(1...1)
      // The server may give the entry to the name whose last connection is just closing: then it is pending there.
      var found = try await fixture.read(berta, block: 50)
      if found.isEmpty { found = try await fixture.readPending(anna) }
      #expect(numbers(found) == [1])
    }
  }

  @Test(arguments: Kind.allCases)
  func `the limits are kept on both sides`(kind: Kind) async throws {
    try await StreamFixture.with(kind) { fixture in
      func refuses(_ what: Comment, _ call: () async throws -> Void) async {
        do {
          try await call()
          Issue.record(what)
        } catch {
          let error = error as? StreamError
          #expect(error?.code == .invalidArgument && error?.outcome == .notDone, what)
        }
      }
      let many = (0...16).map { StreamName("s\($0)") }
      for count in [1, 1000] { _ = try await fixture.read(anna, count: count) }
      for count in [0, 1001, -1] {
        await refuses("count \(count)") { _ = try await fixture.read(anna, count: count) }
        await refuses("count \(count)") { _ = try await fixture.claim(anna, count: count) }
        await refuses("count \(count)") { _ = try await fixture.readPending(anna, count: count) }
      }
      _ = try await fixture.read(anna, from: Array(many.prefix(16)))
      for streams in [[], many, [many[0], many[0]]] {
        await refuses("\(streams.count) streams") { _ = try await fixture.read(anna, from: streams) }
      }
      for block in [-1, 60_001] { await refuses("block \(block)") { _ = try await fixture.read(anna, block: block) } }
      for idle in [-1, 86_400_001] { await refuses("idle \(idle)") { _ = try await fixture.claim(anna, idle: idle) } }

      let wide = Dictionary(uniqueKeysWithValues: (0..<17).map { ("f\($0)", "v") })
      let long = String(repeating: "x", count: 1_025)
      try await fixture.transport.append(
        [wide.filter { $0.key != "f16" }, ["f": String(long.dropLast())]], to: many[0])
      for fields in [[:], wide, ["f": long], [long: "v"], ["": "v"]] {
        await refuses("fields") { try await fixture.transport.append([["ok": "1"], fields], to: many[1]) }
      }
      await refuses("entries") {
        try await fixture.transport.append([[String: String]](repeating: ["a": "1"], count: 10_001), to: many[1])
      }
      #expect(try await fixture.transport.length(of: many[1]) == 0)
    }
  }
}
