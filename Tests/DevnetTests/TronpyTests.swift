import Foundation
import TestSupport
import Testing

@testable import Devnet

/// Proves that software which knows nothing of this project takes the devnet for TRON: tronpy, unmodified, reads from it
/// and pays on it.
struct TronpyTests {
  /// The script's own assertions are the test; it ends with 0 and prints what it saw, which is compared here.
  @Test func `tronpy reads a block and balances and sends USDT that confirms`() async throws {
    let python = try await TronpyEnvironment.python()
    let devnet = try TestProcess(
      try TestProcess.builtExecutable("devnet"),
      environment: [
        "DEVNET_PORT": "0", "DEVNET_BLOCK_MS": "100",
        "DEVNET_FUND": "\(TestWallet.alice.address):1000:2500.5",
      ])
    let url = try await devnet.waitForOutput(within: .seconds(30)) { output in
      output.split(separator: "\n").first { $0.hasPrefix("TRON_RPC_URL=") }.map { String($0.dropFirst(13)) }
    }
    let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("tronpy/usdt_transfer.py").path
    let outcome = try await TestProcess.run(
      python,
      [
        script, url, Hex.encode(TestWallet.alice.privateKey), TestWallet.bob.address.base58,
        Genesis.mainnetToken.base58,
      ], within: .seconds(120))
    #expect(outcome.exitCode == 0, "\(outcome.output)\n\(outcome.errors)")
    let seen = try JSONParser.parse(Bytes(outcome.output.utf8))
    #expect(seen["trx_before"] == .string("1000"))
    #expect(seen["usdt_before"] == .integer(2_500_500_000))
    #expect(seen["usdt_after"] == .integer(2_500_500_000 - 12_345_678))
    #expect(seen["recipient_after"] == .integer(12_345_678))
    #expect(seen["trx_sent_result"] == .string("SUCCESS"))
    devnet.signal(SIGTERM)
    #expect(try await devnet.waitForExit(within: .seconds(30)).exitCode == 0)
  }
}
