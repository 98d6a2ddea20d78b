import Ledger
import Payouts
import Signer
import Streams
import Synchronization
import TestSupport
import Testing
import Tron

/// What becomes of a batch that cannot be signed (DESIGN.md §1: "its payouts are held, safe in PostgreSQL").
@Suite struct GiveUpTests {
  /// Far more often than an entry is delivered before it is given up.
  static let rounds = 24

  /// Lets the Signer try again and again, with the chain and the fence going on.
  private func keepTrying(_ scene: PayingScene, _ signer: SignerSteps) async throws {
    for _ in 0..<Self.rounds {
      try? await scene.run(signer.sign)
      try await scene.produce(11)
      try await scene.follow()
    }
  }

  private func deadLetters(_ scene: PayingScene) async throws -> Int {
    try await scene.streams.length(of: StreamName.batchesReady.deadLetters)
  }

  @Test func `a batch whose rows the ledger refuses is given up alone and held, and its neighbours are signed`()
    async throws
  {
    try await PayingScene.run { scene in
      _ = try await scene.vouchedSigner()
      let bad = try await scene.schedule(numbers: 2...3)
      try await scene.schedule(numbers: 1...1)
      let refusing = WatchedLedger(
        ledger: scene.ledger,
        beforeSign: { batch in
          if batch == bad { throw LedgerError(.refused, "the test refuses this batch") }
        })
      let signer = try scene.signer(ledger: refusing)
      try await scene.run(signer.vouch)
      try await keepTrying(scene, signer)

      #expect(try await scene.status(1) == .signed)
      for number in 2...3 {
        let record = try await scene.record(number)
        #expect(record.status == .held && record.heldFrom == .scheduled && record.holdReason == "dead_letter")
      }
      #expect(try await scene.alarms() == ["dead_letter"])
      #expect(try await deadLetters(scene) == 1)
      #expect(try await scene.streams.length(of: .batchesReady) == 0)
    }
  }

  @Test(arguments: [LedgerError.Code.unavailable, .outcomeUnknown, .historyNotTrusted])
  func `a database that is away for long holds no payout`(code: LedgerError.Code) async throws {
    try await PayingScene.run { scene in
      _ = try await scene.vouchedSigner()
      let isAway = Mutex(true)
      let failing = WatchedLedger(
        ledger: scene.ledger,
        beforeSign: { _ in
          if isAway.withLock({ $0 }) { throw LedgerError(code, "the test's database is away") }
        })
      let signer = try scene.signer(ledger: failing)
      try await scene.run(signer.vouch)
      try await scene.schedule(numbers: 1...2)
      try await keepTrying(scene, signer)
      #expect(try await scene.status(1) == .scheduled)

      isAway.withLock { $0 = false }
      try await scene.run(signer.sign)
      #expect(try await scene.status(1) == .signed)
      #expect(try await scene.status(2) == .signed)
      #expect(try await scene.alarms().isEmpty)
      #expect(try await deadLetters(scene) == 0)
      #expect(try await scene.streams.length(of: .batchesReady) == 0)
    }
  }

  @Test func `a clock that keeps everything from being signed holds no payout and calls somebody`() async throws {
    try await PayingScene.run { scene in
      _ = try await scene.vouchedSigner()
      let failing = WatchedLedger(
        ledger: scene.ledger, beforeSign: { _ in throw LedgerError(.livesTooLong, "the test's clock is wrong") })
      let signer = try scene.signer(ledger: failing)
      try await scene.run(signer.vouch)
      try await scene.schedule(numbers: 1...1)
      try await keepTrying(scene, signer)
      #expect(try await scene.status(1) == .scheduled)
      #expect(try await scene.alarms() == ["signing_refused"])
      #expect(try await deadLetters(scene) == 0)
    }
  }

  @Test(arguments: [Sun(0), Sun(-1), Sun(1_000_000), Sun(.max)])
  func `a node that tells an impossible energy price delays payouts and holds none`(price: Sun) async throws {
    // A price of nothing would let every transfer burn its limit in vain; one without bound would burn the wallet.
    try await PayingScene.run { scene in
      let signer = try await scene.vouchedSigner()
      let usual = try await scene.node.energyPrice()
      try await scene.schedule(numbers: 1...1)
      await scene.node.setEnergyPrice(price)
      for _ in 0..<Self.rounds {
        #expect("\(try await scene.failure(of: signer.sign))".contains("\(price.count)"))
        try await scene.produce(11)
        try await scene.follow()
      }
      #expect(try await scene.status(1) == .scheduled)
      await scene.node.setEnergyPrice(usual)
      try await scene.produce()
      try await scene.follow()
      try await scene.run(signer.sign)
      #expect(try await scene.status(1) == .signed)
      #expect(try await scene.alarms().isEmpty)
    }
  }
}
