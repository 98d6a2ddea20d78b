import Ledger

/// The calls about webhook endpoints and what these are told.
extension ServeHTTP {
  func makeWebhook(_ caller: Caller, _ exchange: inout Exchange) async throws(Problem) -> Answer {
    let request = try WebhookRequest(from: try await body(&exchange))
    let (endpoint, secret) = try await manageWebhooks.make(request, for: caller)
    exchange.auditDetail = "webhook \(endpoint.terms.id)"
    return Answer(status: 201, body: AnswerWebhook.endpoint(endpoint, secret))
  }

  func webhooks(_ caller: Caller, _ exchange: Exchange) async throws(Problem) -> Answer {
    let page = try await manageWebhooks.list(try WebhookListRequest(from: exchange.query), for: caller)
    return .ok(AnswerWebhook.endpoints(page.endpoints, next: page.next))
  }

  func deleteWebhook(_ caller: Caller, _ exchange: Exchange) async throws(Problem) -> Answer {
    guard let id = exchange.parameters.first else { throw .mistake }
    return .ok(AnswerWebhook.endpoint(try await manageWebhooks.delete(id, for: caller)))
  }

  func webhookDeliveries(_ caller: Caller, _ exchange: Exchange) async throws(Problem) -> Answer {
    guard let id = exchange.parameters.first else { throw .mistake }
    let request = try WebhookDeliveryListRequest(from: exchange.query)
    let page = try await manageWebhooks.deliveries(id, request, for: caller)
    return .ok(AnswerWebhook.deliveries(page.records, next: page.next))
  }

  func testWebhook(_ caller: Caller, _ exchange: Exchange) async throws(Problem) -> Answer {
    guard let id = exchange.parameters.first else { throw .mistake }
    let stored = try await manageWebhooks.test(id, for: caller)
    return Answer(status: 202, body: AnswerWebhook.delivery(stored))
  }

  func rotateWebhookSecret(_ caller: Caller, _ exchange: Exchange) async throws(Problem) -> Answer {
    guard let id = exchange.parameters.first else { throw .mistake }
    let rotated = try await manageWebhooks.rotate(id, for: caller)
    return .ok(AnswerWebhook.rotated(rotated.id, rotated.secret, oldUntil: rotated.oldUntil))
  }

  func redeliverWebhook(_ caller: Caller, _ exchange: Exchange) async throws(Problem) -> Answer {
    guard let id = exchange.parameters.first else { throw .mistake }
    return Answer(status: 202, body: AnswerWebhook.delivery(try await manageWebhooks.redeliver(id, for: caller)))
  }
}
