import Ledger
import Logging
import Monitor
import Payouts
import Signer
import Streams
import TestSupport
import Testing
import Tron
import Worker

/// The stream of what Signers say they sent: written by somebody else, or met by a ledger that fails. On real Redis and real
/// PostgreSQL.
@Suite struct SentEntriesTests {
  /// A Monitor whose streams are a real server's; each call is a start of the same process anew.
  private func monitor(_ scene: PayingScene, on streams: RedisStreams) throws -> MonitorSteps {
    try MonitorSteps(
      MonitorParts(
        ledger: scene.ledger, streams: streams, intents: streams,
        node: CheckedNode(scene.node, genesis: scene.node.genesis), clock: scene.clock),
      policy: MonitorPolicy(
        name: "monitor-1", token: PayingScene.token, requiredConfirmations: 19, retryDelayMilliseconds: 60_000),
      metrics: nil, logger: Logger(label: "monitor"))
  }

  private func redis(database: Int) async throws -> (streams: RedisStreams, url: String) {
    let url = "\(try await PrivateRedis.shared().url)/\(database)"
    return (try RedisStreams.patient(at: url), url)
  }

  @Test func `whatever is announced, no payout moves by it, and only an unknown transaction calls somebody`()
    async throws
  {
    try await PayingScene.run { scene in
      _ = try await scene.sent(2)
      let (streams, url) = try await redis(database: 220)
      let monitor = try monitor(scene, on: streams)
      let (first, second) = try await (scene.txid(1), scene.txid(2))
      try await scene.force(
        """
        UPDATE transactions SET status = 'dead' WHERE txid = \(PayingScene.sql(second.bytes));
        UPDATE attempts SET outcome = 'dead', blame = 'expired', ended_at = ledger_now()
          WHERE txid = \(PayingScene.sql(second.bytes));
        UPDATE payouts SET status = 'scheduled' WHERE id = '\(PayingScene.payoutID(2))';
        """)
      let nobodys = String(repeating: "ab", count: 32)
      let entries = HostileEntries.all(
        field: StreamField.txid, real: "\(first)", others: ["\(second)", "\(PayingScene.payoutID(1))"], nobodys: nobodys
      )
      for _ in 0..<2 {
        try await HostileEntries.write(entries, to: .transactionsSent, at: url)
        try await scene.run(monitor.takeUpSent)
        #expect(try await streams.length(of: .transactionsSent) == 0)
      }
      #expect(try await streams.length(of: StreamName.transactionsSent.deadLetters) == 0)
      #expect(try await scene.status(1) == .broadcast)
      #expect(try await scene.status(2) == .scheduled)
      #expect(try await scene.attempts(1).map(\.outcome) == [nil])
      #expect(try await scene.attempts(2).map(\.outcome) == [.dead])
      // Each name that is a txid and nobody's stands once, however often it is announced.
      let subjects = try await scene.pool.execute("SELECT kind || ' ' || subject AS line FROM alarms ORDER BY subject")
        .rows
        .map { try $0.text("line") }
      #expect(
        subjects == [String(repeating: "00", count: 32), nobodys].map { "unknown_announcement transaction \($0)" })
      #expect(try await scene.breaker() == nil)
    }
  }

  @Test func `an announcement that the ledger can never read becomes a dead letter alone, and its payout is paid`()
    async throws
  {
    // A row that somebody has broken. Its neighbours of the same read are done with, somebody is called, and the payout goes
    // on by its blocks once the row is mended.
    try await PayingScene.run { scene in
      let (_, signer) = try await scene.sent(3)
      let (streams, _) = try await redis(database: 221)
      let broken = try await scene.txid(2)
      let amount = "UPDATE attempts SET amount = % WHERE txid = \(PayingScene.sql(broken.bytes));"
      try await scene.force(
        "ALTER TABLE attempts DROP CONSTRAINT attempts_amount_check; "
          + amount.replacing("%", with: "-5"))
      var announced: [[String: String]] = []
      for number in 1...3 { announced.append([StreamField.txid: "\(try await scene.txid(number))"]) }
      try await streams.append(announced, to: .transactionsSent)
      let dead = StreamName.transactionsSent.deadLetters
      var starts = 0
      while try await streams.length(of: dead) == 0, starts < 24 {
        starts += 1
        let monitor = try monitor(scene, on: streams)
        _ = try? await scene.run(monitor.takeUpSent)
      }
      #expect(starts > 8 && starts < 24)
      #expect(try await streams.length(of: .transactionsSent) == 0)
      let letters = try await streams.deadLetters(of: .transactionsSent, atMost: 10)
      #expect(letters.map(\.fields) == [announced[1]])
      #expect(letters.map(\.error) == ["it could not be held against the ledger: corrupt"])
      let alarm = try await scene.pool.execute("SELECT kind || ' ' || subject AS line FROM alarms").rows
      #expect(try alarm.map { try $0.text("line") } == ["dead_letter transaction \(broken)"])
      for number in 1...3 { #expect(try await scene.status(number) == .broadcast) }

      // Mended and retried, as an operator does: it is done with, and all are paid once.
      try await scene.force(amount.replacing("%", with: "1000000"))
      #expect(try await streams.retry(letters[0].id, deadLetterOf: .transactionsSent) == .putBack)
      let monitor = try monitor(scene, on: streams)
      try await scene.run(monitor.takeUpSent)
      #expect(try await streams.length(of: .transactionsSent) == 0)
      #expect(try await streams.length(of: dead) == 0)
      try await scene.run(signer.broadcast)
      try await scene.live(19, monitor)
      for number in 1...3 {
        #expect(try await scene.status(number) == .confirmed)
        #expect(await scene.node.payments(to: PayingScene.recipient(number)).count == 1)
      }
    }
  }

  @Test func `a database that is away for long gives no announcement up`() async throws {
    // Nobody is to blame for that: far more deliveries than the limit fail, and then all are done with.
    try await PayingScene.run { scene in
      _ = try await scene.sent(2)
      let (streams, _) = try await redis(database: 222)
      for number in 1...2 {
        try await streams.append([[StreamField.txid: "\(try await scene.txid(number))"]], to: .transactionsSent)
      }
      // The table is out of reach, as a database is whose migration goes wrong.
      try await scene.pool.executeScript("ALTER TABLE attempts RENAME TO attempts_away")
      for _ in 0..<24 {
        let monitor = try monitor(scene, on: streams)
        await #expect(throws: LedgerError.self) { try await scene.run(monitor.takeUpSent) }
      }
      #expect(try await streams.length(of: .transactionsSent) == 2)
      try await scene.pool.executeScript("ALTER TABLE attempts_away RENAME TO attempts")
      let monitor = try monitor(scene, on: streams)
      try await scene.run(monitor.takeUpSent)
      #expect(try await streams.length(of: .transactionsSent) == 0)
      #expect(try await streams.length(of: StreamName.transactionsSent.deadLetters) == 0)
      #expect(try await scene.alarms().isEmpty)
    }
  }
}
