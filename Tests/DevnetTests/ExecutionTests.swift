import Testing

@testable import Devnet

/// Proves what transactions move and cost: energy, bandwidth, activation, and the ways a call fails
/// (tron-protocol.md §5).
struct ExecutionTests {
  private let alice = TestWallet.alice.address
  private let bob = TestWallet.bob.address

  private func funds(trx: Int64, usdt: UInt64 = 1_000_000_000, energy: Int64 = 0) -> [Genesis.Fund] {
    [Genesis.Fund(address: TestWallet.alice.address, trx: trx, usdt: usdt, energy: energy)]
  }

  @Test func `the first transfer to an address costs 130,285 energy, the next 64,285`() throws {
    var test = TestChain()
    let first = try test.include(test.usdtTransfer(to: bob, 5)).receipt
    #expect(first.result == .success && first.contractRet == .success)
    #expect(first.energyUsageTotal == 130_285 && first.energyPenaltyTotal == 100_635)
    #expect(first.energyFee == 13_028_500 && first.energyUsage == 0)
    #expect(first.netUsage == 345 && first.netFee == 0)
    #expect(first.fee == 13_028_500)
    let second = try test.include(test.usdtTransfer(to: bob, 5)).receipt
    #expect(second.energyUsageTotal == 64_285 && second.energyPenaltyTotal == 49_635)
    // 345 of 600 free bytes are gone: the whole size is burnt.
    #expect(second.netUsage == 0 && second.netFee == 345_000)
    #expect(second.fee == 6_428_500 + 345_000)
    #expect(test.balance(alice) == 1_000 * TestChain.trx - first.fee - second.fee)
    #expect(test.chain.tokenBalance(bob, in: .head) == 10)
    #expect(test.chain.tokenBalance(alice, in: .head) == 1_000 * TestChain.usdt - 10)
    #expect(test.balance(bob) == nil, "a token transfer activates nobody")
  }

  /// 32 zero bytes on success, and the one event that tells what moved (§1.7).
  @Test func `transfer returns false on success and logs what moved`() throws {
    var test = TestChain()
    let receipt = try test.include(test.usdtTransfer(to: bob, 12_345_678)).receipt
    #expect(receipt.output == Bytes(repeating: 0, count: 32))
    let log = try #require(receipt.logs.first)
    #expect(receipt.logs.count == 1 && log.address == Genesis.mainnetToken)
    #expect(
      log.topics.map(Hex.encode) == [
        "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef",
        String(repeating: "0", count: 24) + alice.hex.dropFirst(2),
        String(repeating: "0", count: 24) + bob.hex.dropFirst(2),
      ])
    #expect(Hex.encode(log.data) == String(repeating: "0", count: 58) + "bc614e")
  }

  @Test func `more than the balance reverts, costs little and moves nothing`() throws {
    var test = TestChain()
    let receipt = try test.include(test.usdtTransfer(to: bob, 1_000 * TestChain.usdt + 1)).receipt
    #expect(receipt.result == .revert && receipt.contractRet == .revert && receipt.hasFailed)
    #expect(receipt.message == "REVERT opcode executed")
    #expect(receipt.logs.isEmpty && receipt.energyUsageTotal == 3_146)
    #expect(test.chain.tokenBalance(alice, in: .head) == 1_000 * TestChain.usdt)
    let whole = try test.include(test.usdtTransfer(to: bob, 1_000 * TestChain.usdt)).receipt
    #expect(whole.result == .success)
    #expect(test.chain.tokenBalance(alice, in: .head) == 0)
    let zeroAddress = try test.include(test.usdtTransfer(to: .zero, 0)).receipt
    #expect(zeroAddress.result == .revert)
    // 2²⁵⁶ − 1 is more than anybody has.
    let huge = try test.include(test.call("transfer(address,uint256)", [Word256(bob), .max])).receipt
    #expect(huge.result == .revert)
  }

  /// Both sides of the limit: 13,028,500 sun is enough for a first holder, one energy unit less burns all of it.
  @Test(
    arguments: [(13_028_500, .success), (13_028_499, .outOfEnergy), (0, .outOfEnergy)] as [(Int64, ContractResult)])
  func `a fee limit that is too small is burnt and pays nobody`(feeLimit: Int64, result: ContractResult) throws {
    var test = TestChain()
    let included = try test.include(test.usdtTransfer(to: bob, 5, feeLimit: feeLimit))
    let receipt = included.receipt
    #expect(receipt.result == result && receipt.contractRet == result)
    #expect(receipt.energyFee == feeLimit / 100 * 100)
    #expect(test.balance(alice) == 1_000 * TestChain.trx - feeLimit / 100 * 100)
    #expect(test.chain.tokenBalance(bob, in: .head) == (result == .success ? 5 : 0))
    if result == .outOfEnergy {
      #expect(receipt.energyUsageTotal == feeLimit / 100)
      #expect(receipt.logs.isEmpty && receipt.output.isEmpty)
      #expect(receipt.message.hasPrefix("Not enough energy for '"))
      #expect(receipt.message.contains("' operation executing: curInvokeEnergyLimit[\(feeLimit / 100)]"))
    }
  }

  /// The wallet runs dry in mid-call: what it has is burnt (§5.4).
  @Test(arguments: [(13_028_500, .success), (13_028_499, .outOfEnergy)] as [(Int64, ContractResult)])
  func `too little TRX is burnt and pays nobody`(balance: Int64, result: ContractResult) throws {
    var test = TestChain(funds: funds(trx: balance))
    let receipt = try test.include(test.usdtTransfer(to: bob, 5)).receipt
    #expect(receipt.result == result)
    #expect(test.balance(alice) == balance % 100)
    #expect(test.chain.tokenBalance(bob, in: .head) == (result == .success ? 5 : 0))
  }

  /// The fee limit caps staked energy as well; stake is used before TRX, and comes back over a day.
  @Test func `staked energy pays first, and counts against the fee limit too`() throws {
    var test = TestChain(funds: funds(trx: 100 * TestChain.trx, energy: 200_000))
    let capped = try test.include(test.usdtTransfer(to: bob, 5, feeLimit: 13_028_400)).receipt
    #expect(capped.result == .outOfEnergy)
    #expect(capped.energyUsage == 130_284 && capped.energyFee == 0)
    #expect(test.balance(alice) == 100 * TestChain.trx)
    let mixed = try test.include(test.usdtTransfer(to: bob, 5)).receipt
    // The head's time moved by one slot of 3 s: 130,284 · (1 − 3/86,400) is still used.
    let left: Int64 = 200_000 - 130_279
    #expect(mixed.result == .success)
    #expect(mixed.energyUsage == left && mixed.energyUsageTotal == 130_285)
    #expect(mixed.energyFee == (130_285 - left) * 100)
    test.produce(slots: 28_800)
    #expect(test.left(.energy, of: alice) == 200_000)
  }

  @Test func `free bandwidth is all or nothing and recovers over a day`() throws {
    var test = TestChain()
    // Creating an account is not paid from the free allowance.
    #expect(try test.include(test.trxTransfer(to: bob, TestChain.trx)).receipt.netUsage == 0)
    var receipts: [Receipt] = []
    for _ in 0..<3 { receipts.append(try test.include(test.trxTransfer(to: bob, TestChain.trx)).receipt) }
    // 203 + 64 bytes: twice within 600, not three times.
    #expect(receipts.map(\.netUsage) == [267, 267, 0])
    #expect(receipts.map(\.netFee) == [0, 0, 267_000])
    test.produce(slots: 28_800)
    #expect(try test.include(test.trxTransfer(to: bob, TestChain.trx)).receipt.netUsage == 267)
  }

  /// Exactly the price of the bytes is enough; a sun less is a refusal, not a failure on chain.
  @Test(arguments: [(345_000, true), (344_999, false)])
  func `too little TRX for bandwidth is a refusal`(left: Int64, isTaken: Bool) throws {
    var test = TestChain(funds: funds(trx: 13_028_500 + left))
    #expect(try test.include(test.usdtTransfer(to: bob, 1)).receipt.netUsage == 345)
    #expect(test.balance(alice) == left)
    let refusal = Refusal(code: .bandwidthError, message: "Account resource insufficient error.")
    #expect(test.broadcast(test.usdtTransfer(to: bob, 1)) == (isTaken ? nil : refusal))
  }

  @Test func `a transfer to a new address activates it for 1.1 TRX`() throws {
    var test = TestChain()
    let receipt = try test.include(test.trxTransfer(to: bob, 7)).receipt
    #expect(receipt.contractRet == .success && receipt.result == .default)
    #expect(receipt.netFee == 100_000 && receipt.fee == 1_100_000)
    #expect(test.balance(bob) == 7)
    #expect(test.balance(alice) == 1_000 * TestChain.trx - 1_100_007)
    #expect(test.chain.account(bob, in: .head)?.createTime == TestChain.genesisTime)
  }

  @Test func `a memo costs one TRX outside the fee limit`() throws {
    var test = TestChain()
    let receipt = try test.include(test.usdtTransfer(to: bob, 1) { $0.data = Bytes("payout 42".utf8) }).receipt
    #expect(receipt.fee == 13_028_500 + 1_000_000)
    #expect(receipt.netUsage == 345 + 11)
  }

  @Test func `an allowance is spent by transferFrom, unless it is the largest`() throws {
    var test = TestChain(funds: [
      Genesis.Fund(address: alice, trx: 1_000 * TestChain.trx, usdt: 100),
      Genesis.Fund(address: bob, trx: 1_000 * TestChain.trx),
    ])
    let carol = TestWallet.carol.address
    let approve = "approve(address,uint256)"
    let transferFrom = "transferFrom(address,address,uint256)"
    func view(_ signature: String, _ words: [Word256]) throws -> Bytes {
      try test.chain.call(
        from: bob, contract: test.chain.token.address,
        data: TokenContract.selector(signature) + words.flatMap(\.bytes), callValue: 0, in: .head
      ).output
    }
    #expect(try test.include(test.call(approve, [Word256(bob), Word256(30)])).receipt.result == .success)
    #expect(try view("allowance(address,address)", [Word256(alice), Word256(bob)]) == Word256(30).bytes)
    let taken = try test.include(
      test.call(from: .bob, transferFrom, [Word256(alice), Word256(carol), Word256(20)])
    ).receipt
    #expect(taken.output == Word256(1).bytes && taken.energyUsageTotal == 130_285 + 22_000)
    #expect(taken.logs.map { $0.topics[1] } == [Word256(alice).bytes])
    let beyond = test.call(from: .bob, transferFrom, [Word256(alice), Word256(carol), Word256(11)])
    #expect(try test.include(beyond).receipt.result == .revert)
    #expect(try view("allowance(address,address)", [Word256(alice), Word256(bob)]) == Word256(10).bytes)
    // From one non-zero allowance to another is refused; through zero it goes.
    #expect(try test.include(test.call(approve, [Word256(bob), .max])).receipt.result == .revert)
    #expect(try test.include(test.call(approve, [Word256(bob), .zero])).receipt.result == .success)
    #expect(try test.include(test.call(approve, [Word256(bob), .max])).receipt.result == .success)
    let more = test.call(from: .bob, transferFrom, [Word256(alice), Word256(carol), Word256(80)])
    #expect(try test.include(more).receipt.energyUsageTotal == 64_285)
    #expect(try view("allowance(address,address)", [Word256(alice), Word256(bob)]) == Word256.max.bytes)
    #expect(test.chain.tokenBalance(carol, in: .head) == 100 && test.chain.tokenBalance(alice, in: .head) == 0)
  }

  @Test func `the token's views answer as USDT does`() throws {
    var test = TestChain()
    func view(_ signature: String, _ words: [Word256] = []) throws -> String {
      let outcome = try test.chain.call(
        from: bob, contract: test.chain.token.address,
        data: TokenContract.selector(signature) + words.flatMap(\.bytes), callValue: 0, in: .head)
      #expect(!outcome.hasReverted)
      return Hex.encode(outcome.output)
    }
    func word(_ value: UInt64) -> String { Hex.encode(Word256(value).bytes) }
    #expect(try view("decimals()") == word(6))
    #expect(
      try view("symbol()")
        == word(32) + word(4) + "55534454" + String(repeating: "0", count: 56))
    #expect(
      try view("name()") == word(32) + word(10) + "54657468657220555344" + String(repeating: "0", count: 44))
    #expect(try view("balanceOf(address)", [Word256(alice)]) == word(1_000_000_000))
    for signature in ["paused()", "deprecated()", "basisPointsRate()", "maximumFee()"] {
      #expect(try view(signature) == word(0))
    }
    #expect(try view("isBlackListed(address)", [Word256(alice)]) == word(0))
    #expect(try view("owner()").hasSuffix(test.chain.token.address.hex.dropFirst(2)))
  }

  @Test func `unknown functions and TRX sent along revert, and a simulation leaves no trace`() throws {
    var test = TestChain()
    #expect(try test.include(test.call("mint(uint256)", [Word256(1)])).receipt.result == .revert)
    let paid = test.call("transfer(address,uint256)", [Word256(bob), Word256(1)], callValue: 1)
    #expect(try test.include(paid).receipt.result == .revert)
    let outcome = try test.chain.call(
      from: alice, contract: test.chain.token.address,
      data: TokenContract.selector("transfer(address,uint256)") + Word256(bob).bytes + Word256(9).bytes,
      callValue: 0, in: .head)
    #expect(outcome.energy == 130_285 && outcome.logs.count == 1)
    #expect(test.chain.tokenBalance(bob, in: .head) == 0)
  }
}
