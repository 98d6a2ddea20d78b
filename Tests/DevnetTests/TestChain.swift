import Testing

@testable import Devnet

/// A key that tests sign with.
struct TestWallet {
  let privateKey: Bytes
  let address: Address

  /// The wallet whose private key is 32 times `byte`.
  init(_ byte: UInt8) {
    privateKey = Bytes(repeating: byte, count: 32)
    address = Secp256k1.address(ofPrivateKey: privateKey)!
  }

  static let alice = TestWallet(1)
  static let bob = TestWallet(2)
  static let carol = TestWallet(3)

  func sign(_ raw: Transaction.RawData) -> PreparedTransaction {
    PreparedTransaction(
      Transaction(raw: raw, signatures: [Secp256k1.sign(.sha256(raw.encoded), with: privateKey)]))
  }
}

/// A chain under a test's own clock, and the transactions a test puts into it.
struct TestChain {
  static let genesisTime: Int64 = 1_700_000_001_000
  static let trx: Int64 = 1_000_000
  static let usdt: UInt64 = 1_000_000

  var chain: Chain
  /// Wall time; a test moves it.
  var now = genesisTime
  private var nonce: Int64 = 0

  /// Alice has 1,000 TRX and 1,000 USDT unless told otherwise.
  init(
    producers: Int = 3, parameters: ChainParameters = ChainParameters(),
    funds: [Genesis.Fund] = [Genesis.Fund(address: TestWallet.alice.address, trx: 1_000 * trx, usdt: 1_000 * usdt)]
  ) {
    var genesis = Genesis(time: Self.genesisTime)
    genesis.producerCount = producers
    genesis.funds = funds
    chain = Chain(genesis: genesis, parameters: parameters)
  }

  var headTime: Int64 { chain.head.header.timestamp }

  /// Raw data that refers to the head and expires a minute after it; each has its own timestamp.
  mutating func raw(_ contract: Contract, feeLimit: Int64 = 0) -> Transaction.RawData {
    nonce += 1
    var raw = Transaction.RawData()
    raw.refBlockBytes = Bytes(chain.head.id.bytes[6..<8])
    raw.refBlockHash = Bytes(chain.head.id.bytes[8..<16])
    raw.expiration = headTime + 60_000
    raw.timestamp = headTime + nonce
    raw.feeLimit = feeLimit
    raw.contracts = [contract]
    return raw
  }

  mutating func trxTransfer(
    from wallet: TestWallet = .alice, to: Address, _ sun: Int64,
    _ change: (inout Transaction.RawData) -> Void = { _ in }
  ) -> PreparedTransaction {
    let message = TransferContract(owner: wallet.address.bytes, to: to.bytes, amount: sun)
    var raw = raw(Contract(type: .transfer, value: message.encoded))
    change(&raw)
    return wallet.sign(raw)
  }

  mutating func call(
    from wallet: TestWallet = .alice, _ signature: String, _ words: [Word256], feeLimit: Int64 = 30_000_000,
    contract: Address? = nil, callValue: Int64 = 0, _ change: (inout Transaction.RawData) -> Void = { _ in }
  ) -> PreparedTransaction {
    let message = TriggerSmartContract(
      owner: wallet.address.bytes, contract: (contract ?? chain.token.address).bytes,
      data: TokenContract.selector(signature) + words.flatMap(\.bytes), callValue: callValue)
    var raw = raw(Contract(type: .triggerSmart, value: message.encoded), feeLimit: feeLimit)
    change(&raw)
    return wallet.sign(raw)
  }

  mutating func usdtTransfer(
    from wallet: TestWallet = .alice, to: Address, _ microUSDT: UInt64, feeLimit: Int64 = 30_000_000,
    _ change: (inout Transaction.RawData) -> Void = { _ in }
  ) -> PreparedTransaction {
    call(
      from: wallet, "transfer(address,uint256)", [Word256(to), Word256(microUSDT)], feeLimit: feeLimit, change)
  }

  /// Broadcasts; nil when accepted.
  mutating func broadcast(_ prepared: PreparedTransaction) -> Refusal? {
    do {
      try chain.broadcast(prepared, now: now)
      return nil
    } catch {
      return error
    }
  }

  /// Makes the block of the slot `slots` after the head, or of the first there can be; wall time moves along.
  @discardableResult
  mutating func produce(slots: Int64 = 1) -> Block {
    let time = max(headTime + slots * chain.parameters.slot, chain.nextSlotTime)
    now = time
    return chain.produceBlock(at: time, now: now)
  }

  /// Broadcasts, makes a block, and returns what became of the transaction.
  mutating func include(_ prepared: PreparedTransaction) throws -> IncludedTransaction {
    #expect(broadcast(prepared) == nil)
    produce()
    return try #require(chain.included(prepared.id, in: .head))
  }

  func balance(_ address: Address, in view: Chain.View = .head) -> Int64? {
    chain.account(address, in: view)?.balance
  }
}
