/// What a network begins with: block 0 and its accounts.
struct Genesis: Equatable, Sendable {
  /// Time of block 0, milliseconds since 1970.
  var time: Int64
  /// What tells apart two networks that begin at the same time: parent hash of block 0.
  var seed: Hash32 = .zero
  var tokenAddress: Address = Self.mainnetToken
  var producerCount = Producers.countMax
  var funds: [Fund] = []
  /// The token's energy factor in the beginning, in ten-thousandths: the maximum, as on the real network.
  var tokenFactor = EnergyStep.fullFactor
  /// Energy of the token that others than this network's clients use in a cycle; see ``ContractUse/demand``.
  var tokenDemand: Int64 = 20_000_000_000

  /// One account's first balances.
  struct Fund: Equatable, Sendable {
    let address: Address
    /// Sun.
    var trx: Int64
    /// Micro-USDT.
    var usdt: UInt64 = 0
    /// Energy a day from stake that the account has besides; a multiple of 10, as a staked TRX gives 10.
    var energy: Int64 = 0
  }

  /// USDT on mainnet, TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t.
  static let mainnetToken = Address(last20: [
    0xa6, 0x14, 0xf8, 0x03, 0xb6, 0xfd, 0x78, 0x09, 0x86, 0xa4, 0x2c, 0x78, 0xec, 0x9c, 0x7f, 0x77, 0xe6, 0xde, 0xd1,
    0x3c,
  ])

  /// Header of block 0, which nobody signs.
  var header: BlockHeader {
    BlockHeader(timestamp: time, transactionRoot: .zero, parentHash: seed, number: 0, witness: [], version: 0)
  }

  /// Writes the accounts and balances.
  ///
  /// The funds' addresses are distinct and their USDT in all fits 64 bits; the configuration sees to that.
  func write(to state: inout WorldState) {
    for (contract, use) in [
      (tokenAddress, ContractUse(factor: tokenFactor, demand: tokenDemand)), (FakeToken.address, ContractUse()),
    ] {
      state.setAccount(contract, Account(createTime: time, isContract: true))
      state.setContractUse(contract, use)
    }
    for fund in funds {
      if fund.trx > 0 || fund.energy > 0 {
        var account = Account(balance: fund.trx, createTime: time)
        // Counted in the network's total weight already, so that the quotient is exact.
        account[stake: .energy].own = state.network.stake(for: fund.energy, of: .energy)
        state.setAccount(fund.address, account)
      }
      state.setTokenBalance(fund.address, fund.usdt)
    }
  }
}
