package import Ledger
package import Logging
package import Payouts
package import Streams
package import Worker

/// Ingest behind its HTTP door: the same acceptance, group commit and enqueueing on given seams, for a simulator.
package struct IngestDesk: Sendable {
  /// What a client is told.
  package enum Answer: Sendable, Hashable {
    /// 201, or 200 for a replay.
    case accepted(PayoutID)
    /// Refused for good: nothing was accepted by this request.
    case refused(String)
    /// To be asked again with the same key.
    case unknown(String)
  }

  private let commits: GroupCommit
  private let enqueue: EnqueueAccepted
  private let recordIntents: Step
  private let loop: @Sendable ([Step]) -> StepLoop
  private let acceptPayout: AcceptPayout
  private let cancelPayout: CancelPayout

  /// - Parameters:
  ///   - wallets: hot wallets, which may not be paid.
  ///   - health: this process's.
  package init(
    ledger: any IngestLedger, streams: any StreamTransport, intents: any IntentLog, clock: any WallClock,
    random: any RandomSource, sealer: Sealer, network: Network, token: Address, wallets: [Address],
    limits: AcceptanceLimits,
    health: HealthRegistry, logger: Logger
  ) {
    let metrics = IngestMetrics(Instruments(worker: "ingest", registry: PrometheusRegistry()))
    let enqueue = EnqueueAccepted(streams: streams, health: health, metrics: metrics, logger: logger)
    self.enqueue = enqueue
    let recording = RecordIntents(log: intents, health: health, metrics: metrics, logger: logger)
    recordIntents = recording.step
    commits = GroupCommit(
      ledger: ledger, limits: limits, metrics: metrics, record: { await recording.accepted($0) }
    ) { payouts in
      enqueue.enqueue(payouts)
    } failed: { error, count in
      logger.error("Payouts could not be stored", error: error, metadata: [LogKey.payoutCount: "\(count)"])
    }
    acceptPayout = AcceptPayout(
      rules: AcceptanceRules(
        network: network, token: token,
        limits: PayoutLimits(v0Max: PayoutLimits.amountMax, kycMax: PayoutLimits.amountMax),
        requiresIdempotencyKey: true),
      sealer: sealer, forbidden: ForbiddenRecipients(token: token, routers: [], wallets: wallets), commits: commits,
      ledger: ledger, intents: recording, clock: clock, random: random)
    cancelPayout = CancelPayout(ledger: ledger, intents: recording, metrics: metrics, logger: logger)
    loop = { StepLoop($0, clock: clock, random: random, health: health, logger: logger) }
  }

  /// Serves requests until the signal.
  package func run(until stop: StopSignal) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await commits.run(until: stop) }
      group.addTask { try await enqueue.run(until: stop) }
      group.addTask { try await loop([recordIntents]).run(until: stop) }
      try await group.waitForAll()
    }
  }

  /// What `POST /payments` does with a body and a key.
  package func accept(_ body: [UInt8], owner: String, key: String, requestID: String) async -> Answer {
    do {
      let key = try IdempotencyKey(headers: [key])
      let caller = Caller(id: owner, role: .service, nodeIDs: [])
      return .accepted(
        try await acceptPayout.accept(body, caller: caller, key: key, requestID: requestID).record.id)
    } catch {
      return error.kind.mayHelpToAskAgain ? .unknown("\(error.kind)") : .refused("\(error.kind)")
    }
  }

  /// What a client is told who asks for several at once.
  package enum BatchAnswer: Sendable, Hashable {
    /// 201, in the order of the request.
    case accepted([PayoutID])
    /// Refused for good: nothing was accepted by this request.
    case refused(String)
    /// To be asked again with the same key.
    case unknown(String)
  }

  /// What `POST /payouts/batch` does with a body and a key.
  package func acceptBatch(_ body: [UInt8], owner: String, key: String, requestID: String) async -> BatchAnswer {
    do {
      let key = try IdempotencyKey(headers: [key])
      let caller = Caller(id: owner, role: .service, nodeIDs: [])
      let batch = try await acceptPayout.acceptBatch(body, caller: caller, key: key, requestID: requestID)
      return .accepted(batch.records.map(\.id))
    } catch {
      return error.kind.mayHelpToAskAgain ? .unknown("\(error.kind)") : .refused("\(error.kind)")
    }
  }
}

extension IngestDesk {
  /// What came of withdrawing a payout.
  package enum Withdrawal: Sendable, Hashable {
    /// 200.
    case cancelled
    /// 409 for good, or 404.
    case refused
    /// To be asked again.
    case unknown
  }

  /// What `DELETE /payouts/{id}` does.
  package func cancel(_ id: PayoutID, owner: String) async -> Withdrawal {
    do {
      _ = try await cancelPayout.cancel("\(id)", for: Caller(id: owner, role: .service, nodeIDs: []))
      return .cancelled
    } catch {
      return error.kind.mayHelpToAskAgain || error.kind == .historyNotTrusted ? .unknown : .refused
    }
  }
}

extension Problem.Kind {
  /// Whether the same request may be answered otherwise later.
  fileprivate var mayHelpToAskAgain: Bool { status >= 500 }
}
