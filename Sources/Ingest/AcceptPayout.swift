import Ledger
import Payouts
import Worker

/// A payout that is stored, and whether this request stored it.
struct Acceptance: Sendable {
  /// The payout; the first answer is told from what stands in it for ever.
  let record: PayoutRecord
  /// Whether an earlier request under the same key did.
  let isReplay: Bool
}

/// What this installation pays with, and whether it insists on keys.
struct AcceptanceRules: Sendable {
  /// The TRON network.
  let network: Network
  /// The USDT contract.
  let token: Address
  /// What a single payout may pay.
  let limits: PayoutLimits
  /// `REQUIRE_IDEMPOTENCY_KEY`.
  let requiresIdempotencyKey: Bool
}

/// Takes a payout: reads the request, names it for ever, seals it and has it stored.
///
/// Running it twice with one key and request stores one payout: the reference is derived from the caller and the key, and
/// the ledger knows each reference once.
struct AcceptPayout: Sendable {
  /// How often a payout is sealed anew under an id that the ledger knows for its reference: the second time the id is
  /// the known one, so there is no third.
  private static let sealsMax = 2

  let rules: AcceptanceRules
  let sealer: Sealer
  let forbidden: ForbiddenRecipients
  let commits: GroupCommit
  let ledger: any IngestLedger
  let intents: RecordIntents
  let clock: any WallClock
  let random: any RandomSource

  /// Accepts the payout that a body asks for.
  ///
  /// - Parameters:
  ///   - body: bounded bytes, declared as JSON.
  ///   - caller: who asks and will own it; may create payouts.
  ///   - key: the `Idempotency-Key`, checked; nil where there is none.
  ///   - requestID: stands in the payout, for the log.
  func accept(
    _ body: [UInt8], caller: Caller, key: IdempotencyKey?, requestID: String
  ) async throws(Problem) -> Acceptance {
    try refuseMissing(key)
    let now = clock.now()
    let parsed = try ParsePayoutRequest(limits: rules.limits).request(
      from: body, now: now, forbidden: forbidden.table)
    let request = parsed.request
    try refuseForeignNode(of: request, caller)
    let fingerprint = request.fingerprint
    guard parsed.objections.isEmpty else {
      return try await earlierAcceptance(caller, key, fingerprint, or: ParsePayoutRequest.problem(parsed.objections))
    }
    let particulars = request.particulars(requestID: requestID)
    var id = PayoutID(at: now, randomness: random.bytes(10))
    let reference = reference(caller, key, id)
    for _ in 0..<Self.sealsMax {
      let terms = request.terms(id, reference, caller, rules, at: now)
      let payout = NewPayout(
        terms: terms, seal: try seal(terms), particulars: particulars, fingerprint: fingerprint, status: .queued)
      switch try await commits.accept(payout) {
      case .accepted(let record): return Acceptance(record: record, isReplay: false)
      case .replayed(let record): return Acceptance(record: record, isReplay: true)
      case .differentRequest: throw Self.mismatch
      case .limitExceeded(let use): throw Self.limitExceeded(use, request.amount)
      case .knownUnder(let known): id = known
      case .refused(let error): throw .mistake.because(error)
      }
    }
    throw .mistake
  }

  func refuseMissing(_ key: IdempotencyKey?) throws(Problem) {
    guard key != nil || !rules.requiresIdempotencyKey else {
      throw Problem(
        .idempotencyKeyRequired,
        "Send an Idempotency-Key header: a text of your own for each payout or batch, kept for a retry.")
    }
  }

  func refuseForeignNode(of request: PayoutRequest, _ caller: Caller) throws(Problem) {
    guard caller.mayCreate(forNode: request.nodeID) else {
      throw Problem(
        .forbidden, "A node operator creates payouts for its own nodes only: those of its token, key or gateway.")
    }
  }

  /// What could not be accepted now may have been accepted before, under the same key: then that is the answer.
  private func earlierAcceptance(
    _ caller: Caller, _ key: IdempotencyKey?, _ fingerprint: [UInt8], or problem: Problem
  ) async throws(Problem) -> Acceptance {
    guard let key else { throw problem }
    let reference = Reference(owner: caller.id, idempotencyKey: key.text, index: 0)
    let earlier: AcceptedRequest?
    do {
      earlier = try await ledger.accepted(under: reference)
    } catch {
      throw ReadPayout.problem(error)
    }
    guard let earlier else { throw problem }
    guard earlier.fingerprint == fingerprint else { throw Self.mismatch }
    if !earlier.record.status.isFinal {
      await intents.accepted([AcceptedPayout(earlier.record, fingerprint: fingerprint)])
    }
    return Acceptance(record: earlier.record, isReplay: true)
  }

  private func reference(_ caller: Caller, _ key: IdempotencyKey?, _ id: PayoutID) -> Reference {
    key.map { Reference(owner: caller.id, idempotencyKey: $0.text, index: 0) } ?? Reference(payoutWithoutKey: id)
  }

  func seal(_ terms: PayoutTerms) throws(Problem) -> Seal {
    do {
      return try sealer.seal(terms)
    } catch {
      throw .mistake.because(error)
    }
  }

  static let mismatch = Problem(
    .idempotencyMismatch,
    "This Idempotency-Key was used with another request. Send that request again, or use another key for this one.")

  static func limitExceeded(_ use: LimitUse, _ requested: Amount) -> Problem {
    let name =
      switch use.span {
      case .hour: "hourly"
      case .day: "daily"
      }
    let whose = use.router.map { " of router \($0.rawValue)" } ?? ""
    return Problem(
      .limitExceeded,
      "\(requested) USDT do not fit into the \(name) limit\(whose): \(use.used) of \(use.limit) USDT are used until \(use.endsAt).",
      particulars: [
        .init("window", .text(use.span.rawValue)), .init("router_type", .text(orNull: use.router?.rawValue)),
        .init("limit_usdt", .text(use.limit.description)),
        .init("used_usdt", .text(use.used.description)), .init("requested_usdt", .text(requested.description)),
        .init("window_started_at", .text(use.startsAt.description)), .init("resets_at", .text(use.endsAt.description)),
      ])
  }
}

extension PayoutRequest {
  /// What the seal covers.
  func terms(
    _ id: PayoutID, _ reference: Reference, _ caller: Caller, _ rules: AcceptanceRules, batch: BatchID? = nil,
    at now: Timestamp
  ) -> PayoutTerms {
    PayoutTerms(
      id: id, reference: reference, owner: caller.id, network: rules.network, token: rules.token,
      recipient: recipient, amount: amount, router: router, batchType: batchType, clientBatch: batch, node: nodeID,
      createdAt: now, expiresAt: expiresAt)
  }

  /// What the client said besides.
  func particulars(requestID: String) -> PayoutParticulars {
    PayoutParticulars(
      priority: priority, reason: reason, externalID: externalID, beneficiaryUserID: beneficiaryUserID,
      sessionID: sessionID, workCredits: workCredits, customData: customData, webhookURL: webhookURL,
      requestID: requestID)
  }
}

/// The caller's own name for a request: printable ASCII, 1 to 255 characters.
struct IdempotencyKey: Sendable, Hashable {
  /// The longest key, in characters.
  static let charactersMax = 255
  /// As the header carried it.
  let text: String

  /// The key in the values of the header; nil where there is none.
  ///
  /// - Throws: `Problem` of kind `invalidIdempotencyKey`, also for several headers: nobody could say which one counts.
  init?(headers: [String]) throws(Problem) {
    guard let text = headers.first else { return nil }
    guard headers.count == 1 else {
      throw Problem(.invalidIdempotencyKey, "Send one Idempotency-Key header, not \(headers.count).")
    }
    guard (1...IdempotencyKey.charactersMax).contains(text.utf8.count),
      text.utf8.allSatisfy({ (0x20...0x7e).contains($0) })
    else {
      throw Problem(
        .invalidIdempotencyKey,
        "An Idempotency-Key has 1 to \(IdempotencyKey.charactersMax) printable ASCII characters.")
    }
    self.text = text
  }
}
