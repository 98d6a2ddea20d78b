import Payouts
import Synchronization
import Tron

/// What must hold in every world, judged from outside: by what clients were told and what the chain saw.
final class Oracle: Sendable {
  /// What a client asked for, and what it was told.
  struct Request: Sendable {
    let key: String
    let recipient: Address
    let amount: Amount
    var told: PayoutID?
    /// Refused for good, with the reason.
    var refusal: String?
  }

  private struct State {
    var requests: [Request] = []
    var violations: [String] = []
    var received: [ToldWebhook] = []
  }

  private let state = Mutex(State())
  private let chain: SimulatedChain

  init(_ chain: SimulatedChain) { self.chain = chain }

  /// What was found wrong.
  var violations: [String] { state.withLock { $0.violations } }
  /// What clients asked for.
  var requests: [Request] { state.withLock { $0.requests } }

  /// Notes that something is wrong.
  func violated(_ what: String) { state.withLock { $0.violations.append(what) } }

  /// A webhook came.
  func received(_ webhook: ToldWebhook) { state.withLock { $0.received.append(webhook) } }

  /// A client will ask for this.
  func expects(_ request: Request) { state.withLock { $0.requests.append(request) } }

  /// A client was told that its payout is accepted.
  func told(_ key: String, _ id: PayoutID) {
    state.withLock { state in
      guard let index = state.requests.firstIndex(where: { $0.key == key }) else { return }
      if let earlier = state.requests[index].told, earlier != id {
        state.violations.append("the client of \(key) was told \(id) after \(earlier): one key, two payouts")
      }
      state.requests[index].told = id
    }
  }

  /// A client was told that its payout is refused for good.
  func refused(_ key: String, _ reason: String) {
    state.withLock { state in
      guard let index = state.requests.firstIndex(where: { $0.key == key }) else { return }
      state.requests[index].refusal = reason
    }
  }

  /// **A transaction is handed to a node**: no earlier one that pays the same may still be able to pay. Of recipients to
  /// whom several payouts go, so many may be out.
  func sees(broadcast transaction: SignedTransaction) {
    let recipient = transaction.recipient
    let rivals = chain.broadcasts.filter {
      $0.recipient == recipient && $0.txid != transaction.txid && !chain.isOver($0)
    }
    let payouts = requests.filter { $0.recipient == recipient }.count
    if payouts == 0 { violated("\(transaction.txid) pays \(recipient), to whom nobody asked to pay") }
    if rivals.count >= payouts {
      violated("\(transaction.txid) was sent while \(rivals.count) others to \(recipient) could still pay")
    }
  }

  /// **In the end**: each payout that a client was told of is confirmed and paid once, or has an unpaid end and was never
  /// paid; nobody else was paid.
  func judge(_ tables: LedgerTables) {
    let payments = chain.payments
    for recipient in Set(requests.map(\.recipient)).sorted() {
      let asked = requests.filter { $0.recipient == recipient }
      let paid = payments.filter { $0.recipient == recipient }
      let ends = asked.map { request in request.told.flatMap { tables.payouts[$0]?.status } }
      let confirmed = ends.filter { $0 == .confirmed }.count
      // Of a request that never had an answer nobody knows whether it was accepted.
      let unknown = asked.filter { $0.told == nil && $0.refusal == nil }.count
      if paid.count > asked.count { violated("\(recipient) was paid \(paid.count) times, asked \(asked.count) times") }
      if paid.count < confirmed { violated("\(recipient) was paid \(paid.count) times, \(confirmed) are confirmed") }
      if paid.count > confirmed + unknown {
        violated("\(recipient) was paid \(paid.count) times, only \(confirmed) are confirmed")
      }
      for payment in paid where !asked.contains(where: { $0.amount == payment.amount }) {
        violated("\(recipient) was paid \(payment.amount), which nobody asked for")
      }
    }
    for payment in payments where !requests.contains(where: { $0.recipient == payment.recipient }) {
      violated("\(payment.recipient) was paid, to whom nobody asked to pay")
    }
    for request in requests {
      guard let id = request.told else {
        if request.refusal == nil { violated("the client of \(request.key) never had an answer") }
        continue
      }
      guard let row = tables.payouts[id] else {
        violated("\(id) of \(request.key) was accepted and is gone")
        continue
      }
      if !row.status.isFinal { violated("\(id) of \(request.key) is still \(row.status): \(row.note ?? "")") }
      if (row.terms.recipient, row.terms.amount) != (request.recipient, request.amount) {
        violated("\(id) is not what the client of \(request.key) asked for")
      }
      judgeHistory(of: id, tables)
      judgeWebhooks(of: id, row, tables)
    }
  }

  /// Its end was told, and no other end; what tells of a payment names the transaction that paid.
  private func judgeWebhooks(of id: PayoutID, _ row: LedgerTables.Payout, _ tables: LedgerTables) {
    let received = state.withLock { $0.received }.filter { $0.payout == "\(id)" }
    for webhook in received where !(tables.webhookSecrets[row.terms.owner] ?? []).contains(where: webhook.isSigned) {
      violated("\(id): its webhook \(webhook.event) is signed with no secret of its owner")
    }
    let ends = Set(received.map(\.event)).intersection(
      PayoutStatus.allCases.filter(\.isFinal).map { "payout.\($0.rawValue)" })
    guard row.status.isFinal else { return }
    if ends != ["payout.\(row.status.rawValue)"] {
      violated("\(id) is \(row.status), its webhooks told \(ends.sorted())")
    }
    guard row.status == .confirmed else { return }
    let paid = Set(chain.payments.filter { $0.recipient == row.terms.recipient }.map { "\($0.txid)" })
    for webhook in received where webhook.event == "payout.confirmed" && !paid.contains(webhook.txid ?? "") {
      violated("\(id): its webhook names \(webhook.txid ?? "no transaction"), which paid nobody")
    }
  }

  private func judgeHistory(of id: PayoutID, _ tables: LedgerTables) {
    var state: PayoutStatus?
    for event in tables.events[id] ?? [] {
      if event.from != state {
        violated("\(id): its history goes from \(String(describing: event.from)) after \(String(describing: state))")
      }
      if let state, !state.successors.contains(event.to) { violated("\(id): \(state) became \(event.to)") }
      state = event.to
    }
  }
}
