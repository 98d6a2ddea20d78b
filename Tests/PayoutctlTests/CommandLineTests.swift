import Foundation
import TestSupport
import Testing

/// What the program says to whoever calls it wrongly, and with which exit code.
struct CommandLineTests {
  @Test(arguments: [
    ["frobnicate"], ["show"], ["show", "not-an-id"], ["show", "019ab2c3-1111-7222-8333-444455556666", "more"],
    ["signer", "init", "--force"], ["keystore", "create", "--passphrase", "secret"],
  ])
  func `a wrong call is told and ends with 64`(arguments: [String]) async throws {
    // Proves that nothing is guessed, and that a secret cannot even be given on the command line.
    let outcome = try await CommandLineScene.payoutctl(arguments)
    #expect(outcome.exitCode == 64)
    #expect(outcome.errors.contains("Usage: payoutctl"), "\(outcome.errors)")
    #expect(outcome.output.isEmpty)
  }

  @Test func `a call for help succeeds and names every command`() async throws {
    let outcome = try await CommandLineScene.payoutctl(["--help"])
    #expect(outcome.exitCode == 0)
    for command in [
      "keystore", "signer", "show", "held", "release", "reject", "settle", "breaker", "pause", "resume", "alarms",
      "queues", "dead-letters",
    ] { #expect(outcome.output.contains("  \(command) ")) }
  }

  @Test func `missing settings end with 78, every one of them named`() async throws {
    // Proves that one call is enough to learn all that is missing.
    let outcome = try await CommandLineScene.payoutctl(["signer", "init"])
    #expect(outcome.exitCode == 78)
    for key in ["DATABASE_URL", "TRON_NETWORK", "TRON_RPC_URL", "TRON_KEYSTORE_FILE", "SIGNER_STATE_DIR"] {
      #expect(outcome.errors.contains("payoutctl: \(key): "), "\(key) in \(outcome.errors)")
    }
    let show = try await CommandLineScene.payoutctl(["show", "019ab2c3-1111-7222-8333-444455556666"])
    #expect(show.exitCode == 78 && show.errors.contains("DATABASE_URL"))
  }

  @Test func `no text holds a secret`() async throws {
    // Proves it for each place where one may stand: key, passphrase, database password.
    let secret = String(repeating: "5e", count: 32)
    let outcome = try await CommandLineScene.payoutctl(
      ["signer", "init"],
      [
        "TRON_PRIVATE_KEY": secret, "TRON_KEYSTORE_FILE": "/nowhere", "TRON_KEYSTORE_PASSPHRASE": "hunter2",
        "DATABASE_URL": "postgres://u:hunter2@:x/", "LUCID_ENV": "staging",
      ])
    #expect(outcome.exitCode == 78)
    #expect(outcome.errors.contains("TRON_PRIVATE_KEY: is allowed with LUCID_ENV=dev only"))
    #expect(!outcome.errors.contains(secret) && !outcome.errors.contains("hunter2"))
  }

  @Test func `production is refused, with the reason`() async throws {
    let outcome = try await CommandLineScene.payoutctl(["signer", "init"], ["LUCID_ENV": "production"])
    #expect(outcome.exitCode == 78)
    #expect(outcome.errors.contains("LUCID_ENV: production is closed for now"))
  }
}
