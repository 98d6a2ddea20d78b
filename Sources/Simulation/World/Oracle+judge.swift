import Ledger
import Payouts
import Tron

/// What must hold in the end.
extension Oracle {
  /// Each payout that a client was told of is confirmed and paid once, or has an unpaid end and was never paid; nobody else
  /// was paid.
  func judge(_ tables: LedgerTables) {
    let payments = chain.payments
    for payment in payments where !requests.contains(where: { $0.isPaid(by: payment) }) {
      violated("\(payment.txid) paid \(payment.recipient), which nobody asked for")
    }
    for request in requests { judge(request, payments.filter(request.isPaid), tables) }
    judgeBatches(tables)
    if !tables.isContinuous { violated("the history is still not vouched for") }
    judgeLog(tables)
    judgeFindings(tables)
    judgeBreaker(tables)
    watchLimits(tables)
  }

  /// **One transfer a key over all, ever**; and none where it ended unpaid or was never accepted.
  private func judge(_ request: Request, _ payments: [SignedTransaction], _ tables: LedgerTables) {
    if payments.count > 1 { violated("\(request.name) was paid \(payments.count) times") }
    if request.isWithdrawn, !payments.isEmpty { violated("\(request.name) was cancelled, and was paid") }
    guard let row = tables.payout(of: request.reference) else {
      // Where Redis lost it as well, only its client knows of it, and is refused once its own end has passed.
      let isRefusedNow = request.expiresAt != nil && request.refusal != nil
      if !(hasLostHistory && hasLostLog && isRefusedNow) {
        if !payments.isEmpty { violated("\(request.name) was paid, and there is no payout of it") }
        if !request.told.isEmpty { violated("\(request.told) of \(request.name) was accepted and is gone") }
      }
      if request.told.isEmpty, request.refusal == nil {
        violated("the client of \(request.name) never had an answer")
      }
      return
    }
    let id = row.terms.id
    if request.told.isEmpty, request.refusal != nil, !request.wasUnanswered {
      violated("the client of \(request.name) was always refused, and \(id) stands")
    }
    if !request.told.isEmpty, request.told.last != id, !hasLostHistory {
      violated("the client of \(request.name) was told \(request.told), and \(id) stands")
    }
    if !row.status.isFinal { violated("\(id) of \(request.name) is still \(row.status): \(row.note ?? "")") }
    if request.isWithdrawn, !hasLostHistory, row.status != .cancelled {
      violated("the client of \(request.name) was told that it is cancelled, and \(id) is \(row.status)")
    }
    if row.status == .confirmed, payments.isEmpty { violated("\(id) is confirmed and nobody was paid") }
    if row.status.isFinal, row.status != .confirmed, !payments.isEmpty {
      violated("\(id) is \(row.status) and was paid")
    }
    if (row.terms.recipient, row.terms.amount) != (request.recipient, request.amount) {
      violated("\(id) is not what the client of \(request.name) asked for")
    }
    judgeHistory(of: row, tables)
    judgeWebhooks(of: request, row, tables)
  }

  /// **A batch is whole, under one id**: all of its payouts stand or none, and its row says how many they are.
  private func judgeBatches(_ tables: LedgerTables) {
    let batches = Dictionary(grouping: requests.filter { $0.place != nil }, by: \.key)
    for (key, requests) in batches.sorted(by: { $0.key < $1.key }) {
      let rows = requests.compactMap { tables.payout(of: $0.reference) }
      guard let first = rows.first else { continue }
      if rows.count != requests.count { violated("\(rows.count) of \(requests.count) payouts of \(key) stand") }
      let ids = Set(rows.map(\.terms.clientBatch))
      if ids.count != 1 { violated("the payouts of \(key) stand in \(ids.count) batches") }
      let stored = first.terms.clientBatch.flatMap { tables.clientBatches[$0] }
      if stored?.size.payoutCount != requests.count { violated("the batch of \(key) has no row of its size") }
    }
  }

  /// Its end was told, and no other end; what tells of a payment names the transaction that paid.
  private func judgeWebhooks(of request: Request, _ row: LedgerTables.Payout, _ tables: LedgerTables) {
    let id = row.terms.id
    let names = Set((request.told + [id]).map { "\($0)" })
    let received = state.withLock { $0.received }.filter { names.contains($0.payout) }
    for webhook in received where !(tables.webhookSecrets[row.terms.owner] ?? []).contains(where: webhook.isSigned) {
      // A restore may take the secret that an earlier webhook was signed with.
      if !hasRestored { violated("\(id): its webhook \(webhook.event) is signed with no secret of its owner") }
    }
    guard row.status.isFinal else { return }
    let ends = Set(received.map(\.event)).intersection(
      PayoutStatus.allCases.filter(\.isFinal).map { "payout.\($0.rawValue)" })
    let own = Set(received.filter { $0.payout == "\(id)" }.map(\.event))
    // Where a restore took an end, an operator may end it otherwise; but never is told of both, payment and none.
    let isContradicted =
      hasLostHistory ? ends.contains("payout.confirmed") && ends.count > 1 : ends != ["payout.\(row.status.rawValue)"]
    if isContradicted || !own.contains("payout.\(row.status.rawValue)") {
      violated("\(id) is \(row.status), its webhooks told \(ends.sorted())")
    }
    guard row.status == .confirmed else { return }
    let paid = Set(chain.payments.filter(request.isPaid).map { "\($0.txid)" })
    for webhook in received where webhook.event == "payout.confirmed" && !paid.contains(webhook.txid ?? "") {
      violated("\(id): its webhook names \(webhook.txid ?? "no transaction"), which paid nobody")
    }
  }

  /// Why payouts of this world may be held: every other hold is a mistake.
  private var expectedHolds: Set<String> {
    var reasons: Set<HoldReason> = []
    if settings.signerHourlyLimit > 0 { reasons.insert(.signerLimit) }
    if hasRestored { reasons.formUnion([.unclaimedTransfer, .referenceInUse, .historyUnproven]) }
    if hasLostHistory { reasons.insert(.endWasLost) }
    return Set(reasons.map(\.rawValue))
  }

  /// **Each change is in the table of states** (``LegalChanges``) and none is missing, from a state in which a payout
  /// may begin to the one in which it stands; and it was held only for what happens in this world.
  ///
  /// A restore takes nothing from that: row, history, attempts and what Signers put back stand in the same tables and
  /// go back together. What is put back from the log of intents begins its history anew, in the state in which it was
  /// accepted. Of a transaction that was put back twice (from a journal, and by an earlier order to adopt it) tables
  /// keep the later moment alone: so what became `signed` until then counts as put back.
  private func judgeHistory(of row: LedgerTables.Payout, _ tables: LedgerTables) {
    let id = row.terms.id
    let putBacks = (tables.attempts[row.terms.reference] ?? []).compactMap { tables.putBacks[$0.txid] }
    var state: PayoutStatus?
    var heldFrom: PayoutStatus?
    for event in tables.events[id] ?? [] {
      if event.from != state {
        violated("\(id): its history goes from \(String(describing: event.from)) after \(String(describing: state))")
      }
      if let state {
        let isPutBack = putBacks.contains { $0 >= event.at }
        if !LegalChanges.allow(state, to: event.to, heldFrom: heldFrom, isPutBack: isPutBack) {
          violated("\(id): \(state)\(heldFrom.map { " from \($0)" } ?? "") became \(event.to)")
        }
      } else if !LegalChanges.beginnings.contains(event.to) {
        violated("\(id): it began as \(event.to)")
      }
      if event.to == .held, !expectedHolds.contains(where: { event.note?.hasPrefix($0) == true }) {
        violated("\(id) was held: \(event.note ?? "")")
      }
      heldFrom = event.to == .held ? state : nil
      state = event.to
    }
    if state != row.status {
      violated("\(id) is \(row.status), its history ends with \(state.map { "\($0)" } ?? "nothing")")
    }
  }

  /// **The fence finds every theft**, opens the breaker, and finds nothing that is none: only what a restore took besides.
  private func judgeFindings(_ tables: LedgerTables) {
    let solid = tables.cursors[.solid]?.number ?? -1
    for theft in strange where theft.kind.isTheft {
      guard let place = chain.block(of: theft.txid), place.number <= solid else { continue }
      if !tables.findings.contains(where: { $0.what.txid == theft.txid && $0.isJudged }) {
        violated("the fence has not found \(theft.kind.rawValue) \(theft.txid)")
      }
      if !tables.alarms.contains(where: { $0.kind == "unknown_transaction" && $0.subject.contains("\(theft.txid)") }) {
        violated("nobody was called about \(theft.kind.rawValue) \(theft.txid)")
      }
    }
    let known = Set(strange.filter(\.kind.isTheft).map(\.txid)).union(hasRestored ? chain.broadcasts.map(\.txid) : [])
    for finding in tables.findings where !known.contains(finding.what.txid) {
      violated("the fence has found \(finding.what.txid), which is no finding")
    }
  }

  /// What opens the breaker for good in no world, as long as the rules hold.
  private func judgeBreaker(_ tables: LedgerTables) {
    let impossible = ["paid_twice", "paid_after_end", "broken_seal", "anomalous_transaction", "contradicted_journal"]
    for alarm in tables.alarms where impossible.contains(alarm.kind) {
      violated("the alarm \(alarm.kind): \(alarm.subject), \(alarm.message)")
    }
  }
}
