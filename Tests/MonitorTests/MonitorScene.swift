import Keystore
import Ledger
import Logging
import Monitor
import Payouts
import Signer
import Streams
import TestSupport
import Tron
import Worker

extension PayingScene {
  /// How long a freed payout waits.
  static let retryDelayMilliseconds: Int64 = 60_000

  /// A Monitor in this scene; a second one is a replica.
  func monitor(
    _ name: String = "monitor-1", node: (any TronNode)? = nil, maximumOwnFailures: Int64 = 5,
    knownProducers: Int? = 1, alarms: (any AlarmReceiver)? = nil, intents: (any IntentLog)? = nil,
    metrics: MonitorMetrics? = nil, logger: Logger = Logger(label: "monitor")
  ) throws -> MonitorSteps {
    try MonitorSteps(
      MonitorParts(
        ledger: ledger, streams: streams, intents: intents ?? streams,
        node: node ?? CheckedNode(self.node, genesis: self.node.genesis), clock: clock, alarms: alarms),
      policy: MonitorPolicy(
        name: name, token: PayingScene.token, requiredConfirmations: 19,
        retryDelayMilliseconds: PayingScene.retryDelayMilliseconds, maximumOwnFailures: maximumOwnFailures,
        knownProducers: knownProducers),
      metrics: metrics, logger: logger)
  }

  /// A Signer in this scene.
  func signer(run: UInt8 = 1) throws -> SignerSteps {
    let policy = SignerPolicy(
      name: PayingScene.signerName, names: [PayingScene.signerName], network: .devnet, token: PayingScene.token,
      seals: try SealVerifier(sealer.publicKeyText), hourlyLimit: nil, dailyLimit: nil)
    return try SignerSteps(
      SignerParts(
        ledger: ledger, streams: streams, intents: streams, node: node, key: key, journal: journal, clock: clock,
        runID: [UInt8](repeating: run, count: 16)),
      policy: policy, metrics: nil, logger: Logger(label: "signer"))
  }

  /// Monitor and Signer with payouts 1 … `count` sent and in no block yet.
  func sent(_ count: Int = 1) async throws -> (monitor: MonitorSteps, signer: SignerSteps) {
    let monitor = try monitor()
    let signer = try signer()
    try await read(monitor)
    try await run(signer.vouch)
    try await schedule(numbers: 1...count)
    try await run(signer.sign)
    try await run(signer.broadcast)
    return (monitor, signer)
  }

  /// Lets Monitor read all there is.
  func read(_ monitor: MonitorSteps) async throws {
    try await run(monitor.followHead)
    try await run(monitor.followSolid)
    try await run(monitor.judgeLate)
    try await run(monitor.confirm)
  }

  /// Produces blocks with all that is pending and lets Monitor read each.
  func live(_ blocks: Int, _ monitor: MonitorSteps) async throws {
    for _ in 0..<blocks {
      try await produce()
      try await read(monitor)
    }
  }

  /// Lets a payout's present transaction fail on chain, until that is solid.
  func fail(_ number: Int, _ result: ContractResult, _ monitor: MonitorSteps) async throws {
    await node.setExecution(.failure(result), of: try await txid(number))
    try await live(19, monitor)
  }

  /// Lets a delay pass, and Signer prove the earlier attempts and sign and send what may be signed.
  func retry(_ monitor: MonitorSteps, _ signer: SignerSteps, slots: Int = 45) async throws {
    try await live(slots, monitor)
    for _ in 0..<3 {
      try await run(signer.sweep)
      try await run(signer.sign)
      try await run(signer.prove)
    }
    try await run(signer.broadcast)
  }

  /// Goes round until the step has nothing more to do.
  func run(_ step: Step) async throws {
    for _ in 0..<500 {
      if case .idle = try await step.run() { return }
    }
    throw SceneError("\(step.name) does not come to rest")
  }

  /// The error with which a step ends.
  func failure(of step: Step) async throws -> any Error {
    do { try await run(step) } catch { return error }
    throw SceneError("\(step.name) did not fail")
  }

  /// Through which states a payout went.
  func states(_ number: Int) async throws -> [PayoutStatus] {
    try await ledger.history(of: PayingScene.payoutID(number)).map(\.to)
  }

  /// A foreign transfer's `raw_data`, unsigned: who signed it does not matter to a block.
  func transfer(
    owner: Address? = nil, token: Address = PayingScene.token, to recipient: Address, amount: Int64 = 1_000_000
  ) async throws -> [UInt8] {
    try UnsignedTransaction.tokenTransfer(
      owner: owner ?? wallet, token: token, to: recipient, amount: Amount(microUSDT: amount),
      referenceBlock: node.genesis, expiration: clock.now().advanced(byMilliseconds: 60_000),
      timestamp: clock.now(), feeLimit: Sun(1)
    ).rawData
  }
}
