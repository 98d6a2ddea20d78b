public import Keystore
public import Ledger
import Logging
public import Payouts
public import Postgres
public import Streams
public import Tron

/// All that Signer and Monitor meet, but for themselves: a real ledger on a database of its own, a scripted chain, streams
/// and journal in memory, and one virtual time for all of them.
public struct PayingScene: Sendable {
  /// The one Signer that is declared.
  public static let signerName = "signer-1"
  /// Noon, far from the ends of hours and days.
  public static let noon = Timestamp(milliseconds: 2_051_265_600_000)
  /// The token that is paid.
  public static let token = Address(account: [UInt8](repeating: 0x22, count: 20))

  /// The ledger, as every worker has it.
  public let ledger: Ledger
  /// For looking and writing past the ledger.
  public let pool: PostgresPool
  /// The database.
  public let url: String
  /// The chain.
  public let node: ScriptedNode
  /// The streams.
  public let streams: MemoryStreams
  /// The Signer's journal, which is declared.
  public let journal: MemoryJournal
  /// The hot wallet.
  public let key: HotWalletKey
  /// The workers' time.
  public let clock: VirtualClock
  /// Seals payouts as Ingest does.
  public let sealer: Sealer
  private let ledgerClock: LedgerClock?

  /// The hot wallet's account.
  public var wallet: Address { key.address }

  /// Runs a test in a scene of its own.
  ///
  /// - Parameters:
  ///   - server: nil for the server that all tests share.
  ///   - environment: anything but dev has the real time.
  ///   - isDeclared: whether the Signer was declared.
  ///   - sparePort: where another server listens that takes the first one's place once that is gone.
  ///   - maximumExpirationMilliseconds: how long a transaction may live at most.
  ///   - clockBoundMilliseconds: how far clocks may differ.
  public static func run(
    on server: PrivatePostgres? = nil, environment: String = "dev", isDeclared: Bool = true,
    sparePort: Int? = nil, maximumExpirationMilliseconds: Int64 = 600_000, clockBoundMilliseconds: Int64 = 60_000,
    _ body: (PayingScene) async throws -> Void
  ) async throws {
    let shared = try await PrivatePostgres.shared()
    var url = try await (server ?? shared).createDatabase()
    if let sparePort, let server {
      url.replace(":\(server.port)/", with: ":\(server.port),127.0.0.1:\(sparePort)/")
      url += "?target_session_attrs=read-write"
    }
    let pool = PostgresPool(
      configuration: PostgresConfiguration(
        url: url, applicationName: "scene", connectionLimit: 6, statementTimeoutMilliseconds: 180_000,
        acquireTimeoutMilliseconds: 120_000),
      logger: Logger(label: "scene"))
    let ledgerClock = environment == "dev" ? LedgerClock(url: url) : nil
    let result: Result<Void, any Error>
    do {
      let scene = try await PayingScene(
        pool: pool, url: url, environment: environment, ledgerClock: ledgerClock, isDeclared: isDeclared,
        maximumExpirationMilliseconds: maximumExpirationMilliseconds, clockBoundMilliseconds: clockBoundMilliseconds)
      result = .success(try await body(scene))
    } catch {
      result = .failure(error)
    }
    await ledgerClock?.close()
    await pool.close()
    try result.get()
  }

  private init(
    pool: PostgresPool, url: String, environment: String, ledgerClock: LedgerClock?, isDeclared: Bool,
    maximumExpirationMilliseconds: Int64, clockBoundMilliseconds: Int64
  ) async throws {
    let row = try await pool.execute("SELECT clock_timestamp() AS now").rows[0]
    let real = Timestamp(microseconds: try row.timestampMicroseconds("now"))
    let clock = VirtualClock(ledgerClock == nil ? real : Self.noon)
    self.pool = pool
    self.url = url
    self.ledgerClock = ledgerClock
    self.clock = clock
    ledger = Ledger(pool: pool, logger: Logger(label: "scene"))
    node = ScriptedNode(headTime: clock.now())
    streams = MemoryStreams(now: { clock.now().milliseconds })
    key = HotWalletKey(try PrivateKey(hex: String(repeating: "01", count: 32)))
    journal = MemoryJournal(id: [UInt8](repeating: 0x4a, count: 16), wallet: key.address)
    sealer = try Sealer("k1:" + String(repeating: "5e", count: 32))
    try await ledger.prepare(
      Installation(
        environment: environment, network: .devnet, genesis: node.genesis,
        maximumExpirationMilliseconds: maximumExpirationMilliseconds,
        clockBoundMilliseconds: clockBoundMilliseconds))
    try await ledgerClock?.freeze(at: clock.now())
    if isDeclared { try await declare() }
  }

  /// Declares the Signer, from the present solid block on.
  public func declare() async throws {
    _ = try await ledger.declare(
      wallet: wallet, signer: Self.signerName, journalID: journal.id, begin: node.place(node.solidNumber))
  }

  // MARK: Time

  /// Moves the time of workers and ledger, not the chain's.
  public func wait(milliseconds: Int64) async throws {
    clock.advance(byMilliseconds: milliseconds)
    try await ledgerClock?.set(clock.now())
  }

  /// Lets a slot pass and a block be produced, with all that is pending.
  public func produce(_ count: Int = 1) async throws {
    for _ in 0..<count {
      try await wait(milliseconds: ScriptedNode.slotMilliseconds)
      await node.produce()
    }
  }

  // MARK: Payouts

  /// A payout that differs from others only by its number, unless a test says otherwise.
  public func payout(
    _ number: Int, amount: Int64 = 1_000_000, recipient: Address? = nil, reference: Reference? = nil,
    network: Network = .devnet, token: Address = PayingScene.token, expiresAt: Timestamp? = nil,
    priority: Priority = .normal, webhookURL: String? = nil
  ) throws -> NewPayout {
    let id = PayingScene.payoutID(number)
    let terms = PayoutTerms(
      id: id, reference: reference ?? Reference(payoutWithoutKey: id), owner: "owner-1", network: network,
      token: token, recipient: recipient ?? PayingScene.recipient(number), amount: try Amount(microUSDT: amount),
      router: .v0, batchType: .immediate, createdAt: clock.now(), expiresAt: expiresAt)
    return NewPayout(
      terms: terms, seal: try sealer.seal(terms),
      particulars: PayoutParticulars(
        priority: priority, reason: .custom, webhookURL: webhookURL, requestID: "request-\(number)"),
      fingerprint: [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 32))
  }

  /// A payout's name.
  public static func payoutID(_ number: Int) -> PayoutID {
    PayoutID(at: noon, randomness: [UInt8](repeating: 0, count: 8) + [UInt8(number >> 8), UInt8(number & 0xff)])
  }

  /// Who is paid by a payout.
  public static func recipient(_ number: Int) -> Address {
    Address(account: [UInt8](repeating: 0x33, count: 18) + [UInt8(number >> 8), UInt8(number & 0xff)])
  }

  /// Accepts payouts, puts them into one batch and tells the Signer.
  @discardableResult
  public func schedule(_ payouts: [NewPayout]) async throws -> BatchID {
    for outcome in try await ledger.accept(payouts, limits: AcceptanceLimits(hourly: nil, daily: nil)) {
      guard case .accepted = outcome else { throw SceneError("\(outcome)") }
    }
    let batch = PayoutID(at: clock.now(), randomness: payouts[0].terms.reference.bytes.prefix(10) + [])
    let batches = try await ledger.schedule(payouts.map(\.terms.id), maximumPerBatch: 100) { batch }
    guard batches.map(\.payouts.count) == [payouts.count] else { throw SceneError("\(batches)") }
    try await announce(batch)
    return batch
  }

  /// Schedules payouts with these numbers.
  @discardableResult
  public func schedule(numbers: ClosedRange<Int>) async throws -> BatchID {
    try await schedule(try numbers.map { try payout($0) })
  }

  /// Tells the Signer of a batch.
  public func announce(_ batch: BatchID) async throws {
    try await streams.append([[StreamField.batchID: "\(batch)"]], to: .batchesReady)
  }

  // MARK: Looking

  /// Where a payout stands.
  public func status(_ number: Int) async throws -> PayoutStatus? {
    try await ledger.payout(Self.payoutID(number))?.status
  }

  /// A payout's row.
  public func record(_ number: Int) async throws -> PayoutRecord {
    guard let record = try await ledger.payout(Self.payoutID(number)) else { throw SceneError("no payout \(number)") }
    return record
  }

  /// A payout's attempts, oldest first.
  public func attempts(_ number: Int) async throws -> [AttemptRecord] {
    try await ledger.attempts(of: Self.payoutID(number))
  }

  /// The transaction of a payout's newest attempt.
  public func txid(_ number: Int) async throws -> TxID {
    guard let last = try await attempts(number).last else { throw SceneError("payout \(number) has no attempt") }
    return last.txid
  }

  /// A payout's newest transaction as it is stored.
  public func signed(_ number: Int) async throws -> SignedTransaction {
    let row = try await pool.execute(
      "SELECT signed_bytes FROM transactions WHERE txid = $1", [.bytes(txid(number).bytes)]
    ).rows[0]
    return try SignedTransaction(bytes: row.bytes("signed_bytes"))
  }

  /// Why the breaker is open; nil where it is closed.
  public func breaker() async throws -> String? { try await ledger.conditions().breakerCause }

  /// The kinds of alarms that were raised, in order.
  public func alarms() async throws -> [String] {
    try await pool.execute("SELECT kind FROM alarms ORDER BY id").rows.map { try $0.text("kind") }
  }

  /// One number that a question answers.
  public func count(_ sql: String) async throws -> Int64 {
    try await pool.execute(PostgresStatement("SELECT (\(sql))::bigint AS n")).rows[0].int8("n")
  }

  // MARK: Disasters

  /// Writes in the database as only its owner can: no guard looks.
  public func force(_ sql: String) async throws {
    try await pool.executeScript("SET LOCAL session_replication_role = replica; " + sql)
  }

  /// Closes the breaker, as an operator does.
  public func closeBreaker() async throws {
    try await force(
      """
      UPDATE breaker SET state = 'closed', cause = NULL, closes_by = NULL, failures_in_row = 0;
      UPDATE unclaimed_transfers SET acknowledged_at = ledger_now() WHERE acknowledged_at IS NULL;
      """)
  }

  /// Makes the database forget a payout's newest transaction, as a restore does: the payout waits to be signed again.
  public func restoreToBeforeSigning(_ number: Int) async throws {
    let txid = Self.sql(try await txid(number).bytes)
    try await force(
      """
      DELETE FROM attempts WHERE txid = \(txid);
      DELETE FROM transactions WHERE txid = \(txid);
      UPDATE payouts SET status = 'scheduled', held_from = NULL, hold_reason = NULL
        WHERE id = '\(Self.payoutID(number))';
      DELETE FROM continuity; DELETE FROM vouchings;
      """)
  }

  /// Bytes as an SQL literal.
  public static func sql(_ bytes: [UInt8]) -> String { "'\\x\(Hex.text(bytes))'::bytea" }
}

/// A scene could not be set up, or does not hold what a test builds on.
public struct SceneError: Error, CustomStringConvertible {
  /// What is wrong.
  public let description: String

  /// What is wrong.
  public init(_ description: String) { self.description = description }
}
