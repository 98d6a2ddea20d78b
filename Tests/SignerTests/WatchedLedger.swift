import Ledger
import Payouts

/// A ledger that lets something happen before a batch is signed, under its locks, after it is committed, or just after
/// transactions were taken for broadcast: where a crash or a restart of the server would hurt most.
struct WatchedLedger: SignerLedger {
  let ledger: any SignerLedger
  var beforeSign: @Sendable (BatchID) async throws -> Void = { _ in }
  var underLocks: @Sendable () -> Void = {}
  var afterSign: @Sendable (SigningOutcome) throws -> Void = { _ in }
  var afterTake: @Sendable () async throws -> Void = {}

  func sign(
    _ order: SigningOrder, decide: @escaping @Sendable (SigningBatch) throws -> [SigningDecision]
  ) async throws -> SigningOutcome {
    try await beforeSign(order.batch)
    let outcome = try await ledger.sign(order) { batch in
      underLocks()
      return try decide(batch)
    }
    try afterSign(outcome)
    return outcome
  }

  func record(_ standstill: Standstill, of signer: String) async throws {
    try await ledger.record(standstill, of: signer)
  }

  func takeForBroadcast(
    wallet: Address, headTime: Timestamp, leaseMilliseconds: Int64, atMost count: Int
  ) async throws -> BroadcastLot {
    let lot = try await ledger.takeForBroadcast(
      wallet: wallet, headTime: headTime, leaseMilliseconds: leaseMilliseconds, atMost: count)
    if !lot.transactions.isEmpty { try await afterTake() }
    return lot
  }

  func record(_ answers: [BroadcastRecord]) async throws { try await ledger.record(answers) }
  func vouchingState(signer: String) async throws -> VouchingState { try await ledger.vouchingState(signer: signer) }
  func vouch(_ vouching: Vouching, journal: [JournalEntry]) async throws -> VouchingOutcome {
    try await ledger.vouch(vouching, journal: journal)
  }
  func requestQuarantine(_ request: QuarantineRequest) async throws -> QuarantineAnswer {
    try await ledger.requestQuarantine(request)
  }
  func beginQuarantines(head: BlockPlace, under life: ServerLife) async throws -> QuarantineBeginning {
    try await ledger.beginQuarantines(head: head, under: life)
  }
  func holdUnproven(atMost count: Int) async throws -> Bool { try await ledger.holdUnproven(atMost: count) }
  func intentCheckpoint() async throws -> IntentCheckpoint { try await ledger.intentCheckpoint() }
  func lost(_ intents: [Intent]) async throws -> [Intent] { try await ledger.lost(intents) }
  func moveIntentCheckpoint(to lastID: String, under life: ServerLife) async throws -> Bool {
    try await ledger.moveIntentCheckpoint(to: lastID, under: life)
  }
  func waitingOrders() async throws -> WaitingOrders { try await ledger.waitingOrders() }
  func adoptionsToCarryOut(wallet: Address, signer: String, atMost count: Int) async throws -> BroadcastLot {
    try await ledger.adoptionsToCarryOut(wallet: wallet, signer: signer, atMost: count)
  }
  func adopt(_ entry: JournalEntry, signer: String, journalID: [UInt8], life: ServerLife) async throws -> Bool {
    try await ledger.adopt(entry, signer: signer, journalID: journalID, life: life)
  }
  func refuseAdoption(of txid: TxID, _ why: String) async throws {
    try await ledger.refuseAdoption(of: txid, why)
  }
  func signTreasuryOrder(
    _ signing: TreasurySigning, decide: @escaping @Sendable (TreasuryOrder) throws -> TreasuryDecision
  ) async throws -> SigningOutcome {
    try await ledger.signTreasuryOrder(signing, decide: decide)
  }
  func conditions() async throws -> PayingConditions { try await ledger.conditions() }
  func holdScheduled(batch: BatchID, note: String) async throws -> [PayoutID] {
    try await ledger.holdScheduled(batch: batch, note: note)
  }
  func openBreaker(cause: String, subject: String, message: String) async throws {
    try await ledger.openBreaker(cause: cause, subject: subject, message: message)
  }
  func raiseAlarm(kind: String, subject: String, message: String) async throws {
    try await ledger.raiseAlarm(kind: kind, subject: subject, message: message)
  }
  func batchesToSign(
    waitingFor milliseconds: Int64, after last: BatchID?, atMost count: Int
  ) async throws -> [BatchID] {
    try await ledger.batchesToSign(waitingFor: milliseconds, after: last, atMost: count)
  }
}

/// The process died here.
struct Crash: Error {}
