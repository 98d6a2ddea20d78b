import Testing

/// Who ends a payout unpaid also tells the log of intents, after the commit (DESIGN.md §3 "Continuity"). Read from the
/// sources, since a forgotten word would show itself only after a restore.
struct UnpaidEndTests {
  /// Which statements may end payouts unpaid, by file and number, and who writes those ends to the log. Whoever adds a
  /// statement adds it here, with the file that records what it ended.
  private static let writers: [String: (statements: Int, recorder: String)] = [
    // A payout's own failures are used up.
    "Sources/Shared/Ledger/Ledger+failures.swift": (1, "Sources/Monitor/BlameFailures.swift"),
    // expires_at passed.
    "Sources/Shared/Ledger/Ledger+schedule.swift": (1, "Sources/Scheduler/ExpirePayouts.swift"),
    // Its client's wish.
    "Sources/Shared/Ledger/Ledger+cancel.swift": (1, "Sources/Ingest/RecordIntents.swift"),
    // A person's decision, and the way that a released payout's transaction went on.
    "Sources/Shared/Ledger/Ledger+held.swift": (2, "Sources/Payoutctl/DecideHeld.swift"),
  ]
  /// The states that are no unpaid end, as SQL literals.
  private static let others: Set<String> = Set(
    [
      "kyc_pending", "compliance_pending", "queued", "scheduled", "signed", "broadcast", "confirming", "held",
      "confirmed",
    ].map { "'\($0)'" })

  /// To what each statement on payouts in a text sets their state: a literal, a parameter, an expression.
  private func states(in text: String) -> [Substring] {
    text.matches(of: /UPDATE payouts\b(?:(?!\n\s*"""|\b(?:WHERE|RETURNING)\b)[\s\S])*?[\s,]status\s*=\s*([^\s,]+)/)
      .map(\.output.1)
  }

  @Test func `whatever may end a payout unpaid has somebody who writes that to the log of intents`() throws {
    var found: [String: Int] = [:]
    for file in try SourceTree.files(under: "Sources/Shared/Ledger") where !file.path.contains("/Migrations/") {
      let ending = states(in: file.text).filter { !Self.others.contains(String($0)) }
      if !ending.isEmpty { found[file.path] = ending.count }
    }
    #expect(found == Self.writers.mapValues(\.statements))
    for (recorder, path) in Self.writers.map({ ($0.value.recorder, $0.key) }) {
      let code = try SourceTree.text(recorder)
      #expect(
        code.contains(/\.record\([^\n]*Intent\.ended\(/), "\(recorder) does not record what \(path) ends")
    }
  }

  @Test func `statements of every form are read`() {
    // Proves the reader that the test above stands on.
    let text = #"""
      UPDATE payouts p SET status = 'failed', note = 'x' WHERE id = $1
      UPDATE payouts SET not_before = NULL, status = $2::payout_status
      UPDATE payouts p
        SET status = CASE WHEN a THEN 'expired' ELSE 'queued' END
      UPDATE payouts SET status = 'held', held_from = p.status WHERE status = 'queued'
      UPDATE payouts SET note = 'x' WHERE status = 'failed'
      """
      UPDATE payouts SET note = 'y'
      """
      let status = status
      """#
    #expect(states(in: text) == ["'failed'", "$2::payout_status", "CASE", "'held'"])
  }
}
