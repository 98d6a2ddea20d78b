import Ledger
import Payouts
import Signer
import TestSupport
import Testing
import Tron

@testable import Monitor

/// The fence (DESIGN.md §3 "The fence", §7): what moves a watched account and is not ours is a stolen key.
@Suite struct FenceTests {
  /// Runs a block with a foreign transaction past a Monitor whose Signers have vouched; returns how many findings it made.
  func findings(
    after foreign: ScriptedNode.Foreign, in scene: PayingScene, _ monitor: MonitorSteps
  ) async throws -> Int {
    await scene.node.produce(foreign: [foreign])
    try await scene.read(monitor)
    try await scene.run(monitor.judgeFindings)
    return try await scene.ledger.conditions().openFindings
  }

  @Test(arguments: [false, true])
  func `an unknown transaction of the wallet opens the breaker, a failed one too`(failed: Bool) async throws {
    // "A transaction owned by a watched account that the journal does not know (of any type, failed ones too)." Afterwards
    // nothing is signed until an operator has looked.
    try await PayingScene.run { scene in
      let (monitor, signer) = try await scene.sent()
      let raw = try await scene.transfer(to: PayingScene.recipient(50))
      let foreign = try ScriptedNode.Foreign(rawData: raw, failed ? .failure(.outOfEnergy) : .success)
      #expect(try await findings(after: foreign, in: scene, monitor) == (failed ? 1 : 2))
      #expect(try await scene.breaker() == "unknown_transaction")
      try await scene.schedule(numbers: 2...2)
      try await scene.run(signer.sign)
      #expect(try await scene.status(2) == .scheduled)
      // The payout that is equal to it in recipient, amount and bits would be held later; its bits are kept with both rows.
      let rows = try await scene.count("SELECT count(*) FROM unclaimed_transfers WHERE reference_bits IS NULL")
      #expect(rows == 0)
    }
  }

  @Test func `a transfer of TRX by the wallet is a finding too`() async throws {
    // "Of any type."
    try await PayingScene.run { scene in
      let (monitor, _) = try await scene.sent()
      let raw = try UnsignedTransaction.trxTransfer(
        owner: scene.wallet, to: PayingScene.recipient(50), amount: Sun(1), referenceBlock: scene.node.genesis,
        expiration: scene.clock.now().advanced(byMilliseconds: 60_000), timestamp: scene.clock.now()
      ).rawData
      let execution = ScriptedNode.Execution(inBlock: .success, inReceipt: nil, isFailed: false, logs: [])
      #expect(try await findings(after: ScriptedNode.Foreign(rawData: raw, execution), in: scene, monitor) == 1)
      #expect(try await scene.breaker() == "unknown_transaction")
    }
  }

  /// A log of a token as another's contract call makes it, such as transferFrom after an approve.
  func log(_ scene: PayingScene, token: Address = PayingScene.token, from: Address? = nil, last: UInt8 = 5) -> EventLog
  {
    EventLog(
      TokenTransfer(
        token: token, sender: from ?? scene.wallet, recipient: PayingScene.recipient(50),
        value: [UInt8](repeating: 0, count: 31) + [last]))
  }

  @Test func `money taken from the wallet by somebody else's transaction is a finding`() async throws {
    // "A log of the USDT contract that moves a value > 0 from a watched account in an unknown transaction."
    try await PayingScene.run { scene in
      let (monitor, _) = try await scene.sent()
      let raw = try await scene.transfer(owner: PayingScene.recipient(60), to: PayingScene.recipient(50))
      let foreign = try ScriptedNode.Foreign(rawData: raw, .success(logs: [log(scene)]))
      #expect(try await findings(after: foreign, in: scene, monitor) == 1)
      #expect(try await scene.breaker() == "unknown_transaction")
    }
  }

  @Test func `money taken out of a watched router is a finding`() async throws {
    // "Watched: all wallets ever used, and the routers."
    try await PayingScene.run { scene in
      let router = PayingScene.recipient(70)
      let raw = try await scene.transfer(owner: PayingScene.recipient(60), to: PayingScene.recipient(50))
      let logs = [log(scene, from: router)]
      await scene.node.produce(foreign: [try ScriptedNode.Foreign(rawData: raw, .success(logs: logs))])
      let number = try await scene.node.latestHeader(.head).number
      let block = try #require(try await scene.node.readBlock(number, .head))
      let fence = Fence(token: PayingScene.token, routers: [router])
      #expect(fence.suspects(in: block, wallets: [scene.wallet]).map(\.wallet) == [router])
      #expect(Fence(token: PayingScene.token).suspects(in: block, wallets: [scene.wallet]).isEmpty)
    }
  }

  @Test func `what anyone can send is no finding`() async throws {
    // "Transfers of zero from the wallet, or of fake tokens: no finding." Nor others' money, logs of failed calls, money
    // that comes in, or our own transactions.
    try await PayingScene.run { scene in
      let (monitor, _) = try await scene.sent()
      let stranger = PayingScene.recipient(60)
      let raw = try await scene.transfer(owner: stranger, to: PayingScene.recipient(50))
      let executions: [ScriptedNode.Execution] = [
        .success(logs: [log(scene, last: 0)]), .success(logs: [log(scene, token: PayingScene.recipient(61))]),
        .success(logs: [log(scene, from: stranger)]),
        .init(inBlock: .outOfTime, inReceipt: .outOfTime, isFailed: true, logs: [log(scene)]),
        .success(logs: [
          EventLog(
            TokenTransfer(
              token: PayingScene.token, sender: stranger, recipient: scene.wallet,
              value: [UInt8](repeating: 0, count: 31) + [9]))
        ]),
      ]
      for execution in executions {
        let foreign = try ScriptedNode.Foreign(rawData: raw, execution)
        #expect(try await findings(after: foreign, in: scene, monitor) == 0)
      }
      #expect(try await scene.status(1) == .confirming)
      #expect(try await scene.breaker() == nil)
    }
  }

  @Test func `a finding that nothing explains opens the breaker after vouching, not before`() async throws {
    // "Findings are judged once the Signers have vouched, and before anything is signed."
    try await PayingScene.run { scene in
      let monitor = try scene.monitor()
      let signer = try scene.signer()
      try await scene.read(monitor)
      let raw = try await scene.transfer(to: PayingScene.recipient(50))
      #expect(try await findings(after: ScriptedNode.Foreign(rawData: raw), in: scene, monitor) == 2)
      #expect(try await scene.breaker() == nil)
      try await scene.run(signer.vouch)
      try await scene.schedule(numbers: 1...1)
      try await scene.run(signer.sign)
      #expect(try await scene.status(1) == .scheduled)
      try await scene.run(monitor.judgeFindings)
      #expect(try await scene.breaker() == "unknown_transaction")
    }
  }
}
