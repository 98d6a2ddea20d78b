import Foundation
import TestSupport
import Testing

@testable import Devnet

/// Proves that software which knows nothing of this project takes the devnet for TRON: tronpy, unmodified, reads from it
/// and pays on it.
struct TronpyTests {
  /// The script's own assertions are the test; it ends with 0 and prints what it saw, which is compared here.
  @Test func `tronpy reads a block and balances and sends USDT that confirms`() async throws {
    let seen = try await run(
      "usdt_transfer.py", trx: "1000",
      [Hex.encode(TestWallet.alice.privateKey), TestWallet.bob.address.base58, Genesis.mainnetToken.base58])
    #expect(seen["trx_before"] == .string("1000"))
    #expect(seen["usdt_before"] == .integer(2_500_500_000))
    #expect(seen["usdt_after"] == .integer(2_500_500_000 - 12_345_678))
    #expect(seen["recipient_after"] == .integer(12_345_678))
    #expect(seen["trx_sent_result"] == .string("SUCCESS"))
  }

  /// Contracts that tronpy built and encoded: stake, delegation, permissions, and a payment by a hot key on stake.
  @Test func `tronpy sets up a hot wallet on staked energy`() async throws {
    let keys = [TestWallet.alice, .bob, .carol].map { Hex.encode($0.privateKey) }
    let seen = try await run("hot_wallet.py", trx: "100000", keys + [Genesis.mainnetToken.base58])
    // A little less than 10 energy a TRX, as the stake itself counts among all.
    #expect(seen["lent_energy"] == .integer(9_999))
    #expect(seen["energy"] == .integer(299_999))
    #expect(seen["update_fee"] == .integer(100_000_000))
    #expect(seen["paid"] == .integer(5_000_000))
    #expect(seen["refused"] == .string("Validate signature error: Permission denied"))
  }

  /// Runs a script against a devnet of its own, in which Alice has `trx` and 2,500.5 USDT; returns what it printed.
  private func run(_ script: String, trx: String, _ arguments: [String]) async throws -> JSON {
    let python = try await TronpyEnvironment.python()
    let devnet = try TestProcess(
      try TestProcess.builtExecutable("devnet"),
      environment: [
        "DEVNET_PORT": "0", "DEVNET_BLOCK_MS": "100",
        "DEVNET_FUND": "\(TestWallet.alice.address):\(trx):2500.5",
      ])
    let url = try await devnet.waitForOutput(within: .seconds(30)) { output in
      output.split(separator: "\n").first { $0.hasPrefix("TRON_RPC_URL=") }.map { String($0.dropFirst(13)) }
    }
    let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("tronpy/\(script)").path
    let outcome = try await TestProcess.run(python, [path, url] + arguments, within: .seconds(120))
    #expect(outcome.exitCode == 0, "\(outcome.output)\n\(outcome.errors)")
    devnet.signal(SIGTERM)
    #expect(try await devnet.waitForExit(within: .seconds(30)).exitCode == 0)
    return try JSONParser.parse(Bytes(outcome.output.utf8))
  }
}
