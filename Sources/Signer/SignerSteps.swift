public import Keystore
public import Ledger
public import Logging
public import Payouts
public import Streams
public import Tron
public import Worker

/// What Signer is made of: the seams that a simulator replaces.
public struct SignerParts<Key: TransactionSigner>: Sendable {
  let ledger: any SignerLedger
  let streams: any StreamTransport
  let intents: any IntentLog
  let node: any TronNode
  let key: Key
  let journal: any Journal
  let clock: any WallClock
  let runID: [UInt8]

  /// - Parameters:
  ///   - intents: the log of what was committed; only read.
  ///   - node: one whose genesis block is checked.
  ///   - runID: 16 random bytes of this process.
  public init(
    ledger: any SignerLedger, streams: any StreamTransport, intents: any IntentLog, node: any TronNode, key: Key,
    journal: any Journal, clock: any WallClock, runID: [UInt8]
  ) {
    self.ledger = ledger
    self.streams = streams
    self.intents = intents
    self.node = node
    self.key = key
    self.journal = journal
    self.clock = clock
    self.runID = runID
  }
}

/// By which rules Signer signs.
public struct SignerPolicy: Sendable {
  let name: String
  let names: [String]
  let network: Network
  let token: Address
  let seals: SealVerifier
  let hourlyLimit: Amount?
  let dailyLimit: Amount?
  let expirationMilliseconds: Int64
  let clockBoundMilliseconds: Int64
  let maximumInFlight: Int
  let isDevelopment: Bool
  let treasury: Set<Address>

  /// The rules as configured.
  public init(_ configuration: SignerConfiguration) throws(MalformedValue) {
    self.init(
      name: configuration.name, names: configuration.names, network: configuration.tron.network,
      token: configuration.tron.usdtContract, seals: try SealVerifier(configuration.sealKeys),
      hourlyLimit: configuration.hourlyLimit, dailyLimit: configuration.dailyLimit,
      expirationMilliseconds: configuration.expirationSeconds * 1_000,
      clockBoundMilliseconds: configuration.tron.clockBoundSeconds * 1_000,
      maximumInFlight: configuration.maximumInFlight, isDevelopment: configuration.isDevelopment,
      treasury: configuration.treasury)
  }

  /// The rules one by one; units in the names.
  public init(
    name: String, names: [String], network: Network, token: Address, seals: SealVerifier, hourlyLimit: Amount?,
    dailyLimit: Amount?, expirationMilliseconds: Int64 = 120_000, clockBoundMilliseconds: Int64 = 60_000,
    maximumInFlight: Int = 1_000, isDevelopment: Bool = true, treasury: Set<Address> = []
  ) {
    self.name = name
    self.names = names
    self.network = network
    self.token = token
    self.seals = seals
    self.hourlyLimit = hourlyLimit
    self.dailyLimit = dailyLimit
    self.expirationMilliseconds = expirationMilliseconds
    self.clockBoundMilliseconds = clockBoundMilliseconds
    self.maximumInFlight = maximumInFlight
    self.isDevelopment = isDevelopment
    self.treasury = treasury
  }
}

/// Signer's steps, each one round at a time: a run loop, a test or a simulator drives them.
public struct SignerSteps: Sendable {
  /// See `VouchForHistory`.
  public let vouch: Step
  /// See `SignBatches`.
  public let sign: Step
  /// See `BroadcastTransactions`.
  public let broadcast: Step
  /// See `ProveEarlierAttempts`.
  public let prove: Step
  /// See `SweepBatches`.
  public let sweep: Step
  /// See `CheckpointIntents`.
  public let checkpoint: Step
  /// See `CarryOutOrders`.
  public let carryOutOrders: Step

  /// All of them.
  public var all: [Step] { [vouch, sign, broadcast, prove, sweep, checkpoint, carryOutOrders] }

  /// - Throws: `StreamError` where the Signer's name cannot name a consumer.
  public init<Key: TransactionSigner>(
    _ parts: SignerParts<Key>, policy: SignerPolicy, metrics: SignerMetrics?, logger: Logger
  ) throws {
    let state = SignerState()
    let earlierAttempts = EarlierAttempts()
    let disagreements = DisagreementLog()
    let outlook = ChainOutlook(node: parts.node, noting: disagreements, clock: parts.clock)
    let comparing = CompareIntents(
      ledger: parts.ledger, log: parts.intents, seals: policy.seals, signer: policy.name, logger: logger)
    let checkpointing = CheckpointIntents(compare: comparing)
    let quarantine = WaitOutQuarantine(
      ledger: parts.ledger, outlook: outlook, clock: parts.clock, signer: policy.name,
      clockBoundMilliseconds: policy.clockBoundMilliseconds, expirationMilliseconds: policy.expirationMilliseconds,
      metrics: metrics, logger: logger)
    let vouching = VouchForHistory(
      ledger: parts.ledger, journal: parts.journal, intents: comparing, quarantine: quarantine, clock: parts.clock,
      state: state,
      signer: policy.name, names: policy.names,
      runID: parts.runID, isDevelopment: policy.isDevelopment, metrics: metrics, logger: logger)
    let decide = DecideOnPayouts(
      signer: parts.key, network: policy.network, token: policy.token, seals: policy.seals,
      hourlyLimit: policy.hourlyLimit, dailyLimit: policy.dailyLimit,
      expirationMilliseconds: policy.expirationMilliseconds, journal: parts.journal,
      earlierAttempts: earlierAttempts)
    let signing = SignBatches(
      ledger: parts.ledger, outlook: outlook, decide: decide, state: state, clock: parts.clock,
      signerName: policy.name, clockBoundMilliseconds: policy.clockBoundMilliseconds,
      maximumInFlight: policy.maximumInFlight, metrics: metrics, logger: logger)
    let consumer = try signing.consumer(parts.streams, name: ConsumerName(policy.name))
    let broadcasting = BroadcastTransactions(
      ledger: parts.ledger, journal: parts.journal, node: parts.node, outlook: outlook, streams: parts.streams,
      state: state, signerName: policy.name, earlierAttempts: earlierAttempts, treasury: policy.treasury,
      clock: parts.clock, metrics: metrics, logger: logger)
    let proving = ProveEarlierAttempts(
      node: parts.node, ledger: parts.ledger, earlierAttempts: earlierAttempts, clock: parts.clock,
      log: disagreements, logger: logger)
    let sweeping = SweepBatches(
      ledger: parts.ledger, streams: parts.streams, clock: parts.clock, state: state)
    let orders = CarryOutOrders(
      ledger: parts.ledger,
      adopt: AdoptTransactions(
        ledger: parts.ledger, journal: parts.journal, state: state, signerName: policy.name,
        earlierAttempts: earlierAttempts, logger: logger),
      sweep: SignTreasuryOrders(batches: signing, allowed: policy.treasury))

    vouch = Step("vouch", stateWhenFailing: .failed) { try await vouching.step() }
    sign = Step("sign", backOff: .asking) {
      guard try await signing.mayAct() else { return .idle(milliseconds: SignBatches<Key>.pauseMilliseconds) }
      let count = try await consumer.step()
      if state.takeBlocked() { return .idle(milliseconds: SignBatches<Key>.pauseMilliseconds) }
      return count > 0 ? .worked : .idle(milliseconds: 1)
    }
    broadcast = Step("broadcast", backOff: .asking) { try await broadcasting.step() }
    prove = Step("prove", backOff: .asking) { try await proving.step() }
    sweep = Step("sweep") { try await sweeping.step() }
    checkpoint = Step("checkpoint_intents") { try await checkpointing.step() }
    carryOutOrders = Step("carry_out_orders", backOff: .asking) { try await orders.step() }
  }
}
