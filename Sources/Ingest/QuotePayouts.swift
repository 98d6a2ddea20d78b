import Ledger
import Payouts
import Worker

/// What would become of a request for payouts.
struct Quote: Sendable {
  /// What stands against a payout.
  struct Objection: Sendable {
    /// Of which kind the answer to the real request would be.
    let kind: Problem.Kind
    /// The field; nil where it is about none.
    let field: String?
    /// In words for the caller.
    let message: String
  }

  /// One of its payouts.
  struct Payout: Sendable {
    let request: PayoutRequest
    var objections: [Objection]
    /// A payout of the same owner, recipient and amount that has not ended.
    let twin: PayoutID?
    let estimate: Timestamp
  }

  /// In the request's order.
  let payouts: [Payout]
  let total: Amount
  /// What a transfer has cost lately; nil where none was seen.
  let cost: TransferCost?
  /// The windows into which the request does not fit.
  let full: [LimitUse]
}

/// Tells what would become of a request for payouts, and accepts nothing: it writes nowhere and locks nothing, so that
/// all of it may be otherwise a moment later.
struct QuotePayouts: Sendable {
  let rules: AcceptanceRules
  /// What may be accepted.
  let windows: AcceptanceLimits
  let requiredConfirmations: Int64
  let forbidden: ForbiddenRecipients
  let ledger: any PayoutDirectory
  let clock: any WallClock

  /// A request that can be read, and what is wrong with it now.
  private typealias Parsed = (request: PayoutRequest, problems: [Problem.FieldProblem])

  /// The quote for a body of POST /payouts, or, where it has a member `payouts`, of POST /payouts/batch.
  ///
  /// - Throws: `Problem` as those calls where the body could never be accepted.
  func quote(_ body: [UInt8], caller: Caller) async throws(Problem) -> Quote {
    let parsed = try parsed(body, at: clock.now())
    let basis: QuoteBasis
    do {
      basis = try await ledger.quoteBasis(
        of: caller.id, paying: parsed.map { ($0.request.recipient, $0.request.amount) })
    } catch {
      throw ReadPayout.problem(error)
    }
    let full = try full(parsed.map(\.request), basis.windows)
    let payouts = zip(parsed, basis.twins).map { parsed, twin in
      let request = parsed.request
      let end = request.batchType == .immediate ? basis.at : basis.windowEnds[request.batchType] ?? basis.at
      return Quote.Payout(
        request: request, objections: objections(parsed, full, caller), twin: twin,
        estimate: EstimateConfirmation.time(
          acceptedAt: basis.at, windowEnd: end, requiredConfirmations: requiredConfirmations))
    }
    return Quote(
      payouts: payouts, total: try AcceptPayout.total(parsed.map(\.request.amount)), cost: basis.cost,
      full: full.map(\.use))
  }

  private func parsed(_ body: [UInt8], at now: Timestamp) throws(Problem) -> [Parsed] {
    let parse = ParsePayoutRequest(limits: rules.limits)
    let forbidden = forbidden.table
    var fields = try RequestFields(body: body)
    guard let list = fields.value("payouts") else {
      let single = try parse.request(from: body, now: now, forbidden: forbidden)
      return [(single.request, single.objections)]
    }
    let batch = try ParseBatchRequest(payouts: parse).requests(from: body, now: now, forbidden: forbidden)
    guard case .array(let items) = list, items.count == batch.requests.count else { throw .mistake }
    // Each is read for itself again: what is told of a whole batch is cut off where too much is wrong.
    return zip(batch.requests, items).map { request, item in
      guard case .object(let members) = item else { return (request, []) }
      var own = RequestFields(members)
      _ = parse.read(&own, now: now, forbidden: forbidden)
      return (request, own.problems)
    }
  }

  /// The windows that the payouts do not fit into, each with what they would take of it.
  private func full(
    _ requests: [PayoutRequest], _ uses: [WindowUse]
  ) throws(Problem) -> [(use: LimitUse, requested: Amount)] {
    var full: [(use: LimitUse, requested: Amount)] = []
    for use in uses {
      guard case .accepted(let router) = use.scope, let limit = windows[use.span, of: router] else { continue }
      let counted = requests.filter { router == nil || $0.router == router }.map(\.amount)
      let requested = try AcceptPayout.total(counted)
      guard requested != .zero, requested.microUSDT > limit.microUSDT - use.used.microUSDT else { continue }
      full.append(
        (LimitUse(router: router, span: use.span, startsAt: use.startsAt, limit: limit, used: use.used), requested))
    }
    return full
  }

  private func objections(
    _ parsed: Parsed, _ full: [(use: LimitUse, requested: Amount)], _ caller: Caller
  ) -> [Quote.Objection] {
    var objections = parsed.problems.map {
      Quote.Objection(kind: .invalidRequest, field: $0.field, message: $0.message)
    }
    if !caller.has(.create) {
      objections.append(.init(kind: .forbidden, field: nil, message: "this caller may not create payouts"))
    }
    if !caller.mayCreate(forNode: parsed.request.nodeID) {
      objections.append(
        .init(kind: .forbidden, field: "node_id", message: "must name one of the node operator's own nodes"))
    }
    for (use, requested) in full where use.router == nil || use.router == parsed.request.router {
      objections.append(
        .init(
          kind: .limitExceeded, field: "amount_usdt", message: AcceptPayout.limitExceeded(use, requested).detail))
    }
    return objections
  }
}
