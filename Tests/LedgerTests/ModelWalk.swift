import Ledger
import Payouts
import TestSupport
import Testing

@testable import Simulation

/// Asks the model and the real ledger the same things, drawn at random, and compares answers and contents after each.
struct ModelWalk {
  let test: TestLedger
  private let clock: LedgerClock
  var model: LedgerTables
  private var chance: SeededGenerator
  /// The payouts of this sequence have numbers from here on.
  private(set) var first = 0
  private var nextBatch = 1
  var branch: UInt8 = 0
  /// What Signers have journaled.
  private var journals: [String: [JournalEntry]] = [:]
  var trail: [String] = []
  /// Operations since all rows were compared.
  var unseen = 0
  /// Operations that were drawn and not carried out; nil where each is carried out at once.
  var collected: [Operation]?
  /// How many sequences were begun.
  private(set) var sequences = 0
  /// How often each operation came to what, by its first words.
  var answers: [String: Int] = [:]
  /// What of `ModelCoverage.wanted` was reached, and how often.
  var reached: [String: Int] = [:]

  /// Begins a world as the test's ledger stands.
  init(_ test: TestLedger, _ clock: LedgerClock, seed: UInt64) async throws {
    self.test = test
    self.clock = clock
    chance = SeededGenerator(seed: seed)
    let start = Timestamp(milliseconds: test.now.milliseconds)
    try await clock.set(start)
    let state = try await test.ledger.vouchingState(signer: TestLedger.signer)
    model = LedgerTables(now: start, life: state.life)
    let begin = try #require(try await test.ledger.cursor(.head))
    _ = try model.declare(
      wallet: Sample.wallet, signer: TestLedger.signer, journalID: TestLedger.journalID, begin: begin)
    _ = try model.apply(
      head: HeadBlock(place: begin, transactions: [], suspects: [], keepAbove: begin.number - 1), after: nil)
    _ = try model.apply(solid: begin, after: nil, verdicts: [:], retryDelayMilliseconds: 0)
    _ = try model.vouch(TestLedger.vouching(state.life), journal: [])
    // The template was made by another clock.
    try await test.force("UPDATE breaker SET since = ledger_now()")
    try await test.force("UPDATE chain_cursors SET moved_at = ledger_now()")
    model.breaker.since = start
    model.actor = TestLedger.actor
  }

  /// Begins a sequence with payouts of its own.
  mutating func begin(_ sequence: Int) {
    first = sequence * 100 + 1
    sequences += 1
    trail = ["sequence \(sequence)"]
  }

  /// Draws one operation and carries it out on both sides.
  mutating func step() async throws {
    if roll(3) == 0 { try await passTime() }
    // A breaker that is open, or a history that nobody vouches for, stays so for a while only.
    if model.breaker.state == .open, roll(3) == 0 { return try await steer() }
    if !model.isContinuous, roll(3) == 0 { return try await vouch() }
    try await draw()
  }

  mutating func draw() async throws {
    switch roll(38) {
    case 0...3: try await accept()
    case 4...6: try await schedule()
    case 7...9: try await sign()
    case 10...11: try await broadcast()
    case 12...13: try await head()
    case 14...15: try await solid()
    case 16: try await settle()
    case 17: try await blame()
    case 18: if roll(2) == 0 { try await decide() } else { try await cancel() }
    case 19: try await vouch()
    case 20: try await steer()
    case 21...22: try await tell()
    case 23...24: try await quarantine()
    case 25...26: try await orders()
    case 27...28: try await replay()
    case 29...32: try await question()
    case 33...34: try await report()
    case 35: try await nameSigners()
    case 36: try await steerByHand()
    default: try await look()
    }
  }

  mutating func roll(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &chance) }

  mutating func passTime() async throws {
    let milliseconds = [1, 500, 3_000, 20_000, 70_000, 900_000][roll(6)]
    model.now = model.now.advanced(byMilliseconds: Int64(milliseconds))
    try await clock.set(model.now)
    trail.append("\(milliseconds) ms pass")
  }

  private mutating func schedule() async throws {
    if roll(4) == 0 {
      return try await compare("expire") {
        "\(try await $0.expire(atMost: 1_000).map(\.payout).sorted())"
      } _: {
        "\(try $0.expire(atMost: 1_000).map(\.payout).sorted())"
      }
    }
    let (count, perBatch, number) = (1 + roll(8), 1 + roll(4), nextBatch)
    nextBatch += 20
    try await compare("schedule \(count) by \(perBatch)") { ledger in
      let names = BatchNames(number)
      return "\(try await ledger.scheduleDue(atMost: count, maximumPerBatch: perBatch) { names.next() })"
    } _: { tables in
      let names = BatchNames(number)
      return "\(try tables.schedule(tables.due(atMost: count), maximumPerBatch: perBatch) { names.next() })"
    }
  }

  mutating func takeBatchNumbers() -> Int {
    defer { nextBatch += 20 }
    return nextBatch
  }

  private mutating func sign() async throws {
    let batches = Set(model.payouts(in: [.scheduled]).compactMap(\.settlementBatch)).sorted()
    guard !batches.isEmpty else { return try await look() }
    let batch = batches[roll(batches.count)]
    let whim = roll(12)
    let head = try #require(model.cursors[.head])
    let order = SigningOrder(
      batch: batch, wallet: Sample.wallet, signer: someSigner(),
      head: Sample.place(head.number + Int64(roll(12)), at: model.now), maximumInFlight: roll(4) == 0 ? roll(3) : 1_000,
      maximumPayouts: 1 + roll(4), fenceLagBlocks: 10)
    if roll(15) == 0 {
      return try await compare("hold-scheduled \(batch)") {
        "\(try await $0.holdScheduled(batch: batch, note: "note").sorted())"
      } _: {
        "\(try $0.holdScheduled(batch: batch, note: "note").sorted())"
      }
    }
    try await compare("sign \(batch) whim \(whim)") { ledger in
      "\(try await ledger.sign(order) { Self.decide($0, whim) })"
    } _: {
      "\(try $0.sign(order) { Self.decide($0, whim) })"
    } locking: {
      Set($0.candidates(order).map(\.terms.id.description))
    }
  }

  /// A Signer that decides by the number of the payout and its whim.
  private static func decide(_ batch: SigningBatch, _ whim: Int) -> [SigningDecision] {
    batch.candidates.enumerated().map { index, candidate in
      let id = candidate.payout.id
      if candidate.isReferenceInUse { return .hold(id, .referenceInUse, note: "in use", opensBreaker: false) }
      switch (whim + index) % 12 {
      case 0: return .hold(id, .unclaimedTransfer, note: "looks paid", opensBreaker: false)
      case 1: return .postpone(id, milliseconds: 5_000, note: "no room")
      case 2 where whim == 2: return .hold(id, .brokenSeal, note: "broken", opensBreaker: true)
      // A txid that may exist: the next second is taken.
      case 3:
        return .sign(
          Sample.signed(
            candidate, batch,
            txid: Sample.txid(Sample.reference(1), attempt: 1, second: batch.secondsLater + 100)))
      default:
        // Signed again after a restore it is another transaction.
        let txid = Sample.txid(
          candidate.payout.terms.reference, attempt: candidate.attemptNumber,
          second: batch.secondsLater + 20 * Int64(whim % 3))
        return .sign(Sample.signed(candidate, batch, lifeMilliseconds: 20_000, txid: txid))
      }
    }
  }

  private mutating func broadcast() async throws {
    // Beside another operation there is no lot yet: answers come to anything that is out.
    if collected != nil, roll(2) == 0 {
      let out = model.transactions.values.filter { [.signed, .sent, .included].contains($0.status) }
      return try await record(answersTo: out.map(\.entry.txid).sorted())
    }
    let headTime = model.now.advanced(byMilliseconds: -Int64(roll(40_000)))
    let taken = Taken<BroadcastLot>()
    try await compare("take") { ledger in
      let lot = try await ledger.takeForBroadcast(
        wallet: Sample.wallet, headTime: headTime, leaseMilliseconds: 15_000, atMost: 10_000)
      taken.put(lot)
      return Self.text(of: lot)
    } _: { tables in
      return Self.text(
        of: tables.takeForBroadcast(
          wallet: Sample.wallet, headTime: headTime, leaseMilliseconds: 15_000, atMost: 10_000))
    }
    guard let lot = taken.value else { return }
    let signer = someSigner()
    for entry in lot.transactions { remember(entry, by: signer) }
    try await record(answersTo: lot.transactions.map(\.txid), lot.dueSince)
  }

  private static func text(of lot: BroadcastLot) -> String {
    let transactions = lot.transactions.map { entry in
      "\(entry.txid) \(entry.payouts.map(\.payout)) \(lot.dueSince[entry.txid].map { "\($0)" } ?? "-")"
    }
    return "\(lot.isContinuous) \(transactions)"
  }

  private mutating func record(answersTo txids: [TxID], _ dueSince: [TxID: Timestamp] = [:]) async throws {
    let answers = txids.filter { _ in roll(4) > 0 }.map { txid in
      if let due = dueSince[txid], roll(4) == 0 { return BroadcastRecord(unbegun: txid, dueSince: due) }
      return BroadcastRecord(txid: txid, isTaken: roll(3) > 0, answer: "answer", retryMilliseconds: 3_000)
    }
    try await compare("record \(answers.map { "\($0.txid) \($0.isTaken) \($0.dueSince != nil)" })") {
      try await $0.record(answers)
      return "done"
    } _: {
      try $0.record(answers)
      return "done"
    } locking: { _ in
      Set(answers.map(\.txid.description))
    }
  }

  private mutating func blame() async throws {
    let failures = model.unblamedFailures(atMost: 1_000)
    guard !failures.isEmpty else { return try await look() }
    let failure = failures[roll(failures.count)]
    let blame: FailureBlame = roll(3) > 0 && failure.result != nil ? .payout : .walletShort
    try await compare("blame \(failure.txid) \(blame)") {
      "\(String(describing: try await $0.blame(blame, for: failure, maximumOwnFailures: 2)?.payout))"
    } _: {
      "\(String(describing: try $0.blame(blame, for: failure, maximumOwnFailures: 2)?.payout))"
    } locking: {
      Set([$0.payout(of: failure.reference)?.terms.id.description].compactMap(\.self))
    }
  }

  private mutating func steer() async throws {
    switch roll(4) {
    case 0:
      try await compare("judge findings") {
        "\(try await $0.judgeFindings())"
      } _: {
        "\($0.judgeFindings())"
      }
    case 1:
      try await compare("open-breaker") {
        _ = try await $0.openBreaker(reason: "reason")
        return "done"
      } _: {
        $0.openBreaker(reason: "reason")
        return "done"
      }
    default:
      try await compare("close-breaker") {
        _ = try await $0.closeBreaker(reason: "reason")
        return "done"
      } _: {
        $0.closeBreaker()
        return "done"
      }
    }
  }

  /// A Signer has journaled it.
  mutating func remember(_ entry: JournalEntry, by signer: String) {
    if !journal(of: signer).contains(where: { $0.txid == entry.txid }) { journals[signer, default: []].append(entry) }
  }

  func journal(of signer: String) -> [JournalEntry] { journals[signer] ?? [] }

  /// One question.
  mutating func look() async throws {
    switch roll(4) {
    case 0:
      try await compare("conditions") {
        Self.text(try await $0.conditions())
      } _: {
        Self.text($0.conditions())
      }
    case 1:
      let last = roll(2) == 0 ? nil : Sample.batchID(roll(nextBatch))
      let count = 1 + roll(20)
      try await compare("batches") {
        "\(try await $0.batchesToSign(waitingFor: 1_000, after: last, atMost: count))"
      } _: {
        "\($0.batchesToSign(waitingFor: 1_000, after: last, atMost: count))"
      }
    case 2:
      try await compare("unjudged") {
        "\(try await $0.unjudged(atMost: 1_000))"
      } _: {
        "\($0.unjudged(atMost: 1_000))"
      }
    default:
      try await compare("due") {
        "\(try await $0.duePayouts(atMost: 5))"
      } _: {
        "\($0.due(atMost: 5).map(\.terms.id))"
      } locking: {
        Set($0.due(atMost: 5).map(\.terms.id.description))
      }
    }
  }

  private static func text(_ conditions: PayingConditions) -> String {
    "\(conditions)"
  }
}

/// Batches' names in order, the same on both sides.
final class BatchNames: Sendable {
  private let counter: Counter
  private let first: Int

  init(_ first: Int) {
    self.first = first
    counter = Counter()
  }

  func next() -> BatchID { Sample.batchID(first + counter.next()) }
}
