import Payouts
import Testing

@testable import Worker

/// Everything that the shared configuration types read, and one key of each other type of value.
struct WholeConfiguration: SettingsReadable, Sendable {
  let worker: WorkerConfiguration
  let store: StoreConfiguration
  let tron: TronConfiguration
  let node: NodeConfiguration
  let isKeyRequired: Bool
  let names: [String]
  let limit: Amount
  let wallet: Address?
  let token: Secret

  init(from settings: inout Settings) {
    worker = WorkerConfiguration(program: "probe", from: &settings)
    store = StoreConfiguration(from: &settings)
    tron = TronConfiguration(from: &settings)
    node = NodeConfiguration(from: &settings)
    isKeyRequired = settings.flag("REQUIRE_IDEMPOTENCY_KEY", default: false)
    names = settings.list("SIGNER_NAMES", default: ["signer"])
    limit = settings.usdtAmount("DAILY_PAYOUT_LIMIT_USDT", default: .zero, in: least...most)
    wallet = settings.optionalAddress("PAYOUT_ROUTER_V0_ADDRESS")
    token = settings.secret("API_GATEWAY_TOKEN", minimumBytes: 16)
    settings.allowOnlyInDevelopment(["TRON_PRIVATE_KEY"], because: "a key in the environment is readable by many")
  }
}

private let least = Amount.zero
private let most: Amount = { (try? Amount(microUSDT: 5_000_000_000)) ?? .zero }()

/// A configuration without fault, for a devnet.
private let good: [String: String] = [
  "DATABASE_URL": "postgresql://payouts:hunter2@127.0.0.1:5432/payouts", "REDIS_URL": "redis://127.0.0.1:6379",
  "TRON_NETWORK": "devnet",
  "TRON_GENESIS_BLOCK_ID": "0000000000000000aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
  "TRON_RPC_URL": "http://127.0.0.1:8090", "API_GATEWAY_TOKEN": "0123456789abcdef",
]

/// A change of the good configuration, and the problems that it must bring, all of them, in order.
struct Malformed: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let change: [String: String]
  /// Key, and what its text must hold.
  let problems: [(key: String, text: String)]

  init(_ name: String, _ change: [String: String], _ problems: [(String, String)]) {
    testDescription = name
    self.change = change
    self.problems = problems.map { (key: $0.0, text: $0.1) }
  }
}

private let mainnetGenesis = "00000000000000001ebf88508a03865c71d452e25f4d51194196a1d22b6653dc"

private let malformed: [Malformed] = [
  Malformed("production is closed", ["LUCID_ENV": "production"], [("LUCID_ENV", "fault simulator, quarantine")]),
  Malformed("unknown stage", ["LUCID_ENV": "prod"], [("LUCID_ENV", "one of dev, staging, production, got \"prod\"")]),
  Malformed("log level", ["LOG_LEVEL": "loud"], [("LOG_LEVEL", "got \"loud\"")]),
  Malformed("log format", ["LOG_FORMAT": "xml"], [("LOG_FORMAT", "one of json, text")]),
  Malformed(
    "a clock moved in production", ["LUCID_ENV": "production", "CLOCK_OFFSET_PATH": "/dev/null"],
    [("LUCID_ENV", "is closed"), ("CLOCK_OFFSET_PATH", "LUCID_ENV=dev or staging only")]),
  Malformed(
    "a clock moved nobody knows where", ["LUCID_ENV": "prod", "CLOCK_OFFSET_PATH": "/dev/null"],
    [("LUCID_ENV", "one of"), ("CLOCK_OFFSET_PATH", "LUCID_ENV=dev or staging only")]),
  Malformed(
    "a clock moved by nothing", ["CLOCK_OFFSET_PATH": "/nowhere"],
    [("CLOCK_OFFSET_PATH", "a whole number of milliseconds from -86400000 to 86400000, got \"/nowhere\"")]),
  Malformed(
    "a clock moved by a device", ["LUCID_ENV": "staging", "CLOCK_OFFSET_PATH": "/dev/zero"],
    [("CLOCK_OFFSET_PATH", "no regular file")]),
  Malformed("port above", ["METRICS_PORT": "65536"], [("METRICS_PORT", "from 0 to 65535, got \"65536\"")]),
  Malformed("port below", ["METRICS_PORT": "-1"], [("METRICS_PORT", "out of range")]),
  Malformed("port no number", ["METRICS_PORT": "80a"], [("METRICS_PORT", "no whole number")]),
  Malformed("two lines", ["SERVICE_NAME": "a\nb"], [("SERVICE_NAME", "got \"a?b\"")]),
  Malformed("no database", ["DATABASE_URL": ""], [("DATABASE_URL", "is required")]),
  Malformed("other database", ["DATABASE_URL": "mysql://db"], [("DATABASE_URL", "postgresql or postgres")]),
  Malformed("database port", ["DATABASE_URL": "postgres://db:0/x"], [("DATABASE_URL", "1 to 65535")]),
  Malformed("redis host", ["REDIS_URL": "redis://"], [("REDIS_URL", "exactly one host")]),
  Malformed("no scheme", ["REDIS_URL": "127.0.0.1:6379"], [("REDIS_URL", "no scheme")]),
  Malformed("no network", ["TRON_NETWORK": ""], [("TRON_NETWORK", "mainnet, shasta, nile, devnet")]),
  Malformed("unknown network", ["TRON_NETWORK": "ropsten"], [("TRON_NETWORK", "got \"ropsten\"")]),
  Malformed(
    "mainnet in dev", ["TRON_NETWORK": "mainnet", "TRON_GENESIS_BLOCK_ID": ""], [("TRON_NETWORK", "real money")]),
  Malformed(
    "genesis of another network", ["TRON_NETWORK": "nile", "TRON_GENESIS_BLOCK_ID": mainnetGenesis],
    [("TRON_GENESIS_BLOCK_ID", "another network's")]),
  Malformed("devnet without genesis", ["TRON_GENESIS_BLOCK_ID": ""], [("TRON_GENESIS_BLOCK_ID", "is required")]),
  Malformed("short genesis", ["TRON_GENESIS_BLOCK_ID": "abc"], [("TRON_GENESIS_BLOCK_ID", "64 hexadecimal")]),
  Malformed("no node", ["TRON_RPC_URL": ""], [("TRON_RPC_URL", "is required")]),
  Malformed(
    "too many nodes", ["TRON_RPC_URL": (1...17).map { "http://a\($0)" }.joined(separator: ",")],
    [("TRON_RPC_URL", "names 17 nodes, expected at most 16")]),
  Malformed("one node twice", ["TRON_RPC_URL": "http://a,http://a"], [("TRON_RPC_URL", "an item twice")]),
  Malformed(
    "one node in two spellings", ["TRON_RPC_URL": "http://Node,http://node:80/"],
    [("TRON_RPC_URL", "a server twice")]),
  Malformed(
    "one node with TLS and without", ["TRON_RPC_URL": "http://node:443,https://node"],
    [("TRON_RPC_URL", "a server twice")]),
  Malformed("node's scheme", ["TRON_RPC_URL": "ftp://a/b"], [("TRON_RPC_URL", "got \"ftp://a/…\"")]),
  Malformed("node's query", ["TRON_RPC_URL": "http://a?key=s3cret"], [("TRON_RPC_URL", "parameters")]),
  Malformed("solidity", ["TRON_SOLIDITY_URL": "http://a b"], [("TRON_SOLIDITY_URL", "percent-encoded")]),
  Malformed(
    "solidity of one of two", ["TRON_RPC_URL": "http://a,http://b", "TRON_SOLIDITY_URL": "http://c"],
    [("TRON_SOLIDITY_URL", "names 1 and TRON_RPC_URL 2")]),
  Malformed(
    "a key for nobody", ["TRON_RPC_URL": "http://a,https://eviltrongrid.io", "TRONGRID_API_KEY": "k"],
    [("TRONGRID_API_KEY", "sent to nobody")]),
  Malformed("proxy missing", ["TOR_ENABLED": "true"], [("TOR_PROXY", "required with TOR_ENABLED")]),
  Malformed("proxy's scheme", ["TOR_PROXY": "http://a:1"], [("TOR_PROXY", "socks5 or socks5h")]),
  Malformed("proxy's port", ["TOR_PROXY": "localhost"], [("TOR_PROXY", "its port")]),
  Malformed("proxy's user", ["TOR_PROXY": "socks5://u:s3cret@a:1"], [("TOR_PROXY", "not shown (it carries a user")]),
  Malformed("proxy's path", ["TOR_PROXY": "a:1/b"], [("TOR_PROXY", "more than a host and its port")]),
  Malformed("proxy's switch", ["TOR_ENABLED": "perhaps", "TOR_PROXY": "a:1"], [("TOR_ENABLED", "true or false")]),
  Malformed("confirmations", ["REQUIRED_CONFIRMATIONS": "0"], [("REQUIRED_CONFIRMATIONS", "from 1 to 1000")]),
  Malformed(
    "few confirmations outside a devnet",
    ["TRON_NETWORK": "nile", "TRON_GENESIS_BLOCK_ID": "", "REQUIRED_CONFIRMATIONS": "18"],
    [("REQUIRED_CONFIRMATIONS", "at least 19 on nile, got 18")]),
  Malformed("clock bound", ["CLOCK_BOUND_SECONDS": "601"], [("CLOCK_BOUND_SECONDS", "from 1 to 600")]),
  Malformed("expiration", ["MAX_EXPIRATION_SECONDS": "59"], [("MAX_EXPIRATION_SECONDS", "from 60 to 3600")]),
  Malformed(
    "contract's checksum", ["USDT_CONTRACT_ADDRESS": "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6u"],
    [("USDT_CONTRACT_ADDRESS", "wrong checksum")]),
  Malformed(
    "zero contract", ["USDT_CONTRACT_ADDRESS": "T9yD14Nj9j7xAB4dbGeiX9h8unkKHxuWwb"],
    [("USDT_CONTRACT_ADDRESS", "zero address")]),
  Malformed("flag", ["REQUIRE_IDEMPOTENCY_KEY": "maybe"], [("REQUIRE_IDEMPOTENCY_KEY", "true or false")]),
  Malformed("empty item", ["SIGNER_NAMES": "a,,b"], [("SIGNER_NAMES", "empty item")]),
  Malformed("item twice", ["SIGNER_NAMES": "a, a"], [("SIGNER_NAMES", "an item twice")]),
  Malformed("seven decimals", ["DAILY_PAYOUT_LIMIT_USDT": "1.0000001"], [("DAILY_PAYOUT_LIMIT_USDT", "7 decimals")]),
  Malformed("above the limit", ["DAILY_PAYOUT_LIMIT_USDT": "5000.000001"], [("DAILY_PAYOUT_LIMIT_USDT", "0 to 5000")]),
  Malformed("router", ["PAYOUT_ROUTER_V0_ADDRESS": "0x12"], [("PAYOUT_ROUTER_V0_ADDRESS", "expected a TRON address")]),
  Malformed("short secret", ["API_GATEWAY_TOKEN": "0123456789abcde"], [("API_GATEWAY_TOKEN", "at least 16 bytes")]),
  Malformed(
    "key outside dev", ["LUCID_ENV": "staging", "TRON_PRIVATE_KEY": "aa"],
    [("TRON_PRIVATE_KEY", "LUCID_ENV=dev only")]),
  Malformed(
    "production, and with it everything else",
    [
      "LUCID_ENV": "production", "TRON_NETWORK": "mainnet", "DATABASE_URL": "", "REDIS_URL": "x", "METRICS_PORT": "x",
      "API_GATEWAY_TOKEN": "", "TRON_RPC_URL": "", "TRON_PRIVATE_KEY": "aa",
    ],
    [
      ("LUCID_ENV", "closed for now"), ("METRICS_PORT", "whole number"), ("DATABASE_URL", "required"),
      ("REDIS_URL", "no scheme"), ("TRON_GENESIS_BLOCK_ID", "expected \(mainnetGenesis) for mainnet"),
      ("TRON_RPC_URL", "required"), ("API_GATEWAY_TOKEN", "required"), ("TRON_PRIVATE_KEY", "dev only"),
    ]),
]

struct SettingsTests {
  /// Proves that each malformed configuration is refused with exactly its problems, each naming key and expectation.
  @Test(arguments: malformed)
  func `a malformed configuration is refused with every problem`(_ example: Malformed) throws {
    let environment = good.merging(example.change) { _, new in new }
    let error = try #require(throws: ConfigurationError.self) {
      try Settings.read(WholeConfiguration.self, environment: environment)
    }
    #expect(error.problems.map(\.key) == example.problems.map(\.key), "\(error)")
    for (found, expected) in zip(error.problems, example.problems) {
      #expect(found.text.contains(expected.text), "\(found)")
    }
    #expect(error.problems.allSatisfy { !$0.text.contains(where: \.isNewline) })
    #expect(error.description.split(separator: "\n").count == error.problems.count)
  }

  /// Proves that the good configuration of that table is good, so that each refusal comes from its change alone.
  @Test func `a good configuration is read, with its defaults`() throws {
    let read = try Settings.read(WholeConfiguration.self, environment: good)
    #expect(read.worker.stage == .dev)
    #expect(read.worker.serviceName == "probe")
    #expect(read.worker.logLevel == .info)
    #expect(read.worker.logFormat == nil)
    #expect(read.worker.metricsHost == "127.0.0.1")
    #expect(read.worker.metricsPort == 0)
    #expect(read.store.databaseURL.withText { $0 } == good["DATABASE_URL"])
    #expect(read.tron.network == .devnet)
    #expect(read.tron.usdtContract.description == "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t")
    #expect(read.tron.requiredConfirmations == 19)
    #expect(read.tron.clockBoundSeconds == 60)
    #expect(read.tron.maxExpirationSeconds == 600)
    #expect(read.node.nodes.map { $0.url.withText { $0 } } == ["http://127.0.0.1:8090"])
    #expect(read.node.nodes[0].solidityURL == nil)
    #expect(read.node.nodes[0].apiKey == nil)
    #expect(read.node.proxy.server == nil)
    #expect(read.names == ["signer"])
    #expect(read.wallet == nil)
  }

  /// Proves that the ends of the ranges belong to them, and that other spellings of the same value are taken.
  @Test func `values at the ends of their ranges are read`() throws {
    let change = [
      "METRICS_PORT": "65535", "CLOCK_BOUND_SECONDS": "600", "MAX_EXPIRATION_SECONDS": "60", "LUCID_ENV": "staging",
      "REQUIRED_CONFIRMATIONS": "1", "DAILY_PAYOUT_LIMIT_USDT": "5000", "REQUIRE_IDEMPOTENCY_KEY": "YES",
      "SIGNER_NAMES": " a , b ", "TRON_RPC_URL": "HTTPS://node.example/tron/", "LOG_FORMAT": "text",
    ]
    let read = try Settings.read(WholeConfiguration.self, environment: good.merging(change) { _, new in new })
    #expect(read.worker.metricsPort == 65_535)
    #expect(read.worker.stage == .staging)
    #expect(read.worker.logFormat == .text)
    #expect(read.tron.clockBoundSeconds == 600)
    #expect(read.tron.maxExpirationSeconds == 60)
    #expect(read.tron.requiredConfirmations == 1)
    #expect(read.limit.microUSDT == 5_000_000_000)
    #expect(read.isKeyRequired)
    #expect(read.names == ["a", "b"])
    #expect(read.node.nodes.map { $0.url.withText { $0 } } == ["HTTPS://node.example/tron"])
  }

  /// Proves that the public networks bring their own genesis block and token, as the protocol document lists them.
  @Test(arguments: [
    ("nile", "0000000000000000d698d4192c56cb6be724a558448e2684802de4d6cd8690dc", "TXYZopYRdj2D9XRtbG411XZZ3kM5VkAeBf"),
    (
      "shasta", "0000000000000000de1aa88295e1fcf982742f773e0419c5a9c134c994a9059e",
      "TG3XXyExBkPp9nzdajDZsozEu4BkaSJozs"
    ),
  ])
  func `a public network has its genesis block and token built in`(
    _ network: String, _ genesis: String, _ token: String
  ) throws {
    for given in ["", genesis] {
      let environment = ["TRON_NETWORK": network, "TRON_GENESIS_BLOCK_ID": given]
      let read = try Settings.read(TronConfiguration.self, environment: environment)
      #expect(read.genesisBlockID.description == genesis)
      #expect(read.usdtContract.description == token)
    }
    #expect(Network.mainnet.genesisBlockID?.description == mainnetGenesis)
  }

  /// Proves that the text of a refused production start names what must be shown first, as one line.
  @Test func `production says why it is closed and when it opens`() throws {
    let error = try #require(throws: ConfigurationError.self) {
      try Settings.read(environment: ["LUCID_ENV": "production"]) { $0.deploymentStage() }
    }
    for words in ["real money", "fault simulator", "quarantine", "quorum of nodes", "whole API"] {
      #expect(error.problems[0].text.contains(words))
    }
  }

  /// Proves that a configuration type asks for all of its keys even when everything is wrong, and that the list of
  /// keys can be read off it.
  @Test func `the keys of a configuration type can be listed`() {
    let keys = Settings.keys(readBy: NodeConfiguration.self)
    #expect(
      keys == [
        "TRON_RPC_URL", "TRON_SOLIDITY_URL", "TRONGRID_API_KEY", "TOR_ENABLED", "TOR_PROXY", "TRON_RPC_QUORUM",
      ])
    #expect(Settings.keys(readBy: WholeConfiguration.self).contains("TRON_PRIVATE_KEY"))
  }

  /// Proves that variables nobody reads disturb nothing.
  @Test func `unknown keys are no errors`() throws {
    let environment = good.merging(["PATH": "/bin", "TRON_RPC_URLS": "x"]) { _, new in new }
    #expect(throws: Never.self) { try Settings.read(WholeConfiguration.self, environment: environment) }
  }
}
