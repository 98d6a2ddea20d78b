import HTTPTypes

/// The calls of the HTTP interface: one table for routing, permissions, metrics and logs. `ops/openapi.yaml` documents the
/// same ones; a test holds the two against each other.
///
/// Every path stands at the root, behind a gateway that strips its prefix, and under `/api/payment`.
enum Operation: String, CaseIterable, Sendable {
  case createPayout
  case createBatch
  case quotePayouts
  case getBatch
  case listPayouts
  case getPayout
  case cancelPayout
  case getTransaction
  case getTransactions
  case getStats
  case makeWebhook
  case listWebhooks
  case deleteWebhook
  case listWebhookDeliveries
  case testWebhook
  case redeliverWebhook
  case rotateWebhookSecret
  case registerNode
  case getNode
  case verifyNode
  case suspendNode
  case releasePayout
  case rejectPayout
  case settlePayout
  case listHeld
  case openBreaker
  case closeBreaker
  case pausePayments
  case resumePayments
  case listFindings
  case getQueues
  case listDeadLetters
  case retryDeadLetter
  case makeAPIKey
  case listAPIKeys
  case revokeAPIKey
  case listAudits
  case getHealth
  case getReadiness
  case getLiveness
  case getDocument
  case getDocumentation

  /// The prefix of the gateway.
  static let prefix = "/api/payment"

  /// The name in logs and metrics of what is none of these.
  static let unknownName = "unknown"

  /// The method and the path's template, whose parameters stand in braces.
  var place: (method: HTTPRequest.Method, template: String) {
    switch self {
    case .createPayout: (.post, "/payouts")
    case .createBatch: (.post, "/payouts/batch")
    case .quotePayouts: (.post, "/payouts/quote")
    case .getBatch: (.get, "/payouts/batch/{batch_id}")
    case .listPayouts: (.get, "/payouts")
    case .getPayout: (.get, "/payouts/{payout_id}")
    case .cancelPayout: (.delete, "/payouts/{payout_id}")
    case .getTransaction: (.get, "/payouts/{payout_id}/transaction")
    case .getTransactions: (.post, "/payouts/transactions/bulk")
    case .getStats: (.get, "/stats")
    case .makeWebhook: (.post, "/webhooks")
    case .listWebhooks: (.get, "/webhooks")
    case .deleteWebhook: (.delete, "/webhooks/{webhook_id}")
    case .listWebhookDeliveries: (.get, "/webhooks/{webhook_id}/deliveries")
    case .testWebhook: (.post, "/webhooks/{webhook_id}/test")
    case .redeliverWebhook: (.post, "/webhooks/deliveries/{delivery_id}/redeliver")
    case .rotateWebhookSecret: (.post, "/webhooks/{webhook_id}/rotate-secret")
    case .registerNode: (.post, "/kyc")
    case .getNode: (.get, "/kyc/{node_id}")
    case .verifyNode: (.post, "/kyc/{node_id}/verify")
    case .suspendNode: (.post, "/kyc/{node_id}/suspend")
    case .releasePayout: (.post, "/payouts/{payout_id}/release")
    case .rejectPayout: (.post, "/payouts/{payout_id}/reject")
    case .settlePayout: (.post, "/payouts/{payout_id}/settle")
    case .listHeld: (.get, "/admin/held")
    case .openBreaker: (.post, "/admin/breaker/open")
    case .closeBreaker: (.post, "/admin/breaker/close")
    case .pausePayments: (.post, "/admin/pause")
    case .resumePayments: (.post, "/admin/resume")
    case .listFindings: (.get, "/admin/unclaimed-transfers")
    case .getQueues: (.get, "/admin/queues")
    case .listDeadLetters: (.get, "/admin/dead-letters")
    case .retryDeadLetter: (.post, "/admin/dead-letters/{dead_letter_id}/retry")
    case .makeAPIKey: (.post, "/admin/api-keys")
    case .listAPIKeys: (.get, "/admin/api-keys")
    case .revokeAPIKey: (.delete, "/admin/api-keys/{api_key_id}")
    case .listAudits: (.get, "/admin/audit")
    case .getHealth: (.get, "/health")
    case .getReadiness: (.get, "/ready")
    case .getLiveness: (.get, "/live")
    case .getDocument: (.get, "/openapi.json")
    case .getDocumentation: (.get, "/docs")
    }
  }

  /// What a caller must be allowed to do; nil where any caller that is known may.
  var permission: Caller.Permission? {
    switch self {
    case .createPayout, .createBatch, .cancelPayout, .makeWebhook, .deleteWebhook, .testWebhook, .redeliverWebhook,
      .rotateWebhookSecret:
      .create
    case .listPayouts, .listWebhooks, .listWebhookDeliveries: .list
    case .getPayout, .getBatch, .getTransaction, .getTransactions, .quotePayouts: .read
    case .getStats: .stats
    case .releasePayout, .rejectPayout, .settlePayout, .listHeld, .openBreaker, .closeBreaker, .pausePayments,
      .resumePayments, .listFindings, .getQueues, .listDeadLetters, .retryDeadLetter, .makeAPIKey, .listAPIKeys,
      .revokeAPIKey, .listAudits, .registerNode, .getNode, .verifyNode, .suspendNode:
      .admin
    case .getHealth, .getReadiness, .getLiveness, .getDocument, .getDocumentation: nil
    }
  }

  /// Whether it is answered without credentials: probes, and the page by which one learns to send credentials.
  var isOpen: Bool {
    switch self {
    case .getHealth, .getReadiness, .getLiveness, .getDocumentation: true
    default: false
    }
  }

  /// Whether it may change something, so that who asked for it is recorded for ever.
  var isWrite: Bool {
    switch self {
    case .createPayout, .createBatch, .cancelPayout, .releasePayout, .rejectPayout, .settlePayout, .openBreaker,
      .closeBreaker, .pausePayments, .resumePayments, .retryDeadLetter, .makeAPIKey, .revokeAPIKey, .makeWebhook,
      .deleteWebhook, .testWebhook, .redeliverWebhook, .rotateWebhookSecret, .registerNode, .verifyNode, .suspendNode:
      true
    case .listPayouts, .getPayout, .getBatch, .getTransaction, .getTransactions, .quotePayouts, .getStats, .listHeld,
      .listFindings, .getQueues, .listDeadLetters, .listAPIKeys, .listAudits, .listWebhooks, .listWebhookDeliveries,
      .getNode, .getHealth, .getReadiness, .getLiveness, .getDocument, .getDocumentation:
      false
    }
  }

  /// Which of its caller's allowances it is taken from; nil for probes and pages that are open to all.
  var rateClass: RateClass? {
    if isOpen { return nil }
    if self == .createBatch { return .batch }
    return isWrite ? .writes : .reads
  }

  /// Whether it reads a query; where none is read, any parameter is refused.
  var readsQuery: Bool {
    switch self {
    case .listPayouts, .listHeld, .listFindings, .listDeadLetters, .listAPIKeys, .listAudits, .listWebhooks,
      .listWebhookDeliveries:
      true
    default: false
    }
  }
}

extension Operation {
  /// The statuses that it may answer with, once its path and method are known.
  var statuses: Set<Int> {
    switch self {
    case .getHealth, .getReadiness: [200, 503]
    case .getLiveness, .getDocumentation: [200]
    case .getDocument: Self.ofLedger.union([200])
    case .createPayout, .createBatch: Self.ofLedger.union(Self.ofBody).union([201, 422])
    case .listPayouts: Self.ofLedger.union([200])
    case .getPayout, .getBatch, .getTransaction: Self.ofLedger.union([200, 404])
    case .cancelPayout: Self.ofLedger.union([200, 404, 409])
    case .quotePayouts, .getTransactions: Self.ofLedger.union(Self.ofBody).union([200])
    case .makeWebhook: Self.ofLedger.union(Self.ofBody).union([201, 409])
    case .getStats, .listWebhooks: Self.ofLedger.union([200])
    case .deleteWebhook, .listWebhookDeliveries: Self.ofLedger.union([200, 404])
    case .testWebhook, .redeliverWebhook: Self.ofLedger.union([202, 404, 409])
    case .rotateWebhookSecret: Self.ofLedger.union([200, 404, 409])
    case .registerNode: Self.ofLedger.union(Self.ofBody).union([200, 201, 409])
    case .getNode: Self.ofLedger.union([200, 404])
    case .verifyNode, .suspendNode: Self.ofLedger.union(Self.ofBody).union([200, 404, 409])
    case .releasePayout, .rejectPayout, .settlePayout: Self.ofLedger.union(Self.ofBody).union([200, 404, 409])
    case .listHeld, .listFindings, .getQueues, .listDeadLetters, .listAPIKeys, .listAudits:
      Self.ofLedger.union([200])
    case .makeAPIKey: Self.ofLedger.union(Self.ofBody).union([201])
    case .revokeAPIKey: Self.ofLedger.union([200, 404])
    case .openBreaker, .pausePayments, .resumePayments: Self.ofLedger.union(Self.ofBody).union([200])
    case .closeBreaker: Self.ofLedger.union(Self.ofBody).union([200, 409])
    case .retryDeadLetter: Self.ofLedger.union([200, 404, 409])
    }
  }

  /// Without the gateway's token nothing is served where that is a must, an API key is looked up in the ledger, and each
  /// caller's requests are counted.
  private static let ofLedger: Set<Int> = [400, 401, 403, 429, 500, 503]
  private static let ofBody: Set<Int> = [408, 413, 415]
}
