import Testing

@testable import Devnet

/// Proves what happens at a maintenance: two empty slots, the next-slot rule, prices, energy factors
/// (tron-protocol.md §2.2, §3.2, §5.3).
struct MaintenanceTests {
  private static let interval: Int64 = 60_000
  private let bob = TestWallet.bob.address

  private var parameters: ChainParameters {
    var parameters = ChainParameters()
    parameters.maintenanceInterval = Self.interval
    return parameters
  }

  /// A chain whose head is the first maintenance block.
  private func atMaintenance(_ change: (inout TestChain) -> Void = { _ in }) -> TestChain {
    var test = TestChain(parameters: parameters)
    change(&test)
    test.produce(slots: Self.interval / 3_000)
    return test
  }

  @Test func `every six hours of chain time is a maintenance`() {
    var test = TestChain()
    let first = TestChain.genesisTime + 21_600_000
    #expect(test.chain.world(.head).network.nextMaintenance == first)
    test.produce(slots: 7_199)
    #expect(test.chain.world(.head).network.cycle == 0 && test.chain.nextSlotTime == test.headTime + 3_000)
    test.produce()
    #expect(test.chain.world(.head).network.cycle == 1 && test.chain.nextSlotTime == test.headTime + 9_000)
    #expect(test.chain.world(.head).network.nextMaintenance == first + 21_600_000)
    test.produce(slots: 3)
    #expect(test.chain.world(.head).network.cycle == 1 && test.chain.nextSlotTime == test.headTime + 3_000)
  }

  /// The first block at or after the time carries it out; a network that was silent for long has one, not many.
  @Test func `missed maintenances are made up by one`() {
    var test = TestChain(parameters: parameters)
    test.produce(slots: 20 * 5 + 7)
    let network = test.chain.world(.head).network
    #expect(network.cycle == 1)
    #expect(network.nextMaintenance == TestChain.genesisTime + 6 * Self.interval)
  }

  @Test func `no block comes in the two slots after a maintenance`() async {
    let test = atMaintenance()
    let clock = TestClock(test.headTime)
    let host = ChainHost(test.chain, clock: { clock.now })
    for isDue in [false, false, true] {
      clock.advance(by: 3_000)
      #expect((await host.produceDueBlock() != nil) == isDue)
    }
    clock.advance(by: 3_000)
    #expect(await host.produceDueBlock() != nil)
  }

  /// A transaction must live until the next slot, which is the third one here.
  @Test(arguments: [(8_999, false), (9_000, true)])
  func `after a maintenance an expiration lies nine seconds ahead`(ahead: Int64, isTaken: Bool) {
    var test = atMaintenance()
    let headTime = test.headTime
    let prepared = test.usdtTransfer(to: bob, 1) { $0.expiration = headTime + ahead }
    #expect((test.broadcast(prepared) == nil) == isTaken)
  }

  /// What was valid before the maintenance may expire by it alone, in the pool as in a block.
  @Test func `a maintenance drops what expires before the third slot`() {
    var test = TestChain(parameters: parameters)
    test.produce(slots: 19)
    let headTime = test.headTime
    let dying = test.usdtTransfer(to: bob, 1) { $0.expiration = headTime + 11_999 }
    let living = test.usdtTransfer(to: bob, 1) { $0.expiration = headTime + 12_000 }
    #expect(test.broadcast(dying) == nil && test.broadcast(living) == nil)
    test.produce()
    // Both are in the maintenance block itself, which its parent judges.
    #expect(test.chain.head.transactions.count == 2)
    let late = test.usdtTransfer(to: bob, 1) { $0.expiration = headTime + 11_999 }
    #expect(test.broadcast(late)?.code == .transactionExpirationError)
  }

  @Test func `a proposal changes a price at the maintenance, for the blocks after it`() throws {
    var test = TestChain(parameters: parameters)
    _ = try test.include(test.usdtTransfer(to: bob, 1))
    test.chain.perform(.propose(.energyPrice, 210))
    test.chain.perform(.propose(.memoFee, 2_000_000))
    let before = try test.include(test.usdtTransfer(to: bob, 1)).receipt
    #expect(before.energyFee == 64_285 * 100)
    test.produce(slots: 17)
    // The maintenance block itself runs under the old price.
    let during = try test.include(test.usdtTransfer(to: bob, 1)).receipt
    #expect(during.energyFee == 64_285 * 100 && test.chain.world(.head).network.cycle == 1)
    let after = test.usdtTransfer(to: bob, 1) { $0.data = [1] }
    #expect(test.broadcast(after) == nil)
    test.produce(slots: 3)
    let receipt = try #require(test.chain.included(after.id, in: .head)).receipt
    #expect(receipt.energyFee == 64_285 * 210 && receipt.otherFee == 2_000_000)
    let network = test.chain.world(.head).network
    #expect(
      network.energyPrices == [
        PriceChange(time: 0, price: 100), PriceChange(time: TestChain.genesisTime + Self.interval, price: 210),
      ])
    #expect(network.proposals.isEmpty && network.bandwidthPrices.count == 1)
  }

  /// Whoever signed with a fee limit of the old price runs out of energy under the new one.
  @Test func `a fee limit that was enough may be too small after a maintenance`() throws {
    var test = atMaintenance { $0.chain.perform(.propose(.energyPrice, 101)) }
    let prepared = test.usdtTransfer(to: bob, 1, feeLimit: 13_028_500)
    #expect(test.broadcast(prepared) == nil)
    test.produce(slots: 3)
    let receipt = try #require(test.chain.included(prepared.id, in: .head)).receipt
    #expect(receipt.result == .outOfEnergy && receipt.energyFee == 13_028_500 / 101 * 101)
  }

  /// The real token is above the threshold in every cycle; without that demand its factor falls by a twentieth each.
  @Test func `the energy factor follows the demand of the cycle before`() throws {
    var test = atMaintenance()
    let token = test.chain.token.address
    #expect(test.chain.world(.head).contractUse(token).factor == 34_000)
    test.chain.perform(.setTokenDemand(0))
    var factors: [Int64] = []
    for _ in 0..<3 {
      test.produce(slots: 20)
      factors.append(test.chain.world(.head).contractUse(token).factor)
    }
    // 4.4 · 0.95 − 1, and so on, rounded down.
    #expect(factors == [31_800, 29_710, 27_724])
    test.produce(slots: 3)
    let receipt = try test.include(test.usdtTransfer(to: bob, 1)).receipt
    // 29,650 and 100,635 · 27,724 / 34,000 of penalty, rounded down step by step.
    #expect(receipt.energyPenaltyTotal == 7_261 + 13_862 + 55_448 + 5_487)
    #expect(receipt.energyUsageTotal == 29_650 + receipt.energyPenaltyTotal)
    #expect(test.chain.world(.head).contractUse(token).energy == 29_650)
    test.chain.perform(.setTokenDemand(5_000_000_000))
    test.produce(slots: 20)
    #expect(test.chain.world(.head).contractUse(token).factor == 34_000)
    #expect(test.chain.world(.head).contractUse(token).energy == 0)
  }

  /// A block's changes hold the maintenance too, so that a fork can undo it.
  @Test func `a maintenance is undone with its block`() {
    var test = TestChain(producers: 1, parameters: parameters)
    test.chain.perform(.propose(.energyPrice, 210))
    test.produce()
    var state = test.chain.world(.head)
    let block = test.produce(slots: 19)
    #expect(test.chain.world(.solid).network.parameters.energyPrice == 210)
    state.apply(block.changes)
    #expect(state.network == test.chain.world(.head).network)
    state.undo(block.changes)
    #expect(state.network.parameters.energyPrice == 100 && state.network.proposals.count == 1)
  }
}
