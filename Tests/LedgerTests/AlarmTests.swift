import Payouts
import Testing

@testable import Ledger

/// Which alarms are to be told, by whom and when.
@Suite struct AlarmTests {
  // Proves that each standing alarm is taken by one Monitor at a time, until it is told.
  @Test func `an alarm is one Monitor's until its lease is over, and nobody's once it was told`() async throws {
    try await withLedger { test async throws in
      try await test.freeze()
      for subject in ["a", "b", "c"] { try await test.ledger.raiseAlarm(kind: "k", subject: subject, message: "m") }
      let first = try await test.ledger.takeAlarms(atMost: 2)
      #expect(first.map(\.subject) == ["a", "b"])
      #expect(try await test.ledger.takeAlarms(atMost: 5).map(\.subject) == ["c"])
      #expect(try await test.ledger.takeAlarms(atMost: 5) == [])
      try await test.ledger.recordTold(first[0].id)
      try await test.freeze(afterSeconds: 29)
      #expect(try await test.ledger.takeAlarms(atMost: 5) == [])
      try await test.freeze(afterSeconds: 30)
      // The same cause again is the same alarm; it has been told.
      try await test.ledger.raiseAlarm(kind: "k", subject: "a", message: "m")
      #expect(try await test.ledger.takeAlarms(atMost: 5).map(\.subject) == ["b", "c"])
      // What a person has seen needs no more telling; what comes up again after that does.
      _ = try await test.ledger.acknowledgeAlarm(first[0].id, reason: "seen")
      _ = try await test.ledger.acknowledgeAlarm(first[1].id, reason: "seen")
      try await test.ledger.raiseAlarm(kind: "k", subject: "a", message: "new")
      try await test.freeze(afterSeconds: 1_000)
      #expect(try await test.ledger.takeAlarms(atMost: 5).map(\.message).sorted() == ["m", "new"])
    }
  }

  // Proves that a receiver that is away is called at growing intervals, up to a quarter of an hour.
  @Test func `the wait between two calls doubles, up to a quarter of an hour`() async throws {
    try await withLedger { test async throws in
      try await test.freeze()
      try await test.ledger.raiseAlarm(kind: "k", subject: "a", message: "m")
      var now: Int64 = 0
      for seconds in [Int64(30), 60, 120, 240, 480, 900, 900] {
        #expect(try await test.ledger.takeAlarms(atMost: 1).count == 1)
        now += seconds
        try await test.freeze(afterSeconds: now - 1)
        #expect(try await test.ledger.takeAlarms(atMost: 1) == [], "\(seconds)")
        try await test.freeze(afterSeconds: now)
      }
    }
  }

  // Proves that what operators do is kept beside the alarms and is none.
  @Test func `an operator's act is no alarm to be told`() async throws {
    try await withLedger { test async throws in
      _ = try await test.ledger.pause(reason: "r")
      #expect(try await test.ledger.takeAlarms(atMost: 5) == [])
    }
  }
}
