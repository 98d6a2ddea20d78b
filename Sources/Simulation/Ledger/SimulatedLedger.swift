import Ledger
import Payouts

/// One process's connection to the database: the ledger as all workers ask it, with what can go wrong on the way.
struct SimulatedLedger: Sendable {
  let database: SimulatedDatabase
  let gate: FaultGate
  let process: SimulatedProcess

  private static let writeErrors = FaultGate.Errors(
    notDone: { LedgerError(.unavailable, "\($0): the simulator lets it fail") },
    unknown: { LedgerError(.outcomeUnknown, "\($0): the simulator loses the answer to COMMIT") })
  private static let readErrors = FaultGate.Errors(
    notDone: { LedgerError(.unavailable, "\($0): the simulator lets it fail") },
    unknown: { LedgerError(.unavailable, "\($0): the simulator lets it fail") })

  func write<Value: Sendable>(
    _ site: String, _ body: @escaping @Sendable (inout LedgerTables) throws -> Value
  ) async throws -> Value {
    let (database, name) = (database, process.name)
    var passage = Passage { try await database.transaction(site, actor: name, body) }
    // What the caller decides within the transaction is decided, and has left this process; only its COMMIT failed.
    passage.undone = { try? database.rollBack(actor: name) { _ = try body(&$0) } }
    passage.departs = { moment in try await database.commitLate(site, actor: name, landsAt: moment, body) }
    return try await gate.pass(site, .ledgerWrite, of: process, Self.writeErrors, passage)
  }

  func read<Value: Sendable>(
    _ site: String, _ body: @escaping @Sendable (LedgerTables) throws -> Value
  ) async throws -> Value {
    let (database, name) = (database, process.name)
    return try await gate.pass(
      site, .ledgerRead, of: process, Self.readErrors,
      Passage { try database.reading(actor: name) { try body($0) } })
  }
}

extension SimulatedLedger: IngestLedger {
  /// As the real one does: an unknown COMMIT is asked again with the very same payouts.
  func accept(_ requests: [AcceptanceRequest], limits: AcceptanceLimits) async throws -> [RequestOutcome] {
    do {
      return try await write("accept") { try $0.accept(requests, limits: limits) }
    } catch let error as LedgerError where error.code == .outcomeUnknown {
      do {
        return try await write("accept again") { try $0.accept(requests, limits: limits) }
      } catch let second as LedgerError {
        throw LedgerError(.outcomeUnknown, "\(error.message); asked again: \(second.message)")
      }
    }
  }

  func accepted(under references: [Reference]) async throws -> [AcceptedRequest?] {
    try await read("accepted") { tables in references.map { tables.accepted(under: $0) } }
  }

  func payout(_ id: PayoutID) async throws -> PayoutRecord? {
    try await read("payout") { $0.payouts[id]?.record }
  }

  func history(of id: PayoutID) async throws -> [PayoutEvent] {
    try await read("history") { $0.events[id] ?? [] }
  }

  func attempts(of id: PayoutID) async throws -> [AttemptRecord] {
    try await read("attempts") { $0.attemptRecords(of: id) }
  }

  func conditions() async throws -> PayingConditions {
    try await read("conditions") { $0.conditions() }
  }

  func cancel(_ payout: PayoutID, note: String) async throws -> CancelOutcome {
    try await write("cancel") { try $0.cancel(payout, note: note) }
  }

  func wallets() async throws -> [Address] {
    try await read("wallets") { $0.wallets.keys.sorted() }
  }
}

extension SimulatedLedger: SchedulerLedger {
  func scheduleDue(
    atMost count: Int, maximumPerBatch: Int, newBatchID: @escaping @Sendable () -> BatchID
  ) async throws -> [SettlementBatch] {
    try await write("schedule") {
      try $0.schedule($0.due(atMost: count), maximumPerBatch: maximumPerBatch, newBatchID: newBatchID)
    }
  }

  func duePayouts(atMost count: Int) async throws -> [PayoutID] {
    try await read("due") { $0.due(atMost: count).map(\.terms.id) }
  }

  func schedule(
    _ payouts: [PayoutID], maximumPerBatch: Int, newBatchID: @escaping @Sendable () -> BatchID
  ) async throws -> [SettlementBatch] {
    try await write("schedule some") {
      try $0.schedule($0.due(of: payouts), maximumPerBatch: maximumPerBatch, newBatchID: newBatchID)
    }
  }

  func expire(atMost count: Int) async throws -> [PayoutEnd] {
    try await write("expire") { try $0.expire(atMost: count) }
  }

  func holdQueued(_ payout: PayoutID, note: String) async throws -> Bool {
    try await write("hold queued") { try $0.holdQueued(payout, note: note) }
  }

  func setWindows(_ lengths: WindowLengths) async throws -> Bool { false }
}

extension SimulatedLedger: SignerLedger {
  func intentCheckpoint() async throws -> IntentCheckpoint {
    try await read("intent checkpoint") { $0.intentCheckpoint() }
  }

  func lost(_ intents: [Intent]) async throws -> [Intent] { try await read("lost intents") { $0.lost(intents) } }

  func moveIntentCheckpoint(to lastID: String, under life: ServerLife) async throws -> Bool {
    try await write("move intent checkpoint") { $0.moveIntentCheckpoint(to: lastID, under: life) }
  }

  func sign(
    _ order: SigningOrder, decide: @escaping @Sendable (SigningBatch) throws -> [SigningDecision]
  ) async throws -> SigningOutcome {
    try await write("sign") { try $0.sign(order, decide: decide) }
  }

  func takeForBroadcast(
    wallet: Address, headTime: Timestamp, leaseMilliseconds: Int64, atMost count: Int
  ) async throws -> BroadcastLot {
    try await write("take for broadcast") {
      $0.takeForBroadcast(
        wallet: wallet, headTime: headTime, leaseMilliseconds: leaseMilliseconds, atMost: count)
    }
  }

  func record(_ answers: [BroadcastRecord]) async throws {
    guard !answers.isEmpty else { return }
    try await write("record answers") { try $0.record(answers) }
  }

  func vouchingState(signer: String) async throws -> VouchingState {
    try await read("vouching state") { $0.vouchingState(signer: signer) }
  }

  func vouch(_ vouching: Vouching, journal: [JournalEntry]) async throws -> VouchingOutcome {
    try await write("vouch") { try $0.vouch(vouching, journal: journal) }
  }

  func requestQuarantine(_ request: QuarantineRequest) async throws -> QuarantineAnswer {
    try await write("request quarantine") { $0.requestQuarantine(request) }
  }

  func beginQuarantines(head: BlockPlace, under life: ServerLife) async throws -> QuarantineBeginning {
    try await write("begin quarantines") { $0.beginQuarantines(head: head, under: life) }
  }

  func holdUnproven(atMost count: Int) async throws -> Bool {
    try await write("hold unproven") { try $0.holdUnproven(atMost: count) }
  }

  func waitingOrders() async throws -> WaitingOrders { try await read("waiting orders") { $0.waitingOrders() } }

  func adoptionsToCarryOut(wallet: Address, signer: String, atMost count: Int) async throws -> BroadcastLot {
    try await write("adoptions") { $0.adoptionsToCarryOut(wallet: wallet, signer: signer, atMost: count) }
  }

  func adopt(_ entry: JournalEntry, signer: String, journalID: [UInt8], life: ServerLife) async throws -> Bool {
    try await write("adopt") { try $0.adopt(entry, signer: signer, journalID: journalID, life: life) }
  }

  func refuseAdoption(of txid: TxID, _ why: String) async throws {
    try await write("refuse adoption") { $0.refuseAdoption(of: txid) }
  }

  func signTreasuryOrder(
    _ signing: TreasurySigning, decide: @escaping @Sendable (TreasuryOrder) throws -> TreasuryDecision
  ) async throws -> SigningOutcome {
    try await write("sign treasury order") { try $0.signTreasuryOrder(signing, decide: decide) }
  }

  func record(_ standstill: Standstill, of signer: String) async throws {
    try await write("record standstill") { $0.record(standstill, of: signer) }
  }

  func holdScheduled(batch: BatchID, note: String) async throws -> [PayoutID] {
    try await write("hold scheduled") { try $0.holdScheduled(batch: batch, note: note) }
  }

  func openBreaker(cause: String, subject: String, message: String) async throws {
    try await write("open breaker") { $0.openBreaker(cause, subject, message) }
  }

  func raiseAlarm(kind: String, subject: String, message: String) async throws {
    try await write("raise alarm") { $0.raiseAlarm(kind, subject, message) }
  }

  func batchesToSign(
    waitingFor milliseconds: Int64, after last: BatchID?, atMost count: Int
  ) async throws -> [BatchID] {
    try await read("batches to sign") { $0.batchesToSign(waitingFor: milliseconds, after: last, atMost: count) }
  }
}
