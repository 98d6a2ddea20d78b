import Payouts
import Testing

@testable import Ledger

/// An operator's order to set the head to the solid block that was followed: what goes back, and what never does.
@Suite struct HeadResetTests {
  /// Payouts 1 to 3 in blocks 101 to 103 of a false branch of the head; the first one's payment is in solid block 101.
  private func misled(_ test: TestLedger) async throws {
    try await test.freeze()
    try await test.signed(4)
    try await test.broadcast()
    for number: Int64 in 101...103 { try await test.head(number, [test.txid(Int(number) - 100)], branch: 9) }
    try await test.solid(101, [test.txid(1): .paid(test.place(101), Sample.cost)])
  }

  private func order(_ test: TestLedger) async throws -> HeadResetOrder {
    #expect(try await test.ledger.orderHeadReset(reason: "lied to") == .ordered)
    return try #require(try await test.ledger.watch()?.headReset)
  }

  @Test func `the head goes to the solid block, and what the false branch held waits for a block again`() async throws {
    try await withLedger { test async throws in
      try await misled(test)
      let order = try await order(test)
      #expect(order.reason == "lied to" && order.orderedBy == TestLedger.actor)
      #expect(try await test.ledger.orderHeadReset(reason: "again") == .standing)
      #expect(try await test.ledger.headResets(atMost: 9).map(\.state) == [.ordered])
      let (solid, head) = (test.place(101), test.place(103, branch: 9))
      let undone = try #require(try await test.ledger.resetHead(by: order, to: solid, from: head))
      #expect(Set(undone) == [Sample.payoutID(2), Sample.payoutID(3)])
      #expect(try await test.ledger.cursor(.head) == solid)
      #expect(try await test.ledger.recentBlocks(atMost: 9) == [solid])
      #expect(
        try await test.rows("SELECT status, coalesce(block_number, 0) FROM transactions ORDER BY txid")
          == ["solid|101", "sent|0", "sent|0", "sent|0"])
      for (payout, status) in [(1, PayoutStatus.confirming), (2, .broadcast), (3, .broadcast), (4, .broadcast)] {
        #expect(try await test.status(Sample.payoutID(payout)) == status)
      }
      let note = try await test.ledger.history(of: Sample.payoutID(2)).last?.note
      #expect(note == "the head was set to solid block 101")
      // Nothing of it was declared unpaid: the same bytes are due to be sent again, and no other ones.
      let outcomes = "SELECT coalesce(outcome::text, '-') FROM attempts ORDER BY number, reference"
      #expect(Set(try await test.rows(outcomes)) == ["-", "paid"])
      #expect(Set(try await test.take().map(\.txid)) == [test.txid(2), test.txid(3)])
      #expect(try await test.ledger.headResets(atMost: 9).map(\.state) == [.done(from: 103, to: 101)])
      let acts = try await test.rows(
        "SELECT message FROM alarms WHERE kind = 'operator' AND subject = 'head' ORDER BY id")
      #expect(
        acts == [
          "\(TestLedger.actor): ordered to set the head to the solid block that was followed: lied to",
          "\(TestLedger.actor): the head went from block 103 to solid block 101",
        ])
      // The true branch is read on, and takes up what it holds.
      #expect(try await test.head(102, [test.txid(3)]))
      #expect(try await test.status(Sample.payoutID(3)) == .confirming)
      #expect(try await test.ledger.resetHead(by: order, to: solid, from: test.place(102)) == nil)
      #expect(try await test.ledger.watch()?.headReset == nil)
    }
  }

  @Test func `a head whose branch holds the solid block is left as it is`() async throws {
    try await withLedger { test async throws in
      #expect(try await test.ledger.orderHeadReset(reason: "a mistake") == .notNeeded)
      try await misled(test)
      let order = try await order(test)
      // Meanwhile the head found back by itself.
      _ = try await test.ledger.undoHead(above: 100)
      for number: Int64 in 101...102 { try await test.head(number, [test.txid(2)]) }
      #expect(
        try await test.ledger.resetHead(by: order, to: test.place(101), from: test.place(102)) == nil)
      #expect(try await test.ledger.cursor(.head) == test.place(102))
      try await test.ledger.refuseHeadReset(order, "nothing to mend")
      try await test.ledger.refuseHeadReset(order, "told once")
      #expect(try await test.ledger.headResets(atMost: 9).map(\.state) == [.refused("nothing to mend")])
      #expect(
        try await test.rows("SELECT subject, message FROM alarms WHERE kind = 'head_reset_refused'")
          == ["head|nothing to mend"])
      #expect(try await test.ledger.watch()?.headReset == nil)
    }
  }

  @Test func `a view that has moved since it was looked at changes nothing`() async throws {
    try await withLedger { test async throws in
      try await misled(test)
      let order = try await order(test)
      let (solid, head) = (test.place(101), test.place(103, branch: 9))
      for (to, from) in [(solid, test.place(103)), (solid, test.place(102, branch: 9)), (test.place(102), head)] {
        #expect(try await test.ledger.resetHead(by: order, to: to, from: from) == nil)
      }
      #expect(try await test.ledger.cursor(.head) == head)
      #expect(try await test.status(Sample.payoutID(2)) == .confirming)
      #expect(try await test.ledger.resetHead(by: order, to: solid, from: head) != nil)
      let undo = "done_at = NULL, from_number = NULL, from_id = NULL, to_number = NULL, to_id = NULL"
      for change in ["reason = 'x'", undo] {
        #expect(try await test.refusal("UPDATE head_resets SET \(change)") == "TP002", "\(change)")
      }
    }
  }

  @Test func `of two who order it at once one does`() async throws {
    try await withLedger(connectionLimit: 4) { test async throws in
      try await misled(test)
      let answers = try await withThrowingTaskGroup(of: HeadResetAnswer.self) { group in
        for _ in 0..<3 { group.addTask { try await test.ledger.orderHeadReset(reason: "lied to") } }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(answers.filter { $0 == .ordered }.count == 1 && answers.filter { $0 == .standing }.count == 2)
    }
  }
}
