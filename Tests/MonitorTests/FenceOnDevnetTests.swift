import Ledger
import Monitor
import Payouts
import Signer
import TestSupport
import Testing
import Tron
import Worker

/// The fence before a real network's node, type by type (DESIGN.md §3 "The fence").
@Suite struct FenceOnDevnetTests {
  private static let approve = "095ea7b3"
  private static let transfer = "a9059cbb"
  private static let transferFrom = "23b872dd"
  /// Where devnet's fake token stands: it logs any transfer it is asked for.
  private static let fakeToken = Address(account: [UInt8](Keccak256.hash([UInt8]("devnet fake token".utf8)).suffix(20)))
  private static let thief = Address(account: [UInt8](repeating: 0x66, count: 20))

  private func call(
    _ scene: DevnetScene, by key: HotWalletKeyRole, of contract: Address = DevnetScene.token, _ selector: String,
    _ words: [[UInt8]]
  ) async throws -> (txid: TxID, receipt: TransactionReceipt) {
    let (block, head) = try await scene.reference()
    let signing = key == .wallet ? scene.wallet : scene.stranger
    let made = HandMadeTransaction.call(
      by: signing.address, of: contract, selector, words, referringTo: block, at: head)
    return (made.txid, try await scene.send(made, by: signing))
  }

  private enum HotWalletKeyRole { case wallet, stranger }

  private func expectNoFinding(_ scene: DevnetScene) async throws {
    #expect(try await scene.findings().isEmpty)
    #expect(try await scene.ledger.conditions().breakerCause == nil)
  }

  private func expectFinding(_ scene: DevnetScene, _ findings: [String]) async throws {
    #expect(try await scene.findings() == findings)
    #expect(try await scene.ledger.conditions().breakerCause == "unknown_transaction")
    #expect(try await scene.ledger.standingAlarms(atMost: 9).map(\.kind) == ["unknown_transaction"])
  }

  @Test func `a transferFrom of zero by a stranger is no finding`() async throws {
    try await DevnetScene.run { scene in
      let (_, receipt) = try await call(
        scene, by: .stranger, Self.transferFrom,
        [
          HandMadeTransaction.word(scene.wallet.address), HandMadeTransaction.word(Self.thief),
          HandMadeTransaction.word(0),
        ])
      // It stands on the chain as a Transfer from the wallet, by the real token.
      try #require(receipt.logs.first?.transfer?.sender == scene.wallet.address)
      #expect(receipt.logs.map(\.address) == [DevnetScene.token])
      try await expectNoFinding(scene)
    }
  }

  @Test func `a fake token's Transfer log is no finding`() async throws {
    try await DevnetScene.run { scene in
      let (_, receipt) = try await call(
        scene, by: .stranger, of: Self.fakeToken, Self.transferFrom,
        [
          HandMadeTransaction.word(scene.wallet.address), HandMadeTransaction.word(Self.thief),
          HandMadeTransaction.word(5_000_000),
        ])
      try #require(receipt.logs.first?.transfer?.sender == scene.wallet.address)
      try await expectNoFinding(scene)
    }
  }

  @Test func `the operator's own sweep is no finding`() async throws {
    try await DevnetScene.run { scene in
      try await scene.ledger.order(
        TreasuryOrder(
          id: PayoutID(at: SystemClock().now(), randomness: SystemRandomSource().bytes(10)), token: DevnetScene.token,
          recipient: DevnetScene.cold, amount: try Amount(microUSDT: 250_000_000), isDespiteBreaker: false,
          reason: "to the cold wallet"))
      // Nothing is signed while the fence is more than a few blocks behind, and this network is quick.
      let deadline = ContinuousClock.now + DevnetScene.patience
      while scene.journal.held.isEmpty, ContinuousClock.now < deadline {
        while try await scene.monitor.followHead.run() == .worked {}
        _ = try await scene.signer.carryOutOrders.run()
      }
      _ = try await scene.signer.broadcast.run()
      let entry = try #require(scene.journal.held.first)
      let receipt = try await scene.read(entry.txid)
      #expect(receipt.result == .success)
      try await expectNoFinding(scene)
      #expect(
        try await scene.node.tokenBalance(token: DevnetScene.token, of: DevnetScene.cold, .head)
          == (try Amount(microUSDT: 250_000_000)))
    }
  }

  @Test func `an approve by a stolen key is a finding, and so is what the spender then takes`() async throws {
    try await DevnetScene.run { scene in
      let approval = try await call(
        scene, by: .wallet, Self.approve,
        [HandMadeTransaction.word(scene.stranger.address), HandMadeTransaction.word(100_000_000)])
      #expect(approval.receipt.result == .success)
      try await expectFinding(scene, ["owned_transaction \(approval.txid)"])

      // A person acknowledges it; what follows is another finding.
      _ = try await scene.ledger.closeBreaker(reason: "did not know what an approve is")
      let theft = try await call(
        scene, by: .stranger, Self.transferFrom,
        [
          HandMadeTransaction.word(scene.wallet.address), HandMadeTransaction.word(Self.thief),
          HandMadeTransaction.word(100_000_000),
        ])
      #expect(theft.receipt.result == .success)
      #expect(try await scene.findings() == ["token_transfer \(theft.txid)"])
      #expect(try await scene.ledger.conditions().breakerCause == "unknown_transaction")
    }
  }

  @Test func `a transfer of the token by a stolen key is a finding, by owner and by log`() async throws {
    try await DevnetScene.run { scene in
      let theft = try await call(
        scene, by: .wallet, Self.transfer, [HandMadeTransaction.word(Self.thief), HandMadeTransaction.word(7)])
      #expect(theft.receipt.result == .success)
      try await expectFinding(scene, ["owned_transaction \(theft.txid)", "token_transfer \(theft.txid)"])
    }
  }

  @Test func `a failed call by a stolen key is a finding`() async throws {
    try await DevnetScene.run { scene in
      let failed = try await call(
        scene, by: .wallet, Self.transfer,
        [HandMadeTransaction.word(Self.thief), HandMadeTransaction.word(9_000_000_000_000)])
      #expect(failed.receipt.result == .revert && failed.receipt.isFailed)
      try await expectFinding(scene, ["owned_transaction \(failed.txid)"])
    }
  }

  @Test func `a transfer of TRX by a stolen key is a finding`() async throws {
    try await DevnetScene.run { scene in
      let (block, head) = try await scene.reference()
      let theft = HandMadeTransaction.trx(
        from: scene.wallet.address, to: scene.stranger.address, sun: 1, referringTo: block, at: head)
      try await scene.send(theft, by: scene.wallet)
      try await expectFinding(scene, ["owned_transaction \(theft.txid)"])
    }
  }

  @Test func `a change of permissions by a stolen key is a finding`() async throws {
    try await DevnetScene.run { scene in
      let (block, head) = try await scene.reference()
      let change = HandMadeTransaction.permissions(
        of: scene.wallet.address, to: scene.stranger.address, referringTo: block, at: head)
      try await scene.send(change, by: scene.wallet)
      try await expectFinding(scene, ["owned_transaction \(change.txid)"])
    }
  }
}
