import Keystore
import Ledger
import Logging
import Payouts
import Streams
import Tron
import Worker

/// Sends signed transactions, again and again until they are in a block or expired (DESIGN.md §3 points 2 to 4).
///
/// Everything that is sent was read from the ledger under a clean COMMIT and stands in the journal first, whoever signed
/// it. The same bytes are the same transaction: sending them any number of times executes them at most once.
struct BroadcastTransactions: Sendable {
  /// When a transaction is sent again, in milliseconds: a node forgets what is pending after 60 s.
  static let repeatMilliseconds: Int64 = 15_000
  /// When one that no node took is tried again, in milliseconds.
  static let retryMilliseconds: Int64 = 3_000
  /// How long to wait where nothing is due, in milliseconds.
  static let pauseMilliseconds: Int64 = 200
  /// How many are taken at once, and how many of them are under way at once.
  static let atOnce = 200
  static let concurrently = 8
  /// For how long new ones of a lot are begun, in milliseconds: with slow nodes a round must end within a worker's drain. The
  /// others are given back at once with their places, so that they come first in the next round.
  static let roundMilliseconds: Int64 = 5_000

  let ledger: any SignerLedger
  let journal: any Journal
  let node: any TronNode
  let outlook: ChainOutlook
  let streams: any StreamTransport
  let state: SignerState
  let signerName: String
  let earlierAttempts: EarlierAttempts
  /// Where treasury orders may send to.
  let treasury: Set<Address>
  let clock: any WallClock
  let metrics: SignerMetrics?
  let logger: Logger

  /// Takes what is due, journals it, sends it, and stores what was answered.
  func step() async throws -> StepOutcome {
    guard let life = state.vouchedLife else { return .idle(milliseconds: Self.pauseMilliseconds) }
    let look = try await outlook.look()
    let lot = try await ledger.takeForBroadcast(
      wallet: journal.wallet, headTime: look.head.time, leaseMilliseconds: Self.repeatMilliseconds,
      atMost: Self.atOnce)
    guard !lot.transactions.isEmpty else { return .idle(milliseconds: Self.pauseMilliseconds) }
    // Another life: what was read now may be history that a restore brought back. Vouch first, then take it again.
    guard lot.isContinuous, lot.life == life else { return .idle(milliseconds: Self.pauseMilliseconds) }
    // Whoever writes the database could call a payout a treasury order, so that no limit counts it.
    let intact = try await intactTransactions(lot.transactions).map { entry in
      entry.purpose == .treasury && !entry.payouts.allSatisfy { treasury.contains($0.recipient) }
        ? entry.with(.payouts) : entry
    }
    try await write(intact, under: lot.life)
    earlierAttempts.journaled(intact)
    let (answers, unbegun) = await send(intact)
    let taken = answers.filter(\.isTaken).count
    state.record(taken: taken, refused: answers.count - taken)
    metrics?.count(taken: taken, refused: answers.count - taken)
    try await ledger.record(
      answers
        + unbegun.map { BroadcastRecord(unbegun: $0.txid, dueSince: lot.dueSince[$0.txid] ?? look.head.time) })
    try await tellMonitor(answers)
    return .worked
  }

  /// What cannot be journaled is not sent; while nothing can be, no more is signed than while no node accepts.
  private func write(_ entries: [JournalEntry], under life: ServerLife) async throws {
    do {
      try await journal.append(entries, under: life)
    } catch let error as JournalError where error != .anotherLife {
      state.record(taken: 0, refused: entries.count)
      try await ledger.raiseAlarm(
        kind: "journal_failed", subject: "signer \(signerName)", message: "nothing is sent while this lasts: \(error)")
      // Only opening it anew tells what it holds: the next process does.
      if case .unusable = error { throw FatalStepError("the journal cannot be written", underlying: error) }
      throw error
    }
  }

  /// The paired assertion to the one made before they were stored: what comes back from the database is a transfer of
  /// exactly what stands beside it, signed by our wallet, or somebody wrote in the database.
  private func intactTransactions(_ entries: [JournalEntry]) async throws -> [JournalEntry] {
    var intact: [JournalEntry] = []
    for entry in entries {
      if entry.isIntact(of: journal.wallet) {
        intact.append(entry)
      } else {
        logger.critical("A stored transaction is not what was signed", metadata: [LogKey.txID: "\(entry.txid)"])
        try await ledger.openBreaker(
          cause: "altered_transaction", subject: "transaction \(entry.txid)",
          message: "the stored bytes of \(entry.txid) are not the transfer that stands beside them")
      }
    }
    return intact
  }

  /// - Returns: what was answered, and those for which the round had no time.
  private func send(_ entries: [JournalEntry]) async -> (answers: [BroadcastRecord], unbegun: [JournalEntry]) {
    let began = clock.now()
    return await withTaskGroup(of: BroadcastRecord.self) { group in
      var records: [BroadcastRecord] = []
      var waiting = entries.makeIterator()
      for _ in 0..<Self.concurrently {
        guard let entry = waiting.next() else { break }
        group.addTask { await send(entry) }
      }
      while let record = await group.next() {
        records.append(record)
        guard (0..<Self.roundMilliseconds).contains(clock.now().milliseconds(since: began)),
          let entry = waiting.next()
        else { continue }
        group.addTask { await send(entry) }
      }
      return (records, Array(IteratorSequence(waiting)))
    }
  }

  /// No answer ends an attempt; an error leaves everything open.
  private func send(_ entry: JournalEntry) async -> BroadcastRecord {
    do throws(TronNodeError) {
      let answer = try await node.broadcast(entry.signedBytes)
      if answer.isTaken {
        logger.debug(
          "A node has a transaction", metadata: [LogKey.txID: "\(entry.txid)", LogKey.tronCode: "\(answer.code)"])
      } else {
        logger.warning(
          "The node did not take a transaction",
          metadata: [LogKey.txID: "\(entry.txid)", LogKey.tronCode: "\(answer.code)", "message": "\(answer.message)"])
      }
      return BroadcastRecord(
        txid: entry.txid, isTaken: answer.isTaken, answer: "\(answer.code) \(answer.message)",
        retryMilliseconds: Self.retryMilliseconds)
    } catch {
      logger.warning("A broadcast was not answered", error: error, metadata: [LogKey.txID: "\(entry.txid)"])
      return BroadcastRecord(
        txid: entry.txid, isTaken: false, answer: "\(error.code.rawValue)", retryMilliseconds: Self.retryMilliseconds)
    }
  }

  /// A wake-up for Monitor; it reads every block anyway, so that losing one costs nothing.
  private func tellMonitor(_ answers: [BroadcastRecord]) async throws {
    let sent = answers.filter(\.isTaken).map { [StreamField.txid: "\($0.txid)"] }
    guard !sent.isEmpty else { return }
    try await streams.append(sent, to: .transactionsSent)
  }
}
