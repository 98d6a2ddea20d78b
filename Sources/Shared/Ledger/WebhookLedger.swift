public import Payouts

/// What telling events over HTTP asks of the ledger. The rows are made by the database itself (`M006Webhooks`).
public protocol WebhookLedger: Sendable {
  /// Takes the next server, in the order of their names and beginning after `origin`, that has due deliveries and that
  /// nobody else calls just now.
  ///
  /// - Parameters:
  ///   - origin: where the last look ended; nil for the beginning.
  ///   - leaseMilliseconds: how long nobody else calls that server, also where this process dies.
  ///   - count: how many deliveries at most.
  func claimWebhooks(
    after origin: String?, leaseMilliseconds: Int64, atMost count: Int
  ) async throws -> WebhookClaim
  /// Stores what came of one try.
  ///
  /// - Returns: what became of the delivery; nil where somebody else has stored a try of it meanwhile.
  func record(_ result: WebhookResult, of delivery: WebhookDelivery) async throws -> WebhookState?
  /// Gives a server back. Where no answer came from it, it rests, and what is older than `lifetimeMilliseconds` is given
  /// up, also where a delivery never had its turn.
  ///
  /// - Parameters:
  ///   - restMilliseconds: how long nobody calls it; nil where it answered.
  /// - Returns: how many were given up.
  func release(
    _ lot: WebhookLot, restMilliseconds: Int64?, lifetimeMilliseconds: Int64
  ) async throws -> Int

  /// The secrets with which an owner's webhooks are signed now, the newest first; none where there was never one.
  func webhookSecrets(of owner: String) async throws -> [WebhookSecret]
  /// Gives an owner the first secret, where nobody else did so at the same time.
  ///
  /// - Returns: those that are valid now, the newest first; committed.
  func makeWebhookSecret(of owner: String, _ candidate: WebhookSecret) async throws -> [WebhookSecret]
  /// What waits to be told.
  func webhookDepth() async throws -> WebhookDepth
}

/// The name of a delivery: 16 random bytes as a UUID, sent as `webhook-id`.
public typealias WebhookID = PayoutID

/// What a look for due deliveries found.
public enum WebhookClaim: Sendable, Hashable {
  /// A server and what it is to be told. It is this caller's until the lease ends.
  case lot(WebhookLot)
  /// Nothing in this stretch of servers; the next one begins after that name, or there is none.
  case nothing(next: String?)
}

/// Due deliveries of one server, in the order in which they are to be told.
public struct WebhookLot: Sendable, Hashable {
  /// Scheme, host and port.
  public let origin: String
  /// Which claim of this server it is: a later one makes it void.
  public let claim: Int64
  /// How often in a row no answer came from it.
  public let failures: Int
  /// At most one event of a payout whose order still counts.
  public let deliveries: [WebhookDelivery]

  /// Of its parts; for this package's own ledgers.
  package init(origin: String, claim: Int64, failures: Int, deliveries: [WebhookDelivery]) {
    self.origin = origin
    self.claim = claim
    self.failures = failures
    self.deliveries = deliveries
  }
}

/// One event for one URL.
public struct WebhookDelivery: Sendable, Hashable {
  /// The same with every try.
  public let id: WebhookID
  /// Whose secret signs it, unless it is for an endpoint.
  public let owner: String
  /// The registered endpoint that it is for; nil: the payout's own URL.
  public let endpoint: Endpoint?
  /// Where it is told; may hold credentials in its query.
  public let url: String
  /// `payout.queued`, …
  public let event: String
  /// What is told.
  public let told: Told
  /// How often it was tried before.
  public let tries: Int

  /// A registered endpoint, as whoever calls it needs it.
  public struct Endpoint: Sendable, Hashable {
    /// Its name.
    public let id: WebhookEndpointID
    /// With what it is signed when it was claimed, the newest first; never none.
    public let secrets: [WebhookSecret]

    /// An endpoint of its parts.
    public init(id: WebhookEndpointID, secrets: [WebhookSecret]) {
      self.id = id
      self.secrets = secrets
    }
  }

  /// What an event is about.
  public enum Told: Sendable, Hashable {
    /// One payout's change.
    case payout(WebhookPayout)
    /// Anything else: `data` is the JSON text that is sent as such, to the letter.
    case other(at: Timestamp, data: String)
  }

  /// The payout; nil where it is about something else.
  public var payout: WebhookPayout? {
    if case .payout(let payout) = told { payout } else { nil }
  }

  /// A delivery of its parts.
  public init(
    id: WebhookID, owner: String, endpoint: Endpoint? = nil, url: String, event: String, told: Told, tries: Int
  ) {
    self.id = id
    self.owner = owner
    self.endpoint = endpoint
    self.url = url
    self.event = event
    self.told = told
    self.tries = tries
  }
}

/// A payout as it was right after a change: only what the change stored, and what can never change.
public struct WebhookPayout: Sendable, Hashable {
  /// The payout.
  public let id: PayoutID
  /// The state that it entered.
  public let status: PayoutStatus
  /// When, by the database's clock.
  public let at: Timestamp
  /// The token's name.
  public let asset: String
  /// How much.
  public let amount: Amount
  /// Who is paid.
  public let recipient: Address
  /// The client's own reference.
  public let externalID: String?
  /// The client's batch.
  public let clientBatch: BatchID?
  /// The transaction that paid it or may still do so.
  public let txid: TxID?
  /// Why, where it entered `held`.
  public let holdReason: String?

  /// A snapshot of its parts.
  public init(
    id: PayoutID, status: PayoutStatus, at: Timestamp, asset: String, amount: Amount, recipient: Address,
    externalID: String?, clientBatch: BatchID?, txid: TxID?, holdReason: String?
  ) {
    self.id = id
    self.status = status
    self.at = at
    self.asset = asset
    self.amount = amount
    self.recipient = recipient
    self.externalID = externalID
    self.clientBatch = clientBatch
    self.txid = txid
    self.holdReason = holdReason
  }
}

/// What came of one try.
public enum WebhookResult: Sendable, Hashable {
  /// The receiver has it.
  case delivered(String)
  /// The receiver wants it no more.
  case gone(String)
  /// It is tried again after the delay, unless it is as old as the lifetime by then; a last time at that age.
  case failed(String, delayMilliseconds: Int64, lifetimeMilliseconds: Int64)
}

/// Where a delivery stands.
public enum WebhookState: String, Sendable, Hashable, CaseIterable {
  /// It waits for its first or next try.
  case pending
  /// The receiver has answered with success.
  case delivered
  /// The receiver has answered 410.
  case gone
  /// It failed for too long.
  case givenUp = "given_up"
}

/// What waits to be told.
public struct WebhookDepth: Sendable, Hashable {
  /// How many deliveries are due.
  public let dueCount: Int64
  /// Since when the oldest one is, in milliseconds; 0 where none is.
  public let oldestDueAgeMilliseconds: Int64
  /// How many endpoints were disabled since they kept failing, and are not deleted yet.
  public let disabledEndpoints: Int64

  /// Of its parts; for this package's own ledgers.
  package init(dueCount: Int64, oldestDueAgeMilliseconds: Int64, disabledEndpoints: Int64 = 0) {
    self.dueCount = dueCount
    self.oldestDueAgeMilliseconds = oldestDueAgeMilliseconds
    self.disabledEndpoints = disabledEndpoints
  }
}
