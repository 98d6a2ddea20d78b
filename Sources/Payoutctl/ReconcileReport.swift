import Ledger
import Payouts

/// What 'payoutctl reconcile' tells.
package struct ReconcileReport: Encodable {
  /// What came of a transaction.
  package enum Outcome: String, Encodable {
    /// It fits a payout; nothing was ordered.
    case matches
    /// A Signer was ordered to adopt it.
    case ordered
    /// Several fit: a person chooses.
    case choose
    /// No payout that waits fits.
    case noPayout = "no_payout"
    /// No Signer of ours signs such.
    case notAPayout = "not_a_payout"
    /// It cannot be judged yet.
    case notSolid = "not_solid"
    /// A fork dropped it, and no solid block that could hold what a Signer of ours signed does.
    case dropped
    /// The nodes do not show what is there.
    case unreadable
    /// The ledger refused the order.
    case refused
  }

  /// One transaction.
  package struct Entry: Encodable {
    package let txid: String
    let findings: [FindingView]
    /// What the solid chain says of it; nil where it is no transfer of ours, or not solid.
    package var chain: String?
    package private(set) var outcome = Outcome.notSolid
    private(set) var payoutId: String?
    private(set) var detail = ""
    /// What a Signer said of an earlier order.
    let refusal: String?
    package var choices: [String] = []

    init(_ findings: [FindingRecord], adoption: AdoptionState?) {
      txid = findings.first?.txid.description ?? ""
      self.findings = findings.map(FindingView.init)
      if case .refused(let why)? = adoption { refusal = why } else { refusal = nil }
    }

    mutating func tell(_ outcome: Outcome, payout: PayoutID? = nil, _ detail: String) {
      self.outcome = outcome
      payoutId = payout?.description
      self.detail = detail
    }

    fileprivate var lines: [String] {
      let payout = payoutId.map { " payout \($0)" } ?? ""
      return ["\(txid)"] + findings.map { "  \($0.line)" } + (chain.map { ["  on the solid chain: \($0)"] } ?? [])
        + (refusal.map { ["  an earlier order was refused: \($0)"] } ?? [])
        + ["  \(outcome.rawValue)\(payout): \(detail)"]
    }
  }

  let isApplied: Bool
  /// Whether there are more findings than were looked at.
  let isCutOff: Bool
  package var transactions: [Entry] = []

  init(isApplied: Bool, isCutOff: Bool) {
    self.isApplied = isApplied
    self.isCutOff = isCutOff
  }

  /// For people.
  var lines: [String] {
    guard !transactions.isEmpty else { return ["nothing that the fence found is unexplained"] }
    let closing =
      (isCutOff ? ["there are more: name transactions, so that they are looked at before others"] : [])
      + (isApplied ? [] : ["nothing was changed: this was only a look"])
    return transactions.flatMap(\.lines) + closing
  }

  /// What was to be done and was not; nil where there is nothing of it.
  var complaint: String? {
    let left = isApplied ? transactions.filter { $0.outcome != .ordered }.count : 0
    guard left > 0 else { return nil }
    return "\(left) of \(transactions.count) transactions are not explained, see above: until each is adopted, or "
      + "acknowledged by 'payoutctl breaker close' as no payout of ours, nothing is signed"
  }
}
