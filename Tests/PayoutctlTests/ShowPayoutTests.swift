import Foundation
import Ledger
import Payouts
import TestSupport
import Testing
import Worker

/// `payoutctl show` on a real ledger.
struct ShowPayoutTests {
  private static let installation = Installation(
    environment: "dev", network: .devnet, genesis: BlockID(exactly: [UInt8](repeating: 7, count: 32)),
    maximumExpirationMilliseconds: 600_000, clockBoundMilliseconds: 60_000)

  /// Accepts one payout of 12.345678 USDT, on Nile so that an explorer knows its transactions.
  private func accept(in scene: CommandLineScene) async throws -> PayoutTerms {
    try await scene.ledger.prepare(Self.installation)
    let now = SystemClock().now()
    let id = PayoutID(at: now, randomness: SystemRandomSource().bytes(10))
    let terms = PayoutTerms(
      id: id, reference: Reference(payoutWithoutKey: id), owner: "gateway", network: .nile,
      token: Address(account: [UInt8](repeating: 1, count: 20)),
      recipient: Address(account: [UInt8](repeating: 2, count: 20)), amount: try Amount(decimal: "12.345678"),
      router: .v0, batchType: .immediate, createdAt: now)
    let sealer = try Sealer("tests:" + String(repeating: "11", count: 32))
    let payout = NewPayout(
      terms: terms, seal: try sealer.seal(terms),
      particulars: PayoutParticulars(
        priority: .urgent, reason: .custom, externalID: "invoice 7", requestID: "request"),
      fingerprint: [UInt8](repeating: 0, count: 32))
    _ = try await scene.ledger.accept([payout], limits: AcceptanceLimits(hourly: nil, daily: nil))
    return terms
  }

  private func show(_ id: PayoutID, _ scene: CommandLineScene, json: Bool = false) async throws -> TestProcess.Outcome {
    try await CommandLineScene.payoutctl(
      ["show", "\(id)"] + (json ? ["--json"] : []), ["DATABASE_URL": scene.url])
  }

  /// Brings the payout into a block, as Signer and Monitor would: signed, sent, included in block 100 of 105.
  private func include(_ terms: PayoutTerms, in scene: CommandLineScene) async throws -> String {
    _ = try await scene.ledger.schedule([terms.id], maximumPerBatch: 100) {
      BatchID(at: Timestamp(milliseconds: 1), randomness: [UInt8](repeating: 3, count: 10))
    }
    let txid = String(repeating: "c4", count: 32)
    let now = SystemClock().now().milliseconds
    try await scene.sql(
      """
      INSERT INTO continuity (system_identifier, timeline, server_start, transactions_oid, transactions_file_node,
        vouched_by)
      SELECT s.*, 'test' FROM server_life() s;
      BEGIN;
      INSERT INTO transactions (txid, wallet, signer, signed_bytes, reference_block_number, head_time_ms,
        expiration_ms, fee_limit_sun, signed_at)
      VALUES ('\\x\(txid)', '\\x\(String(repeating: "41", count: 21))', 'signer-1', '\\x\(String(repeating: "00", count: 66))',
        90, \(now), \(now + 120_000), 1000000, now());
      INSERT INTO attempts (reference, payout_id, number, txid, token, recipient, amount)
      SELECT reference, id, 1, '\\x\(txid)', token, recipient, amount FROM payouts;
      UPDATE payouts SET status = 'signed';
      UPDATE transactions SET status = 'sent', last_answer = 'SUCCESS';
      UPDATE payouts SET status = 'broadcast';
      UPDATE transactions SET status = 'included', block_number = 100, block_time_ms = \(now),
        block_id = '\\x0000000000000064\(String(repeating: "0", count: 48))';
      UPDATE payouts SET status = 'confirming';
      INSERT INTO chain_cursors (view, number, block_id, block_time_ms) VALUES
        ('head', 105, '\\x\(String(repeating: "0", count: 64))', \(now)),
        ('solid', 87, '\\x\(String(repeating: "0", count: 64))', \(now));
      COMMIT;
      """)
    return txid
  }

  @Test func `a queued payout shows its terms and what it waits for`() async throws {
    // Proves that it is told the cause: it is due, and no Signer has vouched.
    let scene = try await CommandLineScene()
    let terms = try await accept(in: scene)
    let outcome = try await show(terms.id, scene)
    #expect(outcome.exitCode == 0, "\(outcome.errors)")
    for text in [
      "payout     \(terms.id)", "state      queued since ", "(continuity, since ",
      "pays       12.345678 USDT to \(terms.recipient)",
      "external   invoice 7", "v0, immediate, urgent, custom", "queued  by tests", "attempts   none",
    ] {
      #expect(outcome.output.contains(text), "\(text) in \(outcome.output)")
    }
  }

  @Test func `a payout in a block shows its attempt, its confirmations and where to look it up`() async throws {
    // Proves the numbers: block 100 with the head at 105 has 6 confirmations of 19.
    let scene = try await CommandLineScene()
    let terms = try await accept(in: scene)
    let txid = try await include(terms, in: scene)
    let outcome = try await show(terms.id, scene)
    #expect(outcome.exitCode == 0, "\(outcome.errors)")
    for text in [
      "state      confirming since ", "6 of 19", "1  \(txid)  live, included", "in block 100 of ",
      "last answer of a node: SUCCESS", "https://nile.tronscan.org/#/transaction/\(txid)", "broadcast -> confirming",
    ] {
      #expect(outcome.output.contains(text), "\(text) in \(outcome.output)")
    }
  }

  @Test func `programs get the same as JSON`() async throws {
    // Proves that it parses, that amounts are text, and that what is absent is left out.
    let scene = try await CommandLineScene()
    let terms = try await accept(in: scene)
    let txid = try await include(terms, in: scene)
    let outcome = try await show(terms.id, scene, json: true)
    #expect(outcome.exitCode == 0, "\(outcome.errors)")
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
    #expect(object["payout_id"] as? String == "\(terms.id)")
    #expect(object["amount_usdt"] as? String == "12.345678")
    #expect(object["status"] as? String == "confirming")
    #expect((object["waiting_for"] as? [String: Any])?["what"] as? String == "confirmations")
    #expect(object["hold_reason"] == nil)
    let history = try #require(object["history"] as? [[String: Any]])
    #expect(history.map { $0["to"] as? String } == ["queued", "scheduled", "signed", "broadcast", "confirming"])
    let attempts = try #require(object["attempts"] as? [[String: Any]])
    #expect(attempts.count == 1)
    #expect(attempts.first?["txid"] as? String == txid)
    #expect(attempts.first?["block_number"] as? Int == 100)
    #expect(attempts.first?["confirmations"] as? Int == 6)
    #expect(attempts.first?["explorer_url"] as? String == "https://nile.tronscan.org/#/transaction/\(txid)")
  }

  @Test func `an unknown payout is told with exit code 1, an empty database with 78`() async throws {
    let scene = try await CommandLineScene()
    let id = PayoutID(at: Timestamp(milliseconds: 1), randomness: [UInt8](repeating: 1, count: 10))
    let empty = try await show(id, scene)
    #expect(empty.exitCode == 78 && empty.errors.contains("is DATABASE_URL this installation's"), "\(empty.errors)")

    try await scene.ledger.prepare(Self.installation)
    let unknown = try await show(id, scene)
    #expect(unknown.exitCode == 1 && unknown.output.isEmpty)
    #expect(unknown.errors == "payoutctl: there is no payout \(id) in this ledger\n")
  }
}
