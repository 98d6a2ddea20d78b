import Foundation
import Keystore
import Ledger
import Logging
import Payouts
import TestSupport
import Testing
import Tron
import Worker

/// The built `payoutctl`, as an operator calls it, and what it works on.
struct CommandLineScene {
  let server: PrivatePostgres
  let url: String
  let ledger: Ledger
  let folder: TemporaryFolder

  init() async throws {
    server = try await PrivatePostgres.shared()
    url = try await server.createDatabase()
    let logger = Logger(label: "payoutctl-tests", factory: { _ in SwiftLogNoOpLogHandler() })
    ledger = Ledger(url: url, actor: "tests", logger: logger)
    folder = try TemporaryFolder()
  }

  /// Runs a command with nothing but these variables, away from any terminal.
  static func payoutctl(
    _ arguments: [String], _ environment: [String: String] = [:]
  ) async throws -> TestProcess.Outcome {
    let program = try TestProcess.builtExecutable("payoutctl")
    return try await TestProcess.run(
      "/usr/bin/setsid", ["--wait", program] + arguments,
      environment: environment.merging(["PATH": "/usr/bin:/bin"]) { given, _ in given }, within: .seconds(60))
  }

  /// The answer of the server's own client.
  @discardableResult
  func sql(_ text: String) async throws -> String {
    try await server.query(text, database: String(url.split(separator: "/").last ?? ""))
  }
}

/// A folder that goes when the test is done with it.
final class TemporaryFolder: Sendable {
  let path: String

  init() throws {
    path = FileManager.default.temporaryDirectory.appendingPathComponent("payoutctl-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit {
    // A temporary folder that stays behind harms nothing.
    try? FileManager.default.removeItem(atPath: path)
  }
}

/// A devnet with one funded wallet, ended with this object.
final class RunningDevnet: Sendable {
  let key: HotWalletKey
  let keyText: String
  let url: String
  let genesis: String
  private let process: TestProcess

  init() async throws {
    keyText = Hex.text(SystemRandomSource().bytes(32))
    key = HotWalletKey(try PrivateKey(hex: keyText))
    process = try TestProcess(
      try TestProcess.builtExecutable("devnet"),
      environment: [
        "DEVNET_PORT": "0", "DEVNET_BLOCK_MS": "100", "DEVNET_FUND": "\(key.address):1000:1000", "LOG_LEVEL": "error",
      ])
    let values = try await process.waitForOutput(within: .seconds(30)) { output -> [String: String]? in
      let pairs = output.split(separator: "\n").map { $0.split(separator: "=", maxSplits: 1).map(String.init) }
      let values = Dictionary(pairs.filter { $0.count == 2 }.map { ($0[0], $0[1]) }) { first, _ in first }
      return values["TRON_RPC_URL"] == nil || !output.hasSuffix("\n") ? nil : values
    }
    url = try #require(values["TRON_RPC_URL"])
    genesis = try #require(values["TRON_GENESIS_BLOCK_ID"])
  }

  deinit { process.signal(SIGTERM) }

  /// A signed TRX transfer of the wallet, in a block: from then on the wallet has a past.
  func operate() async throws {
    let connection = NodeConnection(
      [try HTTPTronNodeConfiguration(url: url)], genesis: try BlockID(hex: genesis), now: { SystemClock().now() })
    let outcome: Result<Void, any Error>
    do { outcome = .success(try await operate(connection.nodes)) } catch { outcome = .failure(error) }
    try await connection.close()
    try outcome.get()
  }

  private func operate(_ node: any TronNode) async throws {
    let head = try await node.latestBlock(.head).header
    let unsigned = try UnsignedTransaction.trxTransfer(
      owner: key.address, to: Address(account: [UInt8](repeating: 5, count: 20)), amount: Sun(1),
      referenceBlock: head.id, expiration: head.timestamp.advanced(byMilliseconds: 60_000), timestamp: head.timestamp)
    _ = try await node.broadcast(try unsigned.signed(by: key).bytes)
    let deadline = ContinuousClock.now + .seconds(30)
    while try await node.account(key.address, .head).latestOperation == nil {
      try #require(ContinuousClock.now < deadline, "the transfer came into no block")
      try await Task.sleep(for: .milliseconds(20))
    }
  }
}
