import Ledger
import Payouts
import Synchronization
import Tron

/// What must hold in every world, judged from outside: by what clients were told and what the chain saw.
///
/// While the world lives it watches each change of the database (`Oracle+changes`), in the end it judges all payouts
/// (`Oracle+judge`).
final class Oracle: Sendable {
  /// What a client asked for, and what it was told.
  struct Request: Sendable {
    let key: String
    let recipient: Address
    let amount: Amount
    var expiresAt: Timestamp?
    /// The payouts it was told of: several only where a restore took acceptances.
    var told: [PayoutID] = []
    /// Refused, with the reason.
    var refusal: String?
    /// Whether an answer was ever missing: then nobody knows whether it was accepted.
    var wasUnanswered = false

    /// Whether it was told that its payout is cancelled.
    var isWithdrawn = false

    /// Its place in the batch that was asked for under the key; nil of a single payout.
    var place: UInt32?

    /// Names it in what the oracle says.
    var name: String { place.map { "\(key)[\($0)]" } ?? key }

    /// Names its payout for ever.
    var reference: Reference { Reference(owner: Oracle.owner, idempotencyKey: key, index: place ?? 0) }

    /// Whether a transaction was signed for it: recipient, amount and the bits of its reference.
    func isPaid(by transaction: SignedTransaction) -> Bool {
      (transaction.recipient, transaction.amount) == (recipient, amount) && transaction.contents.carries(reference)
    }
  }

  /// What somebody else did on the chain.
  struct Strange: Sendable {
    let txid: TxID
    let kind: Stranger
  }

  struct State {
    var requests: [Request] = []
    var violations: [String] = []
    var received: [ToldWebhook] = []
    var strange: [Strange] = []
    var hasRestored = false
    var hasLostHistory = false
    /// Of which acceptances Redis' log tells, and since when.
    var logged: [Reference: Int64] = [:]
    /// Whether Redis ever lost its log.
    var hasLostLog = false
    /// When the present life of the database's server began.
    var startedAt: Int64 = 0
    /// What was ever committed.
    var committed: Set<TxID> = []
  }

  /// The one client of all worlds.
  static let owner = "client"

  let state = Mutex(State())
  let chain: SimulatedChain
  let settings: WorldSettings

  init(_ chain: SimulatedChain, _ settings: WorldSettings) {
    self.chain = chain
    self.settings = settings
  }

  /// What was found wrong.
  var violations: [String] { state.withLock { $0.violations } }
  /// What clients asked for.
  var requests: [Request] { state.withLock { $0.requests } }
  /// What others did.
  var strange: [Strange] { state.withLock { $0.strange } }
  /// Whether the database ever went back in time.
  var hasRestored: Bool { state.withLock { $0.hasRestored } }
  /// Whether it ever went back to before an acceptance or an unpaid end.
  var hasLostHistory: Bool { state.withLock { $0.hasLostHistory } }

  /// Notes that something is wrong.
  func violated(_ what: String) {
    state.withLock { if !$0.violations.contains(what) { $0.violations.append(what) } }
  }

  /// The database's server has another life.
  func noteStarted(at time: Int64) { state.withLock { $0.startedAt = time } }

  /// The database went back in time.
  func noteRestored(hasLost: Bool, at time: Int64 = 0) {
    noteStarted(at: time)
    state.withLock { state in
      state.hasRestored = true
      state.hasLostHistory = state.hasLostHistory || hasLost
    }
  }

  /// Somebody else acted on the chain.
  func saw(_ kind: Stranger, _ txid: TxID) { state.withLock { $0.strange.append(Strange(txid: txid, kind: kind)) } }

  /// A webhook came.
  func received(_ webhook: ToldWebhook) { state.withLock { $0.received.append(webhook) } }

  /// The unpaid end that the client of a payout was told, as its books have it.
  func toldUnpaidEnd(of reference: Reference) -> Bool {
    state.withLock { state in
      guard let request = state.requests.first(where: { $0.reference == reference }) else { return false }
      if request.isWithdrawn { return true }
      let unpaid = PayoutStatus.allCases.filter(\.isUnpaidFinal).map { "payout.\($0.rawValue)" }
      return state.received.contains { webhook in
        unpaid.contains(webhook.event) && request.told.contains { "\($0)" == webhook.payout }
      }
    }
  }

  /// A client will ask for this.
  func expects(_ request: Request) { state.withLock { $0.requests.append(request) } }

  private func change(_ name: String, _ body: (inout Request, inout [String], Bool) -> Void) {
    state.withLock { state in
      guard let index = state.requests.firstIndex(where: { $0.name == name }) else { return }
      body(&state.requests[index], &state.violations, state.hasLostHistory)
    }
  }

  /// A client was told that its payout is accepted.
  func told(_ key: String, _ id: PayoutID) {
    change(key) { request, violations, hasLostHistory in
      if let earlier = request.told.last, earlier != id, !hasLostHistory {
        violations.append("the client of \(key) was told \(id) after \(earlier): one key, two payouts")
      }
      if request.told.last != id { request.told.append(id) }
    }
  }

  /// A client was told that its payout is refused.
  func refused(_ key: String, _ reason: String) {
    change(key) { request, violations, hasLostHistory in
      request.refusal = reason
      if !request.told.isEmpty, !hasLostHistory {
        violations.append("the client of \(key) was refused after it was told of \(request.told): \(reason)")
      }
    }
    let isAllowed =
      reason.contains("limit") ? settings.hasLimits : reason.contains("invalid") && settings.expiring > 0
    if !isAllowed { violated("the client of \(key) was refused: \(reason)") }
  }

  /// A client was told that its payout is cancelled.
  func withdrew(_ key: String) { change(key) { request, _, _ in request.isWithdrawn = true } }

  /// An answer did not come, or told nothing.
  func wasNotAnswered(_ key: String) { change(key) { request, _, _ in request.wasUnanswered = true } }

  /// **A Signer hands a transaction to a node**: it is committed and stands in that Signer's own journal.
  func sees(_ txid: TxID, leave disk: SimulatedDisk) {
    if !state.withLock({ $0.committed.contains(txid) }) { violated("\(txid) was sent before it was committed") }
    if !disk.held.contains(where: { $0.txid == txid }) {
      violated("\(txid) was sent before its Signer's own journal held it")
    }
  }

  /// **A transaction is handed to a node**: it pays somebody who asked, and no earlier one that pays the same payout may
  /// still be able to pay.
  func sees(broadcast transaction: SignedTransaction) {
    guard let request = requests.first(where: { $0.isPaid(by: transaction) }) else {
      return violated("\(transaction.txid) pays \(transaction.recipient), which nobody asked for")
    }
    let rivals = chain.broadcasts.filter {
      $0.txid != transaction.txid && request.isPaid(by: $0) && !chain.isOver($0)
    }
    if let rival = rivals.first {
      violated("\(transaction.txid) was sent while \(rival.txid) could still pay \(request.name)")
    }
  }
}

extension WorldSettings {
  /// Whether anything limits acceptance.
  var hasLimits: Bool { hourlyLimit + dailyLimit + routerHourlyLimit + routerDailyLimit > 0 }
}
