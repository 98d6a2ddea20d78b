import Ledger
import Payouts

/// The usual way of a payout, step by step.
extension TestLedger {
  /// No limits.
  static let unlimited = AcceptanceLimits(hourly: nil, daily: nil)

  /// Accepts payouts, all of which must be new.
  func accept(_ payouts: [NewPayout]) async throws {
    for outcome in try await ledger.accept(payouts, limits: Self.unlimited) {
      guard case .accepted = outcome else { throw UnexpectedOutcome("\(outcome)") }
    }
  }

  /// Accepts payouts 1 … `count` and puts them into batch 1.
  func schedule(_ count: Int, amount: Int64 = 1_000_000) async throws {
    try await accept(try (1...count).map { try Sample.payout($0, amount: amount) })
    let batches = try await ledger.schedule((1...count).map(Sample.payoutID), maximumPerBatch: 100) {
      Sample.batchID(1)
    }
    guard batches.map(\.payouts.count) == [count] else { throw UnexpectedOutcome("\(batches)") }
  }

  /// An order to sign a batch.
  func order(
    _ batch: BatchID = Sample.batchID(1), signer: String = TestLedger.signer, head: Int64 = TestLedger.startNumber,
    headTime: Timestamp? = nil, maximumInFlight: Int = 1_000, maximumPayouts: Int = 100, maximumSigned: Int = .max
  ) -> SigningOrder {
    SigningOrder(
      batch: batch, wallet: Sample.wallet, signer: signer, head: Sample.place(head, at: headTime ?? now),
      maximumInFlight: maximumInFlight, maximumPayouts: maximumPayouts, maximumSigned: maximumSigned,
      fenceLagBlocks: 10)
  }

  /// Signs all there is in a batch.
  @discardableResult
  func sign(_ order: SigningOrder? = nil, lifeMilliseconds: Int64 = 60_000) async throws -> SigningOutcome {
    try await ledger.sign(order ?? self.order()) { batch in
      batch.candidates.map { .sign(Sample.signed($0, batch, lifeMilliseconds: lifeMilliseconds)) }
    }
  }

  /// Accepts, schedules and signs payouts 1 … `count`.
  func signed(_ count: Int) async throws {
    try await schedule(count)
    try await sign()
  }

  /// Takes all that is due and stores that a node has taken it.
  @discardableResult
  func broadcast() async throws -> [JournalEntry] {
    let taken = try await take()
    try await ledger.record(
      taken.map { BroadcastRecord(txid: $0.txid, isTaken: true, answer: "SUCCESS", retryMilliseconds: 0) })
    return taken
  }

  /// Takes all that is due.
  func take(leaseMilliseconds: Int64 = 15_000, atMost count: Int = 1_000) async throws -> [JournalEntry] {
    try await ledger.takeForBroadcast(
      wallet: Sample.wallet, headTime: now, leaseMilliseconds: leaseMilliseconds, atMost: count
    ).transactions
  }

  /// The block at a number; blocks are three seconds apart.
  func place(_ number: Int64, branch: UInt8 = 0) -> BlockPlace {
    Sample.place(number, at: now.advanced(byMilliseconds: (number - Self.startNumber) * 3_000), branch: branch)
  }

  /// Takes up the next head block.
  @discardableResult
  func head(
    _ number: Int64, _ transactions: [TxID] = [], suspects: [ChainFinding] = [], branch: UInt8 = 0,
    keepAbove: Int64 = TestLedger.startNumber - 1
  ) async throws -> Bool {
    try await ledger.apply(
      head: HeadBlock(
        place: place(number, branch: branch), transactions: transactions, suspects: suspects, keepAbove: keepAbove),
      after: try await ledger.cursor(.head))
  }

  /// Takes up a solid block with its verdicts.
  @discardableResult
  func solid(
    _ number: Int64, _ verdicts: [TxID: TransactionVerdict] = [:], at time: Timestamp? = nil, retryDelay: Int64 = 0
  ) async throws -> Bool {
    try await ledger.apply(
      solid: time.map { Sample.place(number, at: $0) } ?? place(number), after: try await ledger.cursor(.solid),
      verdicts: verdicts, retryDelayMilliseconds: retryDelay)
  }

  /// The transaction of a payout's attempt, as `sign` makes it.
  func txid(_ payout: Int, attempt: Int = 1) -> TxID { Sample.txid(Sample.reference(payout), attempt: attempt) }

  /// Lets the ledger's clock stand still, so many seconds after the test's beginning: from then on it moves by these calls.
  func freeze(afterSeconds seconds: Int64 = 0) async throws {
    try await run(
      """
      CREATE OR REPLACE FUNCTION ledger_now() RETURNS timestamptz LANGUAGE sql STABLE AS $$
        SELECT 'epoch'::timestamptz + \(now.milliseconds + seconds * 1_000) * interval '1 millisecond'
      $$
      """)
  }

  /// Tells of all failures whose cause is not known whose they are.
  ///
  /// - Returns: the payouts that failed for good.
  @discardableResult
  func blame(_ blame: FailureBlame, maximumOwnFailures: Int64 = 5) async throws -> [PayoutID] {
    var failed: [PayoutID] = []
    for failure in try await ledger.unblamedFailures(atMost: 1_000) {
      if let end = try await ledger.blame(blame, for: failure, maximumOwnFailures: maximumOwnFailures) {
        failed.append(end.payout)
      }
    }
    return failed
  }

  /// Makes the database forget a transaction and its attempts, as a restore does.
  func forget(_ txid: TxID) async throws {
    try await force(
      """
      DELETE FROM attempts WHERE txid = \(Sample.sql(txid.bytes));
      DELETE FROM transactions WHERE txid = \(Sample.sql(txid.bytes));
      """)
  }

  /// A block of the head holds a transfer to a payout's recipient, of its amount, that nobody claims.
  func findTransfer(to number: Int) async throws {
    try await head(
      101, [],
      suspects: [
        ChainFinding(
          kind: .tokenTransfer, txid: Sample.txid(Sample.reference(number), attempt: 7), logIndex: 0,
          wallet: Sample.wallet, recipient: Sample.recipient(number), amountText: "1000000",
          referenceBits: Sample.reference(number).topTenBits, timestamp: nil)
      ])
  }

  /// Makes the database forget what was accepted, as a restore does.
  func forgetPayouts() async throws {
    try await force(
      """
      DELETE FROM payouts; DELETE FROM payout_references; DELETE FROM payout_events;
      DELETE FROM limit_windows WHERE scope LIKE 'accepted%';
      """)
  }

  /// Makes the history untrusted, as every start of the server does.
  func loseContinuity() async throws { try await force("DELETE FROM continuity; DELETE FROM vouchings;") }

  /// Puts a finding of the fence there that nothing explains.
  func addFinding() async throws {
    try await run(
      """
      INSERT INTO unclaimed_transfers (txid, kind, wallet, block_number, block_id)
      VALUES (\(Sample.sql([UInt8](repeating: 0xee, count: 32))), 'owned_transaction',
        \(Sample.sql(Sample.wallet.bytes)), 1, \(Sample.sql(Sample.blockID(1).bytes)))
      """)
  }

  /// The template's Signer vouches with a journal.
  @discardableResult
  func vouch(_ journal: [JournalEntry] = []) async throws -> VouchingOutcome {
    let life = try await ledger.vouchingState(signer: Self.signer).life
    return try await ledger.vouch(Self.vouching(life), journal: journal)
  }
}

/// A step did not do what the test builds on.
struct UnexpectedOutcome: Error {
  let text: String

  init(_ text: String) { self.text = text }
}

extension Ledger {
  /// Undoes the head from where it stands.
  func undoHead(above number: Int64) async throws -> [PayoutID]? {
    guard let head = try await cursor(.head) else { return nil }
    return try await undoHead(above: number, from: head)
  }
}
