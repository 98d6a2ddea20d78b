import Foundation
import Payouts
import TestSupport
import Testing

/// `payoutctl breaker`, `pause`, `resume` and `alarms` on a real ledger.
struct SteeringTests {
  @Test func `the breaker is opened, shown and closed`() async throws {
    let scene = try await CommandLineScene.vouched()
    let closed = try await scene.run("breaker")
    #expect(closed.exitCode == 0, "\(closed.errors)")
    for text in ["breaker   closed since ", "payments  not paused", "history   vouched for", "findings  none open"] {
      #expect(closed.output.contains(text), "\(text) in \(closed.output)")
    }
    let refused = try await scene.run("breaker", "close", "--reason", "r")
    #expect(refused.exitCode == 1 && refused.errors.contains("the breaker is closed already"))

    let opened = try await scene.run("breaker", "open", "--reason", "strange load")
    #expect(opened.exitCode == 0 && opened.output.contains("the breaker is open"), "\(opened.errors)")
    #expect(
      try await scene.run("breaker", "open", "--reason", "more").output.contains("was open already, by operator"))
    let shown: [String: Any] = try CommandLineScene.json(try await scene.run("breaker", "--json"))
    #expect(shown["breaker"] as? String == "open" && shown["cause"] as? String == "operator")
    #expect(shown["closes_by"] as? String == "operator" && shown["paused"] as? Bool == false)

    let ended = try await scene.run("breaker", "close", "--reason", "calm again")
    #expect(ended.exitCode == 0 && ended.output == "the breaker is closed; it was open by operator\n")
    let acts = try await scene.sql("SELECT message FROM alarms WHERE subject = 'breaker' ORDER BY id")
    #expect(acts.contains("closed: calm again") && acts.contains("payoutctl:"), "\(acts)")
  }

  @Test func `a breaker that a trial can close tells when, and which is out`() async throws {
    let scene = try await CommandLineScene.vouched()
    try await scene.sql(
      """
      UPDATE breaker SET state = 'open', cause = 'repeated_failures', closes_by = 'trial', failed_trials = 2,
        trial_at = '2033-05-18T03:33:20Z'
      """)
    let open = try await scene.run("breaker")
    #expect(
      open.output.contains(
        "trial     one transaction may be signed from 2033-05-18T03:33:20.000Z on; 2 failed before\n"),
      "\(open.output)")
    let txid = String(repeating: "ee", count: 32)
    try await scene.sql("UPDATE breaker SET state = 'half_open', trial_txid = '\\x\(txid)'")
    let half: [String: Any] = try CommandLineScene.json(try await scene.run("breaker", "--json"))
    #expect(half["breaker"] as? String == "half_open" && half["trial_txid"] as? String == txid)
    #expect(half["failed_trials"] as? Int == 2 && half["next_trial_at"] == nil)
    #expect(try await scene.run("breaker", "close", "--reason", "r").output.contains("open by repeated_failures"))
    #expect(try await !scene.run("breaker").output.contains("trial"))
  }

  // Proves the manual reset: what is acknowledged is named, so that nobody waves a stolen key through unseen.
  @Test func `closing the breaker tells the findings that it acknowledges`() async throws {
    let scene = try await CommandLineScene.vouched()
    let (txid, wallet) = (String(repeating: "ee", count: 32), Address(account: [UInt8](repeating: 9, count: 20)))
    try await scene.sql(
      """
      INSERT INTO unclaimed_transfers (txid, kind, log_index, wallet, recipient, amount, block_number, block_id)
      VALUES ('\\x\(txid)', 'token_transfer', 0, '\\x\(Hex.text(wallet.bytes))', '\\x\(Hex.text(wallet.bytes))',
        5000000, 77, '\\x\(txid)')
      """)
    #expect(try await scene.ledger.judgeFindings() == 1)
    let finding = "token_transfer \(txid) of 5000000 units from \(wallet) to \(wallet) in block 77, found "
    let shown = try await scene.run("breaker")
    #expect(shown.output.contains("findings  1 open\n  \(finding)"), "\(shown.output)")
    let closed = try await scene.run("breaker", "close", "--reason", "our own transfer")
    #expect(closed.exitCode == 0)
    #expect(
      closed.output.hasPrefix("the breaker is closed; it was open by unknown_transaction\nacknowledged \(finding)"))
    #expect(try await scene.run("breaker").output.contains("findings  none open"))
  }

  @Test func `payments are paused and resumed`() async throws {
    let scene = try await CommandLineScene.vouched()
    #expect(try await scene.run("resume", "--reason", "r").errors.contains("payments are not paused"))
    let paused = try await scene.run("pause", "--reason", "treasury move")
    #expect(paused.exitCode == 0, "\(paused.errors)")
    let again = try await scene.run("pause", "--reason", "r")
    #expect(again.exitCode == 1 && again.errors.contains("payments are paused already: treasury move"))
    #expect(try await scene.run("breaker").output.contains("payments  paused since "))
    #expect(try await scene.run("resume", "--reason", "done").output == "payments are resumed\n")
    #expect(try await scene.sql("SELECT paused FROM pause") == "f")
  }

  @Test func `alarms are listed and acknowledged`() async throws {
    let scene = try await CommandLineScene.vouched()
    #expect(try await scene.run("alarms").output == "no alarm stands\n")
    for _ in 1...2 { try await scene.ledger.raiseAlarm(kind: "signer_limit", subject: "signer", message: "too much") }
    let listed = try await scene.run("alarms")
    #expect(listed.output.contains("signer_limit  signer  raised ") && listed.output.contains(", 2 times, last "))
    let rows: [[String: Any]] = try CommandLineScene.json(try await scene.run("alarms", "--json"))
    let id = try #require(rows.first?["id"] as? Int)
    #expect(rows.first?["message"] as? String == "too much" && rows.first?["count"] as? Int == 2)
    let ended = try await scene.run("alarms", "acknowledge", "\(id)", "--reason", "raised the limit")
    #expect(ended.output == "acknowledged alarm \(id), signer_limit of signer\n", "\(ended.errors)")
    let again = try await scene.run("alarms", "acknowledge", "\(id)", "--reason", "r")
    #expect(again.exitCode == 1 && again.errors.contains("no alarm stands under the number \(id)"))
  }
}
