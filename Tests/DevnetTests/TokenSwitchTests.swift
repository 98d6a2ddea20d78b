import Testing

@testable import Devnet

/// Proves what the owner of the real token can do to a payout, and what others can (tron-protocol.md §1.7).
struct TokenSwitchTests {
  private let alice = TestWallet.alice.address
  private let bob = TestWallet.bob.address
  private let carol = TestWallet.carol.address

  private func view(_ test: inout TestChain, _ signature: String, _ words: [Word256] = []) throws -> Word256? {
    let outcome = try test.chain.call(
      from: bob, contract: test.chain.token.address,
      data: TokenContract.selector(signature) + words.flatMap(\.bytes), callValue: 0, in: .head)
    return outcome.hasReverted ? nil : Word256(bigEndian: outcome.output[...])
  }

  @Test func `a paused token reverts every transfer until it goes on`() throws {
    var test = TestChain()
    test.chain.perform(.pauseToken(true))
    #expect(try view(&test, "paused()") == Word256(1))
    let refused = try test.include(test.usdtTransfer(to: bob, 5)).receipt
    #expect(refused.result == .revert && refused.logs.isEmpty && refused.energyUsageTotal == 3_146)
    test.chain.perform(.pauseToken(false))
    #expect(try test.include(test.usdtTransfer(to: bob, 5)).receipt.result == .success)
  }

  /// A switch is seen in the head view at once and on the solid chain when its block is solid.
  @Test func `a switch takes effect with the next block, for good`() throws {
    var test = TestChain(producers: 3)
    let pending = test.usdtTransfer(to: bob, 5)
    #expect(test.broadcast(pending) == nil)
    test.chain.perform(.pauseToken(true))
    #expect(test.chain.world(.head).token.isPaused && !test.chain.world(.solid).token.isPaused)
    let block = test.produce()
    #expect(block.actions == [.pauseToken(true)] && test.chain.waitingActions.isEmpty)
    // What was pending as SUCCESS runs after it.
    #expect(block.transactions.map(\.receipt.result) == [.revert])
    #expect(!test.chain.world(.solid).token.isPaused)
    for _ in 0..<2 { test.produce() }
    #expect(test.chain.world(.solid).token.isPaused)
  }

  @Test func `a blacklisted sender reverts, a blacklisted recipient is paid`() throws {
    var test = TestChain()
    test.chain.perform(.blacklist(bob, true))
    #expect(try view(&test, "isBlackListed(address)", [Word256(bob)]) == Word256(1))
    #expect(try view(&test, "isBlackListed(address)", [Word256(alice)]) == .zero)
    #expect(try test.include(test.usdtTransfer(to: bob, 5)).receipt.result == .success)
    test.chain.perform(.blacklist(alice, true))
    #expect(try test.include(test.usdtTransfer(to: bob, 5)).receipt.result == .revert)
    test.chain.perform(.blacklist(alice, false))
    #expect(try test.include(test.usdtTransfer(to: bob, 5)).receipt.result == .success)
    #expect(test.chain.tokenBalance(bob, in: .head) == 10)
  }

  /// 10 basis points of 12.345678 are 12,345 micro-units, taken out of the amount.
  @Test func `a fee comes out of the amount and has a log of its own`() throws {
    var test = TestChain()
    test.chain.perform(.setTokenOwner(carol))
    test.chain.perform(.setTokenFee(basisPoints: 10, maximum: 20_000))
    #expect(try view(&test, "basisPointsRate()") == Word256(10))
    #expect(try view(&test, "maximumFee()") == Word256(20_000))
    #expect(try view(&test, "owner()") == Word256(carol))
    let receipt = try test.include(test.usdtTransfer(to: bob, 12_345_678)).receipt
    #expect(receipt.result == .success && receipt.output == Word256.zero.bytes)
    #expect(receipt.logs.map { $0.topics[2] } == [Word256(bob).bytes, Word256(carol).bytes])
    #expect(receipt.logs.map(\.data) == [Word256(12_333_333).bytes, Word256(12_345).bytes])
    #expect(test.chain.tokenBalance(bob, in: .head) == 12_333_333)
    #expect(test.chain.tokenBalance(carol, in: .head) == 12_345)
    #expect(test.chain.tokenBalance(alice, in: .head) == 1_000 * TestChain.usdt - 12_345_678)
    #expect(receipt.energyUsageTotal > 130_285)
    // The cap, and an amount too small for any fee.
    let capped = try test.include(test.usdtTransfer(to: bob, 100 * TestChain.usdt)).receipt
    #expect(capped.logs.map(\.data) == [Word256(99_980_000).bytes, Word256(20_000).bytes])
    let free = try test.include(test.usdtTransfer(to: bob, 999)).receipt
    #expect(free.logs.count == 1 && free.logs[0].data == Word256(999).bytes)
  }

  @Test func `a deprecated token forwards to its successor, or reverts where there is none`() throws {
    var test = TestChain()
    test.chain.perform(.deprecateToken(upgraded: bob))
    #expect(try view(&test, "deprecated()") == Word256(1))
    #expect(try view(&test, "balanceOf(address)", [Word256(alice)]) == nil)
    #expect(try test.include(test.usdtTransfer(to: bob, 5)).receipt.result == .revert)
    test.chain.perform(.deprecateToken(upgraded: FakeToken.address))
    let receipt = try test.include(test.usdtTransfer(to: bob, 5)).receipt
    // Success, and not one log of the token itself: nobody was paid.
    #expect(receipt.result == .success && receipt.logs.map(\.address) == [FakeToken.address])
    #expect(receipt.contract == test.chain.token.address)
    #expect(test.chain.tokenBalance(bob, in: .head) == 0)
  }

  /// Anybody can make the token log a transfer of nothing from anybody.
  @Test func `a stranger moves nothing from another's account, and the log says so`() throws {
    var test = TestChain(funds: [
      Genesis.Fund(address: alice, trx: 1, usdt: 100), Genesis.Fund(address: bob, trx: 100 * TestChain.trx),
    ])
    let transferFrom = "transferFrom(address,address,uint256)"
    let nothing = test.call(from: .bob, transferFrom, [Word256(alice), Word256(carol), .zero])
    let receipt = try test.include(nothing).receipt
    #expect(receipt.result == .success)
    #expect(receipt.logs.map { $0.topics[1] } == [Word256(alice).bytes])
    #expect(receipt.logs.map(\.data) == [Word256.zero.bytes])
    let theft = test.call(from: .bob, transferFrom, [Word256(alice), Word256(carol), Word256(1)])
    #expect(try test.include(theft).receipt.result == .revert)
    #expect(test.chain.tokenBalance(alice, in: .head) == 100)
  }

  @Test func `a fake token logs any transfer under its own address and moves nothing`() throws {
    var test = TestChain()
    let words = [Word256(bob), Word256(1_000_000_000)]
    let receipt = try test.include(
      test.call("transfer(address,uint256)", words, contract: FakeToken.address)
    ).receipt
    let real = try test.include(test.call("transfer(address,uint256)", words)).receipt
    #expect(receipt.result == .success && receipt.contract == FakeToken.address)
    #expect(receipt.logs.map(\.address) == [FakeToken.address])
    #expect(receipt.logs.map(\.topics) == real.logs.map(\.topics) && receipt.logs.map(\.data) == real.logs.map(\.data))
    #expect(receipt.energyPenaltyTotal == 0)
    let forged = test.call(
      from: .alice, "transferFrom(address,address,uint256)", [Word256(carol), Word256(bob), .max],
      contract: FakeToken.address)
    #expect(try test.include(forged).receipt.logs.map { $0.topics[1] } == [Word256(carol).bytes])
    #expect(test.chain.tokenBalance(bob, in: .head) == 1_000_000_000)
  }
}
