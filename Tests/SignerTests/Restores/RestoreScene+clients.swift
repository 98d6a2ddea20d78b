import Ledger
import Payouts
import Postgres
import TestSupport
import Testing
import Tron

/// Clients of the scene. A payout is named by its number, whatever id an acceptance gave it.
extension RestoreScene {
  static func reference(_ number: Int) -> Reference { Reference(payoutWithoutKey: PayingScene.payoutID(number)) }

  /// Whom a payout pays: 1 and 2, 3 and 4, and so on are twins, of equal recipient and amount.
  static func recipient(_ number: Int) -> Address { PayingScene.recipient(number + number % 2) }

  /// Clients submit these payouts, each under its own key, once more where they have done so before: Ingest gives the
  /// request another id and tells the log what it accepted.
  ///
  /// - Parameters:
  ///   - milliseconds: in how much time they expire by their own end.
  ///   - areKnown: whether the ledger must know every one of them already.
  func submit(
    _ numbers: some Sequence<Int> & Sendable, expiringIn milliseconds: Int64? = nil, areKnown: Bool = false
  ) async throws {
    var requests: [NewPayout] = []
    for number in numbers {
      let turn = submissions[number, default: 0]
      submissions[number] = turn + 1
      if let milliseconds { expiries[number] = scene.clock.now().advanced(byMilliseconds: milliseconds) }
      let sealed = try scene.payout(
        number + turn * 5_000, recipient: Self.recipient(number), reference: Self.reference(number),
        expiresAt: expiries[number])
      requests.append(
        NewPayout(
          terms: sealed.terms, seal: sealed.seal, particulars: sealed.particulars,
          fingerprint: [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 32)))
    }
    let outcomes = try await scene.ledger.accept(requests, limits: AcceptanceLimits(hourly: nil, daily: nil))
    var accepted: [[String: String]] = []
    for (request, outcome) in zip(requests, outcomes) {
      switch outcome {
      case .accepted(let record) where !areKnown:
        accepted.append(Intent.accepted(AcceptedPayout(record, fingerprint: request.fingerprint)).fields)
      case .replayed, .knownUnder: break
      default: Issue.record("\(request.terms.id): \(outcome)")
      }
    }
    if !accepted.isEmpty { try await log.appendIntents(accepted) }
  }

  /// The payout that stands under a number's reference.
  func record(_ number: Int) async throws -> PayoutRecord {
    let row = try await scene.pool.execute(
      "SELECT id FROM payouts WHERE reference = $1", [.bytes(Self.reference(number).bytes)]
    ).rows.first
    guard let row, let record = try await scene.ledger.payout(PayoutID(bytes: row.uuid("id"))) else {
      throw SceneError("payout \(number) is not there")
    }
    return record
  }

  /// What the ledger answers of many payouts at once, by number.
  ///
  /// - Parameter sql: asks for the `reference` and what is told of it, of references in `$1`.
  private func answers<Answer>(
    of numbers: some Sequence<Int> & Sendable, _ sql: PostgresStatement, _ read: (PostgresRow) throws -> Answer
  ) async throws -> [Int: Answer] {
    let numbers = Dictionary(uniqueKeysWithValues: numbers.map { (Self.reference($0).bytes, $0) })
    var answers: [Int: Answer] = [:]
    for row in try await scene.pool.execute(sql, [.bytesArray(Array(numbers.keys))]).rows {
      if let number = try numbers[row.bytes("reference")] { answers[number] = try read(row) }
    }
    return answers
  }

  /// The ids under which payouts stand.
  ///
  /// - Throws: `SceneError` where one is not there.
  func ids(of numbers: some Collection<Int> & Sendable) async throws -> [Int: PayoutID] {
    let ids = try await answers(of: numbers, "SELECT reference, id FROM payouts WHERE reference = ANY($1)") {
      try PayoutID(bytes: $0.uuid("id"))
    }
    guard ids.count == numbers.count else { throw SceneError("\(numbers.filter { ids[$0] == nil }) are not there") }
    return ids
  }

  /// Where payouts stand.
  ///
  /// - Throws: `SceneError` where one is not there.
  func statuses(of numbers: some Collection<Int> & Sendable) async throws -> [Int: PayoutStatus] {
    let statuses = try await answers(of: numbers, "SELECT reference, status FROM payouts WHERE reference = ANY($1)") {
      try #require(PayoutStatus(rawValue: $0.text("status")))
    }
    guard statuses.count == numbers.count else {
      throw SceneError("\(numbers.filter { statuses[$0] == nil }) are not there")
    }
    return statuses
  }

  /// The transactions of the payouts' newest attempts, where they have one.
  func transactions(of numbers: some Sequence<Int> & Sendable) async throws -> [Int: TxID] {
    try await answers(
      of: numbers,
      """
      SELECT DISTINCT ON (reference) reference, txid FROM attempts WHERE reference = ANY($1)
      ORDER BY reference, number DESC
      """
    ) { try TxID($0.bytes("txid")) }
  }

  /// Puts queued payouts into one batch, of which only this Signer hears, and lets it sign them.
  func sign(_ numbers: ClosedRange<Int>, by name: String) async throws {
    let ids = try await ids(of: numbers)
    let randomness = [UInt8](repeating: UInt8(truncatingIfNeeded: numbers.lowerBound), count: 10)
    let id = BatchID(at: scene.clock.now(), randomness: randomness)
    let payouts = numbers.compactMap { ids[$0] }
    for batch in try await scene.ledger.schedule(payouts, maximumPerBatch: 100, newBatchID: { id }) {
      try await scene.announce(batch.id)
    }
    guard let signer = running[name]?.steps else { throw SceneError("\(name) does not run") }
    await carryOut(signer.sign)
  }

  /// Lets a Signer send what it has signed; nodes are too busy for all but these payouts.
  func send(_ numbers: [Int], by name: String) async throws {
    guard let signer = running[name]?.steps else { throw SceneError("\(name) does not run") }
    let taken = Set(try await transactions(of: numbers).values)
    await scene.node.setBroadcast { _, txid in
      taken.contains(txid) ? nil : .answer(.serverBusy, "busy", takes: false)
    }
    await carryOut(signer.broadcast)
    await scene.node.setBroadcast(nil)
    #expect(await Set(scene.node.pending).isSuperset(of: taken))
  }

  /// From now on the token refuses to pay these, whoever tries.
  func refuseAtTheToken(_ numbers: ClosedRange<Int>) async throws {
    let (wallet, recipients) = (scene.wallet, Set(numbers.map(Self.recipient)))
    let funds = try Amount(microUSDT: 1_000_000_000)
    await scene.node.changeToken { token in
      token.balances[wallet] = funds
      token.refusedRecipients = recipients
    }
  }

  /// Holds every window of every limit against what counts in it.
  func expectExactLimits() async throws {
    let wrong = try await scene.pool.execute(PostgresStatement(ExactLimits.wrongWindows)).rows.map {
      try $0.text("line")
    }
    #expect(wrong.isEmpty)
    let scopes = try await scene.pool.execute("SELECT DISTINCT scope FROM limit_windows WHERE used > 0").rows
      .map { try $0.text("scope") }
    #expect(Set(scopes) == ["accepted", "accepted_v0", "signed"])
  }
}
