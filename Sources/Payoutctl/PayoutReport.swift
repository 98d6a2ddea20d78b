import Ledger
import Payouts
import Tron

/// All that the ledger knows of a payout, for a person or a program.
struct PayoutReport: Sendable {
  let record: PayoutRecord
  let history: [PayoutEvent]
  let attempts: [AttemptRecord]
  let conditions: PayingConditions
  let requiredConfirmations: Int64

  /// Reads it; nil where there is no such payout. The conditions come last, so that no state is older than its cause.
  static func read(
    _ id: PayoutID, from ledger: any IngestLedger, requiredConfirmations: Int64
  ) async throws -> PayoutReport? {
    guard let record = try await ledger.payout(id) else { return nil }
    return PayoutReport(
      record: record, history: try await ledger.history(of: id), attempts: try await ledger.attempts(of: id),
      conditions: try await ledger.conditions(), requiredConfirmations: requiredConfirmations)
  }

  /// What it waits for; nil where it is final.
  var waiting: PayoutWaiting? {
    PayoutWaiting(record, attempts: attempts, conditions: conditions, requiredConfirmations: requiredConfirmations)
  }

  /// How deep the block of an attempt lies; nil where it is in none.
  func confirmations(of attempt: AttemptRecord) -> Int64? {
    guard let block = attempt.block, let head = conditions.headNumber else { return nil }
    return PayoutWaiting.confirmations(of: block, head: head)
  }

  /// Where a person can look at the transaction; nil on a devnet.
  func explorerURL(of attempt: AttemptRecord) -> String? { record.terms.network.explorerURL(of: attempt.txid) }
}

extension PayoutReport {
  /// Lines for a terminal, without a newline at the end.
  var text: String {
    let terms = record.terms
    var lines = [
      "payout     \(record.id)",
      "state      \(record.status.rawValue) since \(record.statusSince)",
    ]
    if let waiting { lines.append("waits for  \(waiting.detail) (\(waiting.what.rawValue), since \(waiting.since))") }
    if let note = record.note { lines.append("note       \(note)") }
    lines += [
      "pays       \(terms.amount) \(terms.asset) to \(terms.recipient) on \(terms.network.rawValue)",
      "owner      \(terms.owner)",
      "kind       \(terms.router.rawValue), \(terms.batchType.rawValue), \(record.particulars.priority.rawValue), "
        + record.particulars.reason.rawValue,
    ]
    if let external = record.particulars.externalID { lines.append("external   \(external)") }
    if let batch = record.settlementBatch { lines.append("batch      \(batch)") }
    lines.append("accepted   \(terms.createdAt)" + (terms.expiresAt.map { ", expires \($0)" } ?? ""))
    lines +=
      ["", "history"]
      + history.map { event in
        let change = event.from.map { "\($0.rawValue) -> \(event.to.rawValue)" } ?? event.to.rawValue
        return "  \(event.at)  \(change)  by \(event.actor)" + (event.note.map { ": \($0)" } ?? "")
      }
    lines += ["", attempts.isEmpty ? "attempts   none" : "attempts"]
    for attempt in attempts { lines += self.lines(of: attempt) }
    return lines.joined(separator: "\n")
  }

  private func lines(of attempt: AttemptRecord) -> [String] {
    var lines = [
      "  \(attempt.number)  \(attempt.txid)  \(attempt.outcome?.rawValue ?? "live"), \(attempt.status.rawValue)"
    ]
    lines.append("     signed \(attempt.signedAt), possible until \(attempt.expiration)")
    if let block = attempt.block {
      let depth = confirmations(of: attempt).map { ", \($0) confirmations, \(requiredConfirmations) required" } ?? ""
      lines.append("     in block \(block.number) of \(block.time)\(depth)")
    }
    if let result = attempt.result { lines.append("     result \(result)") }
    if let blame = attempt.blame { lines.append("     failure of \(blame.rawValue): \(blame.advice)") }
    if let cost = attempt.cost {
      lines.append("     cost \(cost.fee.trx) TRX, \(cost.energyUsed) energy, \(cost.bandwidthUsed) bandwidth")
    }
    if let answer = attempt.lastAnswer { lines.append("     last answer of a node: \(answer)") }
    if let url = explorerURL(of: attempt) { lines.append("     \(url)") }
    return lines
  }
}

extension PayoutReport {
  /// One JSON object; what is not known is left out. Times in RFC 3339, amounts as decimal text.
  func json() throws -> String {
    try PayoutJSON(self).json()
  }
}

/// The fields of the JSON form, named as in the HTTP API where that has them.
private struct PayoutJSON: Encodable {
  struct Waiting: Encodable {
    let what: String
    let since: String
    let detail: String
  }

  struct Event: Encodable {
    let at: String
    let from: String?
    let to: String
    let actor: String
    let note: String?
  }

  struct Attempt: Encodable {
    let number: Int
    let txid: String
    let status: String
    let outcome: String?
    let signedAt: String
    let expiresAt: String
    let blockNumber: Int64?
    let blockId: String?
    let blockTimestamp: String?
    let confirmations: Int64?
    let requiredConfirmations: Int64
    let result: String?
    let blame: String?
    let feeTrx: String?
    let energyUsed: Int64?
    let bandwidthUsed: Int64?
    let lastAnswer: String?
    let explorerUrl: String?
  }

  let payoutId: String
  let status: String
  let statusSince: String
  let waitingFor: Waiting?
  let note: String?
  let heldFrom: String?
  let holdReason: String?
  let amountUsdt: String
  let asset: String
  let recipientAddress: String
  let network: String
  let owner: String
  let routerUsed: String
  let batchType: String
  let priority: String
  let reason: String
  let externalId: String?
  let settlementBatchId: String?
  let reference: String
  let createdAt: String
  let expiresAt: String?
  let history: [Event]
  let attempts: [Attempt]

  init(_ report: PayoutReport) {
    let record = report.record
    let terms = record.terms
    payoutId = record.id.description
    status = record.status.rawValue
    statusSince = record.statusSince.description
    waitingFor = report.waiting.map {
      Waiting(what: $0.what.rawValue, since: $0.since.description, detail: $0.detail)
    }
    note = record.note
    heldFrom = record.heldFrom?.rawValue
    holdReason = record.holdReason
    amountUsdt = terms.amount.description
    asset = terms.asset
    recipientAddress = terms.recipient.description
    network = terms.network.rawValue
    owner = terms.owner
    routerUsed = terms.router.rawValue
    batchType = terms.batchType.rawValue
    priority = record.particulars.priority.rawValue
    reason = record.particulars.reason.rawValue
    externalId = record.particulars.externalID
    settlementBatchId = record.settlementBatch?.description
    reference = terms.reference.description
    createdAt = terms.createdAt.description
    expiresAt = terms.expiresAt?.description
    history = report.history.map { event in
      Event(
        at: event.at.description, from: event.from?.rawValue, to: event.to.rawValue, actor: event.actor,
        note: event.note)
    }
    attempts = report.attempts.map { Attempt($0, of: report) }
  }
}

extension PayoutJSON.Attempt {
  init(_ attempt: AttemptRecord, of report: PayoutReport) {
    number = attempt.number
    txid = attempt.txid.description
    status = attempt.status.rawValue
    outcome = attempt.outcome?.rawValue
    signedAt = attempt.signedAt.description
    expiresAt = attempt.expiration.description
    blockNumber = attempt.block?.number
    blockId = attempt.block?.id.description
    blockTimestamp = attempt.block?.time.description
    confirmations = report.confirmations(of: attempt)
    requiredConfirmations = report.requiredConfirmations
    result = attempt.result
    blame = attempt.blame?.rawValue
    feeTrx = attempt.cost?.fee.trx
    energyUsed = attempt.cost?.energyUsed
    bandwidthUsed = attempt.cost?.bandwidthUsed
    lastAnswer = attempt.lastAnswer
    explorerUrl = report.explorerURL(of: attempt)
  }
}
