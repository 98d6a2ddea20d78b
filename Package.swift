// swift-tools-version: 6.2
import PackageDescription

/// Every target of ours is built with the same strictness: Swift 6 language mode, imports that stay
/// inside a module unless its signatures need them, and no warning left standing.
let strict: [SwiftSetting] = [
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("ExistentialAny"),
  .treatAllWarnings(as: .error),
]

/// What the simulator runs hundreds of worlds of in every run of the tests is optimised in debug builds too. Checks of
/// overflow and `precondition` stay.
let optimised = strict + [.unsafeFlags(["-O"], .when(configuration: .debug))]

func shared(_ name: String, _ dependencies: [Target.Dependency], excluding: [String] = []) -> Target {
  .target(
    name: name, dependencies: dependencies, path: "Sources/Shared/\(name)", exclude: excluding,
    swiftSettings: optimised)
}

func system(_ name: String) -> Target {
  .systemLibrary(name: name, path: "Sources/Shared/\(name)")
}

func role(_ name: String, _ dependencies: [Target.Dependency], _ settings: [SwiftSetting] = strict) -> Target {
  .target(name: name, dependencies: dependencies, path: "Sources/\(name)", swiftSettings: settings)
}

/// An executable only starts a library target: its module is `<Name>Main`, its product has the lower-case name.
func executable(_ name: String, starts target: String) -> Target {
  .executableTarget(
    name: "\(target)Main", dependencies: [.target(name: target)], path: "Sources/Executables/\(name)",
    swiftSettings: strict)
}

func tests(_ name: String, of dependencies: [Target.Dependency], excluding: [String] = []) -> Target {
  .testTarget(
    name: name, dependencies: ["TestSupport"] + dependencies, path: "Tests/\(name)", exclude: excluding,
    swiftSettings: strict)
}

let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let nioSSL: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let metrics: Target.Dependency = .product(name: "Metrics", package: "swift-metrics")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let hummingbird: Target.Dependency = .product(name: "Hummingbird", package: "hummingbird")
let httpClient: Target.Dependency = .product(name: "AsyncHTTPClient", package: "async-http-client")
let configuration: Target.Dependency = .product(name: "Configuration", package: "swift-configuration")
let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let protobuf: Target.Dependency = .product(name: "SwiftProtobuf", package: "swift-protobuf")
let jwt: Target.Dependency = .product(name: "JWTKit", package: "jwt-kit")

let package = Package(
  name: "tron-payouts",
  platforms: [.macOS(.v15)],
  products: [
    .executable(name: "ingest", targets: ["IngestMain"]),
    .executable(name: "scheduler", targets: ["SchedulerMain"]),
    .executable(name: "signer", targets: ["SignerMain"]),
    .executable(name: "monitor", targets: ["MonitorMain"]),
    .executable(name: "payoutctl", targets: ["PayoutctlMain"]),
    .executable(name: "devnet", targets: ["DevnetMain"]),
    .executable(name: "simulate", targets: ["SimulationMain"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
    .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
    .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1"),
  ],
  targets: [
    system("CHiredis"), system("CLibpq"), system("CSecp256k1"), system("COpenSSL"),

    shared("Payouts", [crypto]),
    shared("Postgres", ["CLibpq", nioCore, nioPosix, logging, lifecycle]),
    shared("Ledger", ["Payouts", "Postgres", crypto, logging, lifecycle]),
    shared("Redis", ["CHiredis", nioCore, nioPosix, nioSSL, logging, lifecycle]),
    shared("Streams", ["Redis", logging, lifecycle]),
    shared(
      "Tron", ["Payouts", "CSecp256k1", crypto, protobuf, httpClient, nioCore, nioPosix, lifecycle],
      excluding: ["Protobuf/tron.proto", "Protobuf/envelope.proto"]),
    shared("Keystore", ["Payouts", "Tron", "COpenSSL", crypto, nioCore, nioPosix]),
    shared("Worker", ["Payouts", configuration, logging, metrics, lifecycle, hummingbird, nioCore]),
    shared("Nodes", ["Payouts", "Tron", "Worker", metrics]),
    shared("Queues", ["Payouts", "Ledger", "Streams", "Worker"]),

    role(
      "Ingest",
      [
        "Worker", "Ledger", "Streams", "Queues", "Tron", "Payouts", hummingbird, jwt, logging, metrics, lifecycle,
        crypto,
      ]
    ),
    role("Scheduler", ["Worker", "Ledger", "Streams", "Queues", "Payouts", logging, metrics, lifecycle]),
    role(
      "Signer",
      [
        "Worker", "Ledger", "Streams", "Queues", "Tron", "Nodes", "Keystore", "Payouts", logging, metrics, lifecycle,
        crypto,
      ]),
    role(
      "Monitor",
      [
        "Worker", "Ledger", "Streams", "Queues", "Tron", "Nodes", "Payouts", httpClient, nioCore, nioPosix, nioSSL,
        logging,
        metrics, lifecycle,
      ]),
    role(
      "Payoutctl", ["Worker", "Ledger", "Streams", "Tron", "Nodes", "Keystore", "Payouts", argumentParser, logging]),
    role(
      "Simulation",
      [
        "Ingest", "Scheduler", "Signer", "Monitor", "Payoutctl", "Worker", "Ledger", "Streams", "Tron", "Keystore",
        "Payouts", argumentParser, logging,
      ], optimised),
    role("Devnet", ["CSecp256k1", hummingbird, nioCore, crypto, logging, lifecycle]),

    executable("ingest", starts: "Ingest"),
    executable("scheduler", starts: "Scheduler"),
    executable("signer", starts: "Signer"),
    executable("monitor", starts: "Monitor"),
    executable("payoutctl", starts: "Payoutctl"),
    executable("devnet", starts: "Devnet"),
    executable("simulate", starts: "Simulation"),

    .target(
      name: "TestSupport",
      dependencies: [
        "Streams", "Redis", "Tron", "Keystore", "Payouts", "Worker", "Ledger", "Postgres", logging, nioCore, nioPosix,
        nioHTTP1,
      ],
      path: "Tests/TestSupport", swiftSettings: strict),
    .executableTarget(
      name: "WorkerProbe", dependencies: ["Worker", lifecycle], path: "Tests/WorkerProbe", swiftSettings: strict),
    tests("LayoutTests", of: []),
    tests(
      "EndToEnd",
      of: [
        "IngestMain", "SchedulerMain", "SignerMain", "MonitorMain", "PayoutctlMain", "DevnetMain", "Keystore",
        "Payouts",
        "Worker", httpClient, nioCore, crypto,
      ]),
    tests("PayoutsTests", of: ["Payouts", crypto]),
    tests("PostgresTests", of: ["Postgres", nioCore, nioPosix, logging, lifecycle]),
    tests("RedisTests", of: ["Redis", nioCore, logging]),
    tests("StreamsTests", of: ["Streams", "Redis", logging, lifecycle]),
    tests("TronTests", of: ["Tron", "Payouts", crypto, httpClient], excluding: ["compliance"]),
    tests("NodesTests", of: ["Nodes", "Tron", "Worker", "Payouts"]),
    tests("KeystoreTests", of: ["Keystore", "Tron", "Payouts"]),
    tests("WorkerTests", of: ["Worker", "WorkerProbe", "Payouts", httpClient, logging, metrics, lifecycle, nioCore]),
    tests("LedgerTests", of: ["Ledger", "Payouts", "Postgres", "Simulation", nioCore, nioPosix, logging]),
    tests("SimulationTests", of: ["Simulation", "SimulationMain", "Payouts"]),
    tests(
      "IngestTests",
      of: [
        "Ingest", "IngestMain", "Ledger", "Streams", "Tron", "Payouts", "Worker", httpClient, crypto, lifecycle,
        logging,
        nioCore, nioPosix,
      ]),
    tests(
      "SchedulerTests", of: ["Scheduler", "SchedulerMain", "Ledger", "Streams", "Payouts", "Worker", logging]),
    tests(
      "PayoutctlTests",
      of: [
        "Payoutctl", "PayoutctlMain", "DevnetMain", "Keystore", "Ledger", "Payouts", "Streams", "Tron", "Worker",
        logging,
      ]),
    tests(
      "SignerTests",
      of: [
        "Signer", "Scheduler", "Monitor", "Payoutctl", "Ledger", "Keystore", "Tron", "Streams", "Worker", "Payouts",
        "Postgres", logging,
      ]),
    tests(
      "MonitorTests",
      of: [
        "Monitor", "Signer", "DevnetMain", "Ledger", "Keystore", "Tron", "Streams", "Worker", "Payouts", "Postgres",
        logging, nioCore, nioPosix, nioHTTP1, nioSSL, lifecycle,
      ]),
    tests("DevnetTests", of: ["Devnet", httpClient, nioCore, lifecycle, logging], excluding: ["tronpy"]),
    tests(
      "WholePathTests",
      of: [
        "Ingest", "Scheduler", "Signer", "Monitor", "Ledger", "Keystore", "Tron", "Streams", "Worker", "Payouts",
        logging,
      ]),
  ]
)
