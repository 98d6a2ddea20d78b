import Ledger
import Logging
import Payouts
import Streams
import Synchronization
import Tron
import Worker

/// Reads released batches and signs their payouts (DESIGN.md §3 point 1).
///
/// An entry is a wake-up only: what may be signed is decided inside the ledger's transaction. A Signer that may not act
/// does not read, so that entries do not age while it waits.
struct SignBatches<Signer: TransactionSigner>: Sendable {
  /// How long to wait where nothing may be signed, in milliseconds.
  static var pauseMilliseconds: Int64 { 500 }
  /// How many payouts one transaction of the database signs at most.
  static var payoutsAtOnce: Int { 100 }
  /// How old a look at the chain may be when it is decided by, in milliseconds: two slots. What was asked for before a long
  /// wait for the ledger's locks says no more whether the fence is fresh and the node's clock is ours.
  static var lookAgeMaximumMilliseconds: Int64 { 6_000 }
  /// How many blocks the fence may be behind the head (DESIGN.md §7).
  static var fenceLagBlocks: Int64 { 10 }

  let ledger: any SignerLedger
  let outlook: ChainOutlook
  let decide: DecideOnPayouts<Signer>
  let state: SignerState
  let clock: any WallClock
  let signerName: String
  let clockBoundMilliseconds: Int64
  let maximumInFlight: Int
  let metrics: SignerMetrics?
  let logger: Logger

  /// Whether anything forbids to sign now; asked before entries are read.
  func mayAct() async throws -> Bool {
    let conditions = try await ledger.conditions()
    let acts =
      state.vouchedLife != nil && conditions.isContinuous && conditions.openFindings == 0
      && conditions.pauseReason == nil && conditions.doesBreakerLetThrough
    guard acts else {
      metrics?.show(mayAct: false)
      return false
    }
    let look = try await trustedLook()
    // The ledger asks this again where it counts; here it keeps entries from being read in vain.
    let isFenceFresh = conditions.headNumber.map { look.head.number - $0 <= Self.fenceLagBlocks } ?? false
    metrics?.show(mayAct: isFenceFresh)
    return isFenceFresh
  }

  /// A look at the chain whose time agrees with our own clock and whose price is possible: each one is judged anew.
  func trustedLook() async throws -> ChainOutlook.Outlook {
    let look = try await outlook.look()
    let difference = abs(look.head.time.milliseconds(since: look.askedAt))
    guard difference <= clockBoundMilliseconds else {
      metrics?.show(mayAct: false)
      throw ClocksDiffer(milliseconds: difference, boundMilliseconds: clockBoundMilliseconds)
    }
    _ = try decide.feeLimit(at: look.energyPrice)
    return look
  }

  /// Signs one batch as far as it may be signed now.
  ///
  /// - Returns: whether payouts of it still wait, so that the batch must come up again.
  func sign(_ batch: BatchID) async throws -> Bool {
    let look = try await trustedLook()
    let allowance = state.allowance(atMost: Self.payoutsAtOnce, headNumber: look.head.number)
    guard allowance > 0 else {
      state.recordBlocked()
      try await ledger.record(.noNodeAccepts, of: signerName)
      return true
    }
    let order = SigningOrder(
      batch: batch, wallet: decide.signer.address, signer: signerName, head: look.head,
      maximumInFlight: maximumInFlight, maximumPayouts: Self.payoutsAtOnce, maximumSigned: allowance,
      fenceLagBlocks: Self.fenceLagBlocks)
    let now = clock.now()
    let life = state.vouchedLife
    let made = Mutex<[Made]>([])
    let wasLate = Mutex(false)
    let outcome: SigningOutcome
    do {
      outcome = try await ledger.sign(order) { [decide, clock] locked in
        let age = clock.now().milliseconds(since: look.askedAt)
        let isLate = !(0...Self.lookAgeMaximumMilliseconds).contains(age)
        wasLate.withLock { $0 = isLate }
        let decisions = isLate ? [] : try decide.decide(locked, outlook: look, now: now)
        made.withLock { $0.append(Made(locked: locked.candidates, decisions: decisions, at: locked.now)) }
        return decisions
      }
    } catch {
      // Whatever of it was committed after all.
      for round in made.withLock({ $0 }) { remember(entries(of: round)) }
      state.recordSigned(headNumber: look.head.number)
      throw error
    }
    switch outcome {
    case .done(let signed, let held, let waiting):
      // Those of earlier rounds were rolled back and have left this process for nowhere.
      let last = made.withLock { $0.last }
      let committed = last.map { entries(of: $0) } ?? []
      remember(committed)
      if committed.count == signed { await write(committed, under: life) }
      metrics?.count(signed: signed, held: held)
      if signed > 0 { state.recordSigned(headNumber: look.head.number) }
      if committed.count == signed { report(committed, of: last?.locked ?? [], batch) }
      if signed > 0 || held > 0 {
        logger.info(
          "Signed a batch",
          metadata: [
            LogKey.batchID: "\(batch)", LogKey.payoutCount: "\(signed)", "held": "\(held)", "waiting": "\(waiting)",
          ])
      }
      if wasLate.withLock({ $0 }) {
        state.recordBlocked()
        logger.warning(
          "What was seen of the chain was too old to sign by: the nodes or the database are slow",
          metadata: [LogKey.batchID: "\(batch)"])
      }
      // Those that wait for a window or a proof come up again by the sweeper; those cut off by the allowance at once.
      return waiting > 0 && (signed > 0 || wasLate.withLock { $0 })
    case .blocked(let reason):
      logger.debug("Signing is blocked", metadata: ["reason": "\(reason.rawValue)"])
      state.recordBlocked()
      if reason == .inFlightLimit { try await ledger.record(.inFlightLimit, of: signerName) }
      return true
    }
  }
}

extension SignBatches {
  /// What was decided in one round, and the ledger's time then, which it stores as the time of signing.
  private struct Made {
    let locked: [SigningCandidate]
    let decisions: [SigningDecision]
    let at: Timestamp
  }

  /// What the journal is to hold of it. Of twins only the first is stored: the other's bytes are the first's.
  private func entries(of made: Made) -> [JournalEntry] {
    var seen: Set<TxID> = []
    return made.decisions.compactMap { decision -> JournalEntry? in
      guard case .sign(let signed) = decision, seen.insert(signed.txid).inserted else { return nil }
      return entry(of: signed, at: made.at, for: .payouts)
    }
  }

  /// What the journal is to hold of a transaction.
  func entry(of signed: SignedPayout, at moment: Timestamp, for purpose: JournalEntry.Purpose) -> JournalEntry {
    JournalEntry(
      txid: signed.txid, wallet: decide.signer.address, signer: signerName, signedBytes: signed.signedBytes,
      referenceBlockNumber: signed.referenceBlockNumber, headTime: signed.headTime, expiration: signed.expiration,
      feeLimit: signed.feeLimit, signedAt: moment,
      payouts: [
        JournalPayout(
          payout: signed.payout, reference: signed.reference, attemptNumber: signed.attemptNumber,
          token: signed.transfer.token, recipient: signed.transfer.to, amount: signed.transfer.amount)
      ], purpose: purpose)
  }

  /// Journals at once what is committed: who reads the ledger could send it, keep it from ever being taken for broadcast, and
  /// free its payout once this process and its memory are gone.
  ///
  /// Broadcasting journals it, too, and first of all, so that a failure here costs nothing but that protection: it is told
  /// there. Another life than the one vouched for throws it away.
  func write(_ entries: [JournalEntry], under life: ServerLife?) async {
    guard let life, !entries.isEmpty else { return }
    do {
      try await decide.journal.append(entries, under: life)
      decide.earlierAttempts.journaled(entries)
    } catch {
      logger.warning("What was signed is not in the journal yet, and not sent before it is", error: error)
    }
  }

  /// The line that joins request, payout and transaction: from here on the others name one of them.
  private func report(_ entries: [JournalEntry], of locked: [SigningCandidate], _ batch: BatchID) {
    let requests = Dictionary(locked.map { ($0.payout.id, $0.payout.particulars.requestID) }) { first, _ in first }
    for entry in entries {
      for part in entry.payouts {
        logger.info(
          "Signed a payout",
          metadata: [
            LogKey.payoutID: "\(part.payout)", LogKey.txID: "\(entry.txid)", LogKey.batchID: "\(batch)",
            LogKey.attemptNumber: "\(part.attemptNumber)", LogKey.requestID: "\(requests[part.payout] ?? "")",
          ])
      }
    }
  }

  /// Keeps in mind what was signed until the journal holds it (see `EarlierAttempts`).
  func remember(_ entries: [JournalEntry]) {
    decide.earlierAttempts.remember(entries.filter { !decide.journal.holds($0.txid) })
  }
}

/// Nothing is signed while the chain's time and ours differ: a node could stretch a transaction's life by it.
struct ClocksDiffer: Error, CustomStringConvertible {
  let milliseconds: Int64
  let boundMilliseconds: Int64

  var description: String {
    "the head block's time and our clock differ by \(milliseconds) ms, allowed are \(boundMilliseconds) ms: "
      + "set the clock, or the node is behind"
  }
}

extension SignBatches {
  /// The stream's consumer around `sign`.
  func consumer(_ transport: any StreamTransport, name: ConsumerName) throws -> StreamConsumer {
    var configuration = StreamConsumerConfiguration(streams: [.batchesReady], group: .signer, consumer: name)
    configuration.count = 20
    configuration.blockMilliseconds = 500
    return try StreamConsumer(
      transport: transport, configuration: configuration, now: { clock.now().milliseconds },
      handle: { entries in try await handle(entries, transport) },
      giveUp: { entry in try await giveUp(entry, transport) })
  }

  private func handle(_ entries: [StreamEntry], _ transport: any StreamTransport) async throws -> [StreamEntry] {
    for entry in entries {
      guard let batch = SignBatches.batch(of: entry) else {
        logger.warning("An entry names no batch; it is dropped", metadata: [LogKey.streamEntryID: "\(entry.id)"])
        continue
      }
      // What keeps one batch from being signed keeps all of them: the others wait their turn without being tried in vain.
      if state.isBlocked {
        try await transport.append([[StreamField.batchID: "\(batch)"]], to: .batchesReady)
        continue
      }
      // Sent again before this entry is acknowledged: a crash in between sends it twice, which does nothing.
      if try await sign(batch) { try await transport.append([entry.fields], to: .batchesReady) }
    }
    return entries
  }

  /// The failures may have been the database's, the node's or the disk's: the batch is tried once more, alone, and only
  /// where the ledger refuses its very rows a person must decide. Anything else throws, and the entry stays.
  private func giveUp(_ entry: StreamEntry, _ transport: any StreamTransport) async throws -> String {
    guard let batch = SignBatches.batch(of: entry) else { return "the entry names no batch" }
    do {
      if try await sign(batch) { try await transport.append([entry.fields], to: .batchesReady) }
      try await transport.acknowledge([entry], group: .signer)
      return "done at last"
    } catch let error as LedgerError where error.code.blamesTheRows {
      let note = "the batch could not be signed: \(error.code)"
      let held = try await ledger.holdScheduled(batch: batch, note: note)
      logger.critical(
        "Gave a batch up; its payouts are held", error: error,
        metadata: [LogKey.batchID: "\(batch)", LogKey.payoutCount: "\(held.count)"])
      return note
    } catch let error as LedgerError where error.code == .livesTooLong || error.code == .misconfigured {
      try await ledger.raiseAlarm(kind: "signing_refused", subject: "signer \(signerName)", message: error.message)
      throw error
    }
  }

  private static func batch(of entry: StreamEntry) -> BatchID? {
    entry.fields[StreamField.batchID].flatMap { try? BatchID($0) }
  }
}
