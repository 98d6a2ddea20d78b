import Ledger
import Logging
import Payouts
import Streams
import TestSupport
import Testing
import Worker

/// `payoutctl intents replay`, and the ends that `reject` and `settle` write, by the built program on real servers.
struct IntentCommandsTests {
  /// A Redis that holds nothing but this test's own.
  private func redis() async throws -> (server: PrivateRedis, log: RedisStreams) {
    let server = try await PrivateRedis.start()
    return (server, try RedisStreams(url: server.url, logger: Logger(label: "log") { _ in SwiftLogNoOpLogHandler() }))
  }

  private static let publicKey: String = {
    guard let sealer = try? Sealer("tests:" + String(repeating: "11", count: 32)) else { return "" }
    return sealer.publicKeyText
  }()

  private func run(
    _ scene: CommandLineScene, _ redis: PrivateRedis, _ arguments: String...
  ) async throws -> TestProcess.Outcome {
    try await CommandLineScene.payoutctl(
      arguments,
      ["DATABASE_URL": scene.url, "REDIS_URL": redis.url, "INTENT_SEAL_PUBLIC_KEY": IntentCommandsTests.publicKey])
  }

  @Test func `what a restore took is looked at, put back, and not put back twice`() async throws {
    let scene = try await CommandLineScene.vouched()
    let (redis, log) = try await redis()
    let terms = try await scene.held()
    let record = try #require(try await scene.ledger.payout(terms.id))
    let intent = Intent.accepted(AcceptedPayout(record, fingerprint: [UInt8](repeating: 0, count: 32)))
    try await log.appendIntents([intent.fields])
    let nothing = try await run(scene, redis, "intents", "replay")
    #expect(nothing.exitCode == 0 && nothing.output.contains("0 acceptances and ends were lost"), "\(nothing.errors)")
    try await scene.sql(
      "SET session_replication_role = replica; DELETE FROM payouts; DELETE FROM payout_references;")
    let look = try await run(scene, redis, "intents", "replay", "--dry-run")
    #expect(look.exitCode == 0 && look.output.contains("1 acceptances and ends were lost\nnothing was changed"))
    #expect(try await scene.ledger.payout(terms.id) == nil)
    let report: [String: Any] = try CommandLineScene.json(try await run(scene, redis, "intents", "replay", "--json"))
    #expect(report["put_back"] as? Int == 1 && report["lost"] as? Int == 1 && report["forged"] as? Int == 0)
    let back = try #require(try await scene.ledger.payout(terms.id))
    #expect(back.terms == terms && back.status == .queued && back.seal == record.seal)
    let again = try await run(scene, redis, "intents", "replay")
    #expect(again.exitCode == 0 && again.output.contains("0 payouts put back"))
    await redis.stop()
  }

  @Test func `of two lost requests of one reference the first is put back, and a person is asked, by one replay`()
    async throws
  {
    let scene = try await CommandLineScene.vouched()
    let (redis, log) = try await redis()
    let terms = try await scene.held()
    let record = try #require(try await scene.ledger.payout(terms.id))
    let first = AcceptedPayout(record, fingerprint: [UInt8](repeating: 0, count: 32))
    let other = PayoutTerms(
      id: PayoutID(at: terms.createdAt, randomness: [UInt8](repeating: 7, count: 10)), reference: terms.reference,
      owner: terms.owner, network: terms.network, token: terms.token, recipient: terms.recipient,
      amount: try Amount(decimal: "1"), router: terms.router, batchType: terms.batchType, createdAt: terms.createdAt)
    let sealer = try Sealer("tests:" + String(repeating: "11", count: 32))
    let second = AcceptedPayout(
      NewPayout(
        terms: other, seal: try sealer.seal(other), particulars: record.particulars,
        fingerprint: [UInt8](repeating: 1, count: 32)),
      limitWindows: first.limitWindows, windowEnd: first.windowEnd)
    try await log.appendIntents([Intent.accepted(first).fields, Intent.accepted(second).fields])
    try await scene.sql(
      "SET session_replication_role = replica; DELETE FROM payouts; DELETE FROM payout_references;")
    let report: [String: Any] = try CommandLineScene.json(try await run(scene, redis, "intents", "replay", "--json"))
    #expect(report["put_back"] as? Int == 1 && report["conflicts"] as? Int == 1)
    #expect(try await scene.ledger.payout(terms.id)?.holdReason == "conflicting_acceptance")
    #expect(try await scene.ledger.lost([.accepted(first), .accepted(second)]).isEmpty)
    await redis.stop()
  }

  @Test func `entries of another hand end the command with 1 and one line`() async throws {
    let scene = try await CommandLineScene.vouched()
    let (redis, log) = try await redis()
    try await log.appendIntents([["v": "1", "kind": "accepted", "payout_id": "x"]])
    let outcome = try await run(scene, redis, "intents", "replay")
    #expect(outcome.exitCode == 1 && outcome.errors.contains("1 entries were written by nobody of ours"))
    #expect(outcome.output.contains("0 payouts put back"))
    await redis.stop()
  }

  @Test func `an end by hand stands in the log, at the latest when the command is called again`() async throws {
    // Proves the order commit, log, answer, and that a log that is away is told and stops nothing.
    let scene = try await CommandLineScene.vouched()
    let (redis, log) = try await redis()
    let first = try await scene.held()
    let second = try await scene.held()
    let rejected = try await run(scene, redis, "reject", "\(first.id)", "--reason", "by policy")
    #expect(rejected.exitCode == 0 && rejected.errors.isEmpty, "\(rejected.errors)")
    let silent = try await scene.run("settle", "\(second.id)", "--reason", "paid by bank", "--proof", "p-1")
    #expect(silent.exitCode == 0 && silent.errors.contains("not in the log of intents"))
    func told() async throws -> [PayoutEnd] {
      try await log.intents(after: .zero, atMost: 10).compactMap { entry in
        guard case .ended(let end) = try Intent(fields: entry.fields) else { return nil }
        return end
      }
    }
    #expect(try await told().map(\.payout) == [first.id])
    let again = try await run(scene, redis, "settle", "\(second.id)", "--reason", "paid by bank", "--proof", "p-1")
    #expect(again.exitCode == 1 && again.errors.contains("not held"))
    let ends = try await told()
    #expect(ends.map(\.payout) == [first.id, second.id] && ends.map(\.status) == [.rejected, .settledExternally])
    #expect(ends.map(\.reference) == [first.reference, second.reference] && ends[1].note?.contains("p-1") == true)
    await redis.stop()
  }

  @Test func `a payout whose end was lost is released by a person's clear word only`() async throws {
    let scene = try await CommandLineScene.vouched()
    let (redis, log) = try await redis()
    let terms = try await scene.held()
    let end = PayoutEnd(
      payout: terms.id, reference: terms.reference, status: .rejected, note: "by policy", at: SystemClock().now())
    try await log.appendIntents([Intent.ended(end).fields])
    let report: [String: Any] = try CommandLineScene.json(try await run(scene, redis, "intents", "replay", "--json"))
    #expect(report["ends"] as? Int == 1)
    let refused = try await run(scene, redis, "release", "\(terms.id)", "--reason", "r")
    #expect(refused.exitCode == 1 && refused.errors.contains("--although-it-ended"))
    let released = try await run(scene, redis, "release", "\(terms.id)", "--reason", "r", "--although-it-ended")
    #expect(released.exitCode == 0 && released.output.contains("is queued now"), "\(released.errors)")
    await redis.stop()
  }
}
