import Ledger
import Payouts

/// Webhooks: rows as the triggers of `M006Webhooks` make them, and what `Ledger+webhooks` does with them.
extension LedgerTables {
  /// After so many failed tries an event no longer keeps the payout's later ones back: `webhook_tries_in_order`.
  private static let triesInOrder = 5

  /// One event for one URL.
  struct Webhook: Equatable, Sendable {
    let id: WebhookID
    let payout: PayoutID
    let owner: String
    let url: String
    let origin: String
    let status: PayoutStatus
    let at: Timestamp
    let txid: TxID?
    let holdReason: String?
    var state = WebhookState.pending
    var tries = 0
    var nextTryAt: Timestamp

    /// Whether the payout's later events must wait for it.
    var keepsOthers: Bool { state == .pending && tries < LedgerTables.triesInOrder }
  }

  /// A server that is called, held for a while by whoever calls it.
  struct WebhookServer: Equatable, Sendable {
    var closedUntil: Timestamp?
    var claims: Int64 = 0
    var failures = 0
  }

  /// `store_webhooks`: stores what is to be told of a payout's present state, where anybody wants to be told.
  mutating func tell(_ id: PayoutID) {
    guard let row = payouts[id], let url = row.particulars.webhookURL, row.status.isToldByWebhook else { return }
    let terms = row.terms
    let attempt = attemptInUse(of: terms.reference).flatMap {
      ($0.token, $0.recipient, $0.amount) == (terms.token, terms.recipient, terms.amount) ? $0 : nil
    }
    let earlier = webhooks.filter { $0.payout == id && $0.keepsOthers }.map(\.nextTryAt).max()
    let number = webhooks.count + 1
    webhooks.append(
      Webhook(
        // The low bytes last: an id's first random ones give bits away to its version.
        id: WebhookID(at: now, randomness: (0..<10).reversed().map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }),
        payout: id, owner: terms.owner, url: url, origin: LedgerTables.origin(of: url), status: row.status, at: now,
        txid: attempt?.txid, holdReason: row.holdReason, nextTryAt: max(now, earlier ?? now)))
  }

  /// Scheme, host and port.
  private static func origin(of url: String) -> String {
    url.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false).prefix(3).joined(separator: "/")
      .lowercased()
  }

  private var pendingOrigins: [String] { Set(webhooks.filter { $0.state == .pending }.map(\.origin)).sorted() }

  private func isOpen(_ origin: String) -> Bool {
    let isDue = webhooks.contains { $0.state == .pending && $0.origin == origin && $0.nextTryAt <= now }
    return isDue && (servers[origin]?.closedUntil ?? now) <= now
  }

  /// `Ledger.claimWebhooks`, for worlds of fewer servers than one look passes.
  mutating func claimWebhooks(after origin: String?, leaseMilliseconds: Int64, atMost count: Int) -> WebhookClaim {
    let open = pendingOrigins.filter { $0 > origin ?? "" && isOpen($0) && !beside.servers.contains($0) }
    guard let chosen = open.first else { return .nothing(next: nil) }
    for name in open { servers[name, default: WebhookServer()].claims += name == chosen ? 1 : 0 }
    servers[chosen]?.closedUntil = now.advanced(byMilliseconds: leaseMilliseconds)
    let deliveries = webhooks.indices.filter { index in
      let row = webhooks[index]
      return row.state == .pending && row.origin == chosen && row.nextTryAt <= now
        && !webhooks[..<index].contains { $0.payout == row.payout && $0.keepsOthers }
    }.sorted { (webhooks[$0].nextTryAt, $0) < (webhooks[$1].nextTryAt, $1) }.prefix(count).compactMap(delivery)
    guard !deliveries.isEmpty, let server = servers[chosen] else {
      servers[chosen]?.closedUntil = now
      return .nothing(next: chosen)
    }
    return .lot(
      WebhookLot(origin: chosen, claim: server.claims, failures: server.failures, deliveries: deliveries))
  }

  private func delivery(_ index: Int) -> WebhookDelivery? {
    let row = webhooks[index]
    guard let payout = payouts[row.payout] else { return nil }
    return WebhookDelivery(
      id: row.id, owner: row.owner, url: row.url, event: "payout.\(row.status.rawValue)",
      told: .payout(
        WebhookPayout(
          id: row.payout, status: row.status, at: row.at, asset: "USDT", amount: payout.terms.amount,
          recipient: payout.terms.recipient, externalID: payout.particulars.externalID, clientBatch: nil,
          txid: row.txid, holdReason: row.holdReason)),
      tries: row.tries)
  }

  /// `Ledger.record(_:of:)`.
  mutating func record(_ result: WebhookResult, of delivery: WebhookDelivery) -> WebhookState? {
    guard let index = webhooks.firstIndex(where: { $0.id == delivery.id }), webhooks[index].state == .pending,
      webhooks[index].tries == delivery.tries
    else { return nil }
    var row = webhooks[index]
    row.tries += 1
    switch result {
    case .delivered:
      row.state = .delivered
      row.nextTryAt = now
    case .gone:
      row.state = .gone
      row.nextTryAt = now
    case .failed(_, let delay, let lifetime):
      let end = row.at.advanced(byMilliseconds: lifetime)
      if end <= now { row.state = .givenUp }
      row.nextTryAt = min(now.advanced(byMilliseconds: delay), max(end, now))
    }
    webhooks[index] = row
    moveLater(than: index)
    if row.state == .givenUp { raiseAlarm("webhook_given_up", row.origin, "given up") }
    return row.state
  }

  /// The payout's later events that were never tried become due with this one while they must wait for it, else at once.
  private mutating func moveLater(than index: Int) {
    let this = webhooks[index]
    for later in webhooks.indices[(index + 1)...]
    where webhooks[later].payout == this.payout && webhooks[later].state == .pending && webhooks[later].tries == 0 {
      let next = webhooks[later].nextTryAt
      webhooks[later].nextTryAt = this.keepsOthers ? max(next, this.nextTryAt) : min(next, now)
    }
  }

  /// `Ledger.release(_:restMilliseconds:lifetimeMilliseconds:)`.
  mutating func release(_ lot: WebhookLot, restMilliseconds: Int64?, lifetimeMilliseconds: Int64) -> Int {
    guard var server = servers[lot.origin], server.claims == lot.claim else { return 0 }
    server.closedUntil = now.advanced(byMilliseconds: restMilliseconds ?? 0)
    server.failures = restMilliseconds == nil ? 0 : server.failures + 1
    servers[lot.origin] = server
    guard restMilliseconds != nil else { return 0 }
    let old = webhooks.indices.filter { index in
      let row = webhooks[index]
      return row.state == .pending && row.origin == lot.origin
        && row.at.advanced(byMilliseconds: lifetimeMilliseconds) < now
    }
    for index in old { webhooks[index].state = .givenUp }
    if !old.isEmpty { raiseAlarm("webhook_given_up", lot.origin, "given up") }
    return old.count
  }

  /// All that ever signed, by their owners.
  var webhookSecrets: [String: [WebhookSecret]] { secretRows.mapValues { $0.map(\.secret) } }

  /// `Ledger.webhookSecrets(of:)`.
  func webhookSecrets(of owner: String) -> [WebhookSecret] {
    (secretRows[owner] ?? []).reversed().filter { $0.validUntil.map { $0 > now } ?? true }.prefix(3).map(\.secret)
  }

  /// `Ledger.makeWebhookSecret(of:_:)`: the first one stays.
  mutating func makeWebhookSecret(of owner: String, _ candidate: WebhookSecret) -> [WebhookSecret] {
    if !(secretRows[owner] ?? []).contains(where: { $0.validUntil == nil }) {
      secretRows[owner, default: []].append(SecretRow(secret: candidate))
    }
    return webhookSecrets(of: owner)
  }

  /// `Ledger.rotateWebhookSecret`.
  mutating func rotateWebhookSecret(
    of owner: String, to secret: WebhookSecret, oldValidMilliseconds: Int64
  ) -> [WebhookSecret] {
    for index in (secretRows[owner] ?? []).indices where secretRows[owner]?[index].validUntil == nil {
      secretRows[owner]?[index].validUntil = now.advanced(byMilliseconds: oldValidMilliseconds)
    }
    return makeWebhookSecret(of: owner, secret)
  }

  /// `Ledger.webhookDepth`.
  func webhookDepth() -> WebhookDepth {
    let due = webhooks.filter { $0.state == .pending && $0.nextTryAt <= now }
    let oldest = due.map(\.nextTryAt).min()
    return WebhookDepth(
      dueCount: Int64(due.count), oldestDueAgeMilliseconds: oldest.map { now.milliseconds(since: $0) } ?? 0)
  }
}

extension PayoutStatus {
  /// `is_told_by_webhook`.
  fileprivate var isToldByWebhook: Bool {
    switch self {
    case .queued, .held, .broadcast, .confirmed, .failed, .rejected, .settledExternally, .expired, .cancelled: true
    case .kycPending, .compliancePending, .scheduled, .signed, .confirming: false
    }
  }
}
