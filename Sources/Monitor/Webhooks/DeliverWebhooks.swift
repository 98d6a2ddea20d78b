import Ledger
import Logging
import Payouts
import Synchronization
import Worker

/// Tells due events to one server at a time; several of these go round beside one another, in each replica of Monitor.
///
/// **One slow or dead endpoint delays no other**: a server is held by one of them at most, so that the others pass it; it
/// is let go after a few seconds, and where it does not answer it rests. **At least once**: what was sent is recorded
/// afterwards; a process that dies between the two leaves the delivery due, and it is sent again under the same id.
final class DeliverWebhooks: Sendable {
  /// How many go round side by side in one process.
  static let workers = 16
  /// How many requests one server gets at a time.
  static let atOnce = 2
  /// How many deliveries are taken up at a time.
  static let lotMaximum = 20
  /// How long new requests of a lot are begun, in milliseconds. With the longest request after it, a round is shorter than
  /// a worker's drain.
  static let roundMilliseconds: Int64 = 3_000
  /// How long a server is held, in milliseconds: longer than a round may take.
  static let leaseMilliseconds: Int64 = 30_000
  /// How long to wait where nothing is due, in milliseconds.
  static let pauseMilliseconds: Int64 = 500

  /// Where the look for servers stands.
  private struct Place {
    var after: String?
    /// Whether something was sent since the beginning of the names: then there may be more.
    var hasSent = false
  }

  private let ledger: any WebhookLedger
  private let out: any HTTPOut
  private let clock: any WallClock
  private let random: any RandomSource
  private let metrics: WebhookMetrics?
  private let logger: Logger
  private let place = Mutex(Place())

  init(
    ledger: any WebhookLedger, out: any HTTPOut, clock: any WallClock, random: any RandomSource,
    metrics: WebhookMetrics?, logger: Logger
  ) {
    self.ledger = ledger
    self.out = out
    self.clock = clock
    self.random = random
    self.metrics = metrics
    self.logger = logger
  }

  /// Serves the next server that has something due.
  func step() async throws -> StepOutcome {
    let claim = try await ledger.claimWebhooks(
      after: place.withLock { $0.after }, leaseMilliseconds: Self.leaseMilliseconds, atMost: Self.lotMaximum)
    switch claim {
    case .lot(let lot):
      place.withLock { $0 = Place(after: lot.origin, hasSent: true) }
      try await deliver(lot)
      return .worked
    case .nothing(let next?):
      place.withLock { $0.after = next }
      return .worked
    case .nothing(nil):
      let hasSent = place.withLock { place in
        defer { place = Place() }
        return place.hasSent
      }
      return hasSent ? .worked : .idle(milliseconds: Self.pauseMilliseconds)
    }
  }

  private func deliver(_ lot: WebhookLot) async throws {
    let secrets = try await secrets(of: Set(lot.deliveries.filter { $0.endpoint == nil }.map(\.owner)))
    let began = clock.now()
    let hasAnswered = try await withThrowingTaskGroup(of: Bool.self) { group in
      var waiting = lot.deliveries[...]
      var hasAnswered = true
      func begin() {
        guard let delivery = waiting.popFirst() else { return }
        group.addTask {
          try await self.deliver(delivery, delivery.endpoint?.secrets ?? secrets[delivery.owner] ?? [])
        }
      }
      for _ in 0..<Self.atOnce { begin() }
      while let answered = try await group.next() {
        hasAnswered = hasAnswered && answered
        if hasAnswered, clock.now().milliseconds(since: began) < Self.roundMilliseconds { begin() }
      }
      return hasAnswered
    }
    let rest = hasAnswered ? nil : WebhookSchedule.rest.delay(afterFailures: lot.failures + 1, random: random)
    let givenUp = try await ledger.release(
      lot, restMilliseconds: rest, lifetimeMilliseconds: WebhookSchedule.lifetimeMilliseconds)
    if givenUp > 0 {
      metrics?.count(givenUp: givenUp)
      logger.critical(
        "Webhooks were given up: their server does not answer",
        metadata: [LogKey.webhookOrigin: "\(lot.origin)", LogKey.webhookCount: "\(givenUp)"])
    }
  }

  /// The owners' secrets; an owner who has none gets one now, so that no delivery waits for an operator.
  private func secrets(of owners: Set<String>) async throws -> [String: [WebhookSecret]] {
    var secrets: [String: [WebhookSecret]] = [:]
    for owner in owners.sorted() {
      var valid = try await ledger.webhookSecrets(of: owner)
      if valid.isEmpty {
        let candidate = try WebhookSecret(bytes: random.bytes(WebhookSecret.usualBytes))
        valid = try await ledger.makeWebhookSecret(of: owner, candidate)
      }
      secrets[owner] = valid
    }
    return secrets
  }

  /// One try.
  ///
  /// - Returns: whether the server answered at all.
  private func deliver(_ delivery: WebhookDelivery, _ secrets: [WebhookSecret]) async throws -> Bool {
    let result: WebhookResult
    var hasAnswered = true
    do {
      let status = try await out.post(request(for: delivery, secrets))
      result =
        switch status {
        case 200..<300: .delivered("HTTP \(status)")
        case 410: .gone("HTTP \(status)")
        default: failed("HTTP \(status)", delivery)
        }
    } catch {
      if error.code == .cancelled { throw CancellationError() }
      result = failed("\(error)", delivery)
      hasAnswered = false
    }
    let state = try await ledger.record(result, of: delivery)
    metrics?.count(result)
    log(result, state, delivery)
    return hasAnswered
  }

  private func request(for delivery: WebhookDelivery, _ secrets: [WebhookSecret]) -> OutgoingRequest {
    let body = WebhookBody.bytes(of: delivery)
    let id = "\(delivery.id)"
    let seconds = clock.now().milliseconds / 1_000
    let signatures = secrets.map { $0.signature(id: id, seconds: seconds, body: body) }
    return OutgoingRequest(
      url: delivery.url,
      headers: [
        ("content-type", "application/json"), ("user-agent", "tron-payouts"), ("webhook-id", id),
        ("webhook-timestamp", "\(seconds)"), ("webhook-signature", signatures.joined(separator: " ")),
      ], body: body)
  }

  private func failed(_ text: String, _ delivery: WebhookDelivery) -> WebhookResult {
    .failed(
      text, delayMilliseconds: WebhookSchedule.delay(afterTries: delivery.tries, random: random),
      lifetimeMilliseconds: WebhookSchedule.lifetimeMilliseconds)
  }

  private func log(_ result: WebhookResult, _ state: WebhookState?, _ delivery: WebhookDelivery) {
    var metadata: Logger.Metadata = [
      LogKey.webhookID: "\(delivery.id)", LogKey.webhookEvent: "\(delivery.event)",
      LogKey.deliveryCount: "\(delivery.tries + 1)",
    ]
    if let payout = delivery.payout { metadata[LogKey.payoutID] = "\(payout.id)" }
    if let endpoint = delivery.endpoint { metadata[LogKey.webhookEndpointID] = "\(endpoint.id)" }
    switch result {
    case .delivered: logger.debug("Delivered a webhook", metadata: metadata)
    case .gone: logger.info("A webhook's receiver is gone: it is told no more", metadata: metadata)
    case .failed(let text, let delay, _):
      metadata[LogKey.webhookResult] = "\(text)"
      guard state != .givenUp else {
        metrics?.count(givenUp: 1)
        return logger.critical("A webhook was given up", metadata: metadata)
      }
      metadata[LogKey.retryDelayMilliseconds] = "\(delay)"
      logger.info("A webhook was not delivered and will be tried again", metadata: metadata)
    }
  }
}
