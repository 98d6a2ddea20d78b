import Payouts
import Testing

@testable import Ledger

/// The head's branch: inclusion, forks, and what the fence finds.
@Suite struct HeadTests {
  // Proves what a head block does, to ours in every state and to foreign transactions; and that the cursor moves.
  @Test func `a head block includes what is signed or sent`() async throws {
    try await withLedger { test async throws in
      try await test.signed(5)
      _ = try await test.take()
      try await test.ledger.record(
        [2, 4].map { BroadcastRecord(txid: test.txid($0), isTaken: true, answer: "SUCCESS", retryMilliseconds: 0) })
      try await test.ledger.settle([test.txid(4): .dead], retryDelayMilliseconds: 0)
      try await test.ledger.settle(
        [test.txid(5): .anomalous(test.place(101), finding: "odd")], retryDelayMilliseconds: 0)
      let foreign = Sample.txid(Sample.reference(77), attempt: 9)
      #expect(try await test.head(101, [test.txid(1), foreign, test.txid(2), test.txid(4), test.txid(5)]))
      #expect(
        try await test.rows("SELECT status FROM transactions ORDER BY txid")
          == ["included", "included", "signed", "dead", "anomalous"])
      for (payout, status) in [
        (1, PayoutStatus.confirming), (2, .confirming), (3, .signed), (4, .scheduled), (5, .held),
      ] {
        #expect(try await test.status(Sample.payoutID(payout)) == status)
      }
      #expect(try await test.ledger.payout(Sample.payoutID(1))?.note == "in block 101")
      #expect(try await test.ledger.attempts(of: Sample.payoutID(1)).first?.block == test.place(101))
      #expect(try await test.ledger.cursor(.head) == test.place(101))
      #expect(try await test.ledger.recentBlocks(atMost: 10).map(\.number) == [101, 100])
      #expect(try await test.ledger.recentBlocks(atMost: 1) == [test.place(101)])
      #expect(try await test.ledger.headBlock(100)?.id == test.place(100).id)
      #expect(try await test.ledger.headBlock(101) == test.place(101))
      #expect(try await test.ledger.headBlock(102) == nil)
      let known = try await test.ledger.known([test.txid(1), foreign, test.txid(3)])
      #expect(known.map(\.txid) == [test.txid(1), test.txid(3)] && known.map(\.status) == [.included, .signed])
      #expect(
        known.first?.transfers == [
          ExpectedTransfer(
            token: Sample.token, from: Sample.wallet, to: Sample.recipient(1),
            amount: try Amount(microUSDT: 1_000_000))
        ])
      #expect(try await test.ledger.known([]) == [])
    }
  }

  // Proves compare-and-set: of replicas that apply the same block one does, and none applies one that does not follow.
  @Test func `of several replicas one applies a block`() async throws {
    try await withLedger(connectionLimit: 8) { test async throws in
      let block = HeadBlock(place: test.place(101), transactions: [], suspects: [], keepAbove: 99)
      let applied = try await withThrowingTaskGroup(of: Bool.self) { group in
        for _ in 0..<6 { group.addTask { try await test.ledger.apply(head: block, after: test.place(100)) } }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(applied.filter { $0 }.count == 1)
      let solid = try await withThrowingTaskGroup(of: Bool.self) { group in
        for _ in 0..<6 {
          group.addTask {
            try await test.ledger.apply(
              solid: test.place(101), after: test.place(100), verdicts: [:], retryDelayMilliseconds: 0)
          }
        }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(solid.filter { $0 }.count == 1)
      let next = HeadBlock(place: test.place(102), transactions: [], suspects: [], keepAbove: 99)
      #expect(try await !test.ledger.apply(head: next, after: test.place(100)))
      #expect(try await !test.ledger.apply(head: next, after: test.place(101, branch: 1)))
      #expect(try await !test.ledger.apply(head: next, after: nil))
      #expect(try await test.ledger.apply(head: next, after: test.place(101)))
    }
  }

  // Proves that a fork takes back exactly what was above it, and what is in the other branch is taken up again.
  @Test func `a fork undoes what was above it`() async throws {
    try await withLedger { test async throws in
      // No lease ends while a slow machine comes to its second taking.
      try await test.freeze()
      try await test.signed(4)
      try await test.broadcast()
      try await test.head(101, [test.txid(1)])
      try await test.head(102, [test.txid(2)])
      try await test.head(103, [test.txid(3)])
      #expect(Set(try await test.ledger.undoHead(above: 101) ?? []) == [Sample.payoutID(2), Sample.payoutID(3)])
      #expect(
        try await test.rows("SELECT status, coalesce(block_number, 0) FROM transactions ORDER BY txid")
          == ["included|101", "sent|0", "sent|0", "sent|0"])
      #expect(try await test.status(Sample.payoutID(2)) == .broadcast)
      #expect(try await test.ledger.history(of: Sample.payoutID(2)).last?.note == "a fork undid its block")
      #expect(try await test.ledger.cursor(.head) == test.place(101))
      // It is sent again at once, into the new branch.
      #expect(Set(try await test.take().map(\.txid)) == [test.txid(2), test.txid(3)])
      #expect(try await test.head(102, [test.txid(3)], branch: 1))
      #expect(try await test.status(Sample.payoutID(3)) == .confirming)
      #expect(try await test.ledger.undoHead(above: 102) == [])
      #expect(try await test.ledger.undoHead(above: 110) == nil)
      #expect(try await test.ledger.cursor(.head)?.number == 102)
      // What is no longer kept cannot be gone back to, and nothing changes then.
      try await test.head(103, keepAbove: 101)
      let error = try await ledgerError { _ = try await test.ledger.undoHead(above: 101) }
      #expect(error.code == .illegalChange)
      #expect(try await test.ledger.cursor(.head)?.number == 103)
      #expect(try await test.ledger.recentBlocks(atMost: 10).map(\.number) == [103, 102])
      #expect(try await test.ledger.headBlock(101) == nil)
    }
  }

  // Proves that a replica which looked before another one went on undoes nothing of what that one has read since.
  @Test func `a fork is not undone by who has not seen how far another replica went on`() async throws {
    try await withLedger { test async throws in
      try await test.signed(1)
      try await test.broadcast()
      try await test.head(101)
      let undone = try await test.pool.withTransaction { connection -> Task<[PayoutID]?, any Error> in
        // A replica in the middle of applying block 102: it holds the cursor and has written the block.
        _ = try await connection.execute(
          "UPDATE chain_cursors SET number = 102, block_id = $1 WHERE view = 'head'",
          [.bytes(test.place(102).id.bytes)])
        _ = try await connection.execute(
          "INSERT INTO chain_blocks (number, block_id, block_time_ms) VALUES (102, $1, 1)",
          [.bytes(test.place(102).id.bytes)])
        _ = try await connection.execute(
          "UPDATE transactions SET status = 'included', block_number = 102 WHERE txid = $1",
          [.bytes(test.txid(1).bytes)])
        _ = try await connection.execute("UPDATE payouts SET status = 'confirming'", [])
        let task = Task { try await test.ledger.undoHead(above: 100, from: test.place(101)) }
        try await eventually("the undoing waits") {
          // In this database alone: tests beside this one wait for locks too.
          try await test.value(
            """
            SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
            WHERE NOT l.granted AND a.datname = current_database()
            """) != "0"
        }
        return task
      }
      #expect(try await undone.value == nil)
      #expect(try await test.ledger.recentBlocks(atMost: 10).map(\.number) == [102, 101, 100])
      // With its eyes open it may, and the next block can be applied.
      #expect(try await test.ledger.undoHead(above: 100) == [Sample.payoutID(1)])
      #expect(try await test.head(101, [test.txid(1)], branch: 1))
      #expect(try await test.head(102, branch: 1))
      #expect(try await test.status(Sample.payoutID(1)) == .confirming)
    }
  }

  // Proves which suspects become findings: unknown ones once each, ours never; and what a finding keeps.
  @Test func `foreign transactions of the wallet are findings, ours are not`() async throws {
    try await withLedger { test async throws in
      try await test.signed(1)
      let foreign = Sample.txid(Sample.reference(77), attempt: 9)
      func suspect(_ txid: TxID, _ kind: ChainFinding.Kind, _ log: Int, amount: String? = nil) -> ChainFinding {
        ChainFinding(
          kind: kind, txid: txid, logIndex: log, wallet: Sample.wallet,
          recipient: amount == nil ? nil : Sample.recipient(5), amountText: amount, referenceBits: 1_023,
          timestamp: test.now)
      }
      let huge = "115792089237316195423570985008687907853269984665640564039457584007913129639935"
      let suspects = [
        suspect(test.txid(1), .ownedTransaction, -1), suspect(foreign, .ownedTransaction, -1),
        suspect(foreign, .tokenTransfer, 0, amount: "1000000"), suspect(foreign, .tokenTransfer, 3, amount: huge),
      ]
      try await test.head(101, [test.txid(1), foreign], suspects: suspects)
      // The same block again, on another branch: nothing is told twice.
      _ = try await test.ledger.undoHead(above: 100)
      try await test.head(101, [foreign], suspects: suspects, branch: 1)
      #expect(
        try await test.rows(
          """
          SELECT kind, log_index, coalesce(amount::text, '-'), reference_bits, timestamp_ms, block_number
          FROM unclaimed_transfers ORDER BY log_index
          """) == [
            "owned_transaction|-1|-|1023|\(test.now.milliseconds)|101",
            "token_transfer|0|1000000|1023|\(test.now.milliseconds)|101",
            "token_transfer|3|\(huge)|1023|\(test.now.milliseconds)|101",
          ])
      #expect(try await test.ledger.conditions().openFindings == 3)
      #expect(try await test.sign() == .blocked(.openFinding))
      // All Signers have vouched, so these mean a stolen key: judged once, and the breaker opens.
      #expect(try await test.ledger.judgeFindings() == 3)
      #expect(try await test.ledger.judgeFindings() == 0)
      #expect(try await test.rows("SELECT state, cause FROM breaker") == ["open|unknown_transaction"])
      #expect(
        try await test.rows("SELECT kind, subject, count FROM alarms")
          == ["unknown_transaction|transaction \(foreign)|3"])
      // They block until an operator has acknowledged them, whatever becomes of the breaker.
      try await test.run("UPDATE breaker SET state = 'closed', cause = NULL, closes_by = NULL")
      #expect(try await test.sign() == .blocked(.openFinding))
      try await test.run("UPDATE unclaimed_transfers SET acknowledged_at = now()")
      #expect(try await test.sign() == .done(signed: 0, held: 0, waiting: 0))
    }
  }

  // Proves that an invented log in a head block, which one node told, does not stand for the true one of a solid block.
  @Test func `what a quorum says of a finding takes the place of what one node said`() async throws {
    try await withLedger { test async throws in
      let txid = Sample.txid(Sample.reference(77), attempt: 9)
      func finding(_ recipient: Int, _ amount: String) -> ChainFinding {
        ChainFinding(
          kind: .tokenTransfer, txid: txid, logIndex: 0, wallet: Sample.wallet, recipient: Sample.recipient(recipient),
          amountText: amount, referenceBits: nil, timestamp: nil)
      }
      func told() async throws -> [UnexplainedFinding] {
        try await test.ledger.unexplainedFindings(naming: [], atMost: 10)
      }
      try await test.head(101, suspects: [finding(1, "5")])
      try await test.ledger.store(findings: [finding(2, "7")], in: test.place(101))
      try await test.head(102, suspects: [finding(3, "9")])
      let found = try #require(try await told().first?.finding)
      #expect(try await told().count == 1)
      #expect(found.recipient == Sample.recipient(2) && found.amountText == "7" && found.blockNumber == 101)
    }
  }

  // Proves that nothing is undone that a solid block of our own branch stands on, whoever asks.
  @Test func `what a solid block stands on is not undone`() async throws {
    try await withLedger { test async throws in
      for number in 101...103 as ClosedRange<Int64> { try await test.head(number) }
      for number in 101...102 as ClosedRange<Int64> { try await test.solid(number) }
      #expect(try await test.ledger.undoHead(above: 101) == nil)
      #expect(try await test.ledger.cursor(.head) == test.place(103))
      #expect(try await test.ledger.undoHead(above: 102) == [])
      #expect(try await test.ledger.cursor(.head) == test.place(102))
    }
  }

  // Proves that a body which holds a transaction twice, as a node's mistake may, does not keep Monitor from going on.
  @Test func `what a block's reading tells twice is one finding`() async throws {
    try await withLedger { test async throws in
      let finding = ChainFinding(
        kind: .ownedTransaction, txid: Sample.txid(Sample.reference(77), attempt: 9), logIndex: -1,
        wallet: Sample.wallet, recipient: nil, amountText: nil, referenceBits: nil, timestamp: nil)
      try await test.ledger.store(findings: [finding, finding], in: test.place(101))
      #expect(try await test.head(101, suspects: [finding, finding]))
      #expect(try await test.rows("SELECT block_number FROM unclaimed_transfers") == ["101"])
    }
  }

  // Proves that findings wait for the Signers' word, which may explain them.
  @Test func `findings are judged only while the history is continuous`() async throws {
    try await withLedger { test async throws in
      try await test.addFinding()
      try await test.loseContinuity()
      #expect(try await test.ledger.judgeFindings() == 0)
      try await test.vouch()
      #expect(try await test.ledger.judgeFindings() == 1)
    }
  }

  // Proves that an alarm stands once a kind and subject, counts, and rises anew once it was acknowledged.
  @Test func `an alarm stands once and counts`() async throws {
    try await withLedger { test async throws in
      for message in ["first", "second"] {
        try await test.ledger.raiseAlarm(kind: "lag", subject: "solid", message: message)
      }
      try await test.ledger.raiseAlarm(kind: "lag", subject: "head", message: "other")
      let alarms = "SELECT subject, message, count FROM alarms ORDER BY id"
      #expect(try await test.rows(alarms) == ["solid|second|2", "head|other|1"])
      try await test.run("UPDATE alarms SET acknowledged_at = now()")
      try await test.ledger.raiseAlarm(kind: "lag", subject: "solid", message: "third")
      #expect(try await test.rows(alarms) == ["solid|second|2", "head|other|1", "solid|third|1"])
    }
  }
}
