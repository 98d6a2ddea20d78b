import Ledger
import Payouts

@testable import Simulation

/// The ledger as pairs ask it: the real one and the model's alike.
protocol AskedLedger: IngestLedger, SchedulerLedger, SignerLedger, MonitorLedger {
  func decide(
    _ payout: PayoutID, _ decision: HeldDecision, seen: String?, reason: String, requiredConfirmations: Int64
  ) async throws -> HeldOutcome
  func bring(_ journal: [JournalEntry], of journalID: [UInt8]) async throws -> LateJournalOutcome
  /// `closeBreaker`, which asks the real one for a reason.
  func shutBreaker() async throws
}

extension Ledger: AskedLedger {
  func shutBreaker() async throws { _ = try await closeBreaker(reason: "a test") }
}

extension SimulatedLedger: AskedLedger {
  func shutBreaker() async throws { try await closeBreaker() }
}

extension LateCommitTests {
  typealias Body<Value> = @Sendable (any AskedLedger, World) async throws -> Value

  /// One operation, which answers with a text: asked again, it does the same.
  struct Act: Sendable {
    let body: Body<String>

    init(_ body: @escaping Body<String>) { self.body = body }

    static func accept(_ number: Int, id: Int? = nil, told url: String? = nil) -> Act {
      Act { ledger, _ in
        let payout = try Sample.payout(number, id: id, webhookURL: url)
        return try await ledger.accept([payout], limits: TestLedger.unlimited).map { AcceptTests.name($0) }.joined()
      }
    }
    static func decide(_ number: Int, _ decision: HeldDecision) -> Act {
      Act { ledger, _ in
        let id = Sample.payoutID(number)
        return "\(try await ledger.decide(id, decision, seen: nil, reason: "a test", requiredConfirmations: 19))"
      }
    }
    static func hold(_ number: Int) -> Act {
      Act { ledger, _ in "\(try await ledger.holdQueued(Sample.payoutID(number), note: "a test"))" }
    }
    static func schedule(atMost count: Int, into batch: Int = 40) -> Act {
      Act { ledger, _ in
        let made = try await ledger.scheduleDue(atMost: count, maximumPerBatch: 100) { Sample.batchID(batch) }
        return "\(made.map { "\($0.id) \($0.payouts)" })"
      }
    }
    static func cancel(_ number: Int) -> Act {
      Act { ledger, _ in
        let outcome = try await ledger.cancel(Sample.payoutID(number), note: "a test")
        if case .cancelled(let record) = outcome { return "cancelled \(record.id)" }
        return "\(outcome)"
      }
    }
    static let expire = Act { ledger, _ in "\(try await ledger.expire(atMost: 100).map(\.payout))" }
    static func sign(_ batch: Int) -> Act {
      Act { ledger, world in
        let outcome = try await ledger.sign(world.test.order(Sample.batchID(batch))) { batch in
          batch.candidates.map { .sign(Sample.signed($0, batch)) }
        }
        return "\(outcome)"
      }
    }
    static func holdBatch(_ batch: Int) -> Act {
      Act { ledger, _ in "\(try await ledger.holdScheduled(batch: Sample.batchID(batch), note: "a test"))" }
    }
    static let sweep = Act { ledger, world in
      let signing = try TreasurySigning(
        wallet: Sample.wallet, signer: TestLedger.signer, head: world.place(.head), maximumInFlight: 1_000,
        fenceLagBlocks: 10)
      return "\(try await ledger.signTreasuryOrder(signing) { _ in .wait })"
    }
    static func take(_ count: Int) -> Act {
      Act { ledger, world in
        let lot = try await ledger.takeForBroadcast(
          wallet: Sample.wallet, headTime: world.test.now, leaseMilliseconds: 15_000, atMost: count)
        return "\(lot.transactions.map(\.txid))"
      }
    }
    static func answer(_ number: Int) -> Act {
      Act { ledger, world in
        let txid = world.test.txid(number)
        try await ledger.record([BroadcastRecord(txid: txid, isTaken: true, answer: "SUCCESS", retryMilliseconds: 0)])
        return "done"
      }
    }
    static func die(_ number: Int) -> Act {
      Act { ledger, world in
        try await ledger.settle([world.test.txid(number): .dead], retryDelayMilliseconds: 5_000)
        return "done"
      }
    }
    static let open = Act { ledger, _ in
      try await ledger.openBreaker(cause: "a_test", subject: "test", message: "a test")
      return "done"
    }
    static let close = Act { ledger, _ in
      try await ledger.shutBreaker()
      return "done"
    }
    static let find = Act { ledger, world in
      let finding = ChainFinding(
        kind: .ownedTransaction, txid: Sample.txid(Sample.reference(900), attempt: 9), logIndex: -1,
        wallet: Sample.wallet, recipient: nil, amountText: nil, referenceBits: nil, timestamp: nil)
      try await ledger.store(findings: [finding], in: world.place(.solid))
      return "done"
    }
    static let judge = Act { ledger, _ in "\(try await ledger.judgeFindings())" }
    static let vouch = Act { ledger, world in
      "\(try await ledger.vouch(TestLedger.vouching(world.tables.life), journal: []))"
    }
    static let quarantine = Act { ledger, _ in
      let request = QuarantineRequest(signer: TestLedger.signer, cause: .signerAway, reason: "a test")
      return "\(try await ledger.requestQuarantine(request))"
    }
    static let begin = Act { ledger, world in
      let head = Sample.place(101, at: world.tables.now)
      return "\(try await ledger.beginQuarantines(head: head, under: world.tables.life))"
    }
    static let bring = Act { ledger, _ in "\(try await ledger.bring([], of: [UInt8](repeating: 9, count: 16)))" }
    static let checkpoint = Act { ledger, world in
      "\(try await ledger.moveIntentCheckpoint(to: "7-0", under: world.tables.life))"
    }
    static let state = Act { ledger, _ in "\(try await ledger.vouchingState(signer: TestLedger.signer).hasVouched)" }
    static let standStill = Act { ledger, _ in
      try await ledger.record(Standstill.noNodeAccepts, of: TestLedger.signer)
      return "done"
    }
    static func head(_ numbers: Int...) -> Act {
      Act { ledger, world in
        let block = HeadBlock(
          place: Sample.place(102, at: world.tables.now, branch: 9), transactions: numbers.map { world.test.txid($0) },
          suspects: [], keepAbove: 99)
        return "\(try await ledger.apply(head: block, after: world.place(.head)))"
      }
    }
    static let solid = Act { ledger, world in
      let (next, last) = (Sample.place(102, at: world.tables.now), try world.place(.solid))
      return "\(try await ledger.apply(solid: next, after: last, verdicts: [:], retryDelayMilliseconds: 0))"
    }
    /// From a head on a branch; it stands on branch 9, so that from another one nothing is set.
    static func reset(from branch: UInt8) -> Act {
      Act { ledger, world in
        guard let order = world.tables.openHeadReset else { throw UnexpectedOutcome("nobody ordered it") }
        let time = try world.place(.head).time
        let head = Sample.place(101, at: time, branch: branch)
        let undone = try await ledger.resetHead(by: order, to: world.place(.solid), from: head)
        return String(describing: undone)
      }
    }
    static let undo = Act { ledger, world in
      String(describing: try await ledger.undoHead(above: 100, from: world.place(.head)))
    }
    static let claim = Act { ledger, _ in
      switch try await ledger.claimWebhooks(after: nil, leaseMilliseconds: 30_000, atMost: 20) {
      case .nothing(let next): return "nothing \(next ?? "-")"
      case .lot(let lot): return "\(lot.origin) \(lot.deliveries.compactMap(\.payout?.id).sorted())"
      }
    }
    static func tell(_ index: Int) -> Act {
      Act { ledger, world in
        String(describing: try await ledger.record(WebhookResult.delivered("HTTP 200"), of: world.deliveries[index]))
      }
    }
  }
}
