public import Ledger
public import Logging
public import Payouts
public import Streams
public import Tron
public import Worker

/// What Monitor is made of: the seams that a simulator replaces.
public struct MonitorParts: Sendable {
  let ledger: any MonitorLedger
  let streams: any StreamTransport
  let intents: any IntentLog
  let node: any TronNode
  let clock: any WallClock
  let random: any RandomSource
  let alarms: (any AlarmReceiver)?
  let out: (any HTTPOut)?

  /// - Parameters:
  ///   - intents: the log of what was committed; only written.
  ///   - node: one whose genesis block is checked.
  ///   - random: for webhooks' secrets and waits.
  ///   - alarms: nil where alarms are only logged.
  ///   - out: sends webhooks; nil where this Monitor sends none.
  public init(
    ledger: any MonitorLedger, streams: any StreamTransport, intents: any IntentLog, node: any TronNode,
    clock: any WallClock, random: any RandomSource = SystemRandomSource(), alarms: (any AlarmReceiver)? = nil,
    out: (any HTTPOut)? = nil
  ) {
    self.ledger = ledger
    self.streams = streams
    self.intents = intents
    self.node = node
    self.clock = clock
    self.random = random
    self.alarms = alarms
    self.out = out
  }
}

/// By which rules Monitor judges.
public struct MonitorPolicy: Sendable {
  let name: String
  let token: Address
  let requiredConfirmations: Int64
  let retryDelayMilliseconds: Int64
  let maximumOwnFailures: Int64
  let webhookWorkers: Int
  let knownProducers: Int?
  let routers: Set<Address>

  /// - Parameters:
  ///   - name: the instance, unique among Monitor's replicas.
  ///   - token: the USDT contract.
  ///   - requiredConfirmations: 19.
  ///   - retryDelayMilliseconds: how long a freed payout waits for its second attempt.
  ///   - maximumOwnFailures: after so many failures of its own a payout is `failed`.
  ///   - webhookWorkers: how many servers are told webhooks at a time; nil for the usual number.
  ///   - knownProducers: how many producers the network has, for our own count of solidity; nil for as many as are seen.
  ///   - routers: contracts that the fence watches besides the wallets.
  public init(
    name: String, token: Address, requiredConfirmations: Int64, retryDelayMilliseconds: Int64,
    maximumOwnFailures: Int64 = 5, webhookWorkers: Int? = nil, knownProducers: Int? = nil,
    routers: Set<Address> = []
  ) {
    self.name = name
    self.token = token
    self.requiredConfirmations = requiredConfirmations
    self.retryDelayMilliseconds = retryDelayMilliseconds
    self.maximumOwnFailures = maximumOwnFailures
    self.webhookWorkers = webhookWorkers ?? DeliverWebhooks.workers
    self.knownProducers = knownProducers
    self.routers = routers
  }
}

/// Monitor's steps, each one round at a time: a run loop, a test or a simulator drives them.
public struct MonitorSteps: Sendable {
  /// See `FollowHead`.
  public let followHead: Step
  /// See `FollowSolid`.
  public let followSolid: Step
  /// See `JudgeLate`.
  public let judgeLate: Step
  /// See `BlameFailures`.
  public let blameFailures: Step
  /// See `ConfirmPayouts`.
  public let confirm: Step
  /// See `JudgeFindings`.
  public let judgeFindings: Step
  /// See `NoticeStandstill`.
  public let noticeStandstill: Step
  /// See `TakeUpSent`.
  public let takeUpSent: Step
  /// See `AnnounceAlarms`.
  public let announceAlarms: Step
  /// See `DeliverWebhooks`; several that are alike.
  public let deliverWebhooks: [Step]
  /// See `MeasureWebhooks`.
  public let measureWebhooks: Step
  /// Writes ends to the log of intents that it could not take before.
  public let recordIntents: Step
  /// The writer of that log; a service that writes what it still keeps when the process stops.
  public let recorder: IntentRecorder

  /// All of them.
  public var all: [Step] {
    [followHead, followSolid, judgeLate, blameFailures, confirm, judgeFindings, noticeStandstill, takeUpSent]
      + [announceAlarms] + deliverWebhooks + [measureWebhooks, recordIntents]
  }

  /// - Throws: `StreamError` where the instance's name cannot name a consumer.
  public init(_ parts: MonitorParts, policy: MonitorPolicy, metrics: MonitorMetrics?, logger: Logger) throws {
    let fence = Fence(token: policy.token, routers: policy.routers)
    let producers = CountProducers(knownProducers: policy.knownProducers)
    let disagreements = TellDisagreements(
      ledger: parts.ledger, clock: parts.clock, metrics: metrics, logger: logger)
    let head = FollowHead(
      ledger: parts.ledger, node: parts.node, fence: fence, producers: producers, disagreements: disagreements,
      reset: ResetHead(
        ledger: parts.ledger, node: parts.node, disagreements: disagreements, clock: parts.clock, logger: logger),
      clock: parts.clock, metrics: metrics, logger: logger)
    let solid = FollowSolid(
      ledger: parts.ledger, node: parts.node, fence: fence, producers: producers, disagreements: disagreements,
      retryDelayMilliseconds: policy.retryDelayMilliseconds, metrics: metrics, logger: logger)
    let late = JudgeLate(
      ledger: parts.ledger, node: parts.node, disagreements: disagreements,
      retryDelayMilliseconds: policy.retryDelayMilliseconds,
      clock: parts.clock, metrics: metrics, logger: logger)
    let recorder = IntentRecorder(parts.intents, logger: logger)
    self.recorder = recorder
    let blaming = BlameFailures(
      ledger: parts.ledger, node: parts.node, intents: recorder, maximumOwnFailures: policy.maximumOwnFailures,
      clock: parts.clock, metrics: metrics, logger: logger)
    let confirming = ConfirmPayouts(
      ledger: parts.ledger, requiredConfirmations: policy.requiredConfirmations, clock: parts.clock, metrics: metrics,
      logger: logger)
    let findings = JudgeFindings(ledger: parts.ledger, metrics: metrics, logger: logger)
    let sent = try TakeUpSent(ledger: parts.ledger, metrics: metrics, logger: logger)
      .consumer(parts.streams, name: ConsumerName(policy.name), clock: parts.clock)
    let noticing = NoticeStandstill(ledger: parts.ledger, logger: logger)
    let announcing = AnnounceAlarms(
      ledger: parts.ledger, receiver: parts.alarms, metrics: metrics, logger: logger)

    followHead = Step("follow_head", stateWhenFailing: .failed, backOff: .asking) { try await head.step() }
    followSolid = Step("follow_solid", stateWhenFailing: .failed, backOff: .asking) { try await solid.step() }
    judgeLate = Step("judge_late", backOff: .asking) { try await late.step() }
    blameFailures = Step("blame_failures", backOff: .asking) { try await blaming.step() }
    confirm = Step("confirm") { try await confirming.step() }
    judgeFindings = Step("judge_findings") { try await findings.step() }
    noticeStandstill = Step("notice_standstill") { try await noticing.step() }
    takeUpSent = Step("take_up_sent") { try await sent.step() > 0 ? .worked : .idle(milliseconds: 1) }
    announceAlarms = Step("announce_alarms") { try await announcing.step() }
    deliverWebhooks = MonitorSteps.deliverWebhooks(
      parts, workers: policy.webhookWorkers, metrics: metrics?.webhooks, logger: logger)
    let depth = MeasureWebhooks(ledger: parts.ledger, metrics: metrics?.webhooks)
    measureWebhooks = Step("measure_webhooks") { try await depth.step() }
    recordIntents = Step("record_intents") {
      await recorder.retry() ? .worked : .idle(milliseconds: IntentLogBounds.retryMilliseconds)
    }
  }

  private static func deliverWebhooks(
    _ parts: MonitorParts, workers: Int, metrics: WebhookMetrics?, logger: Logger
  ) -> [Step] {
    guard let out = parts.out else { return [] }
    return (1...max(1, workers)).map { number in
      let deliver = DeliverWebhooks(
        ledger: parts.ledger, out: out, clock: parts.clock, random: parts.random, metrics: metrics, logger: logger)
      return Step("deliver_webhooks_\(number)") { try await deliver.step() }
    }
  }
}
