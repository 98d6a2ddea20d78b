import Foundation
import Keystore
import Ledger
import Payouts
import TestSupport
import Testing

/// `payoutctl quarantine` and `signer bring-journal` on a real ledger.
struct QuarantineCommandsTests {
  private static let wallet = Address(account: [UInt8](repeating: 9, count: 20))

  /// A scene with two declared Signers, whose history is vouched for.
  private func scene() async throws -> CommandLineScene {
    let scene = try await CommandLineScene.vouched()
    for number in 1...2 {
      let begin = BlockPlace(
        number: 1, id: BlockID(exactly: [UInt8](repeating: 1, count: 32)), time: Timestamp(milliseconds: 1))
      _ = try await scene.ledger.declare(
        wallet: Self.wallet, signer: "signer-\(number)", journalID: [UInt8](repeating: UInt8(number), count: 16),
        begin: begin)
    }
    return scene
  }

  @Test func `a Signer is declared away only where its word is waited for, and the wait is shown`() async throws {
    let scene = try await scene()
    #expect(try await scene.run("quarantine").output == "no quarantine was ever needed\n")
    let needless = try await scene.run("quarantine", "begin", "--signer", "signer-2", "--reason", "gone")
    #expect(needless.exitCode == 1 && needless.errors.contains("every Signer has vouched"), "\(needless)")
    try await scene.sql("SET session_replication_role = replica; DELETE FROM continuity")
    let unknown = try await scene.run("quarantine", "begin", "--signer", "signer-3", "--reason", "gone")
    #expect(unknown.exitCode == 1 && unknown.errors.contains("no Signer signer-3"), "\(unknown)")
    let begun = try await scene.run("quarantine", "begin", "--signer", "signer-2", "--reason", "its machine burnt")
    #expect(begun.exitCode == 0 && begun.output.contains("a running Signer begins it"), "\(begun)")
    let again = try await scene.run("quarantine", "begin", "--signer", "signer-2", "--reason", "more")
    #expect(again.exitCode == 0 && again.output.contains("already"), "\(again)")
    let waiting = try await scene.run("quarantine")
    for text in ["signer-2  signer_away  not begun", "by payoutctl:", ": its machine burnt"] {
      #expect(waiting.output.contains(text), "\(text) in \(waiting.output)")
    }
    let life = try await scene.ledger.vouchingState(signer: "signer-1").life
    let now = try await scene.ledger.conditions().now
    let head = BlockPlace(number: 1, id: BlockID(exactly: [UInt8](repeating: 1, count: 32)), time: now)
    _ = try await scene.ledger.beginQuarantines(head: head, under: life)
    let shown: [[String: Any]] = try CommandLineScene.json(try await scene.run("quarantine", "--json"))
    #expect(shown.count == 1 && shown[0]["state"] as? String == "waiting" && shown[0]["until"] != nil, "\(shown)")
  }

  @Test func `who says that a Signer is away learns of the wait that stands, until when, and whose word ends it`()
    async throws
  {
    let scene = try await scene()
    try await scene.sql("SET session_replication_role = replica; DELETE FROM continuity")
    let begin = ["quarantine", "begin", "--reason", "gone", "--signer"]
    func call(_ signer: String) async throws -> String {
      let outcome = try await CommandLineScene.payoutctl(begin + [signer], ["DATABASE_URL": scene.url])
      #expect(outcome.exitCode == 0, "\(outcome)")
      return outcome.output
    }
    _ = try await call("signer-1")
    for cause in [QuarantineCause.bothStarted, .journalLost] {
      // A journal believed to be lost, where both have started besides: the doubt that stands asks for the whole wait.
      _ = try await scene.ledger.requestQuarantine(
        QuarantineRequest(
          signer: "signer-2", cause: cause,
          journalID: cause == .journalLost ? [UInt8](repeating: 8, count: 16) : nil, reason: "a test"))
      let standing = try await call("signer-2")
      for text in [cause.rawValue, "no running Signer has begun it", "no word of signer-2 ends it sooner"] {
        #expect(standing.contains(text), "\(text) in \(standing)")
      }
    }
    let life = try await scene.ledger.vouchingState(signer: "signer-1").life
    let now = try await scene.ledger.conditions().now
    let head = BlockPlace(number: 1, id: BlockID(exactly: [UInt8](repeating: 1, count: 32)), time: now)
    guard case .begun(let untils) = try await scene.ledger.beginQuarantines(head: head, under: life) else {
      Issue.record("not begun")
      return
    }
    let until = try #require(untils["signer-2"])
    #expect(try await call("signer-2").contains("until a solid block of \(until) is read"))
    let away = try await call("signer-1")
    #expect(away.contains("signer_away") && away.contains("it ends sooner where signer-1 vouches"), "\(away)")
  }

  @Test func `a journal that is no retired one brings nothing`() async throws {
    let scene = try await scene()
    try FileJournal.create(
      directory: scene.folder.path, signer: "signer-1", wallet: Self.wallet, id: [UInt8](repeating: 7, count: 16))
    let foreign = try await scene.run("signer", "bring-journal", scene.folder.path, "--signer", "signer-1")
    #expect(foreign.exitCode == 1 && foreign.errors.contains("is not one whose place another took"), "\(foreign)")
    try await scene.sql(
      """
      INSERT INTO quarantines (signer, cause, expiration_ms, reason) VALUES ('signer-1', 'signer_away', 1, 'a test');
      INSERT INTO retired_journals (journal_id, signer, wallet, quarantine_id)
        SELECT decode(repeat('07', 16), 'hex'), 'signer-1', wallet, 1 FROM journals WHERE signer = 'signer-1'
      """)
    let retired = try await scene.run("signer", "bring-journal", scene.folder.path, "--signer", "signer-1")
    #expect(retired.exitCode == 0 && retired.output.contains("0 transactions"), "\(retired)")
  }
}
