import Ledger

/// The calls of operators.
extension ServeHTTP {
  func steer(
    _ act: SteerPayments.Act, _ caller: Caller, _ exchange: inout Exchange
  ) async throws(Problem) -> Answer {
    let reason = try ParseOperatorRequest.reason(from: try await body(&exchange))
    exchange.auditDetail = reason
    return .ok(AnswerOperator.payments(try await steerPayments.carryOut(act, reason: reason, for: caller)))
  }

  func closeBreaker(_ caller: Caller, _ exchange: inout Exchange) async throws(Problem) -> Answer {
    let (seen, reason) = try ParseOperatorRequest.closing(from: try await body(&exchange))
    exchange.auditDetail = seen.told(reason)
    return .ok(
      AnswerOperator.payments(try await steerPayments.carryOut(.closeBreaker(seen), reason: reason, for: caller)))
  }

  func decide(_ operation: Operation, _ caller: Caller, _ exchange: inout Exchange) async throws(Problem) -> Answer {
    guard let id = exchange.parameters.first else { throw .mistake }
    let body = try await body(&exchange)
    let asked: ParseOperatorRequest.Decision
    switch operation {
    case .releasePayout: asked = try ParseOperatorRequest.release(from: body)
    case .settlePayout: asked = try ParseOperatorRequest.settle(from: body)
    case .rejectPayout: asked = (.reject, nil, try ParseOperatorRequest.reason(from: body))
    default: throw .mistake
    }
    exchange.auditDetail = asked.decision.note(asked.reason)
    try await decideHeld.decide(id, asked.decision, seen: asked.seen, reason: asked.reason, for: caller)
    return try await changed(id, caller)
  }

  func held(_ exchange: Exchange) async throws(Problem) -> Answer {
    let limit = try ParseOperatorRequest.limit(from: exchange.query)
    return .ok(answerPayout.all(try await decideHeld.held(atMost: limit)))
  }

  func findings(_ exchange: Exchange) async throws(Problem) -> Answer {
    let limit = try ParseOperatorRequest.limit(from: exchange.query)
    let (findings, breaker) = try await steerPayments.findings(atMost: limit)
    return .ok(AnswerOperator.findings(findings, breaker))
  }

  func deadLetters(_ exchange: Exchange) async throws(Problem) -> Answer {
    let (stream, limit) = try ParseOperatorRequest.deadLetters(from: exchange.query)
    return .ok(AnswerOperator.deadLetters(try await inspectQueues.deadLetters(of: stream, atMost: limit)))
  }

  func retryDeadLetter(_ caller: Caller, _ exchange: Exchange) async throws(Problem) -> Answer {
    guard let id = exchange.parameters.first.flatMap(DeadLetterID.init) else { throw InspectQueues.unknown }
    try await inspectQueues.retry(id, for: caller)
    return .ok(AnswerOperator.putBack(id))
  }

  func makeAPIKey(_ caller: Caller, _ exchange: inout Exchange) async throws(Problem) -> Answer {
    let request = try APIKeyRequest(from: try await body(&exchange), now: clock.now())
    let (record, text) = try await manageAPIKeys.make(request, for: caller)
    exchange.auditDetail = "API key \(record.terms.id) for \(record.terms.owner)"
    return Answer(status: 201, body: AnswerOperator.apiKey(record, text))
  }

  func apiKeys(_ exchange: Exchange) async throws(Problem) -> Answer {
    let (owner, limit) = try ParseOperatorRequest.keys(from: exchange.query)
    return .ok(AnswerOperator.apiKeys(try await manageAPIKeys.list(of: owner, atMost: limit)))
  }

  func revokeAPIKey(_ caller: Caller, _ exchange: Exchange) async throws(Problem) -> Answer {
    guard let id = exchange.parameters.first else { throw .mistake }
    return .ok(AnswerOperator.apiKey(try await manageAPIKeys.revoke(id, for: caller)))
  }

  func audits(_ exchange: Exchange) async throws(Problem) -> Answer {
    .ok(AnswerOperator.audits(try await listAudits.page(try AuditListRequest(from: exchange.query))))
  }
}

extension SeenBreaker {
  /// So many findings are named in an audit record; the alarms name all that are acknowledged.
  private static let findingsToldMax = 5

  /// What was looked at, and why it is closed.
  fileprivate func told(_ reason: String) -> String {
    let names = findings.map(\.description).sorted().prefix(Self.findingsToldMax).joined(separator: ", ")
    let told = names.isEmpty ? "" : ": \(names)"
    return "\(reason); seen: cause \(cause ?? "none"), openings \(openings ?? 0), findings \(findings.count)\(told)"
  }
}
