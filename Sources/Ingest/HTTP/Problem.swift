/// A refusal or a failure as the caller is told it: `application/problem+json` (RFC 9457).
///
/// Business code throws it, the HTTP layer writes it. Its type is stable and may be branched on; title and detail are for
/// people. It never holds a secret, a stack trace or the text of another system's error.
struct Problem: Error, Sendable, Hashable {
  /// The closed set of kinds.
  let kind: Kind
  /// What happened this time, what was expected, what to do.
  let detail: String
  /// Every wrong field of a request.
  let errors: [FieldProblem]
  /// Members of the kind's own, such as a limit's use.
  let particulars: [JSONValue.Member]
  /// When trying again may help, in seconds.
  let retryAfterSeconds: Int?
  /// What led to it, for the log alone: never part of an answer.
  private(set) var cause: String?

  /// One wrong field.
  struct FieldProblem: Sendable, Hashable {
    /// Its name in the request.
    let field: String
    /// What is wrong and what was expected.
    let message: String
  }

  /// The same problem with the error that led to it, which the log is told.
  func because(_ error: any Error) -> Problem {
    var problem = self
    problem.cause = "\(error)"
    return problem
  }

  /// A problem of a kind.
  init(
    _ kind: Kind, _ detail: String, errors: [FieldProblem] = [], particulars: [JSONValue.Member] = [],
    retryAfterSeconds: Int? = nil
  ) {
    self.kind = kind
    self.detail = detail
    self.errors = errors
    self.particulars = particulars
    self.retryAfterSeconds = retryAfterSeconds
  }
}

extension Problem {
  /// The kinds of problems; the raw value is the end of the stable `type`.
  enum Kind: String, CaseIterable, Sendable {
    /// The body is no JSON text.
    case malformedJSON = "malformed-json"
    /// The query is not percent-encoded UTF-8, or names a parameter twice.
    case malformedQuery = "malformed-query"
    /// Fields are wrong, missing or unknown: `errors` names all of them.
    case invalidRequest = "invalid-request"
    /// This installation takes no payout without an `Idempotency-Key`.
    case idempotencyKeyRequired = "idempotency-key-required"
    /// The `Idempotency-Key` header cannot be used.
    case invalidIdempotencyKey = "invalid-idempotency-key"
    /// The hourly or daily limit is used up.
    case limitExceeded = "limit-exceeded"
    /// No credentials, or bad ones.
    case unauthenticated
    /// The caller's role does not allow this.
    case forbidden
    /// There is no such thing, or it is somebody else's.
    case notFound = "not-found"
    /// The path exists, but not with this method.
    case methodNotAllowed = "method-not-allowed"
    /// It is signed already, held, or has ended.
    case cannotCancel = "cannot-cancel"
    /// An operator's decision does not fit what the payout is, or may still become.
    case cannotDecide = "cannot-decide"
    /// The caller has as many webhooks as one may have.
    case tooManyWebhooks = "too-many-webhooks"
    /// The webhook was deleted or disabled.
    case webhookEnded = "webhook-ended"
    /// The delivery waits for its next try already.
    case cannotRedeliver = "cannot-redeliver"
    /// The compliance signature fails a check: `failed_check` tells which.
    case invalidComplianceSignature = "invalid-compliance-signature"
    /// The compliance signature's nonce was used before.
    case nonceUsed = "nonce-used"
    /// This installation has no compliance authority.
    case noComplianceAuthority = "no-compliance-authority"
    /// The node stands otherwise than it must for this.
    case kycConflict = "kyc-conflict"
    /// Nothing ends unpaid while the ledger's history is not vouched for.
    case historyNotTrusted = "history-not-trusted"
    /// The body did not arrive in time.
    case requestTimeout = "request-timeout"
    /// The body is larger than is read.
    case bodyTooLarge = "body-too-large"
    /// The body is not declared as JSON.
    case unsupportedMediaType = "unsupported-media-type"
    /// The key was used before with another request.
    case idempotencyMismatch = "idempotency-mismatch"
    /// The caller has made as many requests as it may.
    case rateLimited = "rate-limited"
    /// A mistake of ours.
    case internalError = "internal-error"
    /// It may have been accepted or not: the same key finds out.
    case outcomeUnknown = "outcome-unknown"
    /// It was not done, since the database cannot be reached.
    case unavailable
    /// Redis cannot be reached, where an answer is told from it.
    case streamsUnavailable = "streams-unavailable"
    /// It was not done, since too many requests wait already.
    case overloaded
    /// It was not done, since this replica is stopping.
    case shuttingDown = "shutting-down"

    /// The HTTP status.
    var status: Int {
      switch self {
      case .malformedJSON, .malformedQuery, .invalidRequest, .idempotencyKeyRequired, .invalidIdempotencyKey,
        .limitExceeded, .invalidComplianceSignature:
        400
      case .unauthenticated: 401
      case .forbidden: 403
      case .notFound: 404
      case .methodNotAllowed: 405
      case .requestTimeout: 408
      case .cannotCancel, .cannotDecide, .historyNotTrusted: 409
      case .tooManyWebhooks, .webhookEnded, .cannotRedeliver: 409
      case .nonceUsed, .noComplianceAuthority, .kycConflict: 409
      case .bodyTooLarge: 413
      case .unsupportedMediaType: 415
      case .idempotencyMismatch: 422
      case .rateLimited: 429
      case .internalError: 500
      case .outcomeUnknown, .unavailable, .streamsUnavailable, .overloaded, .shuttingDown: 503
      }
    }

    /// The same for every problem of the kind.
    var title: String {
      switch self {
      case .malformedJSON: "The body is no JSON text"
      case .malformedQuery: "The query cannot be read"
      case .invalidRequest: "The request has wrong fields"
      case .idempotencyKeyRequired: "An Idempotency-Key is required"
      case .invalidIdempotencyKey: "The Idempotency-Key cannot be used"
      case .limitExceeded: "A payout limit is used up"
      case .unauthenticated: "Credentials are missing or bad"
      case .forbidden: "Not allowed"
      case .notFound: "Not found"
      case .methodNotAllowed: "Method not allowed"
      case .cannotCancel: "The payout cannot be cancelled"
      case .cannotDecide: "The decision cannot be carried out"
      case .tooManyWebhooks: "There are too many webhooks"
      case .webhookEnded: "The webhook is told nothing any more"
      case .cannotRedeliver: "The delivery waits already"
      case .invalidComplianceSignature: "The compliance signature is not valid"
      case .nonceUsed: "The nonce was used before"
      case .noComplianceAuthority: "There is no compliance authority"
      case .kycConflict: "The node does not stand so"
      case .historyNotTrusted: "Nothing can end unpaid just now"
      case .requestTimeout: "The request took too long to arrive"
      case .bodyTooLarge: "The body is too large"
      case .unsupportedMediaType: "The body is not declared as JSON"
      case .idempotencyMismatch: "The Idempotency-Key was used with another request"
      case .rateLimited: "Too many requests"
      case .internalError: "Internal error"
      case .outcomeUnknown: "The outcome is unknown"
      case .unavailable: "The ledger cannot be reached"
      case .streamsUnavailable: "The streams cannot be reached"
      case .overloaded: "Too many requests are waiting"
      case .shuttingDown: "This replica is stopping"
      }
    }

    /// What `type` says: a URN, since nothing needs to be fetched to tell kinds apart.
    var type: String { "urn:tron-payouts:problem:\(rawValue)" }
  }

  /// The members of the answer's body, in order.
  /// - Parameters:
  ///   - instance: the path that was asked for.
  ///   - requestID: the request's id, the same as in the header and the log.
  func body(instance: String, requestID: String) -> JSONValue {
    var members: [JSONValue.Member] = [
      .init("type", .text(kind.type)), .init("title", .text(kind.title)), .init("status", .integer(kind.status)),
      .init("detail", .text(detail)), .init("instance", .text(instance)), .init("request_id", .text(requestID)),
    ]
    if !errors.isEmpty {
      let fields = errors.map { problem in
        JSONValue.object([.init("field", .text(problem.field)), .init("message", .text(problem.message))])
      }
      members.append(.init("errors", .array(fields)))
    }
    return .object(members + particulars)
  }
}

extension Problem {
  /// Somebody else's payout and one that does not exist look alike, so that ids cannot be probed.
  static let unknownPayout = Problem(.notFound, "There is no such payout, or it is not yours to see.")

  /// As of a payout.
  static let unknownBatch = Problem(.notFound, "There is no such batch, or it is not yours to see.")

  /// The caller cannot tell whether it was done; asking again under the same key can.
  static let unknownOutcome = Problem(
    .outcomeUnknown,
    "The database did not say whether the payout was stored. Send the same request with the same Idempotency-Key: "
      + "it finds out, and pays once. Without a key, look for the payout before sending it again.",
    retryAfterSeconds: 2)

  /// Provably nothing was done.
  static let ledgerUnavailable = Problem(
    .unavailable, "The ledger cannot be reached at the moment. Nothing was changed; try again later.",
    retryAfterSeconds: 5)

  /// Provably nothing was done.
  static let tooManyWaiting = Problem(
    .overloaded, "More requests wait to be stored than this replica keeps. Nothing was changed; try again later.",
    retryAfterSeconds: 1)

  /// Provably nothing was done.
  static let stopping = Problem(
    .shuttingDown, "This replica is stopping. Nothing was changed; send the request to another one.",
    retryAfterSeconds: 1)

  /// A mistake of ours; the log has the cause under the request's id.
  static let mistake = Problem(
    .internalError, "Something went wrong on our side. The log knows more under this request_id.")
}
