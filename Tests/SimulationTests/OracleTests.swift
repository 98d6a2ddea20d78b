import Keystore
import Ledger
import Monitor
import Payouts
import Testing
import Tron

@testable import Simulation

/// The oracle of simulated worlds: each of its checks fails where its rule is broken, and only there. Every test forges
/// the smallest world in which one rule is broken, and shows the oracle the unforged one, too.
@Suite struct OracleTests {
  /// What the oracle is shown of a world in the end.
  struct World {
    var tables: LedgerTables
    /// Of which payouts its client was told, in turn.
    var told: [PayoutID]
    var webhooks: [ToldWebhook]
    var settings = WorldSettings()
  }

  static let now = SimulatedWorld.beginning
  static let moment = Timestamp(milliseconds: now)
  static let life = ServerLife(
    systemIdentifier: 1, timeline: "00000001", startMicroseconds: now * 1_000, transactionsOID: 1,
    transactionsFileNode: 1)

  let chain = SimulatedChain(now: OracleTests.now, solidLag: 3)
  let id = PayoutID(at: OracleTests.moment, randomness: [UInt8](repeating: 1, count: 10))
  /// Of a payout that is in no tables.
  let otherID = PayoutID(at: OracleTests.moment, randomness: [UInt8](repeating: 2, count: 10))
  let key: HotWalletKey
  let secret: WebhookSecret
  let request: Oracle.Request

  init() throws {
    key = HotWalletKey(try PrivateKey(hex: SimulatedWorld.signerKey))
    secret = try WebhookSecret(bytes: [UInt8](repeating: 5, count: WebhookSecret.usualBytes))
    let recipient = try Address(bytes: [0x41] + [UInt8](repeating: 9, count: 20))
    request = Oracle.Request(key: "key-1", recipient: recipient, amount: try Amount(microUSDT: 1_000_000))
  }

  @Test("an honest world has no violation: its payout was paid once, or ended unpaid, and its client was told")
  func honest() throws {
    let unpaid = try rejected()
    #expect(judge(unpaid) == [])
    let paid = try paid()
    #expect(judge(paid) == [])
  }

  // MARK: The oracle

  /// One whose client has asked.
  func oracle(_ change: (inout WorldSettings) -> Void = { _ in }) -> Oracle {
    var settings = WorldSettings()
    change(&settings)
    let oracle = Oracle(chain, settings)
    oracle.expects(request)
    return oracle
  }

  /// What it finds wrong in the end.
  ///
  /// - Parameter prepare: what it saw before its client was told.
  func judge(_ world: World, _ prepare: (Oracle) -> Void = { _ in }) -> [String] {
    let oracle = oracle { $0 = world.settings }
    prepare(oracle)
    for id in world.told { oracle.told(request.key, id) }
    for webhook in world.webhooks { oracle.received(webhook) }
    oracle.judge(world.tables)
    return oracle.violations
  }

  // MARK: Tables

  /// Tables that all Signers have vouched for, without any payout.
  func emptyTables() -> LedgerTables {
    var tables = LedgerTables(now: Self.moment, life: Self.life)
    tables.vouchedLife = Self.life
    tables.secretRows[Oracle.owner] = [LedgerTables.SecretRow(secret: secret)]
    return tables
  }

  /// The request's payout, with its own terms or others.
  func payout(recipient: Address? = nil, amount: Amount? = nil) -> NewPayout {
    let terms = PayoutTerms(
      id: id, reference: request.reference, owner: Oracle.owner, network: SimulatedWorld.network,
      token: SimulatedWorld.token, recipient: recipient ?? request.recipient, amount: amount ?? request.amount,
      router: .v0, batchType: .immediate, createdAt: Self.moment)
    return NewPayout(
      terms: terms, seal: Seal(version: 1, keyID: "key", signature: [UInt8](repeating: 0, count: 64)),
      particulars: PayoutParticulars(priority: .normal, reason: .custom, requestID: "request"),
      fingerprint: [UInt8](repeating: 1, count: 32), status: .queued)
  }

  /// Tables that all Signers have vouched for, with the request's payout.
  func tables(_ payout: NewPayout? = nil) throws -> LedgerTables {
    var tables = emptyTables()
    _ = try tables.accept([payout ?? self.payout()], limits: AcceptanceLimits(hourly: nil, daily: nil))
    return tables
  }

  /// The same, where it was signed.
  func tables(signed transaction: SignedTransaction) throws -> LedgerTables {
    var tables = try tables()
    try tables.move(id, to: .scheduled, note: nil)
    try tables.insert(columns(transaction))
    try tables.insert(attempt(transaction), signedAt: Self.moment)
    try tables.move(id, to: .signed, note: nil)
    return tables
  }

  /// The same, where it was confirmed.
  func tables(confirmed transaction: SignedTransaction) throws -> LedgerTables {
    var tables = try tables(signed: transaction)
    try tables.move(id, to: .broadcast, note: nil)
    try tables.move(id, to: .confirming, note: nil)
    tables.end(request.reference, transaction.txid, as: .paid, blame: nil)
    try tables.move(id, to: .confirmed, note: nil)
    return tables
  }

  func columns(_ transaction: SignedTransaction) -> LedgerTables.SignedColumns {
    LedgerTables.SignedColumns(
      txid: transaction.txid, wallet: key.address, signer: "signer-1", signedBytes: transaction.bytes,
      referenceBlockNumber: 1, headTime: Self.moment, expiration: transaction.contents.expiration, feeLimit: Sun(1),
      signedAt: Self.moment)
  }

  func attempt(_ transaction: SignedTransaction) -> LedgerTables.Attempt {
    LedgerTables.Attempt(
      reference: request.reference, payout: id, number: 1, txid: transaction.txid, token: SimulatedWorld.token,
      recipient: request.recipient, amount: request.amount)
  }

  func row(_ transaction: SignedTransaction) -> LedgerTables.Transaction {
    LedgerTables.Transaction(entry: columns(transaction), nextBroadcastAt: Self.moment)
  }

  func finding(_ txid: TxID, isJudged: Bool = true, isAcknowledged: Bool = false) -> LedgerTables.Finding {
    LedgerTables.Finding(
      what: ChainFinding(
        kind: .ownedTransaction, txid: txid, logIndex: -1, wallet: key.address, recipient: nil, amountText: nil,
        referenceBits: nil, timestamp: nil),
      place: BlockPlace(number: 41, id: chain.genesis, time: Self.moment), foundAt: Self.moment, isJudged: isJudged,
      isAcknowledged: isAcknowledged)
  }

  // MARK: The chain

  /// A transaction that pays the request, with the bits of its reference.
  func payment(_ second: Int64 = 0) throws -> SignedTransaction {
    let reference = request.reference
    let end = (Self.now + 60_000) & ~0x3ff | reference.topTenBits
    return try UnsignedTransaction.tokenTransfer(
      owner: key.address, token: SimulatedWorld.token, to: request.recipient, amount: request.amount,
      referenceBlock: chain.latest(.solid).block.header.id, expiration: Timestamp(milliseconds: end),
      timestamp: Timestamp(milliseconds: (Self.now / 1_000 + second) * 1_000 + reference.milliseconds),
      feeLimit: Sun(100_000_000)
    ).signed(by: key)
  }

  /// Lets so many slots pass, each with a block.
  func pass(slots: Int) {
    for _ in 0..<slots { chain.produce(at: chain.latest(.head).block.header.timestamp.milliseconds + 3_000) }
  }

  /// Lets a transaction pay in the next block.
  func pay(_ transaction: SignedTransaction) {
    _ = chain.broadcast(transaction, at: Self.now)
    pass(slots: 1)
  }

  /// Where the solid block stands.
  var solid: BlockPlace {
    let header = chain.latest(.solid).block.header
    return BlockPlace(number: header.number, id: header.id, time: header.timestamp)
  }

  /// Puts somebody else's transaction into the next block.
  func strange() throws -> TxID {
    let transaction = try payment(500)
    let foreign = try BlockTransaction(
      rawData: transaction.rawData, contractResult: .success, signatures: [[UInt8](transaction.bytes.suffix(65))])
    chain.add(SimulatedChain.Foreign(transaction: foreign, logs: []))
    pass(slots: 1)
    return foreign.txid
  }

  // MARK: Worlds

  /// A webhook of a payout, signed with its owner's secret or another one.
  func webhook(
    _ status: PayoutStatus, of payout: PayoutID? = nil, naming txid: TxID? = nil, signedWith other: WebhookSecret? = nil
  ) throws -> ToldWebhook {
    let transaction = txid.map { #","txid":"\#($0)""# } ?? ""
    let data = #"{"payout_id":"\#(payout ?? id)"\#(transaction)}"#
    let body = [UInt8](#"{"type":"payout.\#(status.rawValue)","data":\#(data)}"#.utf8)
    let signature = (other ?? secret).signature(id: "webhook-1", seconds: 1, body: body)
    let headers = [
      (name: "webhook-id", value: "webhook-1"), (name: "webhook-timestamp", value: "1"),
      (name: "webhook-signature", value: signature),
    ]
    return try #require(
      ToldWebhook(OutgoingRequest(url: "https://client.example/hooks", headers: headers, body: body)))
  }

  /// An honest world whose payout was rejected.
  func rejected() throws -> World {
    var tables = try tables()
    try tables.move(id, to: .rejected, note: nil)
    return World(tables: tables, told: [id], webhooks: [try webhook(.queued), try webhook(.rejected)])
  }

  /// An honest world whose payout was paid, once this is called, and confirmed.
  func paid() throws -> World {
    let transaction = try payment()
    pay(transaction)
    return World(
      tables: try tables(confirmed: transaction), told: [id],
      webhooks: [try webhook(.queued), try webhook(.confirmed, naming: transaction.txid)])
  }
}
