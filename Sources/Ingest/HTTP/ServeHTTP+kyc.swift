import Ledger

/// The calls about nodes whose identity is known.
extension ServeHTTP {
  func registerNode(_ caller: Caller, _ exchange: inout Exchange) async throws(Problem) -> Answer {
    let terms = try ParseKYCRequest.node(from: try await body(&exchange), forbidden: manageKYC.forbidden.table)
    exchange.auditDetail = "node \(terms.node)"
    let (node, isNew) = try await manageKYC.register(terms, for: caller)
    return Answer(status: isNew ? 201 : 200, body: AnswerKYC.node(node))
  }

  func node(_ exchange: Exchange) async throws(Problem) -> Answer {
    guard let id = exchange.parameters.first else { throw .mistake }
    return .ok(AnswerKYC.node(try await manageKYC.node(id)))
  }

  func verifyNode(_ caller: Caller, _ exchange: inout Exchange) async throws(Problem) -> Answer {
    guard let id = exchange.parameters.first else { throw .mistake }
    let signature = try ParseKYCRequest.signature(from: try await body(&exchange))
    let node = try await manageKYC.node(id)
    // Also of what is refused: whose signature somebody tried to forge.
    exchange.auditDetail = "node \(node.terms.node)"
    return .ok(AnswerKYC.node(try await manageKYC.verify(node, by: signature, for: caller)))
  }

  func suspendNode(_ caller: Caller, _ exchange: inout Exchange) async throws(Problem) -> Answer {
    guard let id = exchange.parameters.first else { throw .mistake }
    let reason = try ParseOperatorRequest.reason(from: try await body(&exchange))
    let node = try await manageKYC.suspend(id, reason: reason, for: caller)
    exchange.auditDetail = "node \(node.terms.node): \(reason)"
    return .ok(AnswerKYC.node(node))
  }
}
