import Ledger
import Logging
import Payouts
import Signer
import Streams
import Synchronization
import TestSupport

@testable import Payoutctl

/// What the log of intents adds to a scene: a real Redis, acceptances and ends written as Ingest and the command line
/// write them, and real snapshots of the database.
struct IntentScene: Sendable {
  let scene: PayingScene
  let server: PrivatePostgres
  let log: RedisStreams

  private static let nextDatabase = Atomic<Int>(0)

  /// Runs a test on servers of its own, with a Signer that has vouched and a log that holds a marker.
  static func run(_ body: (IntentScene, SignerSteps) async throws -> Void) async throws {
    let server = try await PrivatePostgres.start()
    let result: Result<Void, any Error>
    do {
      try await PayingScene.run(on: server) { scene in
        let intents = IntentScene(scene: scene, server: server, log: try await emptyLog())
        try await intents.log.appendIntents([Intent.marker.fields])
        try await scene.follow()
        let signer = try intents.signer()
        try await scene.run(signer.vouch)
        try await body(intents, signer)
      }
      result = .success(())
    } catch {
      result = .failure(error)
    }
    try await server.stop()
    try result.get()
  }

  /// A log that holds nothing: a database of its own on the shared Redis.
  static func emptyLog() async throws -> RedisStreams {
    let database = nextDatabase.add(1, ordering: .relaxed).newValue
    let server = try await PrivateRedis.shared()
    return try RedisStreams(
      url: "\(server.url)/\(database)",
      logger: Logger(label: "log", factory: { _ in SwiftLogNoOpLogHandler() }))
  }

  /// A Signer of this scene, or another process of it, on this log or another.
  func signer(run: UInt8 = 1, log other: (any IntentLog)? = nil) throws -> SignerSteps {
    try scene.signer(run: run, intents: other ?? log)
  }

  /// Accepts payouts and writes them to the log, as Ingest does.
  @discardableResult
  func accept(_ payouts: [NewPayout]) async throws -> [AcceptedPayout] {
    var accepted: [AcceptedPayout] = []
    let outcomes = try await scene.ledger.accept(payouts, limits: AcceptanceLimits(hourly: nil, daily: nil))
    for (payout, outcome) in zip(payouts, outcomes) {
      guard case .accepted(let record) = outcome else { throw SceneError("\(outcome)") }
      accepted.append(AcceptedPayout(record, fingerprint: payout.fingerprint))
    }
    try await log.appendIntents(accepted.map { Intent.accepted($0).fields })
    return accepted
  }

  /// Accepts payouts with these numbers.
  func accept(_ numbers: ClosedRange<Int>) async throws { try await accept(try numbers.map { try scene.payout($0) }) }

  /// A person rejects a payout, by the command's own way.
  func reject(_ number: Int) async throws {
    _ = try await scene.ledger.holdQueued(PayingScene.payoutID(number), note: "a person looks")
    let decide = DecideHeld(
      ledger: scene.ledger, payout: PayingScene.payoutID(number), decision: .reject, seen: nil, reason: "by policy",
      requiredConfirmations: 19,
      intents: IntentRecorder(log, logger: Logger(label: "log", factory: { _ in SwiftLogNoOpLogHandler() })))
    guard try await decide.run() == .rejected else { throw SceneError("not rejected") }
  }

  /// Puts queued payouts into one batch and tells the Signer.
  func batch(_ numbers: ClosedRange<Int>) async throws {
    let id = PayoutID(at: scene.clock.now(), randomness: [UInt8](repeating: UInt8(numbers.lowerBound), count: 10))
    let batches = try await scene.ledger.schedule(numbers.map(PayingScene.payoutID), maximumPerBatch: 100) { id }
    for batch in batches { try await scene.announce(batch.id) }
  }

  /// `payoutctl intents replay`.
  func replay(isDryRun: Bool = false) async throws -> ReplayIntents.Report {
    try await ReplayIntents(
      ledger: scene.ledger, log: log, seals: try SealVerifier(scene.sealer.publicKeyText), isDryRun: isDryRun
    ).run()
  }

  // MARK: Disasters

  private var database: String { String(scene.url.split(separator: "/").last ?? "") }

  /// A backup: a copy of the database's files as they are now.
  func backUp() async throws -> String {
    try await endSessions()
    return String(try await server.createDatabase(template: database).split(separator: "/").last ?? "")
  }

  /// Puts a backup in the place of the database, and starts the server: what was committed since is lost.
  func restore(_ backup: String) async throws {
    try await endSessions()
    try await server.query("ALTER DATABASE \(database) RENAME TO lost_\(backup)")
    try await server.query("ALTER DATABASE \(backup) RENAME TO \(database)")
    try await server.restart(mode: .fast)
    // The scene's frozen time is the backup's now.
    try await scene.wait(milliseconds: 0)
  }

  private func endSessions() async throws {
    try await server.query(
      """
      ALTER DATABASE \(database) ALLOW_CONNECTIONS false;
      SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity WHERE datname = '\(database)';
      ALTER DATABASE \(database) ALLOW_CONNECTIONS true;
      """)
  }
}
