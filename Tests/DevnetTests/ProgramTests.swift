import Foundation
import TestSupport
import Testing

/// Proves how the executable begins and ends: lines on stdout, exit codes, signals.
@Suite(.serialized) struct ProgramTests {
  private func start(_ environment: [String: String]) throws -> TestProcess {
    try TestProcess(try TestProcess.builtExecutable("devnet"), environment: environment)
  }

  private func url(of process: TestProcess) async throws -> String {
    try await process.waitForOutput(within: .seconds(30)) { output in
      output.split(separator: "\n").first { $0.hasPrefix("TRON_RPC_URL=http://127.0.0.1:") }
        .map { String($0.dropFirst("TRON_RPC_URL=".count)) }
    }
  }

  @Test(arguments: [SIGTERM, SIGINT])
  func `it tells URL and genesis when ready, and a signal ends it with exit code 0`(signal: Int32) async throws {
    let process = try start(["DEVNET_PORT": "0", "DEVNET_BLOCK_MS": "50"])
    let url = try await url(of: process)
    let lines = process.output.split(separator: "\n")
    #expect(lines.count == 2)
    #expect(lines[0].hasPrefix("TRON_GENESIS_BLOCK_ID=0000000000000000") && lines[0].count == 22 + 64)
    #expect(!url.hasSuffix(":0"))
    process.signal(signal)
    let outcome = try await process.waitForExit(within: .seconds(30))
    #expect(outcome.exitCode == 0)
  }

  @Test func `further faces are told on lines of their own`() async throws {
    let process = try start(["DEVNET_PORT": "0", "DEVNET_BLOCK_MS": "50", "DEVNET_FACES": "3"])
    _ = try await url(of: process)
    let lines = try await process.waitForOutput(within: .seconds(30)) { output in
      let lines = output.split(separator: "\n").map(String.init)
      return lines.count == 4 ? lines : nil
    }
    #expect(lines[2].hasPrefix("TRON_RPC_URL_2=http://127.0.0.1:"))
    #expect(lines[3].hasPrefix("TRON_RPC_URL_3=http://127.0.0.1:"))
    process.signal(SIGTERM)
    #expect(try await process.waitForExit(within: .seconds(30)).exitCode == 0)
  }

  @Test func `a wrong configuration is named on stderr, exit code 78`() async throws {
    let process = try start(["DEVNET_PORT": "x", "DEVNET_BLOCK_MS": "1", "DEVNET_USDT_CONTRACT_FILE": "/nowhere"])
    let outcome = try await process.waitForExit(within: .seconds(30))
    #expect(outcome.exitCode == 78)
    #expect(outcome.output.isEmpty)
    #expect(
      outcome.errors == """
        devnet: 3 problems in the configuration
          DEVNET_PORT: 'x' is not a whole number from 0 to 65535
          DEVNET_BLOCK_MS: '1' is not a whole number from 50 to 60000
          DEVNET_USDT_CONTRACT_FILE: cannot read '/nowhere', or it is larger than 1000000 bytes

        """)
  }

  @Test func `a port that is taken is told, exit code 69`() async throws {
    let first = try start(["DEVNET_PORT": "0"])
    let url = try await url(of: first)
    let port = try #require(url.split(separator: ":").last)
    let outcome = try await start(["DEVNET_PORT": String(port)]).waitForExit(within: .seconds(30))
    #expect(outcome.exitCode == 69)
    #expect(outcome.errors.contains("devnet: cannot serve on 127.0.0.1:\(port): "))
    first.signal(SIGTERM)
    #expect(try await first.waitForExit(within: .seconds(30)).exitCode == 0)
  }
}
