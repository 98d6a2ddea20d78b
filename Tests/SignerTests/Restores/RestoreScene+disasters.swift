import Foundation
import Keystore
import Ledger
import Payouts
import Postgres
import TestSupport
import Testing

/// What is done to servers and disks.
extension RestoreScene {
  /// Ends all sessions on the scene's database, so that it can be copied or renamed.
  private func endSessions() async throws {
    try await server.query(
      """
      ALTER DATABASE \(database) ALLOW_CONNECTIONS false;
      SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity WHERE datname = '\(database)';
      ALTER DATABASE \(database) ALLOW_CONNECTIONS true;
      """)
  }

  /// What is there now is another history: counts begin anew, and the frozen clock is set again.
  func wakeUp() async throws {
    forgetLook()
    await forgetConnections()
    try await scene.wait(milliseconds: 0)
    try await look()
    #expect(try await isContinuous() == false, "a restore was not seen")
  }

  /// Connections that the server has cut are found so when they are used.
  private func forgetConnections() async {
    for _ in 0..<3 {
      await withTaskGroup(of: Void.self) { group in
        for _ in 0..<6 { group.addTask { [scene] in _ = try? await scene.pool.execute("SELECT pg_sleep(0.05)") } }
      }
    }
  }

  /// A Signer looks at the history.
  func vouch(_ name: String) async {
    if let step = running[name]?.steps.vouch { await carryOut(step) }
  }

  // MARK: PostgreSQL

  /// Loads the dump into the running server, in the place of the database.
  func loadDumpInPlace() async throws {
    try await endSessions()
    try await server.query("ALTER DATABASE \(database) RENAME TO lost_\(database)")
    try await server.load(dumpOf: server, as: database)
  }

  /// How far the server's log is, in bytes.
  func logPosition() async throws -> Int64 {
    try await scene.count("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint")
  }

  /// Clients, Monitor and Scheduler go on, and other programs write, until the log is beyond a position.
  func write(beyond position: Int64, submitting numbers: [Int]) async throws {
    try await submit(numbers)
    await goRoundWithoutSigners()
    try await scene.pool.executeScript("CREATE TABLE IF NOT EXISTS other_work (x text)")
    while try await logPosition() <= position {
      try await scene.pool.executeScript("INSERT INTO other_work SELECT repeat('x', 900) FROM generate_series(1, 1000)")
    }
    try await scene.pool.executeScript("DROP TABLE other_work")
  }

  // MARK: Disks

  /// All that a running Signer's journal holds is in the database, and has its end there.
  func expectEndsOfJournal(of name: String) async throws {
    let txids = try await (running[name]?.journal.entries() ?? []).map(\.txid.bytes)
    #expect(!txids.isEmpty)
    let ended = try await scene.pool.execute(
      "SELECT FROM transactions WHERE txid = ANY($1) AND status IN ('solid', 'failed_on_chain', 'dead')",
      [.bytesArray(txids)])
    #expect(ended.rows.count == txids.count)
  }

  private func journal(of name: String, _ suffix: String = "") -> URL {
    folder.appendingPathComponent("\(name).journal\(suffix)")
  }

  /// Copies a Signer's journal, as a snapshot of its disk does.
  func copyJournal(of name: String) throws {
    try FileManager.default.copyItem(at: journal(of: name), to: journal(of: name, ".copy"))
  }

  /// Puts that copy in the journal's place.
  func putBackJournal(of name: String) throws {
    stop(name)
    try FileManager.default.removeItem(at: journal(of: name))
    try FileManager.default.copyItem(at: journal(of: name, ".copy"), to: journal(of: name))
  }

  /// A Signer's disk is gone: its process with it. What was on it lies aside, for a test in which it reappears.
  func loseDisk(of name: String) throws {
    stop(name)
    let aside = folder.appendingPathComponent("aside")
    try FileManager.default.createDirectory(at: aside, withIntermediateDirectories: true)
    try FileManager.default.moveItem(at: journal(of: name), to: aside.appendingPathComponent("\(name).journal"))
  }

  /// `payoutctl signer init --journal-lost` on the new disk.
  func replaceJournal(of name: String) async throws {
    let initialize = InitializeSignerOnNewDisk(scene: scene, folder: folder.path, signer: name)
    try await initialize.run()
  }

  /// The old disk is there again: `payoutctl signer bring-journal`, until all of it is in.
  func bringOldDisk(of name: String) async throws {
    let old = try FileJournal.open(directory: folder.appendingPathComponent("aside").path, signer: name)
    let entries = try await old.entries()
    #expect(!entries.isEmpty)
    try await pass(until: "all of the old journal is in") { restore in
      let outcome = try await restore.scene.ledger.bring(entries, of: old.id)
      guard case .brought(_, let deferred, let contradicted) = outcome else { throw SceneError("\(outcome)") }
      return deferred.isEmpty && contradicted.isEmpty
    }
  }
}
