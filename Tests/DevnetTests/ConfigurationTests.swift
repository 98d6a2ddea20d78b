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
        "DEVNET_FUND": "a,b", "LOG_LEVEL": "loud", "DEVNET_GENESIS_TIME_MS": "1500000000001",
      ])
      Issue.record("a wrong configuration was taken")
    } catch {
      #expect(error.problems.count == 8)
      for name in ["PORT", "BLOCK_MS", "PRODUCERS", "USDT_CONTRACT", "FUND", "GENESIS_TIME_MS"] {
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
