import Testing

@testable import Devnet

/// Proves what becomes of pending transactions: seen on the head only, dropped after 60 s or when invalid, included by
/// the rules of head time (tron-protocol.md §2.2, §3.5).
struct PendingTests {
  private let alice = TestWallet.alice.address
  private let bob = TestWallet.bob.address

  @Test func `pending effects show in the head view only`() {
    var test = TestChain(producers: 1)
    let prepared = test.usdtTransfer(to: bob, 5)
    #expect(test.broadcast(prepared) == nil)
    #expect(test.chain.pending[prepared.id]?.receipt.contractRet == .success)
    #expect(test.chain.included(prepared.id, in: .head) == nil)
    #expect(test.chain.tokenBalance(bob, in: .head) == 5)
    #expect(test.chain.tokenBalance(bob, in: .solid) == 0)
    test.produce()
    #expect(test.chain.pending[prepared.id] == nil)
    #expect(test.chain.tokenBalance(bob, in: .head) == 5)
    // One producer: the head is solid.
    #expect(test.chain.tokenBalance(bob, in: .solid) == 5)
    #expect(test.chain.included(prepared.id, in: .solid)?.blockNumber == 1)
  }

  /// Wall time decides: 60 s after it was first seen it is still packed, a millisecond later silently dropped.
  @Test(arguments: [(60_000, true), (60_001, false)])
  func `what is pending for more than a minute is dropped`(age: Int64, isIncluded: Bool) {
    var test = TestChain()
    let headTime = test.headTime
    let prepared = test.usdtTransfer(to: bob, 5) { $0.expiration = headTime + 600_000 }
    #expect(test.broadcast(prepared) == nil)
    test.chain.produceBlock(at: headTime + 3_000, now: test.now + age)
    #expect((test.chain.included(prepared.id, in: .head) != nil) == isIncluded)
    #expect(test.chain.pending.count == 0)
    #expect(test.chain.tokenBalance(bob, in: .head) == (isIncluded ? 5 : 0))
    // With the cache off, the same bytes are taken again.
    #expect((test.broadcast(prepared) == nil) == !isIncluded)
  }

  /// Missed slots: the parent's time counts, so the block may be later than the expiration of what it holds (§2.2).
  @Test func `a block may be later than the expiration of a transaction in it, but not its parent`() {
    var test = TestChain()
    let headTime = test.headTime
    let expiring = test.usdtTransfer(to: bob, 5) { $0.expiration = headTime + 3_000 }
    #expect(test.broadcast(expiring) == nil)
    let block = test.produce(slots: 4)
    #expect(block.transactions.map(\.transaction.id) == [expiring.id])
    #expect(block.header.timestamp > expiring.transaction.raw.expiration)
  }

  /// A block that is full leaves the rest pending, and the next block refuses what has expired meanwhile.
  @Test func `what does not fit waits, re-validated on every head`() {
    var parameters = ChainParameters()
    parameters.blockSizeMax = 600
    var test = TestChain(parameters: parameters)
    let headTime = test.headTime
    let all = (0..<3).map { _ in test.usdtTransfer(to: bob, 5) }
    let expiring = test.usdtTransfer(to: bob, 100) { $0.expiration = headTime + 3_000 }
    for prepared in all + [expiring] { #expect(test.broadcast(prepared) == nil) }
    #expect(test.chain.tokenBalance(bob, in: .head) == 115)
    // Two of 281 + 8 bytes fit into 600; the third waits, the one that expires is dropped.
    #expect(test.produce().transactions.map(\.transaction.id) == [all[0].id, all[1].id])
    #expect(test.chain.pending.transactions.map(\.transaction.id) == [all[2].id])
    #expect(test.chain.tokenBalance(bob, in: .head) == 15)
    #expect(test.produce().transactions.map(\.transaction.id) == [all[2].id])
    #expect(test.chain.pending.count == 0)
  }

  /// A producer whose time is over leaves the rest for the next one (§2.3).
  @Test func `a block takes as many transactions as it may, and the rest waits in its order`() {
    var parameters = ChainParameters()
    parameters.blockTransactionsMax = 2
    var test = TestChain(parameters: parameters)
    let all = (0..<5).map { _ in test.usdtTransfer(to: bob, 5) }
    for prepared in all { #expect(test.broadcast(prepared) == nil) }
    for expected in [all[0...1], all[2...3], all[4...4]] {
      #expect(test.produce().transactions.map(\.transaction.id) == expected.map(\.id))
    }
  }

  /// Execution is repeated in the block: what was pending as SUCCESS may be included as a REVERT.
  @Test func `a pending result is provisional`() {
    var parameters = ChainParameters()
    parameters.pendingTimeout = 1_000
    var test = TestChain(
      parameters: parameters,
      funds: [
        Genesis.Fund(address: alice, trx: 100 * TestChain.trx, usdt: 10),
        Genesis.Fund(address: bob, trx: 100 * TestChain.trx),
      ])
    let first = test.usdtTransfer(to: bob, 10)
    #expect(test.broadcast(first) == nil)
    test.now += 500
    let second = test.usdtTransfer(from: .bob, to: TestWallet.carol.address, 10)
    #expect(test.broadcast(second) == nil)
    #expect(test.chain.pending[second.id]?.receipt.contractRet == .success)
    // The first is too old when the block is made, so that the second finds nothing to spend.
    test.chain.produceBlock(at: test.headTime + 3_000, now: test.now + 600)
    #expect(test.chain.included(first.id, in: .head) == nil)
    #expect(test.chain.included(second.id, in: .head)?.receipt.contractRet == .revert)
  }

  /// Slots are counted from genesis whether or not they were filled; the producer of a slot follows from its time.
  @Test func `a silent producer leaves its slot empty`() {
    var test = TestChain(producers: 3)
    let witnesses = (0..<3).map { _ in test.produce().header.witness }
    test.produce()
    let late = test.produce(slots: 2)
    #expect(late.header.number == 5)
    #expect(late.header.timestamp == TestChain.genesisTime + 18_000)
    #expect(late.header.witness == witnesses[2])
    #expect(test.chain.slotTime(at: late.header.timestamp + 2_999) == late.header.timestamp)
    #expect(test.chain.slotTime(at: late.header.timestamp + 3_000) == late.header.timestamp + 3_000)
  }
}
