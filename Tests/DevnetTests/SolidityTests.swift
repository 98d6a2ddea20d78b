import Testing

@testable import Devnet

/// Proves which block is solid, for several numbers of producers, with and without missing ones
/// (tron-protocol.md §3.3).
struct SolidityTests {
  private static let formulaCases: [([Int64], Int64)] = [
    ([7], 7),
    ([7, 9, 8], 7),
    ([1, 2, 3, 4, 5], 2),
    ([Int64](1...27), 9),
    ([Int64](repeating: 0, count: 9) + [Int64](1...18), 0),
    ([Int64](repeating: 0, count: 8) + [Int64](1...19), 1),
  ]

  @Test(arguments: formulaCases)
  func `the solid block is the producers' latest at index 0.3 n`(latest: [Int64], expected: Int64) {
    #expect(Producers.solidNumber(latest) == expected)
    #expect(Producers.solidNumber(latest.reversed()) == expected)
  }

  /// With every slot filled the lag is n − 1 − ⌊0.3 n⌋ once all have produced; before, genesis is solid.
  @Test(arguments: [(1, 0), (3, 2), (5, 3), (27, 18)])
  func `with all slots filled the solid block lags as on the real network`(producers: Int, lag: Int64) {
    var test = TestChain(producers: producers)
    for _ in 0..<60 {
      let before = test.chain.solidNumber
      test.produce()
      #expect(test.chain.solidNumber >= before)
      #expect(test.chain.solidNumber == max(0, test.chain.head.header.number - lag))
    }
  }

  /// 27 producers of which 9 never produce: nothing beyond genesis gets solid; with 8 missing it does, but later than
  /// 18 blocks below the head.
  @Test(arguments: [(8, true), (9, false)])
  func `missing producers hold solidity back`(missing: Int64, advances: Bool) {
    var test = TestChain(producers: 27)
    for turn in 1..<Int64(27 * 6) where turn % 27 >= missing {
      test.produce(slots: (TestChain.genesisTime + turn * 3_000 - test.headTime) / 3_000)
    }
    #expect((test.chain.solidNumber > 0) == advances)
    #expect(test.chain.solidNumber <= test.chain.head.header.number - 18)
  }

  /// The solid view shows balances as they were at the solid block, pending and newer blocks left out.
  @Test func `the solid view follows the head by whole blocks`() throws {
    var test = TestChain(producers: 3)
    let (alice, bob) = (TestWallet.alice.address, TestWallet.bob.address)
    for _ in 0..<3 {
      #expect(test.broadcast(test.usdtTransfer(to: bob, 10)) == nil)
      test.produce()
    }
    // Head 3, solid 1: one transfer of three is solid.
    #expect(test.chain.solidNumber == 1)
    #expect(test.chain.tokenBalance(bob, in: .head) == 30)
    #expect(test.chain.tokenBalance(bob, in: .solid) == 10)
    #expect(test.chain.tokenBalance(alice, in: .solid) == 1_000 * TestChain.usdt - 10)
    let output = try test.chain.call(
      from: alice, contract: test.chain.token.address,
      data: TokenContract.selector("balanceOf(address)") + Word256(bob).bytes, callValue: 0, in: .solid
    ).output
    #expect(output == Word256(10).bytes)
    let spent = try #require(test.chain.block(1)).transactions[0].receipt.fee
    #expect(test.balance(alice, in: .solid) == 1_000 * TestChain.trx - spent)
    test.produce()
    test.produce()
    #expect(test.chain.tokenBalance(bob, in: .solid) == 30)
    #expect(test.balance(alice, in: .solid) == test.balance(alice, in: .head))
  }

  /// What forks will rest on: a block's changes undone give the state before it, redone the state after it.
  @Test func `a block's changes can be undone and redone`() {
    var state = WorldState()
    let (alice, bob) = (TestWallet.alice.address, TestWallet.bob.address)
    let approval = Approval(owner: alice, spender: bob)
    state.setAccount(alice, Account(balance: 5))
    state.setTokenBalance(alice, 100)
    _ = state.takeJournal()
    state.setAccount(alice, Account(balance: 4))
    state.setAccount(bob, Account(balance: 1))
    state.setTokenBalance(alice, 0)
    state.setTokenBalance(bob, 100)
    state.setTokenBalance(bob, 90)
    state.setAllowance(approval, .max)
    let changes = state.takeJournal()
    state.undo(changes)
    #expect(state.account(alice)?.balance == 5)
    #expect(state.account(bob) == nil)
    #expect(state.tokenBalance(alice) == 100 && state.tokenBalance(bob) == 0)
    #expect(state.allowance(approval) == .zero)
    state.apply(changes)
    #expect(state.account(alice)?.balance == 4 && state.account(bob)?.balance == 1)
    #expect(state.tokenBalance(alice) == 0 && state.tokenBalance(bob) == 90)
    #expect(state.allowance(approval) == .max)
  }
}
