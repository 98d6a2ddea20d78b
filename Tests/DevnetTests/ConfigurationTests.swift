import Testing

@testable import Devnet

/// Proves what the configuration reads and that it names everything that is wrong at once.
struct ConfigurationTests {
  private func read(_ environment: [String: String]) throws(DevnetConfiguration.Failure) -> DevnetConfiguration {
    var random = SystemRandomNumberGenerator()
    return try DevnetConfiguration(environment: environment, now: 1_700_000_002_999, random: &random)
  }

  @Test func `defaults are those of the documentation`() throws {
    let configuration = try read(["DEVNET_PORT": " "])
    #expect(configuration.port == 9_090 && configuration.slot == 3_000)
    #expect(configuration.genesis.time == 1_700_000_001_000)
    #expect(configuration.genesis.producerCount == 27)
    #expect(configuration.genesis.tokenAddress == Genesis.mainnetToken)
    #expect(configuration.genesis.funds.isEmpty)
    #expect(configuration.faceCount == 1)
    var parameters = ChainParameters()
    parameters.slot = 3_000
    #expect(configuration.parameters == parameters && configuration.stateFile == nil)
    #expect(parameters.pendingMax == 2_000 && parameters.pendingTimeout == 60_000)
    #expect(parameters.maintenanceInterval == 21_600_000)
    #expect(!parameters.cachesTransactions && !parameters.estimatesEnergy)
  }

  /// The faces take the ports after the first one's.
  @Test(arguments: [(65_520, 16, true), (65_521, 16, false), (65_535, 1, true), (0, 16, true), (9_090, 0, false)])
  func `every face has a port`(port: Int, faces: Int, isTaken: Bool) {
    let configuration = try? read(["DEVNET_PORT": String(port), "DEVNET_FACES": String(faces)])
    #expect((configuration != nil) == isTaken)
  }

  @Test func `a node's switches are read`() throws {
    let configuration = try read([
      "DEVNET_PENDING_MAX": "5", "DEVNET_PENDING_TIMEOUT_MS": "700", "DEVNET_MAINTENANCE_MS": "60000",
      "DEVNET_BLOCK_TRANSACTIONS": "9",
      "DEVNET_TRANSACTION_CACHE": "true", "DEVNET_ESTIMATE_ENERGY": "true", "DEVNET_STATE_FILE": "/x/chain",
    ])
    let parameters = configuration.parameters
    #expect(parameters.pendingMax == 5 && parameters.pendingTimeout == 700)
    #expect(parameters.maintenanceInterval == 60_000 && parameters.blockTransactionsMax == 9)
    #expect(parameters.cachesTransactions && parameters.estimatesEnergy)
    #expect(configuration.stateFile == "/x/chain")
  }

  /// Two runs that begin in the same slot are still two networks, unless the time is fixed.
  @Test func `each run has a genesis of its own unless its time is given`() throws {
    #expect(try read([:]).genesis.header.id != read([:]).genesis.header.id)
    let fixed = ["DEVNET_GENESIS_TIME_MS": "1500000000000"]
    #expect(try read(fixed).genesis.header.id == read(fixed).genesis.header.id)
  }

  @Test func `funds are exact to the sixth decimal`() throws {
    let (alice, bob) = (TestWallet.alice.address, TestWallet.bob.address)
    let text = "\(alice):1000.000001:0.1, \(bob):0:9000000000000.999999"
    #expect(
      try read(["DEVNET_FUND": text]).genesis.funds == [
        Genesis.Fund(address: alice, trx: 1_000_000_001, usdt: 100_000),
        Genesis.Fund(address: bob, trx: 0, usdt: 9_000_000_000_000_999_999),
      ])
  }

  @Test(arguments: [
    "1:1", "x:1:1", "%:1.0000001:1", "%:-1:1", "%:1e3:1", "%:1:", "%:1:1:1", "%:.5:1", "%:1.:1", "%:1:9300000000000",
    "%:1:1,%:1:1", "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t:1:1",
  ])
  func `a fund that is not address, TRX and USDT is refused`(text: String) {
    let text = text.replacing("%", with: TestWallet.alice.address.base58)
    #expect(throws: DevnetConfiguration.Failure.self) { try read(["DEVNET_FUND": text]) }
  }

  @Test func `every problem is named at once`() {
    do throws(DevnetConfiguration.Failure) {
      _ = try read([
        "DEVNET_PORT": "65536", "DEVNET_BLOCK_MS": "49", "DEVNET_PRODUCERS": "28", "DEVNET_USDT_CONTRACT": "T1",
        "DEVNET_FUND": "a,b", "LOG_LEVEL": "loud", "DEVNET_GENESIS_TIME_MS": "1500000000001", "DEVNET_FACES": "17",
        "DEVNET_PENDING_MAX": "-1", "DEVNET_PENDING_TIMEOUT_MS": "0", "DEVNET_MAINTENANCE_MS": "59999",
        "DEVNET_BLOCK_TRANSACTIONS": "0", "DEVNET_TRANSACTION_CACHE": "yes", "DEVNET_ESTIMATE_ENERGY": "1",
      ])
      Issue.record("a wrong configuration was taken")
    } catch {
      #expect(error.problems.count == 15)
      for name in [
        "PORT", "BLOCK_MS", "PRODUCERS", "USDT_CONTRACT", "FUND", "GENESIS_TIME_MS", "PENDING_MAX",
        "PENDING_TIMEOUT_MS", "MAINTENANCE_MS", "BLOCK_TRANSACTIONS", "TRANSACTION_CACHE",
        "ESTIMATE_ENERGY", "FACES",
      ] {
        #expect(error.problems.contains { $0.hasPrefix("DEVNET_\(name): ") }, "\(name)")
      }
      #expect(error.problems.contains { $0.hasPrefix("LOG_LEVEL: ") })
    }
  }

  @Test(arguments: [("0", true), ("65535", true), ("-1", false), ("65536", false), ("8080x", false)])
  func `a port is a number from 0 to 65535`(text: String, isTaken: Bool) {
    let configuration = try? read(["DEVNET_PORT": text])
    #expect((configuration != nil) == isTaken)
  }
}
