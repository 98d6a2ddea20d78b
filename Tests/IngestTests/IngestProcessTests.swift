import Foundation
import Ledger
import Payouts
import TestSupport
import Testing
import Worker

@testable import Ingest

/// The configuration, and the built executable on a real Redis and a real PostgreSQL.
struct IngestProcessTests {
  /// The executable lies beside the test bundle that runs now.
  private static func executable() throws -> String {
    let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    let candidates = [own, CommandLine.arguments[0]].map {
      URL(fileURLWithPath: $0).deletingLastPathComponent().appendingPathComponent("ingest").path
    }
    return try #require(candidates.first { FileManager.default.isExecutableFile(atPath: $0) })
  }

  @Test func `the process accepts, enqueues, and stops cleanly`() async throws {
    // Proves the composition on real servers: PORT=0 picks a port that is logged; a payout gets 201, a row and an entry in
    // Redis; SIGTERM ends the process with exit code 0.
    let scene = try await IngestScene()
    let redis = try await PrivateRedis.start()
    let port = try FreePort.choose()
    var environment = scene.environment(["REDIS_URL": redis.url, "PORT": "\(port)", "LOG_FORMAT": "json"])
    environment["PATH"] = "/usr/bin:/bin"
    let (executable, final) = (try Self.executable(), environment)
    let token = Tokens.hs256(["sub": "a", "role": "service", "exp": Date().timeIntervalSince1970 + 600])
    let outcome = try await withThrowingTaskGroup(of: ChildProcess.Outcome?.self) { group in
      group.addTask { try await ChildProcess.run(executable, environment: final) }
      group.addTask {
        let url = "http://127.0.0.1:\(port)"
        try await until("it is ready") {
          let ready = try await ChildProcess.run("curl", ["--silent", "--fail", "\(url)/ready"])
          return ready.status == 0
        }
        let answer = try await ChildProcess.require(
          "curl",
          [
            "--silent", "--fail", "--header", "Authorization: Bearer \(token)", "--json", payoutBody(),
            "\(url)/payouts",
          ])
        #expect(answer.contains("\"status\":\"queued\""))
        try await until("it is enqueued") {
          try await ChildProcess.require("redis-cli", ["-u", redis.url, "XLEN", "payouts.immediate"]) == "1"
        }
        return nil
      }
      // Whichever ends first: the story, which ends the process, or the process by itself, which fails the test.
      let first = try await group.next() ?? nil
      #expect(first == nil, "the process ended by itself: \(first?.standardError ?? "")")
      group.cancelAll()
      return try await group.next() ?? nil
    }
    #expect(outcome?.status == 0, "\(outcome?.standardError ?? "")")
    #expect(outcome?.standardError.contains("http://127.0.0.1:\(port)") == true)
    #expect(try await scene.payoutCount() == 1)
    await redis.stop()
  }

  @Test func `wrong settings end the process with exit code 78 and every problem named, no secret shown`() async throws
  {
    // Proves that an operator learns all at once.
    let outcome = try await ChildProcess.run(
      try Self.executable(),
      environment: [
        "DATABASE_URL": "postgres://u:hunter2@", "TRON_NETWORK": "devnet", "PORT": "99999",
        "JWT_SECRET_KEY": "hunter3 is too short", "INTENT_SEAL_KEY": "hunter4:00", "V0_MAX_PAYOUT_USDT": "10000.01",
        "HOURLY_PAYOUT_LIMIT_USDT": "1e3", "DAILY_PAYOUT_LIMIT_USDT": "-1", "REQUIRE_IDEMPOTENCY_KEY": "maybe",
        "PAYOUT_ROUTER_V0_ADDRESS": "T",
      ])
    #expect(outcome.status == 78)
    for key in [
      "REDIS_URL", "TRON_GENESIS_BLOCK_ID", "PORT", "JWT_SECRET_KEY", "INTENT_SEAL_KEY",
      "V0_MAX_PAYOUT_USDT", "HOURLY_PAYOUT_LIMIT_USDT", "DAILY_PAYOUT_LIMIT_USDT", "REQUIRE_IDEMPOTENCY_KEY",
      "PAYOUT_ROUTER_V0_ADDRESS",
    ] {
      #expect(outcome.standardError.contains("ingest: \(key): "), "\(key): \(outcome.standardError)")
    }
    #expect(!outcome.standardError.contains("hunter"))
  }

  @Test func `another installation's database ends the process with exit code 78`() async throws {
    // Proves that a mixed-up DATABASE_URL is found before anything is served.
    let scene = try await IngestScene()
    let environment = scene.environment(["TRON_GENESIS_BLOCK_ID": String(repeating: "0", count: 64)])
    let outcome = try await ChildProcess.run(try Self.executable(), environment: environment)
    #expect(outcome.status == 78)
    #expect(outcome.standardError.contains("another installation's"), "\(outcome.standardError)")
  }

  @Test func `tokens need a secret or a key set, and production a gateway`() async throws {
    // Proves which of the callers' keys must be there, and where.
    let scene = try await IngestScene()
    func wrongKeys(_ settings: [String: String]) -> [String] {
      do throws(ConfigurationError) {
        _ = try Settings.read(IngestConfiguration.self, environment: scene.environment(settings))
        return []
      } catch {
        return error.problems.map(\.key)
      }
    }
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let path = try folder.write(P256Key("one").keySet, to: "keys.json")
    #expect(wrongKeys(["JWT_SECRET_KEY": ""]) == ["JWT_SECRET_KEY"])
    #expect(wrongKeys(["JWT_SECRET_KEY": "", "JWT_JWKS_FILE": path]).isEmpty)
    #expect(wrongKeys(["JWT_JWKS_FILE": path]).isEmpty)
    #expect(wrongKeys(["JWT_SECRET_KEY": "", "JWT_JWKS_FILE": path + "x"]) == ["JWT_JWKS_FILE"])
    let token = String(repeating: "t", count: 32)
    for (text, isGood) in [
      (token, true), (String(token.dropLast()), false), (token + " ", false), (token + "\u{e9}", false), ("", true),
    ] {
      #expect(wrongKeys(["API_GATEWAY_TOKEN": text]) == (isGood ? [] : ["API_GATEWAY_TOKEN"]))
    }
    // That production is closed is a problem of its own.
    #expect(wrongKeys(["LUCID_ENV": "production"]) == ["LUCID_ENV", "API_GATEWAY_TOKEN"])
    #expect(wrongKeys(["LUCID_ENV": "production", "API_GATEWAY_TOKEN": token]) == ["LUCID_ENV"])
  }

  @Test func `a JWT key has at least 32 bytes`() async throws {
    // Proves both sides of the length, and the defaults that hang on the stage.
    let scene = try await IngestScene()
    func read(_ settings: [String: String]) throws -> IngestConfiguration {
      try Settings.read(IngestConfiguration.self, environment: scene.environment(settings))
    }
    #expect(throws: Never.self) { try read(["JWT_SECRET_KEY": String(repeating: "k", count: 32)]) }
    #expect(throws: ConfigurationError.self) { try read(["JWT_SECRET_KEY": String(repeating: "k", count: 31)]) }
    let plain = try read(["PORT": ""])
    #expect(plain.port == 8_090 && !plain.requiresIdempotencyKey && plain.maxima.v0Max == PayoutLimits.amountMax)
    #expect(plain.maxima.kycMax == PayoutLimits.amountMax && plain.routers == [IngestScene.router])
    for router in [nil, RouterType.v0, .kyc] {
      for span in LimitSpan.allCases { #expect(plain.limits[span, of: router] == nil) }
    }
    #expect(try read(["HOURLY_PAYOUT_LIMIT_USDT": "10.5"]).limits[.hour, of: nil]?.microUSDT == 10_500_000)
    // Each key stands for its own limit.
    let keys: [(String, LimitSpan, RouterType?)] = [
      ("DAILY_PAYOUT_LIMIT_USDT", .day, nil), ("V0_HOURLY_PAYOUT_LIMIT_USDT", .hour, .v0),
      ("V0_DAILY_PAYOUT_LIMIT_USDT", .day, .v0), ("KYC_HOURLY_PAYOUT_LIMIT_USDT", .hour, .kyc),
      ("KYC_DAILY_PAYOUT_LIMIT_USDT", .day, .kyc),
    ]
    for (index, (key, span, router)) in keys.enumerated() {
      let limits = try read([key: "\(index + 1)"]).limits
      for (other, (_, otherSpan, otherRouter)) in keys.enumerated() {
        #expect(limits[otherSpan, of: otherRouter]?.description == (other == index ? "\(index + 1)" : nil), "\(key)")
      }
      #expect(limits[span, of: router] != nil)
    }
    let maxima = try read(["V0_MAX_PAYOUT_USDT": "20", "KYC_MAX_PAYOUT_USDT": "30"]).maxima
    #expect(maxima.v0Max.description == "20" && maxima.kycMax.description == "30")
  }
}
