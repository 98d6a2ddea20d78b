public import Payouts

/// What registering webhook endpoints, and looking after what they are told, asks of the ledger.
///
/// Who may ask for what is the caller's to decide: every answer names the owner.
public protocol WebhookEndpointLedger: Sendable {
  /// Registers an endpoint with its first secret. Its owner's events are told to it from this commit on.
  ///
  /// - Returns: nil where the owner has as many as one may have (``WebhookEndpoint/ownedMaximum``).
  /// - Throws: `LedgerError`: `.outcomeUnknown` (the list of endpoints tells), `.unavailable`.
  func makeWebhookEndpoint(_ terms: WebhookEndpointTerms, secret: WebhookSecret) async throws -> WebhookEndpoint?
  /// An endpoint by its id, deleted ones too; nil where there is none.
  func webhookEndpoint(_ id: WebhookEndpointID) async throws -> WebhookEndpoint?
  /// Endpoints that are not deleted, the newest first.
  ///
  /// - Parameters:
  ///   - owner: whose; nil: everybody's.
  ///   - before: goes on below this id; nil begins with the newest.
  func webhookEndpoints(
    of owner: String?, before: WebhookEndpointID?, limit: Int
  ) async throws -> [WebhookEndpoint]
  /// Deletes an endpoint for good: nothing is told to it any more, and its secrets sign nothing. Asking again answers the
  /// same; nil where there is none.
  func deleteWebhookEndpoint(_ id: WebhookEndpointID) async throws -> WebhookEndpoint?
  /// Gives an endpoint another secret; the old one signs as well for so long.
  ///
  /// - Returns: until when the old one signs; nil where no such endpoint is told anything.
  func rotateWebhookEndpointSecret(
    _ id: WebhookEndpointID, to secret: WebhookSecret, oldValidMilliseconds: Int64
  ) async throws -> Timestamp?
  /// Stores a `webhook.test` for an endpoint, to be told as any event is; nil where no such endpoint is told anything.
  func storeTestWebhook(for id: WebhookEndpointID) async throws -> WebhookDeliveryRecord?

  /// What an endpoint was told or is to be told, the newest first.
  ///
  /// - Parameters:
  ///   - state: only what stands so; nil: all.
  ///   - before: goes on below this number; nil begins with the newest.
  func webhookDeliveries(
    to endpoint: WebhookEndpointID, state: WebhookState?, before: Int64?, limit: Int
  ) async throws -> [WebhookDeliveryRecord]
  /// A delivery by its id; nil where there is none.
  func webhookDelivery(_ id: WebhookID) async throws -> WebhookDeliveryRecord?
  /// Has a delivery that is over told once more, under its own id; its time and its tries begin anew.
  func redeliverWebhook(_ id: WebhookID) async throws -> RedeliveryOutcome
}

/// The name of a registered endpoint: 16 bytes as a UUID, the later made the greater.
public typealias WebhookEndpointID = PayoutID

/// What an endpoint may ask to be told (api.md "Webhooks").
public enum WebhookEvent: String, Sendable, Hashable, CaseIterable {
  /// A payout was accepted and waits for its batch.
  case queued = "payout.queued"
  /// An operator has to decide.
  case held = "payout.held"
  /// Its transaction was sent.
  case broadcast = "payout.broadcast"
  /// It is paid for good.
  case confirmed = "payout.confirmed"
  /// It was tried often enough in vain.
  case failed = "payout.failed"
  /// An operator has refused it.
  case rejected = "payout.rejected"
  /// It was paid another way.
  case settledExternally = "payout.settled_externally"
  /// Its time was over before it was signed.
  case expired = "payout.expired"
  /// Its owner withdrew it.
  case cancelled = "payout.cancelled"
  /// All payouts of a client's batch have ended.
  case batchCompleted = "batch.completed"
}

/// What an endpoint is for its whole life.
public struct WebhookEndpointTerms: Sendable, Hashable {
  /// Its name.
  public let id: WebhookEndpointID
  /// Whose events it is told: the canonical id of a caller.
  public let owner: String
  /// Where; may hold credentials in its query. 1 to 2048 characters.
  public let url: String
  /// Which events; nil: all of them, those that are added later too.
  public let events: [WebhookEvent]?
  /// What its owner calls it, 1 to 256 characters.
  public let description: String?

  /// Terms of their parts; the database checks them.
  public init(id: WebhookEndpointID, owner: String, url: String, events: [WebhookEvent]?, description: String?) {
    self.id = id
    self.owner = owner
    self.url = url
    self.events = events
    self.description = description
  }
}

/// A registered endpoint, and how it stands.
public struct WebhookEndpoint: Sendable, Hashable {
  /// How many an owner may have that are not deleted.
  public static let ownedMaximum = 20
  /// An endpoint that fails without one success for so long, three days, …
  public static let disabledAfterMilliseconds: Int64 = 259_200_000
  /// … and at least so often, is disabled: a receiver that is away for a weekend with little to be told is not.
  public static let disabledAfterTries = 20

  /// What never changes.
  public let terms: WebhookEndpointTerms
  /// When it was registered.
  public let createdAt: Timestamp
  /// How many tries have failed since the last success.
  public let failures: Int
  /// When the first of them failed; nil where none did.
  public let firstFailedAt: Timestamp?
  /// Since when nothing is told to it, since it kept failing or answered 410; nil where it is told.
  public let disabledAt: Timestamp?
  /// Why, in words.
  public let disabledReason: String?
  /// When its owner deleted it; nil where he did not.
  public let deletedAt: Timestamp?

  /// Whether it is told anything.
  public var isListening: Bool { disabledAt == nil && deletedAt == nil }
}

/// A delivery as its owner sees it: without what was said and by whose secret.
public struct WebhookDeliveryRecord: Sendable, Hashable {
  /// Sent as `webhook-id`.
  public let id: WebhookID
  /// Its place: the later stored the greater.
  public let number: Int64
  /// Whose it is.
  public let owner: String
  /// The registered endpoint; nil: the payout's own URL.
  public let endpoint: WebhookEndpointID?
  /// `payout.queued`, …
  public let event: String
  /// What it is about; nil where that is no payout.
  public let payout: PayoutID?
  /// The client's batch that it is about; nil where that is none.
  public let batch: BatchID?
  /// Where it stands.
  public let state: WebhookState
  /// How often it was tried since it was stored, or asked for again.
  public let tries: Int
  /// When it was tried last; nil where never.
  public let lastTriedAt: Timestamp?
  /// When it is tried next; nil where it is over.
  public let nextTryAt: Timestamp?
  /// What came of the last try: a status, or why no answer came. Its words after a colon tell of our own network.
  public let lastResult: String?
  /// When the event happened.
  public let createdAt: Timestamp
}

/// What became of asking for a delivery once more.
public enum RedeliveryOutcome: Sendable, Hashable {
  /// It waits for its next try.
  case pending(WebhookDeliveryRecord)
  /// It waited already: nothing was changed.
  case waitsAlready
  /// Its endpoint was deleted or disabled: nothing was changed.
  case endpointIsOver
  /// There is no such delivery.
  case unknown
}
