import Testing

@testable import Devnet

/// Proves who pays for bandwidth and energy: stake, borrowed stake, the free allowance, TRX, the contract's owner; and
/// that receipts say so as the real ones do (tron-protocol.md §4.3, §5).
struct ResourceTests {
  private let alice = TestWallet.alice.address
  private let bob = TestWallet.bob.address

  private func receiptText(_ included: IncludedTransaction) -> String? {
    Rendering.hex.info(included)["receipt"]?.text
  }

  /// Mainnet b69c51db…: energy from stake, bandwidth burnt.
  @Test func `a transfer on staked energy with burnt bandwidth looks as on mainnet`() throws {
    var test = TestChain(funds: [
      Genesis.Fund(address: alice, trx: 1_000 * TestChain.trx, usdt: 100, energy: 1_000_000),
      Genesis.Fund(address: bob, trx: 0, usdt: 1),
    ])
    _ = try test.include(test.usdtTransfer(to: bob, 1))
    let included = try test.include(test.usdtTransfer(to: bob, 1))
    #expect(included.receipt.fee == 345_000)
    #expect(
      receiptText(included)
        == #"{"energy_usage":64285,"energy_usage_total":64285,"net_fee":345000,"result":"SUCCESS","energy_penalty_total":49635}"#
    )
  }

  /// Mainnet, block 84940364: a first-time holder, all free of TRX.
  @Test func `a first transfer on stake and free bandwidth looks as on mainnet`() throws {
    var test = TestChain(funds: [
      Genesis.Fund(address: alice, trx: TestChain.trx, usdt: 100, energy: 200_000)
    ])
    let included = try test.include(test.usdtTransfer(to: bob, 1))
    #expect(included.receipt.fee == 0)
    #expect(
      receiptText(included)
        == #"{"energy_usage":130285,"energy_usage_total":130285,"net_usage":345,"result":"SUCCESS","energy_penalty_total":100635}"#
    )
  }

  /// Mainnet e63a324a…: at 210 sun, 16,500,120 sun are 78,572 energy; the call dies at the recipient's storage.
  @Test func `a fee limit that is too low burns itself in the words of mainnet`() throws {
    var parameters = ChainParameters()
    parameters.energyPrice = 210
    var test = TestChain(parameters: parameters)
    let included = try test.include(test.usdtTransfer(to: bob, 1, feeLimit: 16_500_120))
    let text = Rendering(isVisible: true).info(included).text
    #expect(included.receipt.fee == 16_500_120)
    #expect(
      receiptText(included)
        == #"{"energy_fee":16500120,"energy_usage_total":78572,"net_usage":345,"result":"OUT_OF_ENERGY","energy_penalty_total":25905}"#
    )
    #expect(
      text.contains(
        "Not enough energy for 'SSTORE' operation executing: curInvokeEnergyLimit[78572], curOpEnergy[20000], "
          + "penaltyEnergy[68000], usedEnergy[33567]"))
    #expect(text.contains(#""result":"FAILED""#) && text.contains(#""contractResult":[""]"#))
    #expect(!text.contains(#""log""#))
  }

  /// Wherever it dies, the whole limit is gone and the penalty is part of it.
  @Test(arguments: [1, 11_566, 11_567, 33_566, 33_567, 121_566, 121_567, 130_284] as [Int64])
  func `a call dies at any limit below its need`(limit: Int64) throws {
    var test = TestChain()
    let receipt = try test.include(test.usdtTransfer(to: bob, 1, feeLimit: limit * 100)).receipt
    #expect(receipt.result == .outOfEnergy && receipt.energyUsageTotal == limit)
    #expect((0..<limit).contains(receipt.energyPenaltyTotal))
    #expect(receipt.message.contains("curInvokeEnergyLimit[\(limit)]"))
  }

  /// "Some receipts show energy_usage 64284, origin_energy_usage 1."
  @Test func `the contract's owner pays his part from stake only`() throws {
    let carol = TestWallet.carol.address
    var test = TestChain(funds: [
      Genesis.Fund(address: alice, trx: 1_000 * TestChain.trx, usdt: 100, energy: 1_000_000),
      Genesis.Fund(address: bob, trx: 0, usdt: 1),
      Genesis.Fund(address: carol, trx: 1_000 * TestChain.trx),
    ])
    test.chain.perform(.setTokenOwner(carol))
    test.chain.perform(.setCallerEnergyPercent(99))
    let unpaid = try test.include(test.usdtTransfer(to: bob, 1)).receipt
    #expect(unpaid.originEnergyUsage == 0 && unpaid.energyUsage == 64_285)
    _ = try test.include(test.freeze(from: .carol, .energy, trx: 100))
    let paid = try test.include(test.usdtTransfer(to: bob, 1))
    #expect(paid.receipt.originEnergyUsage == 642 && paid.receipt.energyUsage == 64_285 - 642)
    #expect(receiptText(paid)?.contains(#""energy_usage":63643,"origin_energy_usage":642,"#) == true)
    #expect(paid.receipt.energyFee == 0 && test.balance(carol) == 900 * TestChain.trx)
    // One unit of 642 has recovered in the slot since.
    #expect(test.left(.energy, of: carol) == 999 - 641)
  }

  // MARK: Bandwidth

  /// 27,000,000,000 TRX of stake share 43,200,000,000 bytes: 1.6 a TRX.
  @Test func `staked bandwidth pays before the free allowance, all or nothing`() throws {
    var test = TestChain()
    _ = try test.include(test.freeze(.bandwidth, trx: 250))
    #expect(test.left(.bandwidth, of: alice) == 399)
    let first = try test.include(test.usdtTransfer(to: bob, 1)).receipt
    #expect(first.netUsage == 345 && first.netFee == 0)
    // One byte of 345 has recovered in the slot since; the rest of the stake is too little and is left alone.
    #expect(test.left(.bandwidth, of: alice) == 399 - 344)
    let used = try #require(test.chain.account(alice, in: .head)).freeBandwidth.value(at: test.headTime)
    let second = try test.include(test.usdtTransfer(to: bob, 1)).receipt
    #expect(second.netUsage == (used + 345 <= 600 ? 345 : 0))
    #expect(second.netUsage * 1_000 + second.netFee == 345_000)
    #expect(test.left(.bandwidth, of: alice) == 399 - 344)
    test.produce(slots: 28_800)
    #expect(test.left(.bandwidth, of: alice) == 399)
  }

  /// With enough staked bandwidth the 0.1 TRX of a new account are saved, not the 1 TRX.
  @Test func `staked bandwidth pays for creating an account`() throws {
    var test = TestChain()
    _ = try test.include(test.freeze(.bandwidth, trx: 250))
    let receipt = try test.include(test.trxTransfer(to: bob, TestChain.trx)).receipt
    #expect(receipt.netUsage == 267 && receipt.netFee == 0 && receipt.fee == 1_000_000)
  }

  // MARK: Fees

  /// Step 12: bandwidth first, then several signatures, then the memo; each refusal is BANDWITH_ERROR and takes nothing.
  @Test(arguments: [(1_999_999, false), (2_000_000, true)])
  func `memo and signatures are paid before the call, or refused`(balance: Int64, isTaken: Bool) throws {
    var test = TestChain(funds: [
      Genesis.Fund(address: alice, trx: balance + 100 * TestChain.trx, usdt: 10, energy: 200_000)
    ])
    let both = [Permission.Key(address: alice.bytes, weight: 1), Permission.Key(address: bob.bytes, weight: 1)]
    var owner = Permission.defaultOwner(of: alice.bytes)
    (owner.keys, owner.threshold) = (both, 2)
    let update = PermissionUpdateContract(
      account: alice.bytes, owner: owner, actives: [.defaultActive(of: alice.bytes)])
    #expect(try test.include(test.signed(.accountPermissionUpdate, update.encoded)).receipt.fee == 100_000_000)
    test.produce(slots: 28_800)
    let message = TriggerSmartContract(
      owner: alice.bytes, contract: test.chain.token.address.bytes,
      data: TokenContract.selector("transfer(address,uint256)") + Word256(bob).bytes + Word256(1).bytes)
    var raw = test.raw(Contract(type: .triggerSmart, value: message.encoded), feeLimit: 30_000_000)
    raw.data = Bytes("payout 42".utf8)
    let id = Hash32.sha256(raw.encoded)
    let prepared = PreparedTransaction(
      Transaction(
        raw: raw,
        signatures: [TestWallet.alice, .bob].map { Secp256k1.sign(id, with: $0.privateKey) }))
    let refusal = Refusal(code: .bandwidthError, message: "Account resource insufficient error.")
    #expect(test.broadcast(prepared) == (isTaken ? nil : refusal))
    #expect(test.balance(alice) == (isTaken ? 0 : balance))
    if isTaken {
      test.produce()
      let receipt = try #require(test.chain.included(prepared.id, in: .head)).receipt
      #expect(receipt.fee == 2_000_000 && receipt.otherFee == 2_000_000 && receipt.netFee == 0)
      #expect(receipt.netUsage == Int64(prepared.size + 64))
    }
  }
}
