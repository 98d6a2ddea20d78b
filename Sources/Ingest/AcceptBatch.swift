import Ledger
import Payouts
import Worker

/// A batch that is stored, and whether this request stored it.
struct BatchAcceptance: Sendable {
  /// Its payouts, in the request's order; the first answer is told from what stands in them for ever.
  let records: [PayoutRecord]
  /// The client's batch.
  let id: BatchID
  /// What they pay in all.
  let total: Amount
  /// Whether an earlier request under the same key stored it.
  let isReplay: Bool
}

/// Taking a batch: one request whose payouts are accepted together or not at all, under one batch id for ever.
extension AcceptPayout {
  /// How often a batch is sealed anew under names that the ledger knows: a replay of the log of intents may bring more of
  /// them between two tries, page by page.
  private static let batchSealsMax = 5

  /// A batch on its way to the ledger.
  private struct Draft {
    let requests: [PayoutRequest]
    let references: [Reference]
    let fingerprint: [UInt8]
    var id: BatchID
    var payouts: [PayoutID]

    mutating func take(_ names: KnownNames) {
      id = names.clientBatch ?? id
      payouts = zip(names.payouts, payouts).map { $0 ?? $1 }
    }
  }

  /// Accepts the batch that a body asks for.
  ///
  /// - Parameters: as of `accept`.
  func acceptBatch(
    _ body: [UInt8], caller: Caller, key: IdempotencyKey?, requestID: String
  ) async throws(Problem) -> BatchAcceptance {
    try refuseMissing(key)
    let now = clock.now()
    let parsed = try ParseBatchRequest(payouts: ParsePayoutRequest(limits: rules.limits)).requests(
      from: body, now: now, forbidden: forbidden.table)
    for request in parsed.requests { try refuseForeignNode(of: request, caller) }
    var draft = draft(parsed.requests, caller, key, at: now)
    guard parsed.objections.isEmpty else {
      return try await earlierBatch(draft, key, or: ParsePayoutRequest.problem(parsed.objections))
    }
    for _ in 0..<Self.batchSealsMax {
      let request = try sealed(draft, caller, requestID, at: now)
      switch try await commits.accept(request) {
      case .accepted(let records): return try Self.acceptance(records, isReplay: false)
      case .replayed(let records): return try Self.acceptance(records, isReplay: true)
      case .differentRequest: throw Self.mismatch
      case .limitExceeded(let use): throw Self.limitExceeded(use, try Self.total(request.payouts.map(\.terms.amount)))
      case .knownUnder(let names): draft.take(names)
      case .refused(let error): throw .mistake.because(error)
      }
    }
    // What is left of it keeps changing, and nothing was stored by this request.
    throw .ledgerUnavailable
  }

  /// Names for everything, drawn once: without a key each payout is named by its own id.
  private func draft(_ requests: [PayoutRequest], _ caller: Caller, _ key: IdempotencyKey?, at now: Timestamp) -> Draft
  {
    let payouts = requests.map { _ in PayoutID(at: now, randomness: random.bytes(10)) }
    let references = payouts.enumerated().map { index, id in
      key.map { Reference(owner: caller.id, idempotencyKey: $0.text, index: UInt32(index)) }
        ?? Reference(payoutWithoutKey: id)
    }
    return Draft(
      requests: requests, references: references, fingerprint: PayoutRequest.fingerprint(ofBatch: requests),
      id: BatchID(at: now, randomness: random.bytes(10)), payouts: payouts)
  }

  private func sealed(
    _ draft: Draft, _ caller: Caller, _ requestID: String, at now: Timestamp
  ) throws(Problem) -> AcceptanceRequest {
    var payouts: [NewPayout] = []
    for (index, request) in draft.requests.enumerated() {
      let terms = request.terms(
        draft.payouts[index], draft.references[index], caller, rules, batch: draft.id, at: now)
      payouts.append(
        NewPayout(
          terms: terms, seal: try seal(terms), particulars: request.particulars(requestID: requestID),
          fingerprint: draft.fingerprint, status: .queued))
    }
    return AcceptanceRequest(payouts)
  }

  /// What could not be accepted now may have been accepted before, whole, under the same key: then that is the answer.
  private func earlierBatch(
    _ draft: Draft, _ key: IdempotencyKey?, or problem: Problem
  ) async throws(Problem) -> BatchAcceptance {
    guard key != nil else { throw problem }
    let earlier: [AcceptedRequest]
    do {
      earlier = try await ledger.accepted(under: draft.references).compactMap { $0 }
    } catch {
      throw ReadPayout.problem(error)
    }
    guard earlier.allSatisfy({ $0.fingerprint == draft.fingerprint }) else { throw Self.mismatch }
    // A part of it is there, and may be paid: that is no refusal.
    guard earlier.count == draft.requests.count else { throw earlier.isEmpty ? problem : .unknownOutcome }
    let records = earlier.map(\.record)
    await intents.accepted(AcceptedPayout.all(records, of: records.map { _ in draft.fingerprint }))
    return try Self.acceptance(records, isReplay: true)
  }

  private static func acceptance(_ records: [PayoutRecord], isReplay: Bool) throws(Problem) -> BatchAcceptance {
    guard let id = records.first?.terms.clientBatch else {
      throw .mistake.because(LedgerError(.corrupt, "a batch was accepted whose payouts name none"))
    }
    return BatchAcceptance(
      records: records, id: id, total: try total(records.map(\.terms.amount)), isReplay: isReplay)
  }

  static func total(_ amounts: [Amount]) throws(Problem) -> Amount {
    var total = Amount.zero
    do {
      for amount in amounts { total = try total.adding(amount) }
    } catch {
      throw .mistake.because(error)
    }
    return total
  }
}
