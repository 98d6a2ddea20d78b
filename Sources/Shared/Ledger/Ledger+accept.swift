import Payouts
import Postgres

extension Ledger {
  /// Accepts a group of requests in one transaction (see `IngestLedger.accept`).
  ///
  /// All accepting transactions wait for one another at the rows of the current limit windows, so that limits are
  /// exact and two requests with one key cannot both be first. That also settles an unknown COMMIT: the same call
  /// made again waits for the lost transaction's end, writes, and finds its own payouts, or not.
  public func accept(_ requests: [AcceptanceRequest], limits: AcceptanceLimits) async throws -> [RequestOutcome] {
    guard !requests.isEmpty else { return [] }
    do {
      return try await acceptAll(requests, limits: limits)
    } catch let error as LedgerError where error.code == .outcomeUnknown {
      do {
        return try await acceptAll(requests, limits: limits)
      } catch let second as LedgerError {
        // Whatever kept the second answer away, the first one may have been committed.
        throw LedgerError(.outcomeUnknown, "\(error.message); asked again: \(second.message)")
      }
    }
  }

  /// All together; where the database refuses, one of them is to blame, and each goes alone, so that the others do not
  /// fail with it.
  private func acceptAll(_ requests: [AcceptanceRequest], limits: AcceptanceLimits) async throws -> [RequestOutcome] {
    do {
      return try await acceptTogether(requests, limits: limits)
    } catch let error as LedgerError where error.isRefusal {
      var outcomes: [RequestOutcome] = []
      for request in requests {
        do {
          outcomes.append(try await acceptAlone(request, limits: limits))
        } catch let error as LedgerError where !outcomes.isEmpty {
          throw LedgerError(.outcomeUnknown, "some of a group were accepted, then: \(error.message)")
        }
      }
      return outcomes
    }
  }

  /// One request. What is refused is tried once more: where the same reference was first in a transaction of another
  /// window (at midnight), that one is there now, and this is its replay.
  private func acceptAlone(_ request: AcceptanceRequest, limits: AcceptanceLimits) async throws -> RequestOutcome {
    var outcomes: [RequestOutcome] = []
    do {
      outcomes = try await acceptTogether([request], limits: limits)
    } catch let error as LedgerError where error.isRefusal {
      do {
        outcomes = try await acceptTogether([request], limits: limits)
      } catch let error as LedgerError where error.isRefusal {
        return .refused(error)
      }
    }
    guard let outcome = outcomes.first else { throw LedgerError(.corrupt, "one request had no outcome") }
    return outcome
  }

  private func acceptTogether(
    _ requests: [AcceptanceRequest], limits: AcceptanceLimits
  ) async throws -> [RequestOutcome] {
    try await transaction { connection in
      var group = try await AcceptanceGroup(requests, limits: limits, on: connection)
      let outcomes = requests.map { group.admit($0) }
      try await group.store(on: connection)
      return outcomes
    }
  }
}

/// One transaction's view of who may be accepted: decided in memory, under the locks of the limit windows.
private struct AcceptanceGroup {
  private struct Known {
    let id: PayoutID
    let fingerprint: [UInt8]?
    let record: PayoutRecord?

    /// Whether the payout may be the one that is known; a bare name, which a Signer put back, tells of no request.
    func isOf(_ payout: NewPayout) -> Bool {
      fingerprint == payout.fingerprint || fingerprint == nil && record == nil
    }
  }

  private struct Window {
    /// Nil where payouts of all routers count.
    let router: RouterType?
    let span: LimitSpan
    let startsAt: Timestamp
    let limit: Amount?
    var used: Amount
  }

  private let now: Timestamp
  private var windows: [Window] = []
  private var windowEnds: [BatchType: Timestamp] = [:]
  private var known: [Reference: Known] = [:]
  private var admitted: [AcceptedPayout] = []
  private var newReferences: [NewPayout] = []
  private var bareReferences: [NewPayout] = []
  private var newBatches: [AcceptanceRequest] = []

  /// Made and locked in the order in which released amounts come back too (scope, span, begin), so that nobody who holds
  /// one of them waits for another in a circle.
  private static let openWindows: PostgresStatement = """
    INSERT INTO limit_windows (scope, span, starts_at)
    SELECT scope, span, window_start(span, ledger_now())
    FROM unnest(ARRAY['accepted', 'accepted_kyc', 'accepted_v0']) scope, unnest(ARRAY['day', 'hour']) span
    ORDER BY scope, span
    ON CONFLICT DO NOTHING
    """
  private static let lockWindows: PostgresStatement = """
    SELECT w.scope, w.span, w.starts_at, w.used, ledger_now() AS now
    FROM unnest(ARRAY['accepted', 'accepted_kyc', 'accepted_v0']) scope CROSS JOIN unnest(ARRAY['day', 'hour']) span
      JOIN limit_windows w
        ON w.scope = scope.scope AND w.span = span.span AND w.starts_at = window_start(span.span, ledger_now())
    ORDER BY w.scope, w.span FOR UPDATE OF w
    """
  private static let findWindowEnds: PostgresStatement = """
    SELECT batch_type, batch_window_end(batch_type, ledger_now()) AS ends_at
    FROM unnest(ARRAY['immediate', 'hourly', 'daily', 'weekly']) batch_type
    """
  private static let findReferences = PostgresStatement(
    """
    SELECT r.reference AS known_reference, r.payout_id AS known_id, r.request_fingerprint,
      \(PayoutRecord.columns)
    FROM payout_references r LEFT JOIN payouts p ON p.id = r.payout_id
    WHERE r.reference = ANY ($1::bytea[])
    """)

  init(_ requests: [AcceptanceRequest], limits: AcceptanceLimits, on connection: PostgresConnection) async throws {
    let references = requests.flatMap { request in request.payouts.map(\.terms.reference.bytes) }
    let results = try await connection.pipeline([
      (AcceptanceGroup.openWindows, []),
      (AcceptanceGroup.lockWindows, []),
      (AcceptanceGroup.findWindowEnds, []),
      (AcceptanceGroup.findReferences, [.bytesArray(references)]),
    ])
    guard results.count == 4, let first = results[1].rows.first else {
      throw LedgerError(.corrupt, "the limit windows of the present hour and day are missing")
    }
    now = try first.time("now")
    for row in results[1].rows {
      let scope = try row.text("scope")
      let router = RouterType.allCases.first { AcceptanceGroup.scope(of: $0) == scope }
      let span: LimitSpan = try row.named("span")
      windows.append(
        Window(
          router: router, span: span, startsAt: try row.time("starts_at"), limit: limits[span, of: router],
          used: try Amount(microUSDT: row.int8("used"))))
    }
    for row in results[2].rows { windowEnds[try row.named("batch_type")] = try row.time("ends_at") }
    for row in results[3].rows {
      known[try Reference(row.bytes("known_reference"))] = Known(
        id: try PayoutID(bytes: row.uuid("known_id")), fingerprint: try row.bytesOrNil("request_fingerprint"),
        record: try row.uuidOrNil("id") == nil ? nil : PayoutRecord(row))
    }
  }

  /// Admits a request whole, or changes nothing: whatever may speak against one of its payouts is asked first.
  mutating func admit(_ request: AcceptanceRequest) -> RequestOutcome {
    let payouts = request.payouts
    let earlier = payouts.map { known[$0.terms.reference] }
    for (payout, earlier) in zip(payouts, earlier) {
      if let earlier, !earlier.isOf(payout) { return .differentRequest }
    }
    let records = earlier.compactMap { $0?.record }
    if records.count == payouts.count {
      let isItself = zip(records, payouts).allSatisfy { $0.id == $1.terms.id }
      return isItself ? .accepted(records) : .replayed(records)
    }
    // What is left of a batch says which batch it is: no part of it may come back under another one.
    let batch = records.first.map(\.terms.clientBatch) ?? request.clientBatch
    guard payouts.allSatisfy({ $0.terms.clientBatch == batch }),
      zip(earlier, payouts).allSatisfy({ earlier, payout in earlier.map { $0.id == payout.terms.id } ?? true })
    else {
      return .knownUnder(KnownNames(clientBatch: records.first?.terms.clientBatch, payouts: earlier.map { $0?.id }))
    }
    let missing = zip(payouts, earlier).filter { $0.1?.record == nil }.map(\.0)
    do {
      // What is known of it was accepted: no limit refuses that. Its client would take a refusal for the end of it, and ask
      // for the same under another key.
      let isKnown = earlier.contains { $0 != nil }
      if let full = try reserve(missing.map(\.terms), whateverLimitsSay: isKnown) { return .limitExceeded(full) }
      if request.clientBatch != nil { _ = try request.size }
    } catch {
      return .refused(LedgerError(.refused, "no window can count so large an amount: \(error)"))
    }
    for payout in missing { take(payout) }
    if request.clientBatch != nil { newBatches.append(request) }
    return .accepted(payouts.compactMap { known[$0.terms.reference]?.record })
  }

  private mutating func take(_ payout: NewPayout) {
    let earlier = known[payout.terms.reference]
    let accepted = AcceptedPayout(
      payout, limitWindows: LimitWindows(at: now), windowEnd: windowEnds[payout.terms.batchType] ?? now)
    admitted.append(accepted)
    if earlier == nil { newReferences.append(payout) }
    if let earlier, earlier.fingerprint == nil { bareReferences.append(payout) }
    known[payout.terms.reference] = Known(
      id: payout.terms.id, fingerprint: payout.fingerprint, record: PayoutRecord(accepted, at: now))
  }

  /// Takes the amounts from every window that counts them, or from none and tells which one is full.
  private mutating func reserve(
    _ payouts: [PayoutTerms], whateverLimitsSay isKnown: Bool
  ) throws(MalformedValue) -> LimitUse? {
    var filled = windows
    for index in windows.indices {
      let window = windows[index]
      var amount = Amount.zero
      for terms in payouts where window.router == nil || window.router == terms.router {
        amount = try amount.adding(terms.amount)
      }
      // Neither is negative, so that the difference cannot overflow where the sum could.
      if !isKnown, amount != .zero, let limit = window.limit,
        amount.microUSDT > limit.microUSDT - window.used.microUSDT
      {
        return LimitUse(
          router: window.router, span: window.span, startsAt: window.startsAt, limit: limit, used: window.used)
      }
      // Where no window can count it, a limit that comes later still says which one is full.
      filled[index].used = amount
    }
    for index in windows.indices { filled[index].used = try windows[index].used.adding(filled[index].used) }
    windows = filled
    return nil
  }

  /// How `limit_windows` names what is accepted in all (nil) and for a router.
  private static func scope(of router: RouterType?) -> String { router.map { "accepted_\($0.rawValue)" } ?? "accepted" }

  /// Always writes, so that a clean COMMIT of this transaction also proves what an earlier one left behind.
  func store(on connection: PostgresConnection) async throws {
    var commands: [(PostgresStatement, [PostgresParameter])] = []
    if !newReferences.isEmpty {
      commands.append(
        (PostgresStatement(AcceptanceRows.insertReferences), AcceptanceRows.parameters(ofReferences: newReferences)))
    }
    if !bareReferences.isEmpty {
      commands.append(
        (PostgresStatement(AcceptanceRows.completeReferences), AcceptanceRows.parameters(ofReferences: bareReferences)))
    }
    if !newBatches.isEmpty {
      commands.append(
        (PostgresStatement(AcceptanceRows.insertClientBatches), try AcceptanceRows.parameters(ofBatches: newBatches)))
    }
    if !admitted.isEmpty {
      commands.append((PostgresStatement(AcceptanceRows.insertPayouts), AcceptanceRows.parameters(of: admitted)))
    }
    commands.append(
      (
        AcceptanceGroup.useWindows,
        [
          .textArray(windows.map { AcceptanceGroup.scope(of: $0.router) }), .textArray(windows.map(\.span.rawValue)),
          .timestampArray(windows.map(\.startsAt.microseconds)), .int8Array(windows.map(\.used.microUSDT)),
        ]
      ))
    _ = try await connection.pipeline(commands)
  }

  private static let useWindows: PostgresStatement = """
    UPDATE limit_windows w SET used = n.used
    FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::bigint[]) AS n (scope, span, starts_at, used)
    WHERE w.scope = n.scope AND w.span = n.span AND w.starts_at = n.starts_at
    """
}
