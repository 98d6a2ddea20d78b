import Ledger
import Logging
import Worker

/// Judges what the fence found, once the Signers have vouched: what stays unexplained means a stolen key.
struct JudgeFindings: Sendable {
  /// How long to wait, in milliseconds. Nothing is signed while a finding is open, judged or not.
  static let pauseMilliseconds: Int64 = 1_000

  let ledger: any MonitorLedger
  let metrics: MonitorMetrics?
  let logger: Logger

  /// Judges what is open.
  func step() async throws -> StepOutcome {
    let count = try await ledger.judgeFindings()
    if count > 0 {
      metrics?.count(findings: count)
      logger.critical(
        "Transactions of a watched account that no Signer signed; the breaker is open: treat the key as stolen",
        metadata: ["findings": "\(count)"])
    }
    return .idle(milliseconds: Self.pauseMilliseconds)
  }
}
