import ArgumentParser
import Ledger
import Worker

/// `payoutctl breaker`: whether anything stops all signing, and what the fence found. Changes nothing.
///
/// ## Configuration keys
/// - `DATABASE_URL` (PostgreSQL URL, required, secret).
struct ShowBreaker: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Shows the breaker, the pause and the open findings of the fence.")

  @Flag(name: .long, help: "As JSON, for programs.")
  var json = false

  func run() async throws {
    let ledger = try Payoutctl.ledger()
    let report = try await BreakerView(ledger.breaker(), ledger.conditions())
    print(json ? try report.json() : report.lines.map(\.withoutControls).joined(separator: "\n"))
  }
}

/// A finding of the fence as it is told.
struct FindingView: Encodable {
  let kind: String
  let txid: String
  let wallet: String
  let recipientAddress: String?
  let amount: String?
  let blockNumber: Int64
  let foundAt: String
  let judged: Bool

  init(_ finding: FindingRecord) {
    kind = finding.kind
    txid = finding.txid.description
    wallet = finding.wallet.description
    recipientAddress = finding.recipient?.description
    amount = finding.amountText
    blockNumber = finding.blockNumber
    foundAt = finding.foundAt.description
    judged = finding.isJudged
  }

  var line: String {
    let moved = amount.map { " of \($0) units" } ?? ""
    let receiver = recipientAddress.map { " to \($0)" } ?? ""
    let state = judged ? "" : ", not judged yet: the Signers have not vouched"
    return "\(kind) \(txid)\(moved) from \(wallet)\(receiver) in block \(blockNumber), found \(foundAt)\(state)"
  }
}

private struct BreakerView: Encodable {
  let breaker: String
  let since: String
  let cause: String?
  let closesBy: String?
  let nextTrialAt: String?
  let trialTxid: String?
  let failedTrials: Int
  let paused: Bool
  let pausedSince: String?
  let pauseReason: String?
  let historyVouchedFor: Bool
  let openFindings: Int
  let findings: [FindingView]

  init(_ report: BreakerReport, _ conditions: PayingConditions) {
    breaker = report.state
    since = report.since.description
    cause = report.cause
    closesBy = report.closesBy
    nextTrialAt = report.trialAt?.description
    trialTxid = report.trial?.description
    failedTrials = report.failedTrials
    paused = conditions.pausedSince != nil
    pausedSince = conditions.pausedSince?.description
    pauseReason = conditions.pauseReason
    historyVouchedFor = conditions.isContinuous
    openFindings = conditions.openFindings
    findings = report.findings.map(FindingView.init)
  }

  var lines: [String] {
    let why = cause.map { ": \($0), closed by \(closesBy ?? "nobody")" } ?? ""
    let pause = paused ? "paused since \(pausedSince ?? "unknown"): \(pauseReason ?? "no reason")" : "not paused"
    var trial: [String] = []
    if let nextTrialAt { trial = ["trial     one transaction may be signed from \(nextTrialAt) on"] }
    if let trialTxid { trial = ["trial     transaction \(trialTxid) is out"] }
    if let line = trial.first, failedTrials > 0 { trial = ["\(line); \(failedTrials) failed before"] }
    return [
      "breaker   \(breaker) since \(since)\(why)"
    ] + trial + [
      "payments  \(pause)",
      "history   \(historyVouchedFor ? "vouched for" : "not vouched for by every Signer since the server's start")",
      "findings  \(openFindings == 0 ? "none open" : "\(openFindings) open")",
    ] + findings.map { "  \($0.line)" }
  }
}
