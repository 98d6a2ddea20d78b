import Keystore
import Ledger
import Logging
import Monitor
import Payouts
import Scheduler
import Signer
import Streams
import Synchronization
import TestSupport
import Testing
import Tron
import Worker

@testable import Ingest

/// All four workers in one process: real steps, real PostgreSQL; node, streams, journal and clock in memory.
///
/// Nothing here waits: the clock moves when a test moves it, and each step is called by hand.
struct OneProcess: Sendable {
  static let token = Network.mainnet.usdtContract ?? .zero

  let clock: VirtualClock
  let ledgerClock: LedgerClock
  let node: ScriptedNode
  let journal: MemoryJournal
  let ledger: Ledger
  let key: HotWalletKey
  let streams: MemoryStreams
  private let accept: AcceptPayout
  private let commits: GroupCommit
  private let enqueue: EnqueueAccepted
  let scheduler: SchedulerSteps
  let signer: SignerSteps
  let monitor: MonitorSteps

  /// A fresh database, chain and journal; the wallet is declared.
  /// - Parameter log: where all workers log; nil for nowhere.
  init(log: KeptLog? = nil) async throws {
    let logger = log?.logger("one-process") ?? Logger(label: "one-process") { _ in SwiftLogNoOpLogHandler() }
    let url = try await PrivatePostgres.shared().createDatabase()
    ledgerClock = LedgerClock(url: url)
    clock = VirtualClock(SystemClock().now())
    node = ScriptedNode(headTime: clock.now())
    streams = MemoryStreams(now: { [clock] in clock.now().milliseconds })
    key = HotWalletKey(try PrivateKey(hex: String(repeating: "01", count: 32)))
    journal = MemoryJournal(id: SystemRandomSource().bytes(16), wallet: key.address)
    ledger = Ledger(url: url, actor: "one-process", logger: logger)
    try await ledger.prepare(
      Installation(
        environment: "dev", network: .devnet, genesis: node.genesis, maximumExpirationMilliseconds: 600_000,
        clockBoundMilliseconds: 60_000))
    // Both clocks move by the tests alone: what is due does not depend on how long acceptance takes.
    try await ledgerClock.freeze(at: clock.now())
    let begin = await node.place(node.solidNumber)
    let declaration = try await ledger.declare(
      wallet: key.address, signer: "signer", journalID: journal.id, begin: begin)
    #expect(declaration == .declared)

    let sealer = try Sealer("test:" + String(repeating: "07", count: 32))
    let instruments = Instruments(worker: "ingest", registry: PrometheusRegistry())
    let metrics = IngestMetrics(instruments)
    let health = HealthRegistry(service: "ingest", clock: clock)
    let enqueue = EnqueueAccepted(streams: streams, health: health, metrics: metrics, logger: logger)
    self.enqueue = enqueue
    let intents = RecordIntents(log: streams, health: health, metrics: metrics, logger: logger)
    commits = GroupCommit(
      ledger: ledger, limits: AcceptanceLimits(hourly: nil, daily: nil), metrics: metrics,
      record: { await intents.accepted($0) }
    ) {
      enqueue.enqueue($0)
    } failed: { error, _ in
      Issue.record(error)
    }
    accept = AcceptPayout(
      rules: AcceptanceRules(
        network: .devnet, token: Self.token,
        limits: PayoutLimits(v0Max: PayoutLimits.amountMax, kycMax: PayoutLimits.amountMax),
        requiresIdempotencyKey: true),
      sealer: sealer, forbidden: ForbiddenRecipients(token: Self.token, routers: [], wallets: [key.address]),
      commits: commits, ledger: ledger, intents: intents, clock: clock, random: SystemRandomSource())
    scheduler = try SchedulerSteps(
      ledger: ledger, streams: streams, intents: streams, consumer: ConsumerName("scheduler"), clock: clock,
      random: SystemRandomSource(), metrics: nil, logger: logger)
    let checked = CheckedNode(node, genesis: node.genesis)
    signer = try SignerSteps(
      SignerParts(
        ledger: ledger, streams: streams, intents: streams, node: checked, key: key, journal: journal, clock: clock,
        runID: SystemRandomSource().bytes(16)),
      policy: SignerPolicy(
        name: "signer", names: ["signer"], network: .devnet, token: Self.token,
        seals: SealVerifier(sealer.publicKeyText), hourlyLimit: nil, dailyLimit: nil),
      metrics: nil, logger: logger)
    monitor = try MonitorSteps(
      MonitorParts(ledger: ledger, streams: streams, intents: streams, node: checked, clock: clock),
      policy: MonitorPolicy(
        name: "monitor", token: Self.token, requiredConfirmations: 19, retryDelayMilliseconds: 60_000),
      metrics: nil, logger: logger)
  }

  /// Runs `body` while Ingest's queues are served.
  func run(_ body: @escaping @Sendable () async throws -> Void) async throws {
    let stop = StopSignal()
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await commits.run(until: stop) }
      group.addTask { try await enqueue.run(until: stop) }
      do {
        try await body()
        stop.raise()
      } catch {
        stop.raise()
        throw error
      }
      try await group.waitForAll()
    }
  }

  /// Asks Ingest to pay, as a client with an idempotency key does, and returns the payout's id.
  func pay(
    _ recipient: Address, _ amount: String, key: String, batchType: BatchType = .immediate
  ) async throws -> PayoutID {
    let body = """
      {"recipient_address":"\(recipient)","amount_usdt":"\(amount)","reason":"custom","router_type":"v0",
       "batch_type":"\(batchType.rawValue)"}
      """
    let idempotencyKey = try IdempotencyKey(headers: [key])
    let caller = Caller(id: "client", role: .service, nodeIDs: [])
    return try await accept.accept([UInt8](body.utf8), caller: caller, key: idempotencyKey, requestID: "test").record.id
  }

  /// Asks Ingest to pay several at once, or none, and returns the batch.
  func pay(batchOf amounts: [String], to recipient: Address, key: String) async throws -> BatchAcceptance {
    let payouts = amounts.map {
      #"{"recipient_address":"\#(recipient)","amount_usdt":"\#($0)","reason":"custom","router_type":"v0"}"#
    }
    let body = #"{"payouts":[\#(payouts.joined(separator: ","))]}"#
    return try await accept.acceptBatch(
      [UInt8](body.utf8), caller: Caller(id: "client", role: .service, nodeIDs: []),
      key: try IdempotencyKey(headers: [key]), requestID: "test")
  }

  /// Every worker goes round until nobody has anything to do.
  func settle() async throws {
    try await ledgerClock.set(clock.now())
    for _ in 0..<4 {
      for step in scheduler.all + [signer.vouch] + monitor.all + signer.all {
        var rounds = 1
        while try await step.run() == .worked, rounds < 200 { rounds += 1 }
      }
    }
  }

  /// Slots pass: blocks that hold what is pending, and every worker goes round after each.
  func pass(slots: Int, including txids: [TxID]? = nil) async throws {
    for _ in 0..<slots {
      clock.advance(byMilliseconds: ScriptedNode.slotMilliseconds)
      await node.produce(txids, at: clock.now())
      try await settle()
    }
  }

  /// Where a payout stands.
  func status(_ id: PayoutID) async throws -> PayoutStatus? { try await ledger.payout(id)?.status }

  /// The states a payout went through.
  func way(of id: PayoutID) async throws -> [PayoutStatus] { try await ledger.history(of: id).map(\.to) }

  /// The transactions of its attempts.
  func txids(of id: PayoutID) async throws -> [TxID] { try await ledger.attempts(of: id).map(\.txid) }
}
