import Ledger
import Logging
import Payouts
import Worker

/// Registers webhook endpoints and looks after them and what they are told, for their owners and admins. A stranger's
/// endpoint or delivery and one that does not exist look alike.
struct ManageWebhooks: Sendable {
  /// How long the old secret signs beside the new one: 24 hours (api.md "Webhooks").
  static let oldValidMilliseconds: Int64 = 86_400_000

  let ledger: any WebhookEndpointLedger
  let clock: any WallClock
  let random: any RandomSource
  let logger: Logger

  /// A new endpoint of the caller's, and its secret, which is told this once. Asked for twice, these are two.
  func make(
    _ request: WebhookRequest, for caller: Caller
  ) async throws(Problem) -> (endpoint: WebhookEndpoint, secret: WebhookSecret) {
    let secret = try newSecret()
    let terms = WebhookEndpointTerms(
      id: WebhookEndpointID(at: clock.now(), randomness: random.bytes(10)), owner: caller.id, url: request.url,
      events: request.events, description: request.description)
    let made: WebhookEndpoint?
    do {
      made = try await ledger.makeWebhookEndpoint(terms, secret: secret)
    } catch {
      throw OperatorProblem.ofChange(error)
    }
    guard let made else { throw Self.tooMany }
    log("A webhook endpoint was registered", terms.id, caller)
    return (made, secret)
  }

  /// A page of the endpoints that the caller may see, the newest first, and the cursor of the next one.
  func list(
    _ request: WebhookListRequest, for caller: Caller
  ) async throws(Problem) -> (endpoints: [WebhookEndpoint], next: String?) {
    if let owner = request.owner, !caller.reaches(owner: owner) { return ([], nil) }
    do {
      let found = try await ledger.webhookEndpoints(
        of: caller.role == .admin ? request.owner : caller.id, before: request.before, limit: request.limit + 1)
      let page = Array(found.prefix(request.limit))
      return (page, found.count > page.count ? page.last.map { PayoutCursor.text($0.terms.id) } : nil)
    } catch {
      throw ReadPayout.problem(error)
    }
  }

  /// Deletes an endpoint for good. Asking again answers the same.
  /// - Parameter id: the id's text in the path; a text that is no id names no endpoint. So it is with all of these.
  func delete(_ id: String, for caller: Caller) async throws(Problem) -> WebhookEndpoint {
    let endpoint = try await endpoint(id, for: caller)
    let deleted: WebhookEndpoint?
    do {
      deleted = try await ledger.deleteWebhookEndpoint(endpoint.terms.id)
    } catch {
      throw OperatorProblem.ofChange(error)
    }
    guard let deleted else { throw Self.unknown }
    log("A webhook endpoint was deleted", deleted.terms.id, caller)
    return deleted
  }

  /// A page of what an endpoint was told or is to be told, also where it is deleted, and where the next one goes on.
  func deliveries(
    _ id: String, _ request: WebhookDeliveryListRequest, for caller: Caller
  ) async throws(Problem) -> (records: [WebhookDeliveryRecord], next: Int64?) {
    let endpoint = try await endpoint(id, for: caller)
    do {
      let found = try await ledger.webhookDeliveries(
        to: endpoint.terms.id, state: request.state, before: request.before, limit: request.limit + 1)
      let page = Array(found.prefix(request.limit))
      return (page, found.count > page.count ? page.last?.number : nil)
    } catch {
      throw ReadPayout.problem(error)
    }
  }

  /// Has an endpoint told a `webhook.test`.
  func test(_ id: String, for caller: Caller) async throws(Problem) -> WebhookDeliveryRecord {
    let endpoint = try await listening(id, for: caller)
    let stored: WebhookDeliveryRecord?
    do {
      stored = try await ledger.storeTestWebhook(for: endpoint.terms.id)
    } catch {
      throw OperatorProblem.ofChange(error)
    }
    guard let stored else { throw Self.isOver }
    return stored
  }

  /// Gives an endpoint another secret, which is told this once; the old one signs as well for a day more.
  func rotate(
    _ id: String, for caller: Caller
  ) async throws(Problem) -> (id: WebhookEndpointID, secret: WebhookSecret, oldUntil: Timestamp) {
    let endpoint = try await listening(id, for: caller)
    let secret = try newSecret()
    let oldUntil: Timestamp?
    do {
      oldUntil = try await ledger.rotateWebhookEndpointSecret(
        endpoint.terms.id, to: secret, oldValidMilliseconds: Self.oldValidMilliseconds)
    } catch {
      throw OperatorProblem.ofChange(error)
    }
    guard let oldUntil else { throw Self.isOver }
    log("The secret of a webhook endpoint was rotated", endpoint.terms.id, caller)
    return (endpoint.terms.id, secret, oldUntil)
  }

  /// Has a delivery that is over told once more under its own id, also one to a payout's own URL.
  func redeliver(_ id: String, for caller: Caller) async throws(Problem) -> WebhookDeliveryRecord {
    guard let id = try? WebhookID(id) else { throw Self.unknownDelivery }
    let outcome: RedeliveryOutcome
    do {
      guard let found = try await ledger.webhookDelivery(id), caller.reaches(owner: found.owner) else {
        throw Self.unknownDelivery
      }
      outcome = try await ledger.redeliverWebhook(id)
    } catch {
      throw OperatorProblem.ofChange(error)
    }
    switch outcome {
    case .pending(let record): return record
    case .waitsAlready: throw Self.waits
    case .endpointIsOver: throw Self.isOver
    case .unknown: throw Self.unknownDelivery
    }
  }

  private func endpoint(_ id: String, for caller: Caller) async throws(Problem) -> WebhookEndpoint {
    guard let id = try? WebhookEndpointID(id) else { throw Self.unknown }
    let found: WebhookEndpoint?
    do {
      found = try await ledger.webhookEndpoint(id)
    } catch {
      throw ReadPayout.problem(error)
    }
    guard let found, caller.reaches(owner: found.terms.owner) else { throw Self.unknown }
    return found
  }

  private func listening(_ id: String, for caller: Caller) async throws(Problem) -> WebhookEndpoint {
    let endpoint = try await endpoint(id, for: caller)
    guard endpoint.isListening else { throw Self.isOver }
    return endpoint
  }

  private func newSecret() throws(Problem) -> WebhookSecret {
    do {
      return try WebhookSecret(bytes: random.bytes(WebhookSecret.usualBytes))
    } catch {
      throw .mistake.because(error)
    }
  }

  private func log(_ what: Logger.Message, _ id: WebhookEndpointID, _ caller: Caller) {
    logger.notice(what, metadata: [LogKey.webhookEndpointID: "\(id)", LogKey.callerID: "\(caller.id)"])
  }

  private static let unknown = Problem(.notFound, "There is no such webhook, or it is not yours to see.")
  private static let unknownDelivery = Problem(.notFound, "There is no such delivery, or it is not yours to see.")
  private static let tooMany = Problem(
    .tooManyWebhooks,
    "You have \(WebhookEndpoint.ownedMaximum) webhooks, the disabled ones included. Delete one before you make another."
  )
  private static let isOver = Problem(
    .webhookEnded, "The webhook was deleted or disabled, and is told nothing any more. Make a new one for its URL.")
  private static let waits = Problem(
    .cannotRedeliver, "It waits for its next try already. Nothing was changed.")
}
