import Keystore
import Ledger
import Payouts
import Testing
import Tron

@testable import Simulation

/// The oracle of simulated worlds: each of its checks fails where its rule is broken, and only there.
@Suite struct OracleTests {
  private static let now = SimulatedWorld.beginning
  private static let life = ServerLife(
    systemIdentifier: 1, timeline: "00000001", startMicroseconds: now * 1_000, transactionsOID: 1,
    transactionsFileNode: 1)

  private let chain = SimulatedChain(now: OracleTests.now, solidLag: 3)
  private let key: HotWalletKey
  private let request: Oracle.Request

  init() throws {
    key = HotWalletKey(try PrivateKey(hex: SimulatedWorld.signerKey))
    let recipient = try Address(bytes: [0x41] + [UInt8](repeating: 9, count: 20))
    request = Oracle.Request(key: "key-1", recipient: recipient, amount: try Amount(microUSDT: 1_000_000))
  }

  private func oracle(_ change: (inout WorldSettings) -> Void = { _ in }) -> Oracle {
    var settings = WorldSettings()
    change(&settings)
    let oracle = Oracle(chain, settings)
    oracle.expects(request)
    return oracle
  }

  /// Tables that all Signers have vouched for, with the request's payout.
  private func tables(limits: AcceptanceLimits = AcceptanceLimits(hourly: nil, daily: nil)) throws -> LedgerTables {
    var tables = LedgerTables(now: Timestamp(milliseconds: Self.now), life: Self.life)
    tables.vouchedLife = Self.life
    let terms = PayoutTerms(
      id: PayoutID(at: tables.now, randomness: [UInt8](repeating: 1, count: 10)), reference: request.reference,
      owner: Oracle.owner, network: SimulatedWorld.network, token: SimulatedWorld.token, recipient: request.recipient,
      amount: request.amount, router: .v0, batchType: .immediate, createdAt: tables.now)
    let payout = NewPayout(
      terms: terms, seal: Seal(version: 1, keyID: "key", signature: [UInt8](repeating: 0, count: 64)),
      particulars: PayoutParticulars(priority: .normal, reason: .custom, requestID: "request"),
      fingerprint: [UInt8](repeating: 1, count: 32), status: .queued)
    _ = try tables.accept([payout], limits: limits)
    return tables
  }

  /// A transaction that pays the request, with the bits of its reference.
  private func payment(_ second: Int64 = 0, key: HotWalletKey? = nil) throws -> SignedTransaction {
    let reference = request.reference
    let end = (Self.now + 60_000) & ~0x3ff | reference.topTenBits
    return try UnsignedTransaction.tokenTransfer(
      owner: self.key.address, token: SimulatedWorld.token, to: request.recipient, amount: request.amount,
      referenceBlock: chain.latest(.solid).block.header.id, expiration: Timestamp(milliseconds: end),
      timestamp: Timestamp(milliseconds: (Self.now / 1_000 + second) * 1_000 + reference.milliseconds),
      feeLimit: Sun(100_000_000)
    ).signed(by: self.key)
  }

  private func columns(_ transaction: SignedTransaction) -> LedgerTables.SignedColumns {
    LedgerTables.SignedColumns(
      txid: transaction.txid, wallet: key.address, signer: "signer-1", signedBytes: transaction.bytes,
      referenceBlockNumber: 1, headTime: Timestamp(milliseconds: Self.now),
      expiration: transaction.contents.expiration, feeLimit: Sun(1), signedAt: Timestamp(milliseconds: Self.now))
  }

  private func row(_ transaction: SignedTransaction) -> LedgerTables.Transaction {
    LedgerTables.Transaction(entry: columns(transaction), nextBroadcastAt: Timestamp(milliseconds: Self.now))
  }

  private func finding(_ txid: TxID, isJudged: Bool = true) -> LedgerTables.Finding {
    LedgerTables.Finding(
      what: ChainFinding(
        kind: .ownedTransaction, txid: txid, logIndex: -1, wallet: key.address, recipient: nil, amountText: nil,
        referenceBits: nil, timestamp: nil),
      place: BlockPlace(
        number: 41, id: chain.genesis, time: Timestamp(milliseconds: Self.now)),
      foundAt: Timestamp(milliseconds: Self.now), isJudged: isJudged)
  }

  /// Somebody else's transaction in the next block.
  private func strange(_ oracle: Oracle, _ kind: Stranger) throws -> TxID {
    let transaction = try payment(500)
    let foreign = try BlockTransaction(
      rawData: transaction.rawData, contractResult: .success, signatures: [[UInt8](transaction.bytes.suffix(65))])
    chain.add(SimulatedChain.Foreign(transaction: foreign, logs: []))
    oracle.saw(kind, foreign.txid)
    chain.produce(at: Self.now + 3_000)
    return foreign.txid
  }

  private func pass(slots: Int64, from: Int64 = 1) {
    for slot in from..<from + slots { chain.produce(at: Self.now + slot * 3_000) }
  }

  // MARK: Each change

  @Test("a signing while the history is not vouched for is found, and a put-back is none")
  func signing() throws {
    let transaction = try payment()
    var before = try tables()
    before.vouchedLife = nil
    var after = before
    after.transactions[transaction.txid] = row(transaction)
    let (broken, whole) = (oracle(), oracle())
    broken.changed(from: before, to: after)
    #expect(broken.violations.contains { $0.contains("was signed while the history was not trusted") })
    after.putBacks[transaction.txid] = after.now
    whole.changed(from: before, to: after)
    #expect(whole.violations == [])
  }

  @Test("a signing while a finding is open is found, and none after its acknowledgement")
  func signingWithFinding() throws {
    let transaction = try payment()
    var before = try tables()
    before.findings = [finding(try payment(1).txid)]
    var after = before
    after.transactions[transaction.txid] = row(transaction)
    let (broken, whole) = (oracle(), oracle())
    broken.changed(from: before, to: after)
    #expect(broken.violations.count == 1)
    before.findings[0].isAcknowledged = true
    after.findings = before.findings
    whole.changed(from: before, to: after)
    #expect(whole.violations == [])
  }

  @Test("a signing after a theft that the fence has read and did not find is found")
  func signingAfterTheft() throws {
    let transaction = try payment()
    let oracle = oracle()
    let theft = try strange(oracle, .stolenApproval)
    var before = try tables()
    before.blocks = [try #require(chain.block(of: theft))]
    var after = before
    after.transactions[transaction.txid] = row(transaction)
    oracle.changed(from: before, to: after)
    #expect(oracle.violations.contains { $0.contains("had read the theft") })
  }

  @Test("an unpaid end while the history is not vouched for is found")
  func ends() throws {
    let before = try tables()
    var after = before
    let id = try #require(after.payouts.keys.first)
    try after.move(id, to: .rejected, note: nil)
    let (broken, whole) = (oracle(), oracle())
    whole.changed(from: before, to: after)
    #expect(whole.violations == [])
    var untrusted = before
    untrusted.vouchedLife = nil
    broken.changed(from: untrusted, to: after)
    #expect(broken.violations.contains { $0.contains("became rejected while the history was not trusted") })
  }

  @Test("a vouching without a transaction that may still pay is found; what is known, dead or a solid finding is none")
  func vouching() throws {
    let transaction = try payment()
    _ = chain.broadcast(transaction, at: Self.now)
    var before = try tables()
    before.vouchedLife = nil
    var after = before
    after.vouchedLife = Self.life
    let (broken, known, dead) = (oracle(), oracle(), oracle())
    broken.changed(from: before, to: after)
    #expect(broken.violations.contains { $0.contains("was vouched for without") })
    var knowing = after
    knowing.transactions[transaction.txid] = row(transaction)
    knowing.putBacks[transaction.txid] = knowing.now
    known.changed(from: before, to: knowing)
    #expect(known.violations == [])
    chain.dropPending()
    pass(slots: 30)
    dead.changed(from: before, to: after)
    #expect(dead.violations == [])
  }

  @Test("a paid transaction that a vouching does not know must be a finding in a solid block that was read")
  func vouchingWithFinding() throws {
    let transaction = try payment()
    _ = chain.broadcast(transaction, at: Self.now)
    pass(slots: 10)
    var before = try tables()
    before.vouchedLife = nil
    var after = before
    after.vouchedLife = Self.life
    after.findings = [finding(transaction.txid)]
    let (unread, read) = (oracle(), oracle())
    unread.changed(from: before, to: after)
    #expect(unread.violations.count == 1)
    let solid = chain.latest(.solid).block.header
    after.cursors[.solid] = BlockPlace(number: solid.number, id: solid.id, time: solid.timestamp)
    read.changed(from: before, to: after)
    #expect(read.violations == [])
  }

  @Test("a window that holds another amount than its payouts, or more than its limit, is found")
  func limits() throws {
    let accepted = try tables()
    var before = LedgerTables(now: accepted.now, life: Self.life)
    before.vouchedLife = Self.life
    let exact = oracle { $0.hourlyLimit = 1_000_000 }
    exact.changed(from: before, to: accepted)
    #expect(exact.violations == [])
    let exceeded = oracle { $0.routerDailyLimit = 999_999 }
    exceeded.changed(from: before, to: accepted)
    #expect(exceeded.violations.count == 1)
    var leaked = accepted
    let window = try #require(leaked.used.keys.first { $0.scope == .accepted(nil) })
    leaked.used[window] = .zero
    let inexact = oracle()
    inexact.changed(from: accepted, to: leaked)
    #expect(inexact.violations.count == 1)
  }

  // MARK: What goes out

  @Test("a second transaction of a payout is found while the first may pay, and what nobody asked for")
  func broadcasts() throws {
    let (first, second) = (try payment(), try payment(1))
    let oracle = oracle()
    oracle.sees(broadcast: first)
    _ = chain.broadcast(first, at: Self.now)
    #expect(oracle.violations == [])
    oracle.sees(broadcast: second)
    #expect(oracle.violations.contains { $0.contains("could still pay key-1") })
    let nobodys = Oracle(chain, WorldSettings())
    nobodys.sees(broadcast: first)
    #expect(nobodys.violations.contains { $0.contains("which nobody asked for") })
  }

  // MARK: The end

  @Test("two payments of one key are found, and a payment of what ended unpaid, also one that comes after the end")
  func payments() throws {
    for transaction in [try payment(), try payment(1)] { _ = chain.broadcast(transaction, at: Self.now) }
    pass(slots: 1)
    var ended = try tables()
    let id = try #require(ended.payouts.keys.first)
    try ended.move(id, to: .rejected, note: nil)
    let oracle = oracle()
    oracle.told(request.key, id)
    oracle.judge(ended)
    #expect(oracle.violations.contains("key-1 was paid 2 times"))
    #expect(oracle.violations.contains("\(id) is rejected and was paid"))
  }

  @Test("an accepted payout that is gone is found, one that never ends, and a history that nobody vouches for")
  func lost() throws {
    let id = try #require(try tables().payouts.keys.first)
    let gone = oracle()
    gone.told(request.key, id)
    var empty = LedgerTables(now: Timestamp(milliseconds: Self.now), life: Self.life)
    gone.judge(empty)
    #expect(gone.violations.contains { $0.contains("was accepted and is gone") })
    #expect(gone.violations.contains("the history is still not vouched for"))
    empty = try tables()
    let endless = oracle()
    endless.told(request.key, id)
    endless.judge(empty)
    #expect(endless.violations.contains { $0.contains("is still queued") })
  }

  @Test("another payout of the same key is found, but for a restore that took the first")
  func otherIDs() throws {
    let moment = Timestamp(milliseconds: Self.now)
    let ids = (1...2).map { PayoutID(at: moment, randomness: [UInt8](repeating: $0, count: 10)) }
    let (twice, restored) = (oracle(), oracle())
    restored.noteRestored(hasLost: true)
    for id in ids {
      twice.told(request.key, id)
      restored.told(request.key, id)
    }
    #expect(twice.violations.count == 1)
    #expect(restored.violations == [])
  }

  @Test("a theft that the fence does not find is found, and a finding that is none", arguments: Stranger.allCases)
  func findings(kind: Stranger) throws {
    let (silent, loud) = (oracle(), oracle())
    let txid = try strange(silent, kind)
    loud.saw(kind, txid)
    pass(slots: 10, from: 2)
    var tables = LedgerTables(now: Timestamp(milliseconds: Self.now), life: Self.life)
    let solid = chain.latest(.solid).block.header
    tables.cursors[.solid] = BlockPlace(number: solid.number, id: solid.id, time: solid.timestamp)
    silent.judge(tables)
    #expect(silent.violations.contains { $0.contains("the fence has not found") } == kind.isTheft)
    tables.findings = [finding(txid)]
    loud.judge(tables)
    #expect(loud.violations.contains { $0.contains("is no finding") } != kind.isTheft)
    #expect(loud.violations.contains { $0.contains("nobody was called") } == kind.isTheft)
  }

  @Test("a hold that no rule of its world explains is found, and an alarm that must not be")
  func holds() throws {
    var tables = try tables()
    let id = try #require(tables.payouts.keys.first)
    try tables.hold(id, .signerLimit, "its own limit")
    tables.raiseAlarm("paid_after_end", "payout \(id)", "its payout had ended unpaid")
    let (unexplained, explained) = (oracle(), oracle { $0.signerHourlyLimit = 1 })
    unexplained.judge(tables)
    explained.judge(tables)
    #expect(unexplained.violations.contains { $0.contains("was held") })
    #expect(!explained.violations.contains { $0.contains("was held") })
    #expect(explained.violations.contains { $0.contains("the alarm paid_after_end") })
  }
}
