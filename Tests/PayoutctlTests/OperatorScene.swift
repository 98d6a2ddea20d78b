import Foundation
import Ledger
import Payouts
import TestSupport
import Testing
import Worker

/// Payouts for the operator's commands to work on.
extension CommandLineScene {
  /// How the ledger of a scene is set up.
  static let installation = Installation(
    environment: "dev", network: .devnet, genesis: BlockID(exactly: [UInt8](repeating: 7, count: 32)),
    maximumExpirationMilliseconds: 600_000, clockBoundMilliseconds: 60_000)

  /// A scene whose ledger is set up and vouched for.
  static func vouched() async throws -> CommandLineScene {
    let scene = try await CommandLineScene()
    try await scene.ledger.prepare(installation)
    try await scene.sql(
      """
      INSERT INTO continuity (system_identifier, timeline, server_start, transactions_oid, transactions_file_node,
        vouched_by)
      SELECT s.*, 'test' FROM server_life() s;
      """)
    return scene
  }

  /// A payout of 12.345678 USDT that is held from `queued`; its note tries to move the terminal's cursor.
  func held() async throws -> PayoutTerms {
    let now = SystemClock().now()
    let id = PayoutID(at: now, randomness: SystemRandomSource().bytes(10))
    let terms = PayoutTerms(
      id: id, reference: Reference(payoutWithoutKey: id), owner: "gateway", network: .devnet,
      token: Address(account: [UInt8](repeating: 1, count: 20)),
      recipient: Address(account: [UInt8](repeating: 2, count: 20)), amount: try Amount(decimal: "12.345678"),
      router: .v0, batchType: .immediate, createdAt: now)
    let sealer = try Sealer("tests:" + String(repeating: "11", count: 32))
    let payout = NewPayout(
      terms: terms, seal: try sealer.seal(terms),
      particulars: PayoutParticulars(priority: .urgent, reason: .custom, requestID: "request"),
      fingerprint: [UInt8](repeating: 0, count: 32))
    _ = try await ledger.accept([payout], limits: AcceptanceLimits(hourly: nil, daily: nil))
    try await sql(
      """
      UPDATE payouts SET status = 'held', held_from = status, hold_reason = 'signer_limit', note = E'over\\x1b[2J it'
      WHERE id = '\(id)'
      """)
    return terms
  }

  /// Runs a command on this scene's ledger.
  func run(_ arguments: String..., redis: String? = nil) async throws -> TestProcess.Outcome {
    try await CommandLineScene.payoutctl(
      arguments, ["DATABASE_URL": url].merging(redis.map { ["REDIS_URL": $0] } ?? [:]) { given, _ in given })
  }

  /// What a command wrote as JSON.
  static func json<Value>(_ outcome: TestProcess.Outcome) throws -> Value {
    try #require(try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? Value, "\(outcome.errors)")
  }
}
