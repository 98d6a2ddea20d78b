import Foundation
import Ledger
import Payouts
import TestSupport
import Testing

/// `payoutctl audit` on a real ledger.
struct AuditCommandTests {
  /// Stores records and gives them their places.
  private func add(_ numbers: ClosedRange<Int>, _ scene: CommandLineScene) async throws {
    try await scene.ledger.record(
      audits: numbers.map { number in
        AuditRecord(
          service: "ingest", caller: "client", role: "service", proof: "jwt", operation: "createPayout", target: nil,
          requestID: "request-\(number)", status: 201, outcome: "done")
      })
    _ = try await scene.ledger.linkAudits(atMost: 100)
  }

  @Test func `a chain that fits is told with its last hash, from its beginning and from the middle`() async throws {
    // Proves that all is checked, whatever the pages are, and what a person compares with what left the machine.
    let scene = try await CommandLineScene.vouched()
    let empty = try await scene.run("audit", "verify")
    #expect(empty.exitCode == 0 && empty.output == "there is no record to check\n", "\(empty)")
    try await add(1...3, scene)
    let last = try await scene.sql("SELECT encode(hash, 'hex') FROM audit_records WHERE sequence = 3")
    let whole = try await scene.run("audit", "verify")
    #expect(whole.exitCode == 0, "\(whole)")
    #expect(whole.output == "verified 3 records, 1 to 3; the last hash is \(last)\n", "\(whole)")
    let rest = try await scene.run("audit", "verify", "--from", "3")
    #expect(rest.output == "verified 1 records, 3 to 3; the last hash is \(last)\n", "\(rest)")
    let report: [String: Any] = try CommandLineScene.json(try await scene.run("audit", "verify", "--json"))
    #expect(report["verified"] as? Int == 3 && report["last_hash"] as? String == last)
    #expect(report["first_sequence"] as? Int == 1 && report["last_sequence"] as? Int == 3)
    // More than are read at a time.
    for hundred in 1...11 { try await add((hundred * 100)...(hundred * 100 + 99), scene) }
    let long = try await scene.run("audit", "verify")
    #expect(long.output.hasPrefix("verified 1103 records, 1 to 1103; the last hash is "), "\(long)")
  }

  @Test func `a record that was changed, taken out or cut off is told, with exit code 1`() async throws {
    // Proves each way to tamper that a chain can show; the last one by what was delivered before.
    let scene = try await CommandLineScene.vouched()
    try await add(1...5, scene)
    let force = "SET session_replication_role = replica;"
    try await scene.sql("\(force) UPDATE audit_records SET caller = 'mallory' WHERE sequence = 2")
    let changed = try await scene.run("audit", "verify")
    #expect(changed.exitCode == 1 && changed.output.isEmpty, "\(changed)")
    #expect(changed.errors.contains("record 2 (id 2) has another hash"), "\(changed)")
    #expect(changed.errors.contains("the 1 records checked before it fit"), "\(changed)")
    // What comes behind it fits.
    #expect(try await scene.run("audit", "verify", "--from", "3").exitCode == 0)
    try await scene.sql("\(force) UPDATE audit_records SET caller = 'client' WHERE sequence = 2")
    #expect(try await scene.run("audit", "verify").exitCode == 0)

    let batch = try #require(try await scene.ledger.takeAudits(leaseMilliseconds: 1_000, atMost: 5))
    #expect(try await scene.ledger.recordDelivered(batch))
    try await scene.sql("\(force) DELETE FROM audit_records WHERE sequence = 5")
    let cut = try await scene.run("audit", "verify")
    #expect(cut.exitCode == 1 && cut.errors.contains("records up to 5 were delivered"), "\(cut)")
    try await scene.sql("\(force) DELETE FROM audit_records WHERE sequence = 3")
    let taken = try await scene.run("audit", "verify")
    #expect(taken.exitCode == 1 && taken.errors.contains("record 3 is missing: 4 follows"), "\(taken)")
    let behind = try await scene.run("audit", "verify", "--from", "4")
    #expect(behind.exitCode == 1 && behind.errors.contains("there is no record 3"), "\(behind)")
  }

  @Test func `a place that cannot be one is refused`() async throws {
    for place in ["0", "-1", "first", ""] {
      let outcome = try await CommandLineScene.payoutctl(["audit", "verify", "--from", place])
      #expect(outcome.exitCode == 64, "\(outcome)")
    }
    let unset = try await CommandLineScene.payoutctl(["audit", "verify"])
    #expect(unset.exitCode == 78 && unset.errors.contains("DATABASE_URL"), "\(unset)")
  }
}
