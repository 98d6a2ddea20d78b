import HTTPTypes
import Worker

/// The calls about payouts.
extension ServeHTTP {
  func create(_ caller: Caller, _ exchange: inout Exchange) async throws(Problem) -> Answer {
    let key = try IdempotencyKey(headers: exchange.request.headers[values: .idempotencyKey])
    let body = try await body(&exchange)
    let acceptance = try await acceptPayout.accept(body, caller: caller, key: key, requestID: exchange.requestID)
    let id = acceptance.record.id
    exchange.auditDetail = "payout \(id)"
    if acceptance.isReplay {
      exchange.logger.debug("Payout was accepted before", metadata: [LogKey.payoutID: "\(id)"])
    } else {
      exchange.logger.info(
        "Payout accepted",
        metadata: [LogKey.payoutID: "\(id)", LogKey.payoutReference: "\(acceptance.record.terms.reference)"])
    }
    metrics.accepted(isReplay: acceptance.isReplay)
    return Self.created(
      answerPayout.created(acceptance.record), at: "/payouts/\(id)", isReplay: acceptance.isReplay, exchange)
  }

  func createBatch(_ caller: Caller, _ exchange: inout Exchange) async throws(Problem) -> Answer {
    let key = try IdempotencyKey(headers: exchange.request.headers[values: .idempotencyKey])
    let body = try await body(&exchange)
    let batch = try await acceptPayout.acceptBatch(body, caller: caller, key: key, requestID: exchange.requestID)
    exchange.auditDetail = "batch \(batch.id)"
    exchange.logger.log(
      level: batch.isReplay ? .debug : .info, batch.isReplay ? "Batch was accepted before" : "Batch accepted",
      metadata: [LogKey.batchID: "\(batch.id)", LogKey.payoutCount: "\(batch.records.count)"])
    for _ in batch.records { metrics.accepted(isReplay: batch.isReplay) }
    return Self.created(
      answerPayout.created(batch), at: "/payouts/batch/\(batch.id)", isReplay: batch.isReplay, exchange)
  }

  private static func created(
    _ body: JSONValue, at path: String, isReplay: Bool, _ exchange: Exchange
  ) -> Answer {
    let prefix = exchange.request.uri.path.hasPrefix(Operation.prefix + "/") ? Operation.prefix : ""
    var answer = Answer(status: 201, body: body, headers: [(.location, prefix + path)])
    if isReplay { answer.headers.append((.idempotencyReplayed, "true")) }
    return answer
  }

  func batch(_ caller: Caller, _ exchange: Exchange) async throws(Problem) -> Answer {
    guard let id = exchange.parameters.first else { throw .mistake }
    return .ok(AnswerPayout.progress(try await listPayouts.batch(id, for: caller)))
  }

  func list(_ caller: Caller, _ exchange: Exchange) async throws(Problem) -> Answer {
    let request = try ParseListRequest.request(from: exchange.query)
    let (views, next) = try await listPayouts.page(request, for: caller)
    return .ok(answerPayout.page(views, next: next))
  }

  func view(_ caller: Caller, _ exchange: Exchange) async throws(Problem) -> PayoutView {
    guard let id = exchange.parameters.first else { throw .mistake }
    return try await readPayout.view(id, for: caller)
  }

  func cancel(_ caller: Caller, _ exchange: Exchange) async throws(Problem) -> Answer {
    guard let id = exchange.parameters.first else { throw .mistake }
    _ = try await cancelPayout.cancel(id, for: caller)
    return try await changed(id, caller)
  }

  /// A payout that this request has changed. Where it cannot be read again, it was changed all the same.
  func changed(_ id: String, _ caller: Caller) async throws(Problem) -> Answer {
    do {
      return .ok(answerPayout.current(try await readPayout.view(id, for: caller)))
    } catch {
      throw Problem(
        .outcomeUnknown, "It was done, but how it stands cannot be read just now. Ask again: nothing is done twice.",
        retryAfterSeconds: 2
      ).because(error)
    }
  }

  func transactions(_ caller: Caller, _ exchange: inout Exchange) async throws(Problem) -> Answer {
    let ids = try ParseBulkRequest.ids(from: try await body(&exchange))
    return .ok(answerTransaction.all(try await listPayouts.payouts(ids, for: caller)))
  }
}
