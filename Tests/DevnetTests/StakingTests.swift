import Testing

@testable import Devnet

/// Proves staking and delegation as far as a payout operator uses them (tron-protocol.md §5.5).
struct StakingTests {
  private let alice = TestWallet.alice.address
  private let bob = TestWallet.bob.address

  private func twoAccounts() -> TestChain {
    TestChain(funds: [
      Genesis.Fund(address: TestWallet.alice.address, trx: 100_000 * TestChain.trx, usdt: 100),
      Genesis.Fund(address: TestWallet.bob.address, trx: 1_000 * TestChain.trx, usdt: 100),
    ])
  }

  /// 180,000,000,000 energy for 18,000,000,000 TRX and what is staked here: a little less than 10 a TRX.
  @Test func `stake gives energy at once and TRX back after 14 days`() throws {
    var test = twoAccounts()
    let receipt = try test.include(test.freeze(.energy, trx: 20_000)).receipt
    #expect(receipt.result == .default && receipt.contractRet == .success && receipt.energyUsageTotal == 0)
    #expect(test.left(.energy, of: alice) == 199_999)
    #expect(test.balance(alice) == 80_000 * TestChain.trx)
    #expect(test.chain.world(.head).network.totalEnergyWeight == 18_000_020_000)
    let paid = try test.include(test.usdtTransfer(to: bob, 1)).receipt
    #expect(paid.energyUsage == 64_285 && paid.energyFee == 0)
    var bandwidth = try test.include(test.unfreeze(.energy, trx: 5_000)).receipt.fee
    #expect(test.chain.world(.head).network.totalEnergyWeight == 18_000_015_000)
    #expect(test.balance(alice) == 80_000 * TestChain.trx - bandwidth)
    let account = try #require(test.chain.account(alice, in: .head))
    let expiration = try #require(account.unfreezing.first?.expiration)
    let unstaked = try #require(test.chain.block(3)).header.timestamp - 3_000
    #expect(expiration == unstaked + 14 * 86_400_000)
    let withdraw = Contract(type: .withdrawExpireUnfreeze, value: [0x0a, 21] + alice.bytes)
    #expect(
      test.broadcast(TestWallet.alice.sign(test.raw(withdraw)))
        == TestChain.invalid("no unFreeze balance to withdraw "))
    test.produce(slots: 14 * 28_800)
    bandwidth += try test.include(TestWallet.alice.sign(test.raw(withdraw))).receipt.fee
    #expect(test.balance(alice) == 85_000 * TestChain.trx - bandwidth)
  }

  @Test func `delegated energy pays for the receiver, and comes back with what was used of it`() throws {
    var test = twoAccounts()
    _ = try test.include(test.freeze(.energy, trx: 20_000))
    _ = try test.include(test.delegate(to: bob, .energy, trx: 15_000))
    #expect(test.left(.energy, of: bob) == 149_999 && test.left(.energy, of: alice) == 49_999)
    let paid = try test.include(test.usdtTransfer(from: .bob, to: alice, 1)).receipt
    #expect(paid.energyUsage == 64_285 && paid.energyFee == 0)
    _ = try test.include(test.undelegate(from: bob, .energy, trx: 15_000))
    #expect(test.left(.energy, of: bob) == 0)
    // All that bob used goes to alice's account, but for what recovered in between.
    let used = try #require(test.chain.account(alice, in: .head))[usage: .energy].value(at: test.headTime)
    #expect((64_200...64_285).contains(used))
    let burnt = try test.include(test.usdtTransfer(from: .bob, to: alice, 1)).receipt
    #expect(burnt.energyUsage == 0 && burnt.energyFee == 6_428_500)
    #expect(test.chain.world(.head).delegation(DelegationKey(from: alice, to: bob, resource: .energy)).isEmpty)
  }

  /// A rental ends between estimate and inclusion: the call burns TRX, or dies where there is none.
  @Test func `energy that is taken back before inclusion is missing`() throws {
    var test = TestChain(funds: [
      Genesis.Fund(address: alice, trx: 100_000 * TestChain.trx, usdt: 100),
      Genesis.Fund(address: bob, trx: TestChain.trx, usdt: 100),
    ])
    _ = try test.include(test.freeze(.energy, trx: 20_000))
    _ = try test.include(test.delegate(to: bob, .energy, trx: 15_000))
    let back = test.undelegate(from: bob, .energy, trx: 15_000)
    #expect(test.broadcast(back) == nil)
    let payment = test.usdtTransfer(from: .bob, to: alice, 1)
    let receipt = try test.include(payment).receipt
    #expect(receipt.result == .outOfEnergy && receipt.energyFee == TestChain.trx)
    #expect(test.balance(bob) == 0 && test.chain.tokenBalance(bob, in: .head) == 100)
  }

  @Test func `a locked delegation cannot be taken back before its time`() throws {
    var test = twoAccounts()
    _ = try test.include(test.freeze(.energy, trx: 20_000))
    _ = try test.include(test.delegate(to: bob, .energy, trx: 1_000, lockPeriod: 10))
    _ = try test.include(test.delegate(to: bob, .energy, trx: 500))
    let tooMuch = test.undelegate(from: bob, .energy, trx: 501)
    #expect(
      test.broadcast(tooMuch)
        == TestChain.invalid(
          "insufficient delegateFrozenBalance(Energy), request=501000000, unlock_balance=500000000"))
    let shorter = test.delegate(to: bob, .energy, trx: 1, lockPeriod: 1)
    #expect(
      test.broadcast(shorter)
        == TestChain.invalid(
          "The lock period for ENERGY this time cannot be less than the remaining time[24000ms] "
            + "of the last lock period for ENERGY!"))
    test.produce(slots: 11)
    _ = try test.include(test.undelegate(from: bob, .energy, trx: 1_500))
    #expect(test.left(.energy, of: bob) == 0)
  }

  @Test func `what cannot be staked or lent is refused in the words of the actuators`() throws {
    var test = twoAccounts()
    let invalid = TestChain.invalid
    func refusal(_ make: (inout TestChain) -> PreparedTransaction) -> Refusal? {
      let prepared = make(&test)
      return test.broadcast(prepared)
    }
    #expect(refusal { $0.freeze(.energy, trx: 0) } == invalid("frozenBalance must be positive"))
    #expect(
      refusal { $0.freeze(.energy, trx: 100_001) }
        == invalid("frozenBalance must be less than or equal to accountBalance"))
    #expect(refusal { $0.unfreeze(.energy, trx: 1) } == invalid("no frozenBalance(Energy)"))
    #expect(refusal { $0.unfreeze(.bandwidth, trx: 1) } == invalid("no frozenBalance(BANDWIDTH)"))
    _ = try test.include(test.freeze(.energy, trx: 100))
    #expect(
      refusal { $0.unfreeze(.energy, trx: 101) } == invalid("Invalid unfreeze_balance, [101000000] is error"))
    #expect(
      refusal { $0.delegate(to: TestWallet.bob.address, .energy, trx: 0) }
        == invalid("delegateBalance must be more than 1TRX"))
    #expect(
      refusal { $0.delegate(to: TestWallet.bob.address, .energy, trx: 101) }
        == invalid("delegateBalance must be less than or equal to available FreezeEnergyV2 balance"))
    #expect(
      refusal { $0.delegate(to: TestWallet.alice.address, .energy, trx: 1) }
        == invalid("receiverAddress must not be the same as ownerAddress"))
    let carol = TestWallet.carol.address
    #expect(refusal { $0.delegate(to: carol, .energy, trx: 1) } == invalid("Account[\(carol)] does not exist"))
    #expect(
      refusal { $0.delegate(to: $0.chain.token.address, .energy, trx: 1) }
        == invalid("Do not allow delegate resources to contract addresses"))
    #expect(
      refusal { $0.undelegate(from: TestWallet.bob.address, .energy, trx: 1) }
        == invalid("delegated Resource does not exist"))
  }

  /// What was used today cannot be lent: it is spent.
  @Test func `used energy cannot be lent`() throws {
    var test = twoAccounts()
    _ = try test.include(test.freeze(.energy, trx: 20_000))
    _ = try test.include(test.usdtTransfer(to: bob, 1))
    let world = test.chain.world(.head)
    let account = try #require(world.account(alice))
    let lendable = Execution.lendable(.energy, of: account, world.network, at: test.headTime)
    // 64,285 units are some 6,428 TRX of stake.
    #expect((13_570 * TestChain.trx...13_573 * TestChain.trx).contains(lendable))
    let tooMuch = test.delegate(to: bob, .energy, trx: 13_574)
    #expect(test.broadcast(tooMuch)?.code == .contractValidateError)
    #expect(test.broadcast(test.delegate(to: bob, .energy, trx: 13_570)) == nil)
  }
}
