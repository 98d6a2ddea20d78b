import Testing

@testable import Devnet

/// Proves each check of a broadcast: its code, its words, its place in the order (tron-protocol.md §2.4, §4.3), with the
/// last value that passes and the first that does not.
struct BroadcastTests {
  private let bob = TestWallet.bob.address

  @Test func `a valid transfer is taken, and the same bytes are a duplicate while pending and in a block`() {
    var test = TestChain()
    let prepared = test.usdtTransfer(to: bob, 1)
    #expect(test.broadcast(prepared) == nil)
    let duplicate = Refusal(code: .dupTransactionError, message: "Dup transaction.")
    #expect(test.broadcast(prepared) == duplicate)
    test.produce()
    #expect(test.broadcast(prepared) == duplicate)
  }

  /// Step 0.
  @Test(arguments: [(64, false), (65, true), (68, true), (69, false)])
  func `a signature has 65 to 68 bytes`(size: Int, isTaken: Bool) {
    var test = TestChain()
    var transaction = test.usdtTransfer(to: bob, 1).transaction
    transaction.signatures[0] = Bytes((transaction.signatures[0] + [1, 2, 3, 4]).prefix(size))
    let refusal = test.broadcast(PreparedTransaction(transaction))
    let expected = Refusal(code: .sigError, message: "Validate signature error: Signature size is \(size)")
    #expect(refusal == (isTaken ? nil : expected))
  }

  /// Step 3: more than the limit pending is too many.
  @Test func `a full pool is busy`() {
    var parameters = ChainParameters()
    parameters.pendingMax = 2
    var test = TestChain(parameters: parameters)
    for _ in 0..<3 { #expect(test.broadcast(test.usdtTransfer(to: bob, 1)) == nil) }
    #expect(test.broadcast(test.usdtTransfer(to: bob, 1)) == Refusal(code: .serverBusy, message: "Server busy."))
    test.produce()
    #expect(test.broadcast(test.usdtTransfer(to: bob, 1)) == nil)
  }

  /// Steps 5 and 8.
  @Test func `there is exactly one contract`() {
    var test = TestChain()
    let none = test.trxTransfer(to: bob, 1) { $0.contracts = [] }
    #expect(
      test.broadcast(none)
        == Refusal(code: .contractValidateError, message: "Contract validate error : No contract!"))
    let two = test.trxTransfer(to: bob, 1) { $0.contracts.append($0.contracts[0]) }
    #expect(
      test.broadcast(two)
        == Refusal(
          code: .contractValidateError,
          message: "Contract validate error : tx \(two.id.hex) contract size should be exactly 1, "
            + "this is extend feature ,actual :2"))
  }

  /// Steps 6 and 10: judged by the head's time, never by a clock.
  @Test(arguments: [
    (0, false), (2_999, false), (3_000, true), (86_400_000, true), (86_400_001, false),
  ])
  func `an expiration lies from the next slot to a day after the head`(ahead: Int64, isTaken: Bool) {
    var test = TestChain()
    test.produce()
    // A wall clock that is a year off changes nothing.
    test.now += 31_536_000_000
    let headTime = test.headTime
    let prepared = test.trxTransfer(to: bob, 1_000_000) { $0.expiration = headTime + ahead }
    let expired = Refusal(code: .transactionExpirationError, message: "Transaction expired")
    #expect(test.broadcast(prepared) == (isTaken ? nil : expired))
  }

  /// Step 7, in the words of java-tron.
  @Test func `signatures must be the owner's, once`() {
    var test = TestChain()
    var transaction = test.trxTransfer(to: bob, 1).transaction
    func refusal(_ signatures: [Bytes]) -> Refusal? {
      transaction.signatures = signatures
      return test.broadcast(PreparedTransaction(transaction))
    }
    func signature(_ text: String) -> Refusal {
      Refusal(code: .sigError, message: "Validate signature error: \(text)")
    }
    let id = Hash32.sha256(transaction.raw.encoded)
    let (own, foreign) = (
      transaction.signatures[0], Secp256k1.sign(id, with: TestWallet.bob.privateKey)
    )
    #expect(refusal([]) == signature("miss sig or contract"))
    #expect(refusal(Array(repeating: own, count: 6)) == signature("too many signatures"))
    #expect(refusal([own, own]) == signature("Signature count is 2 more than key counts of permission : 1"))
    #expect(
      refusal([foreign])
        == signature("\(id.hex) is signed by \(bob.base58) but it is not contained of permission."))
    #expect(refusal([own[..<64] + [9]]) == signature("Header byte out of range: 36"))
    #expect(refusal([Bytes(repeating: 0, count: 65)]) == signature("Could not recover public key from signature"))
    #expect(refusal([own]) == nil)
  }

  /// Step 7: owner (0) and active (2) exist in every account; the default active lacks type 46.
  @Test(arguments: [(0, true), (1, false), (2, true), (3, false)])
  func `permission ids are 0 and 2`(id: Int32, isTaken: Bool) {
    var test = TestChain()
    let prepared = test.trxTransfer(to: bob, 1_000_000) { $0.contracts[0].permissionID = id }
    let missing = Refusal(code: .sigError, message: "Validate signature error: permission isn't exit")
    #expect(test.broadcast(prepared) == (isTaken ? nil : missing))
    let update = test.trxTransfer(to: bob, 1) {
      $0.contracts = [
        Contract(type: .accountPermissionUpdate, value: $0.contracts[0].value, permissionID: 2)
      ]
    }
    #expect(
      test.broadcast(update) == Refusal(code: .sigError, message: "Validate signature error: Permission denied"))
  }

  /// Step 7 comes before 9: a stranger's transaction on an unknown block fails by its signature.
  @Test func `the signature is checked before the reference block, and the slot before the signature`() {
    var test = TestChain()
    var transaction = test.trxTransfer(to: bob, 1) { $0.refBlockHash = Bytes(repeating: 9, count: 8) }.transaction
    transaction.signatures = []
    #expect(test.broadcast(PreparedTransaction(transaction))?.code == .sigError)
    transaction.raw.expiration = test.headTime
    #expect(test.broadcast(PreparedTransaction(transaction))?.code == .transactionExpirationError)
  }

  /// Step 9: genesis, head and any block between may be referenced; nothing else.
  @Test func `the reference block is a block of this chain`() throws {
    var test = TestChain()
    for _ in 0..<5 { test.produce() }
    for number in [0, 3, 5] as [Int64] {
      let id = try #require(test.chain.block(number)).id.bytes
      let prepared = test.trxTransfer(to: bob, 1_000_000) {
        $0.refBlockBytes = Bytes(id[6..<8])
        $0.refBlockHash = Bytes(id[8..<16])
      }
      #expect(test.broadcast(prepared) == nil)
    }
    let tapos = Refusal(code: .taposError, message: "Tapos check error.")
    let head = test.chain.head.id.bytes
    let changes: [(inout Transaction.RawData) -> Void] = [
      { $0.refBlockBytes = [0, 6] }, { $0.refBlockBytes = [0xff, 0xff] }, { $0.refBlockBytes = [] },
      { $0.refBlockHash = [] }, { $0.refBlockHash[7] ^= 1 }, { $0.refBlockBytes = [0, 4] },
      { $0.refBlockHash = Bytes(head[8..<17]) },
    ]
    for change in changes { #expect(test.broadcast(test.trxTransfer(to: bob, 1, change)) == tapos) }
  }

  /// Step 10: size without ret + 128 ≤ 512,000.
  @Test(arguments: [(511_872, true), (511_873, false)])
  func `a transaction has at most 511,872 bytes`(size: Int, isTaken: Bool) {
    var test = TestChain(funds: [
      Genesis.Fund(address: TestWallet.alice.address, trx: 1_000 * TestChain.trx),
      Genesis.Fund(address: bob, trx: 1),
    ])
    let plain = test.trxTransfer(to: bob, 1_000_000)
    // A memo of this length adds itself, 4 bytes of key and length, and 1 to the length of raw_data.
    let memo = Bytes(repeating: 7, count: size - plain.size - 5)
    let prepared = test.trxTransfer(to: bob, 1_000_000) { $0.data = memo }
    #expect(prepared.size == size)
    let refusal = test.broadcast(prepared)
    #expect(refusal?.code == (isTaken ? nil : .tooBigTransactionError))
    if !isTaken {
      #expect(
        refusal?.message
          == "Too big transaction with result, TxId \(prepared.id.hex), the size is 512001 bytes, maxTxSize 512000")
    }
  }

  /// Step 12: a transfer that creates an account has at most 1,000 bytes without its signature.
  @Test(arguments: [(1_000, true), (1_001, false)])
  func `a transfer to a new address is small`(size: Int, isTaken: Bool) {
    var test = TestChain()
    let plain = test.trxTransfer(to: bob, 1_000_000)
    let memo = Bytes(repeating: 7, count: size + 65 - plain.size - 3)
    let prepared = test.trxTransfer(to: bob, 1_000_000) { $0.data = memo }
    #expect(prepared.size - 65 == size)
    let refusal = Refusal(
      code: .tooBigTransactionError,
      message: "Too big new account transaction, TxId \(prepared.id.hex), the size is 1001 bytes, maxTxSize 1000")
    #expect(test.broadcast(prepared) == (isTaken ? nil : refusal))
  }

  /// Step 12.
  @Test func `an owner without account is refused`() {
    var test = TestChain()
    #expect(
      test.broadcast(test.trxTransfer(from: .carol, to: bob, 1))
        == Refusal(
          code: .contractValidateError,
          message: "Contract validate error : account [\(TestWallet.carol.address.base58)] does not exist"))
  }

  /// Step 13 for transfers, in the order and the words of TransferActuator.
  @Test func `a TRX transfer needs two accounts, an amount and the money`() {
    var test = TestChain()
    let token = test.chain.token.address
    func refusal(_ prepared: PreparedTransaction) -> Refusal? { test.broadcast(prepared) }
    func invalid(_ text: String) -> Refusal {
      Refusal(code: .contractValidateError, message: "Contract validate error : \(text)")
    }
    let alice = TestWallet.alice.address
    let badRecipient = test.trxTransfer(to: bob, 1) {
      $0.contracts = [
        Contract(
          type: .transfer, value: TransferContract(owner: alice.bytes, to: [0x41, 1, 2], amount: 1).encoded)
      ]
    }
    #expect(refusal(badRecipient) == invalid("Invalid toAddress!"))
    #expect(refusal(test.trxTransfer(to: alice, 1)) == invalid("Cannot transfer TRX to yourself."))
    #expect(refusal(test.trxTransfer(to: bob, 0)) == invalid("Amount must be greater than 0."))
    #expect(refusal(test.trxTransfer(to: bob, -1)) == invalid("Amount must be greater than 0."))
    #expect(refusal(test.trxTransfer(to: token, 1)) == invalid("Cannot transfer TRX to a smartContract."))
    let insufficient = invalid("Validate TransferContract error, balance is not sufficient.")
    // 1,000 TRX less 0.1 for creating the account and 1 for activating it.
    #expect(refusal(test.trxTransfer(to: bob, 998_900_001)) == insufficient)
    #expect(refusal(test.trxTransfer(to: bob, .max)) == insufficient)
    #expect(refusal(test.trxTransfer(to: bob, 998_900_000)) == nil)
    #expect(test.balance(alice) == 0)
  }

  /// Step 13 for calls.
  @Test func `a call needs the token contract and a fee limit in range`() {
    var test = TestChain()
    func invalid(_ text: String) -> Refusal {
      Refusal(code: .contractValidateError, message: "Contract validate error : \(text)")
    }
    let words = [Word256(bob), Word256(1)]
    let other = test.call("transfer(address,uint256)", words, contract: bob)
    #expect(test.broadcast(other) == invalid("No contract or not a smart contract"))
    for feeLimit in [-1, 15_000_000_001] as [Int64] {
      let prepared = test.usdtTransfer(to: bob, 1, feeLimit: feeLimit)
      #expect(test.broadcast(prepared) == invalid("feeLimit must be >= 0 and <= 15000000000"))
    }
    #expect(test.broadcast(test.usdtTransfer(to: bob, 1, feeLimit: 15_000_000_000)) == nil)
    let unknown = test.trxTransfer(to: bob, 1) {
      $0.contracts = [Contract(type: .cancelAllUnfreezeV2, value: $0.contracts[0].value)]
    }
    #expect(test.broadcast(unknown)?.code == .contractValidateError)
    let mismatched = test.trxTransfer(to: bob, 1) { $0.contracts[0].typeURL = ContractType.triggerSmart.url }
    #expect(test.broadcast(mismatched)?.code == .contractValidateError)
  }

  /// A refusal, wherever it comes from, leaves no trace in the state.
  @Test func `a refused transaction changes nothing`() {
    var test = TestChain()
    let alice = TestWallet.alice.address
    let before = test.chain.account(alice, in: .head)
    #expect(test.broadcast(test.trxTransfer(to: bob, 999_000_000)) != nil)
    #expect(test.broadcast(test.usdtTransfer(to: bob, 1, feeLimit: -1)) != nil)
    #expect(test.chain.account(alice, in: .head) == before)
    #expect(test.chain.pending.count == 0)
  }
}
