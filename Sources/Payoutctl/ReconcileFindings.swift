package import Ledger
package import Payouts
import Tron

/// Lists what the fence found and nothing has explained, matches each transaction to the payout that it pays, and orders
/// Signers to adopt those that fit (DESIGN.md §3 "The fence").
///
/// | a transaction | what comes of it |
/// | --- | --- |
/// | fits one payout that waits, and no other fits that one | adopted |
/// | fits several payouts, or others fit its payout too | `choose`: a person names the payout |
/// | fits none, or one that has ended | `no_payout` |
/// | is no transfer of the token by the wallet's key | `not_a_payout` |
/// | lies in a block that is not solid yet, or a fork moved it and it may be in one that Monitor must read yet | `not_solid` |
/// | is in no solid block that could hold what a Signer of ours signed | `dropped` |
/// | cannot be read, or not where a quorum had it | `unreadable`: and what equals it waits for a person's word |
package struct ReconcileFindings {
  /// How many findings are looked at.
  static let findingsMax = 1_000

  let ledger: any ReconcileLedger
  let find: FindTransaction
  /// Only these; all where it is empty.
  let wanted: Set<TxID>
  /// What a person chose.
  let chosen: [TxID: PayoutID]
  /// Why, in the person's words; nil only looks.
  let reason: String?

  /// - Parameters:
  ///   - wanted: only these transactions; all where it is empty.
  ///   - chosen: what a person chose.
  ///   - reason: why, in the person's words; nil only looks.
  package init(
    ledger: any ReconcileLedger, find: FindTransaction, wanted: Set<TxID>, chosen: [TxID: PayoutID], reason: String?
  ) {
    self.ledger = ledger
    self.find = find
    self.wanted = wanted
    self.chosen = chosen
    self.reason = reason
  }

  /// - Throws: `LedgerError`, and what reading from the nodes throws.
  package func run() async throws -> ReconcileReport {
    // Before the findings: what Monitor reads as solid meanwhile may hold one that is read here at an older place.
    let solid = try await ledger.solidTime()
    let life = try await ledger.longestLifeMilliseconds()
    let named = wanted.union(chosen.keys)
    let findings = try await ledger.unexplainedFindings(naming: named, atMost: Self.findingsMax)
    var order: [TxID] = []
    var byTransaction: [TxID: [UnexplainedFinding]] = [:]
    for found in findings {
      if byTransaction[found.finding.txid] == nil { order.append(found.finding.txid) }
      byTransaction[found.finding.txid, default: []].append(found)
    }
    var readings: [TxID: Reading] = [:]
    var unread: [FindingRecord] = []
    for txid in order {
      let told = byTransaction[txid, default: []].map(\.finding)
      // Where a quorum has placed it, whatever one node's block has said of it since.
      guard let found = told.last(where: \.isSolid) ?? told.last else { continue }
      let reading = try await read(found, solid: solid, life: life)
      readings[txid] = reading
      if case .unreadable = reading { unread += told }
    }
    let transfers = order.compactMap { txid -> SolidTransfer? in
      if case .transfer(let transfer)? = readings[txid] { transfer } else { nil }
    }
    let matches = MatchFindings(chosen: chosen).match(transfers, with: try await payouts(for: transfers))
    var report = ReconcileReport(isApplied: reason != nil, isCutOff: findings.count == Self.findingsMax)
    for txid in order where wanted.isEmpty || wanted.contains(txid) {
      guard let found = byTransaction[txid], let first = found.first, let reading = readings[txid] else { continue }
      var entry = ReconcileReport.Entry(found.map(\.finding), adoption: first.adoption)
      try await describe(&entry, reading, matches[txid], unread, state: first.adoption)
      report.transactions.append(entry)
    }
    return report
  }

  private enum Reading {
    /// Read again later; the words say when.
    case waits(String)
    case dropped
    /// The nodes do not show it, or not in a way that counts.
    case unreadable(String)
    case foreign(String)
    case transfer(SolidTransfer)
  }

  /// One that cannot be read keeps nobody from reading the others.
  private func read(_ found: FindingRecord, solid: Timestamp?, life: Int64) async throws -> Reading {
    let reading: SolidReading
    do { reading = try await find.read(found.txid, of: found.wallet, inBlock: found.blockNumber) } catch {
      try Task.checkCancellation()
      guard error is ChainReadError || error is TronNodeError else { throw error }
      let isWaiting = (error as? ChainReadError)?.isWaiting == true
      return isWaiting && !found.isSolid ? .waits("\(error): call again in a minute") : .unreadable("\(error)")
    }
    switch reading {
    case .notSolid where found.isSolid, .notThere where found.isSolid:
      return .unreadable("a quorum had it in solid block \(found.blockNumber), and the nodes do not show it there")
    case .notSolid: return .waits("its block is not solid yet: call again in a minute")
    case .notThere:
      // A fork that dropped it may put it into any block until it expires, and Monitor finds it there. It was signed before
      // it was found.
      let last = found.foundAt.advanced(byMilliseconds: life)
      guard let solid, solid >= last else {
        return .waits(
          "the solid block in that place does not hold it; call again once Monitor has read the solid blocks up to \(last)"
        )
      }
      return .dropped
    case .foreign(let why): return .foreign(why)
    case .transfer(let transfer): return .transfer(transfer)
    }
  }

  /// Each pair of recipient and amount is asked for once.
  private func payouts(for transfers: [SolidTransfer]) async throws -> [PayoutRecord] {
    var payouts: [PayoutRecord] = []
    for pair in Set(transfers.map { Paid(recipient: $0.transfer.to, amount: $0.transfer.amount) }) {
      payouts += try await ledger.payouts(paying: pair.recipient, pair.amount)
    }
    return payouts.sorted { $0.id < $1.id }
  }

  private struct Paid: Hashable {
    let recipient: Address
    let amount: Amount
  }

  private func describe(
    _ entry: inout ReconcileReport.Entry, _ reading: Reading, _ match: MatchFindings.Match?,
    _ unread: [FindingRecord], state: AdoptionState?
  ) async throws {
    if case .ordered(let payout)? = state {
      return entry.tell(.ordered, payout: payout, "a Signer has not carried out the order yet: is one running?")
    }
    switch reading {
    case .waits(let why): entry.tell(.notSolid, why)
    case .dropped:
      entry.tell(
        .dropped,
        "a fork dropped it, and what our Signers sign can be valid no more; what others sign may be for a day: look for it on "
          + "the chain before you reject what equals it")
    case .unreadable(let why): entry.tell(.unreadable, "call again, or ask other nodes: \(why)")
    case .foreign(let why): entry.tell(.notAPayout, "no Signer of ours signs such: \(why)")
    case .transfer(let transfer):
      entry.chain = transfer.verdict.words
      let rivals = unread.filter {
        $0.recipient == transfer.transfer.to && $0.amountText == "\(transfer.transfer.amount.microUSDT)"
      }
      switch match {
      case .payout(let payout)? where chosen[transfer.signed.txid] == nil && !rivals.isEmpty:
        entry.choices = [payout.id.description]
        entry.tell(
          .choose,
          "fits \(payout.id); so may \(rivals.map(\.txid.description).joined(separator: ", ")), which cannot be read: "
            + "name one with --payout TXID=PAYOUT")
      case .payout(let payout)?: try await adopt(transfer, for: payout, &entry)
      case .choice(let payouts, let rivals)?:
        entry.choices = payouts.map(\.id.description)
        let others = rivals.isEmpty ? "" : "; so do \(rivals.map(\.description).joined(separator: ", "))"
        entry.tell(
          .choose, "fits \(entry.choices.joined(separator: ", "))\(others): name one with --payout TXID=PAYOUT")
      case .nobody(let ended)?:
        let why =
          ended.isEmpty
          ? "no waiting payout has its recipient, amount and reference bits: where a restore lost the row, its client "
            + "submits it again under its key, and it fits then"
          : "its payout \(ended.map { "\($0.id) is \($0.status.rawValue)" }.joined(separator: ", ")), which is final"
        entry.tell(.noPayout, why)
      case nil: break
      }
    }
  }

  private func adopt(
    _ transfer: SolidTransfer, for payout: PayoutRecord, _ entry: inout ReconcileReport.Entry
  ) async throws {
    guard let reason else { return entry.tell(.matches, payout: payout.id, "it would be adopted with --apply") }
    let order = transfer.adoption(for: payout.id, reason: reason)
    guard let refusal = try await ledger.order(order) else {
      return entry.tell(
        .ordered, payout: payout.id, "a Signer puts it back, and Monitor judges it, soon: see 'payoutctl show'")
    }
    entry.tell(.refused, payout: payout.id, refusal.words)
  }
}

extension AdoptionRefusal {
  /// For people.
  fileprivate var words: String {
    switch self {
    case .unknownPayout: "the payout is gone"
    case .doesNotWait(let status): "the payout is \(status.rawValue) by now"
    case .otherTerms: "the payout has another recipient, amount or token"
    case .referenceInUse(let txid): "the payout's reference has the attempt \(txid), which is live or has paid"
    case .noFinding: "it is explained by now"
    case .notSolid: "Monitor has not read its block as solid yet: call again in a minute"
    case .alreadyOrdered: "an order about it, or about its payout, stands already: call again when that is carried out"
    }
  }
}

extension TransactionVerdict {
  /// For people.
  fileprivate var words: String {
    switch self {
    case .paid: "paid"
    case .failedOnChain(_, _, let result): "failed on chain: \(result)"
    case .dead: "dead"
    case .anomalous(_, let finding): "anomalous: \(finding)"
    }
  }
}
