import Foundation
import Payouts
import TestSupport
import Testing

/// `payoutctl held`, `release`, `reject` and `settle` on a real ledger.
struct HeldCommandsTests {
  @Test func `held payouts are listed for people and for programs`() async throws {
    let scene = try await CommandLineScene.vouched()
    let none = try await scene.run("held")
    #expect(none.exitCode == 0 && none.output == "no payout is held\n", "\(none.errors)")
    let terms = try await scene.held()
    let text = try await scene.run("held")
    #expect(text.exitCode == 0)
    #expect(text.output.contains("\(terms.id)  12.345678 USDT to \(terms.recipient)\n"))
    #expect(text.output.contains("  signer_limit, held from queued since "))
    // A note cannot clear the operator's screen.
    #expect(text.output.contains("  over [2J it\n") && !text.output.contains("\u{1b}"))

    let rows: [[String: Any]] = try CommandLineScene.json(try await scene.run("held", "--json"))
    #expect(rows.count == 1 && rows.first?["payout_id"] as? String == "\(terms.id)")
    #expect(rows.first?["amount_usdt"] as? String == "12.345678")
    #expect(rows.first?["hold_reason"] as? String == "signer_limit")
    #expect(rows.first?["held_from"] as? String == "queued" && rows.first?["held_since"] is String)
  }

  @Test func `a list that is cut says so`() async throws {
    let scene = try await CommandLineScene.vouched()
    for _ in 1...2 { _ = try await scene.held() }
    let cut = try await scene.run("held", "--limit", "1")
    #expect(cut.exitCode == 0 && cut.errors.contains("there may be more than these 1: see --limit"))
    #expect(try await scene.run("held", "--limit", "3").errors.isEmpty)
  }

  // Proves all three exits, and that the history says who and why.
  @Test func `release, reject and settle end a hold, with who and why in the history`() async throws {
    let scene = try await CommandLineScene.vouched()
    let calls: [([String], String, String)] = [
      (["release"], "queued", "checked"), (["reject"], "rejected", "checked"),
      (["settle", "--proof", "SEPA 7"], "settled_externally", "checked (proof: SEPA 7)"),
    ]
    for (call, state, note) in calls {
      let id = try await scene.held().id
      let outcome = try await CommandLineScene.payoutctl(
        call + ["\(id)", "--reason", "checked"], ["DATABASE_URL": scene.url])
      #expect(outcome.exitCode == 0 && outcome.output == "payout \(id) is \(state) now\n", "\(outcome.errors)")
      let event = try await scene.sql(
        "SELECT from_status, to_status, actor, note FROM payout_events WHERE payout_id = '\(id)' ORDER BY id DESC LIMIT 1"
      )
      #expect(event.contains("held|\(state)|payoutctl:") && event.contains("|\(note)"), "\(event)")
    }
  }

  @Test func `a refusal says what the payout is and changes nothing`() async throws {
    let scene = try await CommandLineScene.vouched()
    let id = try await scene.held().id
    try await scene.sql("SET session_replication_role = replica; DELETE FROM continuity")
    let distrusted = try await scene.run("reject", "\(id)", "--reason", "r")
    #expect(distrusted.exitCode == 1 && distrusted.output.isEmpty)
    #expect(distrusted.errors.contains("payout \(id) cannot be rejected now: it is held, and nothing ends unpaid"))
    #expect(distrusted.errors.split(separator: "\n").count == 1)

    #expect(try await scene.run("release", "\(id)", "--reason", "r").exitCode == 0)
    let again = try await scene.run("settle", "\(id)", "--reason", "r", "--proof", "p")
    #expect(again.exitCode == 1)
    #expect(again.errors == "payoutctl: payout \(id) cannot be settled: it is queued, not held; nothing was changed\n")

    let doubtful = try await scene.held().id
    try await scene.sql(
      "SET session_replication_role = replica; UPDATE payouts SET hold_reason = 'history_unproven' WHERE status = 'held'"
    )
    let release = ["release", "\(doubtful)", "--reason", "r"]
    for words in [[], ["--held-for", "dead_letter"]] {
      let unseen = try await CommandLineScene.payoutctl(release + words, ["DATABASE_URL": scene.url])
      #expect(unseen.exitCode == 1 && unseen.errors.contains("--held-for history_unproven; nothing was changed"))
    }
    let seen = try await CommandLineScene.payoutctl(
      release + ["--held-for", "history_unproven"], ["DATABASE_URL": scene.url])
    #expect(seen.exitCode == 0, "\(seen.errors)")

    let unknown = try await scene.run("release", "019ab2c3-1111-7222-8333-444455556666", "--reason", "r")
    #expect(unknown.exitCode == 1 && unknown.errors.contains("there is no payout"))
  }

  @Test func `a payout with a live attempt is not rejected, and its transaction is named`() async throws {
    let scene = try await CommandLineScene.vouched()
    let id = try await scene.held().id
    let txid = String(repeating: "c4", count: 32)
    try await scene.sql(
      """
      SET session_replication_role = replica;
      INSERT INTO transactions (txid, wallet, signer, signed_bytes, reference_block_number, head_time_ms, expiration_ms,
        fee_limit_sun, signed_at)
      VALUES ('\\x\(txid)', '\\x\(String(repeating: "41", count: 21))', 's', '\\x\(String(repeating: "00", count: 66))',
        90, 1, 2, 0, now());
      INSERT INTO attempts (reference, payout_id, number, txid, token, recipient, amount)
      SELECT reference, id, 1, '\\x\(txid)', token, recipient, amount FROM payouts;
      UPDATE payouts SET held_from = 'signed';
      """)
    let refused = try await scene.run("reject", "\(id)", "--reason", "r")
    #expect(refused.exitCode == 1)
    #expect(refused.errors.contains("its attempt, transaction \(txid), is live (signed) and may still pay it"))
    #expect(try await scene.run("release", "\(id)", "--reason", "r").output == "payout \(id) is signed now\n")
  }

  @Test(arguments: [
    ["release", "019ab2c3-1111-7222-8333-444455556666"], ["release", "nobody", "--reason", "r"],
    ["reject", "019ab2c3-1111-7222-8333-444455556666", "--reason", "  "],
    ["settle", "019ab2c3-1111-7222-8333-444455556666", "--reason", "r"],
    ["settle", "019ab2c3-1111-7222-8333-444455556666", "--reason", "a\nb", "--proof", "p"],
    ["held", "--limit", "0"], ["held", "--limit", "1001"], ["breaker", "open"], ["pause"], ["resume"],
    ["breaker", "close", "--reason", String(repeating: "x", count: 501)],
    ["alarms", "acknowledge", "x", "--reason", "r"],
    ["alarms", "acknowledge", "1"], ["dead-letters", "retry", "no.stream", "1-1"],
    ["dead-letters", "retry", "batches.ready", "one"], ["queues", "--limit", "3"],
  ])
  func `a call that says too little or too much ends with 64`(arguments: [String]) async throws {
    // Proves that nothing is changed without a reason, and that it is told before any server is asked.
    let outcome = try await CommandLineScene.payoutctl(arguments)
    #expect(outcome.exitCode == 64, "\(outcome.errors)")
    #expect(outcome.errors.contains("Usage: payoutctl") && outcome.output.isEmpty)
  }
}
