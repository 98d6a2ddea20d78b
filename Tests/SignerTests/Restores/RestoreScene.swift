import Foundation
import Keystore
import Ledger
import Logging
import Monitor
import Payouts
import Scheduler
import Signer
import Streams
import TestSupport
import Testing
import Tron
import Worker

@testable import Payoutctl

/// An installation that goes through a disaster: real PostgreSQL servers, a real log of intents in Redis, journals in
/// real files, the workers' real steps, a scripted chain, and one virtual time for all, so that a quarantine costs no
/// waiting.
actor RestoreScene {
  /// The longest life of a transaction, and how far clocks may differ, in milliseconds.
  static let maximumExpiration: Int64 = 60_000
  static let clockBound: Int64 = 10_000
  /// How long the Signers let a transaction live, in milliseconds.
  static let expiration: Int64 = 30_000
  static let retryDelay: Int64 = 3_000

  /// What must not change while the history is not trusted.
  private struct Untrusted: Equatable {
    let signed: Int64
    let ended: Int64
    let broadcast: Set<TxID>
  }

  /// A Signer's process.
  struct RunningSigner {
    let steps: SignerSteps
    let journal: FileJournal
  }

  let scene: PayingScene
  let server: PrivatePostgres
  let spare: PrivatePostgres?
  let log: RedisStreams
  let names: [String]
  let folder: URL
  let monitor: MonitorSteps
  private let scheduler: SchedulerSteps
  private let isDevelopment: Bool
  private var nextRun: UInt8 = 1
  private(set) var running: [String: RunningSigner] = [:]
  /// Which requests clients have made, by number, and how often.
  var submissions: [Int: Int] = [:]
  /// When those expire that have an end of their own, by number.
  var expiries: [Int: Timestamp] = [:]
  /// What was in a block, or pending, when disaster came: nobody knows of it afterwards but the chain, and maybe a
  /// journal.
  private(set) var lost: [TxID: Int] = [:]
  /// What the last look found, while the history was not trusted.
  private var untrusted: Untrusted?
  /// What is pending and comes into no block before a moment: a producer takes it late, and just in time.
  private var heldBack: (txids: Set<TxID>, until: Timestamp)?
  /// Whether a server is being changed under the processes.
  private var isChanging = false
  /// Why steps did not go on, in the last round and since.
  private(set) var refusals: [String] = []

  var database: String { String(scene.url.split(separator: "/").last?.split(separator: "?").first ?? "") }

  /// Runs a test in a scene of its own, with running Signers that have vouched and a Monitor at the head.
  ///
  /// - Parameters:
  ///   - names: the Signers of the wallet.
  ///   - sparePort: where a second server will listen that takes the first one's place.
  ///   - isDevelopment: as the Signers are configured.
  static func run(
    names: [String] = ["signer-1"], sparePort: Int? = nil, spare: PrivatePostgres? = nil, isDevelopment: Bool = true,
    on server: PrivatePostgres, _ body: @Sendable (RestoreScene) async throws -> Void
  ) async throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("restore-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let result: Result<Void, any Error>
    do {
      try await PayingScene.run(
        on: server, isDeclared: false, sparePort: sparePort ?? spare?.port,
        maximumExpirationMilliseconds: maximumExpiration, clockBoundMilliseconds: clockBound
      ) { scene in
        let restore = try await RestoreScene(
          scene, server: server, spare: spare, names: names, folder: folder, isDevelopment: isDevelopment)
        try await restore.begin()
        try await body(restore)
      }
      result = .success(())
    } catch {
      result = .failure(error)
    }
    try FileManager.default.removeItem(at: folder)
    try result.get()
  }

  private init(
    _ scene: PayingScene, server: PrivatePostgres, spare: PrivatePostgres?, names: [String], folder: URL,
    isDevelopment: Bool
  ) async throws {
    self.scene = scene
    self.server = server
    self.spare = spare
    self.names = names
    self.folder = folder
    self.isDevelopment = isDevelopment
    log = try await IntentScene.emptyLog()
    let quiet = Logger(label: "worker", factory: { _ in SwiftLogNoOpLogHandler() })
    monitor = try MonitorSteps(
      MonitorParts(
        ledger: scene.ledger, streams: scene.streams, intents: log,
        node: CheckedNode(scene.node, genesis: scene.node.genesis), clock: scene.clock),
      policy: MonitorPolicy(
        name: "monitor-1", token: PayingScene.token, requiredConfirmations: 19,
        retryDelayMilliseconds: Self.retryDelay, maximumOwnFailures: 1),
      metrics: nil, logger: quiet)
    scheduler = try SchedulerSteps(
      ledger: scene.ledger, streams: scene.streams, intents: log, consumer: ConsumerName("scheduler-1"),
      clock: scene.clock, random: SystemRandomSource(), metrics: nil, logger: quiet)
  }

  private func begin() async throws {
    try await log.appendIntents([Intent.marker.fields])
    for name in names {
      try makeJournal(of: name)
      let journal = try FileJournal.open(directory: folder.path, signer: name)
      _ = try await scene.ledger.declare(
        wallet: scene.wallet, signer: name, journalID: journal.id, begin: scene.node.place(scene.node.solidNumber))
    }
    for name in names { try start(name) }
    try await pass(1)
    #expect(try await scene.ledger.conditions().isContinuous)
  }

  // MARK: Processes

  /// An empty journal where there is none.
  func makeJournal(of name: String) throws {
    try FileJournal.create(
      directory: folder.path, signer: name, wallet: scene.wallet, id: SystemRandomSource().bytes(16))
  }

  /// Starts a Signer's process, or starts it again.
  ///
  /// - Parameter watching: lets it die somewhere.
  func start(_ name: String, watching: ((any SignerLedger) -> any SignerLedger)? = nil) throws {
    stop(name)
    let journal = try FileJournal.open(directory: folder.path, signer: name)
    let policy = SignerPolicy(
      name: name, names: names, network: .devnet, token: PayingScene.token,
      seals: try SealVerifier(scene.sealer.publicKeyText), hourlyLimit: nil, dailyLimit: nil,
      expirationMilliseconds: Self.expiration, clockBoundMilliseconds: Self.clockBound, isDevelopment: isDevelopment)
    let parts = SignerParts(
      ledger: watching?(scene.ledger) ?? scene.ledger, streams: scene.streams, intents: log,
      node: CheckedNode(scene.node, genesis: scene.node.genesis), key: scene.key, journal: journal,
      clock: scene.clock, runID: [UInt8](repeating: nextRun, count: 16))
    nextRun += 1
    running[name] = RunningSigner(
      steps: try SignerSteps(
        parts, policy: policy, metrics: nil,
        logger: Logger(label: name, factory: { _ in SwiftLogNoOpLogHandler() })), journal: journal)
  }

  /// Ends a Signer's process at once; its journal's lock goes with it.
  func stop(_ name: String) { running[name] = nil }

  /// Runs a step of a Signer; how it fails is kept.
  func carryOut(_ step: Step) async {
    do { try await scene.run(step) } catch { refusals = (refusals + ["\(step.name): \(error)"]).suffix(8) }
  }

  // MARK: Time

  /// Slots pass, each with a block of all that is pending, and every process goes round after each.
  func pass(_ slots: Int) async throws {
    for _ in 0..<slots {
      try await produce()
      try await goRound()
    }
  }

  /// A slot passes with its block, which Monitor sees, and nothing else happens.
  func produceBlock() async throws {
    try await produce()
    await carryOut(monitor.followHead)
  }

  /// A slot passes with its block.
  private func produce() async throws {
    try await scene.wait(milliseconds: ScriptedNode.slotMilliseconds)
    let pending = await scene.node.pending
    let held = heldBack.flatMap { scene.clock.now() < $0.until ? $0.txids : nil } ?? []
    await scene.node.produce(pending.filter { !held.contains($0) })
  }

  /// Keeps what is pending out of all blocks until shortly before it expires: the worst that can happen is that it is
  /// paid long after the disaster, and just in time.
  func holdBackWhatIsPending() async {
    heldBack = (Set(await scene.node.pending), scene.clock.now().advanced(byMilliseconds: Self.expiration - 9_000))
  }

  /// Remembers what the chain will know of these payouts.
  func rememberLost(_ numbers: [Int]) async throws {
    for (number, txid) in try await transactions(of: numbers) { lost[txid] = number }
  }

  /// Slots pass until the condition holds.
  ///
  /// - Returns: how much chain time that took, in milliseconds.
  @discardableResult
  func pass(
    until what: String, atMost slots: Int = 400, _ condition: (RestoreScene) async throws -> Bool
  ) async throws -> Int64 {
    for slot in 0..<slots {
      if try await condition(self) { return Int64(slot) * ScriptedNode.slotMilliseconds }
      try await pass(1)
    }
    throw SceneError("\(slots) slots passed in vain until \(what); \(refusals); \(try await states())")
  }

  private var stepsOfOthers: [Step] {
    [
      monitor.followHead, monitor.followSolid, monitor.judgeLate, monitor.blameFailures, monitor.confirm,
      monitor.judgeFindings, scheduler.schedule, scheduler.expire,
    ]
  }

  /// Monitor and Scheduler go round.
  func goRoundWithoutSigners() async { for step in stepsOfOthers { await carryOut(step) } }

  /// All processes go round, again and again, while the server under them changes; what fails is tried again by the
  /// next round.
  func goRound(while change: @Sendable () async throws -> Void) async throws {
    isChanging = true
    async let rounds: Void = goRoundWhileChanging()
    let result: Result<Void, any Error>
    do { result = .success(try await change()) } catch { result = .failure(error) }
    isChanging = false
    await rounds
    try result.get()
  }

  private func goRoundWhileChanging() async {
    repeat {
      await goRoundWithoutSigners()
      for signer in running.values.map(\.steps) {
        for step in [signer.vouch] + Self.stepsAfterVouching(of: signer) { await carryOut(step) }
      }
    } while isChanging
  }

  private static func stepsAfterVouching(of signer: SignerSteps) -> [Step] {
    [signer.sweep, signer.sign, signer.prove, signer.broadcast, signer.carryOutOrders, signer.checkpoint]
  }

  private func goRound() async throws {
    refusals = []
    await goRoundWithoutSigners()
    try await look()
    for name in names {
      guard let signer = running[name]?.steps else { continue }
      await carryOut(signer.vouch)
      try await look()
      for step in Self.stepsAfterVouching(of: signer) { await carryOut(step) }
    }
    try await look()
  }

  /// Checks that, while the history is not trusted, nothing is signed or sent for the first time, and nothing ends
  /// unpaid.
  func look() async throws {
    let row = try await scene.pool.execute(
      """
      SELECT history_is_trusted() AS trusted,
        (SELECT count(*) FROM transactions t
         WHERE NOT EXISTS (SELECT FROM put_backs b WHERE b.txid = t.txid)) AS signed,
        (SELECT count(*) FROM payouts
         WHERE status IN ('failed', 'rejected', 'expired', 'cancelled', 'settled_externally')) AS ended
      """
    ).rows[0]
    guard try !row.bool("trusted") else {
      untrusted = nil
      return
    }
    let now = Untrusted(
      signed: try row.int8("signed"), ended: try row.int8("ended"), broadcast: Set(await scene.node.broadcasts))
    if let untrusted { #expect(untrusted == now, "signed, sent or ended unpaid while the history was not trusted") }
    untrusted = now
  }

  /// After a disaster the counts begin anew.
  func forgetLook() { untrusted = nil }

  /// Where all payouts stand, for a failed expectation.
  func states() async throws -> [String] {
    try await scene.pool.execute(
      "SELECT concat_ws(' ', status, hold_reason, count(*)) AS line FROM payouts GROUP BY status, hold_reason"
    ).rows.map { try $0.text("line") }
  }
}
