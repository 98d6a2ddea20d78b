import Foundation
import TestSupport
import Testing

/// `payoutctl head` on a real ledger.
struct HeadCommandsTests {
  private static func id(_ digit: String) -> String { "'\\x\(String(repeating: digit, count: 64))'" }

  @Test func `an order to set the head stands with who and why, once, and only where something is to be mended`()
    async throws
  {
    let scene = try await CommandLineScene.vouched()
    #expect(try await scene.run("head").output == "the head was never set anew\n")
    let needless = try await scene.run("head", "reset", "--reason", "a mistake")
    #expect(needless.exitCode == 1 && needless.errors.contains("there is nothing to mend"), "\(needless)")
    #expect(try await scene.run("head", "reset").exitCode == 64)

    // The head's block 40 is not the solid one.
    try await scene.sql(
      """
      INSERT INTO chain_cursors (view, number, block_id, block_time_ms) VALUES
        ('head', 41, \(Self.id("b")), 1), ('solid', 40, \(Self.id("a")), 1);
      INSERT INTO chain_blocks (number, block_id, block_time_ms) VALUES
        (40, \(Self.id("c")), 1), (41, \(Self.id("b")), 1);
      """)
    let ordered = try await scene.run("head", "reset", "--reason", "a node lied")
    #expect(ordered.exitCode == 0 && ordered.output.contains("a running Monitor does it"), "\(ordered)")
    let again = try await scene.run("head", "reset", "--reason", "more")
    #expect(again.exitCode == 1 && again.errors.contains("stands already"), "\(again)")
    let rows: [[String: Any]] = try CommandLineScene.json(try await scene.run("head", "--json"))
    #expect(rows.map { $0["state"] as? String } == ["ordered"])
    #expect((rows.first?["ordered_by"] as? String)?.hasPrefix("payoutctl:") == true)
    #expect(try await scene.run("head").output.contains(": a node lied"))
    let acts = try await scene.sql("SELECT message FROM alarms WHERE kind = 'operator' AND subject = 'head'")
    #expect(acts.contains("ordered to set the head to the solid block that was followed: a node lied"), "\(acts)")

    // Nothing has moved by the command itself.
    #expect(try await scene.sql("SELECT number FROM chain_cursors WHERE view = 'head'") == "41")
    try await scene.sql(
      """
      UPDATE head_resets SET done_at = now(), from_number = 41, from_id = \(Self.id("b")), to_number = 40,
        to_id = \(Self.id("a"))
      """)
    let done = try await scene.run("head")
    #expect(done.output.contains("the head went from block 41 to block 40"), "\(done)")
  }
}
