import Foundation
import Keystore
import Ledger
import Logging
import Monitor
import Payouts
import Signer
import Streams
import TestSupport
import Testing
import Tron
import Worker

/// A real devnet, and Monitor and Signer on a real ledger before it; the steps go round when a test says so.
struct DevnetScene: Sendable {
  static let token = Network.mainnet.usdtContract ?? .zero
  /// Where treasury orders may go.
  static let cold = Address(account: [UInt8](repeating: 0x77, count: 20))
  static let patience = Duration.seconds(180)

  let ledger: Ledger
  let node: any TronNode
  let wallet: HotWalletKey
  /// Somebody else with TRX of their own.
  let stranger: HotWalletKey
  let monitor: MonitorSteps
  let signer: SignerSteps
  let journal: MemoryJournal

  /// Runs a test in a scene of its own, whose Signer has vouched.
  static func run(_ body: (DevnetScene) async throws -> Void) async throws {
    func key() throws -> HotWalletKey {
      HotWalletKey(try PrivateKey(hex: Hex.text(SystemRandomSource().bytes(32))))
    }
    let (wallet, stranger) = (try key(), try key())
    let process = try TestProcess(
      try TestProcess.builtExecutable("devnet"),
      environment: [
        "DEVNET_PORT": "0", "DEVNET_BLOCK_MS": "400", "LOG_LEVEL": "error",
        "DEVNET_FUND": "\(wallet.address):10000:1000,\(stranger.address):10000:0",
      ])
    defer { process.signal(SIGKILL) }
    let values = try await process.waitForOutput(within: patience) { output -> [String: String]? in
      let pairs = output.split(separator: "\n").map { $0.split(separator: "=", maxSplits: 1).map(String.init) }
      let values = Dictionary(pairs.filter { $0.count == 2 }.map { ($0[0], $0[1]) }) { first, _ in first }
      return values["TRON_RPC_URL"] == nil || !output.hasSuffix("\n") ? nil : values
    }
    let genesis = try BlockID(hex: try #require(values["TRON_GENESIS_BLOCK_ID"]))
    let connection = NodeConnection(
      [try HTTPTronNodeConfiguration(url: try #require(values["TRON_RPC_URL"]))], genesis: genesis,
      now: { SystemClock().now() })
    let result: Result<Void, any Error>
    do {
      let scene = try await DevnetScene(connection.nodes, genesis: genesis, wallet: wallet, stranger: stranger)
      result = .success(try await body(scene))
    } catch {
      result = .failure(error)
    }
    try await connection.close()
    try result.get()
  }

  private init(
    _ node: any TronNode, genesis: BlockID, wallet: HotWalletKey, stranger: HotWalletKey
  ) async throws {
    let logger = Logger(label: "devnet-scene") { _ in SwiftLogNoOpLogHandler() }
    let url = try await PrivatePostgres.shared().createDatabase()
    let streams = MemoryStreams(now: { SystemClock().now().milliseconds })
    ledger = Ledger(url: url, actor: "devnet-scene", logger: logger)
    self.node = node
    self.wallet = wallet
    self.stranger = stranger
    journal = MemoryJournal(id: SystemRandomSource().bytes(16), wallet: wallet.address)
    try await ledger.prepare(
      Installation(
        environment: "dev", network: .devnet, genesis: genesis, maximumExpirationMilliseconds: 600_000,
        clockBoundMilliseconds: 60_000))
    let begin = try await node.latestHeader(.solid)
    _ = try await ledger.declare(
      wallet: wallet.address, signer: "signer", journalID: journal.id,
      begin: BlockPlace(number: begin.number, id: begin.id, time: begin.timestamp))
    monitor = try MonitorSteps(
      MonitorParts(ledger: ledger, streams: streams, intents: streams, node: node, clock: SystemClock()),
      policy: MonitorPolicy(
        name: "monitor", token: Self.token, requiredConfirmations: 19, retryDelayMilliseconds: 1_000),
      metrics: nil, logger: logger)
    signer = try SignerSteps(
      SignerParts(
        ledger: ledger, streams: streams, intents: streams, node: node, key: wallet, journal: journal,
        clock: SystemClock(), runID: SystemRandomSource().bytes(16)),
      policy: SignerPolicy(
        name: "signer", names: ["signer"], network: .devnet, token: Self.token,
        seals: SealVerifier(try Sealer("k:" + String(repeating: "5e", count: 32)).publicKeyText), hourlyLimit: nil,
        dailyLimit: nil, treasury: [Self.cold]),
      metrics: nil, logger: logger)
    while try await signer.vouch.run() == .worked {}
  }

  /// Sends a transaction that was signed by a key, and waits until it is in a block that Monitor has read and judged.
  ///
  /// - Returns: its receipt.
  @discardableResult
  func send(_ transaction: HandMadeTransaction, by key: HotWalletKey) async throws -> TransactionReceipt {
    let answer = try await node.broadcast(try transaction.signed(by: key))
    try #require(answer.isTaken, "\(answer)")
    return try await read(transaction.txid)
  }

  /// Lets Monitor read block after block until it has read the one that holds a transaction, and judge what it found.
  func read(_ txid: TxID) async throws -> TransactionReceipt {
    let deadline = ContinuousClock.now + Self.patience
    var number = try await ledger.cursor(.head)?.number ?? 0
    while ContinuousClock.now < deadline {
      _ = try await monitor.followHead.run()
      let reached = try await ledger.cursor(.head)?.number ?? 0
      while number < reached {
        number += 1
        let receipts = try await node.receipts(ofBlock: number, .head)
        guard let receipt = receipts.first(where: { $0.txid == txid }) else { continue }
        _ = try await monitor.judgeFindings.run()
        return receipt
      }
    }
    throw SceneError("\(txid) came into no block")
  }

  /// A block to refer to, and the head's time.
  func reference() async throws -> (BlockID, Timestamp) {
    (try await node.latestHeader(.solid).id, try await node.latestHeader(.head).timestamp)
  }

  /// What the fence holds open, in the order in which it was found.
  func findings() async throws -> [String] { try await ledger.breaker().findings.map { "\($0.kind) \($0.txid)" } }
}
