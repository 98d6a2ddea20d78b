import Testing

@testable import Devnet

/// Proves the txid cache, which nodes have off by default (tron-protocol.md §2.4 step 4, §2.6).
struct TransactionCacheTests {
  private let bob = TestWallet.bob.address

  private func chain(caches: Bool) -> TestChain {
    var parameters = ChainParameters()
    parameters.cachesTransactions = caches
    return TestChain(parameters: parameters)
  }

  /// The cache takes the txid in before anything is checked: what was refused, or dropped, is a duplicate for an hour.
  @Test(arguments: [(false, nil), (true, "Transaction already exists.")] as [(Bool, String?)])
  func `with the cache on, a dropped transaction is a duplicate for an hour`(caches: Bool, message: String?) {
    var test = chain(caches: caches)
    let headTime = test.headTime
    let prepared = test.usdtTransfer(to: bob, 5) { $0.expiration = headTime + 86_400_000 }
    #expect(test.broadcast(prepared) == nil)
    test.chain.produceBlock(at: headTime + 3_000, now: test.now + 60_001)
    #expect(test.chain.included(prepared.id, in: .head) == nil)
    #expect(test.broadcast(prepared)?.message == message)
    test.now += 3_600_001
    #expect((test.broadcast(prepared) == nil) == caches)
  }

  @Test func `with the cache on, what failed its checks is a duplicate too`() {
    var test = chain(caches: true)
    let prepared = test.usdtTransfer(to: bob, 5, feeLimit: -1)
    #expect(test.broadcast(prepared)?.code == .contractValidateError)
    #expect(
      test.broadcast(prepared)
        == Refusal(code: .dupTransactionError, message: "Transaction already exists."))
  }

  @Test func `the oldest entries give way`() {
    var cache = TransactionCache()
    let ids = (0...100_000).map { Hash32.sha256(Int64($0).bigEndianBytes) }
    for id in ids { cache.note(id, at: 0) }
    let (holdsLast, holdsFirst) = (cache.holds(ids[100_000], at: 1), cache.holds(ids[0], at: 1))
    #expect(holdsLast && !holdsFirst)
  }
}
