import Foundation
import Payouts
import TestSupport
import Testing

/// Configurations that are wrong, each in one thing, and what the built executables make of them: exit code 78, the name of
/// the variable and what is wrong with it, no other complaint, and no secret.
@Suite struct MalformedConfigurationTests {
  /// What must never be shown.
  private static let secrets = ["hunter2secret", String(repeating: "c0ffee11", count: 8), "a jwt key of the tests"]

  /// A configuration that is good for everybody: only what a row changes is wrong with it.
  private static let good: [String: String] = [
    "PATH": "/usr/bin:/bin", "LUCID_ENV": "dev", "DATABASE_URL": "postgresql://u:hunter2secret@127.0.0.1:1/x",
    "REDIS_URL": "redis://:hunter2secret@127.0.0.1:1", "TRON_NETWORK": "devnet",
    "TRON_GENESIS_BLOCK_ID": String(repeating: "0a", count: 32), "TRON_RPC_URL": "http://127.0.0.1:1",
    "TRON_PRIVATE_KEY": secrets[1], "SIGNER_STATE_DIR": "/nonexistent/state",
    "JWT_SECRET_KEY": "a jwt key of the tests, hunter2secret", "INTENT_SEAL_KEY": "k:\(secrets[1])",
    "INTENT_SEAL_PUBLIC_KEY": (try? Sealer("k:\(secrets[1])").publicKeyText) ?? "",
  ]

  /// One change, and what must be said.
  struct Malformed: Sendable, CustomTestStringConvertible {
    let program: String
    let change: [String: String]
    /// The variable that is named.
    let key: String
    /// What of the text matters.
    let words: String
    let arguments: [String]

    init(
      _ program: String, _ key: String, _ value: String, _ words: String, and others: [String: String] = [:],
      arguments: [String] = []
    ) {
      self.program = program
      change = others.merging([key: value]) { $1 }
      self.key = key
      self.words = words
      self.arguments = arguments
    }

    var testDescription: String { "\(program): \(change.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" })" }
  }

  private static let signerInit = ["signer", "init"]

  static let shared: [Malformed] = [
    Malformed("ingest", "LUCID_ENV", "prod", "one of dev, staging, production"),
    Malformed("scheduler", "LUCID_ENV", "production", "closed for now"),
    Malformed("signer", "SERVICE_NAME", "a\nb", "a control character or a second line"),
    Malformed("monitor", "LOG_LEVEL", "loud", "got \"loud\""),
    Malformed("scheduler", "LOG_FORMAT", "xml", "one of json, text"),
    Malformed("ingest", "METRICS_HOST", "a\tb", "a control character"),
    Malformed("monitor", "METRICS_PORT", "65536", "from 0 to 65535"),
    Malformed("signer", "METRICS_PORT", "http", "no whole number"),
    Malformed("ingest", "DATABASE_URL", "mysql://u:hunter2secret@db/x", "postgresql or postgres"),
    Malformed("scheduler", "DATABASE_URL", "", "is required"),
    Malformed("payoutctl", "DATABASE_URL", "db.hunter2secret", "no scheme", arguments: ["held"]),
    Malformed("monitor", "REDIS_URL", "http://:hunter2secret@redis", "redis or rediss"),
    Malformed("payoutctl", "REDIS_URL", "", "is required", arguments: ["dead-letters"]),
    Malformed("signer", "TRON_NETWORK", "ropsten", "got \"ropsten\""),
    Malformed("ingest", "TRON_NETWORK", "", "mainnet, shasta, nile, devnet"),
    Malformed("monitor", "TRON_NETWORK", "mainnet", "real money", and: ["TRON_GENESIS_BLOCK_ID": ""]),
    Malformed("scheduler", "TRON_GENESIS_BLOCK_ID", "abc", "64 hexadecimal"),
    Malformed("signer", "TRON_GENESIS_BLOCK_ID", "", "is required"),
    Malformed("monitor", "USDT_CONTRACT_ADDRESS", "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6u", "wrong checksum"),
    Malformed("ingest", "REQUIRED_CONFIRMATIONS", "0", "from 1 to 1000"),
    Malformed("signer", "CLOCK_BOUND_SECONDS", "601", "from 1 to 600"),
    Malformed("scheduler", "CLOCK_OFFSET_PATH", "/nonexistent/offset", "a whole number of milliseconds"),
    Malformed("scheduler", "MAX_EXPIRATION_SECONDS", "59", "from 60 to 3600"),
    Malformed("monitor", "TRON_RPC_URL", "", "is required"),
    Malformed("signer", "TRON_RPC_URL", "ftp://a/b", "ftp://a"),
    Malformed("payoutctl", "TRON_RPC_URL", "http://a,http://a", "an item twice", arguments: signerInit),
    Malformed("monitor", "TRON_RPC_URL", "http://u:hunter2secret@a", "not shown"),
    Malformed("signer", "TRON_RPC_QUORUM", "2", "from 1 to 1"),
    Malformed("monitor", "TRON_RPC_QUORUM", "1", "from 2 to 3", and: ["TRON_RPC_URL": "http://a,http://b,http://c"]),
    Malformed("signer", "TRON_SOLIDITY_URL", "http://a,http://b", "names 2 and TRON_RPC_URL 1"),
    Malformed(
      "monitor", "TRONGRID_API_KEY", "hunter2secret", "sent to nobody",
      and: ["TRON_RPC_URL": "http://a,https://eviltrongrid.io"]),
    Malformed("signer", "TOR_ENABLED", "perhaps", "true or false"),
    Malformed("monitor", "TOR_PROXY", "socks5://u:hunter2secret@a:1", "user name"),
    Malformed("monitor", "TOR_PROXY", "", "required with TOR_ENABLED", and: ["TOR_ENABLED": "true"]),
  ]

  static let workers: [Malformed] = [
    Malformed("ingest", "HOST", "a\u{7f}b", "a control character"),
    Malformed("ingest", "PORT", "70000", "from 0 to 65535"),
    Malformed("ingest", "JWT_SECRET_KEY", "hunter2secret", "at least 32 bytes"),
    Malformed("ingest", "JWT_SECRET_KEY", "", "is required, or JWT_JWKS_FILE"),
    Malformed("ingest", "JWT_JWKS_FILE", "/nonexistent/keys.json", "it does not exist"),
    Malformed("ingest", "JWT_JWKS_FILE", "/etc/passwd", "no JSON text"),
    Malformed("ingest", "AUDIT_LOG_PATH", "a\nb", "a control character"),
    Malformed("monitor", "AUDIT_SINK_URL", "ftp://x/hunter2secret", "http or https"),
    Malformed("ingest", "JWT_AUDIENCE", "pay\touts", "a control character"),
    Malformed("ingest", "API_GATEWAY_TOKEN", "hunter2secret", "at least 32 bytes"),
    Malformed("ingest", "INTENT_SEAL_KEY", "k:hunter2secret", "not shown"),
    Malformed("ingest", "INTENT_SEAL_KEY", "", "is required"),
    Malformed("ingest", "HOURLY_PAYOUT_LIMIT_USDT", "1e3", "an amount in USDT"),
    Malformed("ingest", "DAILY_PAYOUT_LIMIT_USDT", "-1", "an amount in USDT"),
    Malformed("ingest", "V0_HOURLY_PAYOUT_LIMIT_USDT", "1.0000001", "7 decimals"),
    Malformed("ingest", "V0_DAILY_PAYOUT_LIMIT_USDT", "much", "an amount in USDT"),
    Malformed("ingest", "KYC_HOURLY_PAYOUT_LIMIT_USDT", "1,5", "an amount in USDT"),
    Malformed("ingest", "KYC_DAILY_PAYOUT_LIMIT_USDT", "NaN", "an amount in USDT"),
    Malformed("ingest", "V0_MAX_PAYOUT_USDT", "10000.01", "0.01 to 10000"),
    Malformed("ingest", "KYC_MAX_PAYOUT_USDT", "0", "0.01 to 10000"),
    Malformed("ingest", "REQUIRE_IDEMPOTENCY_KEY", "maybe", "true or false"),
    Malformed("ingest", "CORS_ALLOWED_ORIGINS", "*", "name each origin"),
    Malformed("ingest", "RATE_LIMIT_BATCH_PER_MINUTE", "-1", "from 0 to 1000000"),
    Malformed("ingest", "RATE_LIMIT_WRITES_PER_MINUTE", "1000001", "from 0 to 1000000"),
    Malformed("ingest", "RATE_LIMIT_READS_PER_MINUTE", "many", "no whole number"),
    Malformed("ingest", "COMPLIANCE_AUTHORITY_ADDRESS", "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6u", "a TRON address"),
    Malformed("ingest", "PAYOUT_ROUTER_V0_ADDRESS", "T", "a TRON address"),
    Malformed("ingest", "PAYOUT_ROUTER_KYC_ADDRESS", "0x41", "a TRON address"),
    Malformed("signer", "TREASURY_ADDRESSES", "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6u", "checksum"),
    Malformed("scheduler", "BATCH_HOURLY_SECONDS", "0", "from 1 to 604800"),
    Malformed("scheduler", "BATCH_DAILY_SECONDS", "604801", "from 1 to 604800"),
    Malformed("scheduler", "BATCH_WEEKLY_SECONDS", "a week", "no whole number"),
    Malformed("scheduler", "INTENT_LOG_HOURS", "0", "from 1 to 8760"),
    Malformed("devnet", "DEVNET_BLOCK_TRANSACTIONS", "0", "from 1 to 1000000"),
    Malformed("scheduler", "BATCH_DAILY_SECONDS", "60", "LUCID_ENV=dev only", and: ["LUCID_ENV": "staging"]),
    Malformed("signer", "TRON_PRIVATE_KEY", "hunter2secret", "at least 64 bytes"),
    Malformed("signer", "TRON_KEYSTORE_FILE", "/nonexistent", "together with TRON_PRIVATE_KEY"),
    Malformed("signer", "TRON_KEYSTORE_FILE", "", "is required", and: ["TRON_PRIVATE_KEY": ""]),
    Malformed(
      "payoutctl", "TRON_KEYSTORE_FILE", "", "is required", and: ["TRON_PRIVATE_KEY": ""], arguments: signerInit),
    Malformed(
      "signer", "TRON_KEYSTORE_PASSPHRASE", "", "is required with TRON_KEYSTORE_FILE",
      and: ["TRON_PRIVATE_KEY": "", "TRON_KEYSTORE_FILE": "/nonexistent"]),
    Malformed("signer", "SIGNER_NAME", "../signer", "letters, digits, dots"),
    Malformed("payoutctl", "SIGNER_NAME", String(repeating: "s", count: 65), "1 to 64 letters", arguments: signerInit),
    Malformed("signer", "SIGNER_NAMES", "signer,,other", "an empty item"),
    Malformed("signer", "SIGNER_NAMES", "others", "does not name this Signer"),
    Malformed("signer", "SIGNER_STATE_DIR", "", "is required"),
    Malformed("signer", "INTENT_SEAL_PUBLIC_KEY", "k:00", "id:hex"),
    Malformed("signer", "SIGNER_HOURLY_LIMIT_USDT", "-0.01", "an amount in USDT"),
    Malformed("signer", "SIGNER_DAILY_LIMIT_USDT", "1.2345678", "7 decimals"),
    Malformed("signer", "TRANSACTION_EXPIRATION_SECONDS", "601", "from 30 to 600"),
    Malformed("signer", "MAX_IN_FLIGHT_TRANSACTIONS", "0", "from 1 to 100000"),
    Malformed("monitor", "PAYOUT_RETRY_DELAY_SECONDS", "0", "from 1 to 86400"),
    Malformed("monitor", "MAX_PAYOUT_RETRY_ATTEMPTS", "101", "from 1 to 100"),
    Malformed("monitor", "ALARM_WEBHOOK_URL", "ftp://x/hunter2secret", "http or https"),
    Malformed("monitor", "WEBHOOK_ALLOWED_NETWORKS", "127.0.0.0/8,10.0.0.1/8", "10.0.0.1/8"),
    Malformed("ingest", "JWT_SECRET_KEY_FILE", "/nonexistent/hunter2", "JWT_SECRET_KEY", and: ["JWT_SECRET_KEY": ""]),
    Malformed("monitor", "REDIS_URL_FILE", "/etc/hostname", "REDIS_URL"),
  ]

  static let devnet: [Malformed] = [
    Malformed("devnet", "DEVNET_PORT", "65536", "65535"), Malformed("devnet", "DEVNET_BLOCK_MS", "49", "from 50"),
    Malformed("devnet", "DEVNET_FUND", "T:1:1", "address:TRX:USDT"),
    Malformed("devnet", "DEVNET_USDT_CONTRACT", "T1", "no address"),
    Malformed("devnet", "DEVNET_GENESIS_TIME_MS", "1500000000001", "not a multiple of the slot"),
    Malformed("devnet", "DEVNET_PRODUCERS", "28", "from 1 to 27"),
    Malformed("devnet", "DEVNET_FACES", "17", "from 1 to 16"),
    Malformed("devnet", "DEVNET_MAINTENANCE_MS", "59999", "60000"),
    Malformed("devnet", "DEVNET_PENDING_MAX", "-1", "from 0"),
    Malformed("devnet", "DEVNET_PENDING_TIMEOUT_MS", "0", "from 1"),
    Malformed("devnet", "DEVNET_TRANSACTION_CACHE", "yes", "neither true nor false"),
    Malformed("devnet", "DEVNET_ESTIMATE_ENERGY", "1", "neither true nor false"),
    Malformed("devnet", "DEVNET_STATE_FILE", "/nonexistent/chain", "/nonexistent/chain"),
    Malformed("devnet", "LOG_LEVEL", "loud", "expected one of"),
  ]

  static let all = shared + workers + devnet

  @Test(arguments: MalformedConfigurationTests.all)
  func `a malformed configuration ends with 78, names its variable and nothing else, and shows no secret`(
    malformed: Malformed
  ) async throws {
    let outcome = try await TestProcess.run(
      "/usr/bin/setsid", ["--wait", TestProcess.builtExecutable(malformed.program)] + malformed.arguments,
      environment: Self.good.merging(malformed.change) { $1 }, within: .seconds(120))
    #expect(outcome.exitCode == 78, "\(outcome.errors)")
    // One line for the one problem: KEY, and what is wrong with it.
    var lines = outcome.errors.split(separator: "\n").map(String.init)
    if malformed.program == "devnet", lines.count > 1 { lines.removeFirst() }
    #expect(lines.count == 1, "\(outcome.errors)")
    let named = malformed.program == "devnet" ? "\(malformed.key)" : "\(malformed.program): "
    #expect(lines.first?.contains(named) == true || malformed.key == "DEVNET_STATE_FILE", "\(outcome.errors)")
    #expect(outcome.errors.contains(malformed.key) || malformed.key == "DEVNET_STATE_FILE", "\(outcome.errors)")
    #expect(outcome.errors.contains(malformed.words), "\(outcome.errors)")
    for secret in Self.secrets { #expect(!(outcome.output + outcome.errors).contains(secret)) }
  }

  @Test func `every variable that README documents has a malformed configuration`() throws {
    // "At least 30 malformed configurations", and none of the variables without one.
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let readme = try String(contentsOf: root.appendingPathComponent("README.md"), encoding: .utf8)
    let documented = readme.split(separator: "\n").filter { $0.hasPrefix("| `") }.flatMap { row in
      row.dropFirst().prefix { $0 != "|" }.matches(of: /`([A-Z][A-Z0-9_]{3,})`/).map { String($0.output.1) }
    }
    #expect(documented.contains("TRON_RPC_URL") && documented.contains("DEVNET_FUND"), "the table is not read any more")
    let missing = Set(documented).subtracting(Self.all.map(\.key))
    #expect(missing.isEmpty, "without a malformed configuration: \(missing.sorted())")
    #expect(Self.all.count >= 30)
    #expect(Set(Self.all.map(\.testDescription)).count == Self.all.count)
    print("malformed configurations: \(Self.all.count)")
  }
}
