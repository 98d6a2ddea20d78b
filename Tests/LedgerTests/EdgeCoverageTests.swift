import Foundation
import Payouts
import Testing

/// Proves that every edge of DESIGN.md §2's two tables is walked by a test. The tables are asked of the database itself, so
/// that an edge which is added and has no line below fails here, as does a line whose test is gone.
@Suite struct EdgeCoverageTests {
  /// A test: its file under `Tests`, without suffix, and its name.
  struct Walk: Sendable {
    let file: String
    let name: String

    init(_ file: String, _ name: String) {
      self.file = file
      self.name = name
    }
  }

  private static let way = Walk("WholePathTests/OneProcessTests", "A payout goes from acceptance to 19 confirmations")
  private static let verdicts = Walk(
    "MonitorTests/EdgeTests", "each verdict of the solid chain is taken from each state of a transaction")
  private static let blocks = Walk(
    "MonitorTests/EdgeTests", "a transaction comes into a block from each state, and a fork takes it out again")
  private static let clearings = Walk(
    "MonitorTests/EdgeTests", "an anomalous transaction that becomes clear lets its payout go on by a person's word")
  private static let putBacks = Walk(
    "MonitorTests/EdgeTests", "a journal puts a payout back from every state that a restore can leave it in")
  private static let pairs = Walk(
    "LedgerTests/StatePairTests",
    "the database allows exactly the changes of the table of states, each under its conditions")
  private static let beginnings = Walk(
    "LedgerTests/StatePairTests", "a payout begins queued or waiting, never further on")
  private static let releases = Walk(
    "LedgerTests/HeldTests", "what was held before it was signed goes back to where it was held from")
  private static let decisions = Walk(
    "PayoutctlTests/HeldCommandsTests", "release, reject and settle end a hold, with who and why in the history")
  private static let expiries = Walk(
    "SchedulerTests/ExpireTests",
    "a payout expires when its own time is over, from every waiting state, and frees its limits")
  private static let expiriesOfChecks = Walk(
    "LedgerTests/EdgeTests", "a payout that waits for a check expires at its moment")
  private static let goingBack = Walk(
    "LedgerTests/EdgeTests", "a payout that was held with its transaction under way goes back to where it was")

  /// `from>to`, in the words of the database; `new` for a payout's beginning.
  private static let payouts: [String: Walk] = [
    "new>queued": way, "new>kyc_pending": beginnings, "new>compliance_pending": beginnings,
    "kyc_pending>queued": pairs, "kyc_pending>held": pairs, "kyc_pending>rejected": pairs,
    "kyc_pending>expired": expiriesOfChecks, "kyc_pending>cancelled": pairs, "kyc_pending>signed": putBacks,
    "compliance_pending>queued": pairs, "compliance_pending>held": pairs, "compliance_pending>rejected": pairs,
    "compliance_pending>expired": expiriesOfChecks, "compliance_pending>cancelled": pairs,
    "compliance_pending>signed": putBacks,
    "queued>scheduled": way, "queued>kyc_pending": pairs, "queued>rejected": pairs, "queued>expired": expiries,
    "queued>held": Walk(
      "SchedulerTests/SchedulerFailureTests",
      "a payout that the ledger refuses is held at once, and its neighbours are scheduled together"),
    "queued>cancelled": pairs, "queued>signed": putBacks,
    "scheduled>signed": way, "scheduled>kyc_pending": pairs, "scheduled>rejected": pairs,
    "scheduled>expired": expiries, "scheduled>cancelled": pairs,
    "scheduled>held": Walk(
      "SignerTests/TimeAndLimitTests",
      "a payout above Signer's own limit is held, one that finds its window full waits for the next"),
    "scheduled>failed": Walk(
      "MonitorTests/BlameTests", "a payout whose every attempt the token refuses fails for good, proven unpaid"),
    "signed>broadcast": way, "signed>confirming": blocks, "signed>scheduled": verdicts, "signed>held": verdicts,
    "broadcast>confirming": way, "broadcast>scheduled": verdicts, "broadcast>held": verdicts,
    "confirming>confirmed": way, "confirming>broadcast": blocks, "confirming>scheduled": verdicts,
    "confirming>held": verdicts,
    "held>kyc_pending": releases, "held>compliance_pending": releases, "held>queued": decisions,
    "held>scheduled": clearings, "held>signed": putBacks, "held>broadcast": goingBack, "held>confirming": clearings,
    "held>confirmed": clearings, "held>rejected": decisions, "held>settled_externally": decisions,
  ]

  private static let transactions: [String: Walk] = [
    "signed>sent": way, "signed>included": blocks, "signed>solid": verdicts, "signed>failed_on_chain": verdicts,
    "signed>dead": verdicts, "signed>anomalous": verdicts,
    "sent>included": blocks, "sent>solid": verdicts, "sent>failed_on_chain": verdicts, "sent>dead": verdicts,
    "sent>anomalous": verdicts,
    "included>sent": blocks, "included>solid": verdicts, "included>failed_on_chain": verdicts,
    "included>anomalous": verdicts,
    "anomalous>solid": clearings, "anomalous>failed_on_chain": clearings,
  ]

  /// Edges that no worker and no command of an operator walks yet: of the KYC router, of cancelling and of rejecting what
  /// is not held; and one exit of a hold that only comes with them.
  private static let walkedByNobody: Set<String> = [
    "new>kyc_pending", "new>compliance_pending", "kyc_pending>queued", "kyc_pending>held", "kyc_pending>rejected",
    "kyc_pending>cancelled", "kyc_pending>expired", "compliance_pending>queued", "compliance_pending>held",
    "compliance_pending>rejected", "compliance_pending>cancelled", "compliance_pending>expired", "queued>kyc_pending",
    "queued>rejected", "queued>cancelled", "scheduled>kyc_pending", "scheduled>rejected", "scheduled>cancelled",
    "held>kyc_pending", "held>compliance_pending", "held>broadcast",
  ]

  private func payoutEdges(_ test: TestLedger) async throws -> Set<String> {
    let changes = try await test.rows(
      """
      SELECT o || '>' || n FROM unnest(enum_range(NULL::payout_status)) o, unnest(enum_range(NULL::payout_status)) n
      WHERE payout_may_go(o, n)
      """)
    var beginnings: [String] = []
    for (index, status) in PayoutStatus.allCases.enumerated() {
      let outcomes = try await test.ledger.accept(
        [Sample.payout(index + 1, status: status)], limits: TestLedger.unlimited)
      if case .accepted? = outcomes.first { beginnings.append("new>\(status.rawValue)") }
    }
    return Set(changes + beginnings)
  }

  @Test func `every edge of the table of payouts is walked by a test`() async throws {
    try await withLedger { test async throws in
      let edges = try await payoutEdges(test)
      let ofCode = Set(
        PayoutStatus.allCases.flatMap { from in from.successors.map { "\(from.rawValue)>\($0.rawValue)" } })
      #expect(edges.filter { !$0.hasPrefix("new>") } == ofCode)
      #expect(edges == Set(Self.payouts.keys), "\(edges.symmetricDifference(Self.payouts.keys).sorted())")
      try Self.expectTests(Self.payouts, insideTheLedgerOnly: Self.walkedByNobody)
    }
  }

  @Test func `every edge of the table of transactions is walked by a test`() async throws {
    try await withLedger { test async throws in
      var edges: Set<String> = []
      for from in TransactionStatus.allCases {
        for to in TransactionStatus.allCases where to != from {
          if try await AttemptGuardTests.mayGo(from, to, test) { edges.insert("\(from.rawValue)>\(to.rawValue)") }
        }
      }
      #expect(edges == Set(Self.transactions.keys), "\(edges.symmetricDifference(Self.transactions.keys).sorted())")
      try Self.expectTests(Self.transactions, insideTheLedgerOnly: [])
    }
  }

  /// Each test exists, and walks the edge by a worker's step or a command, not inside the ledger; but for these.
  private static func expectTests(_ walks: [String: Walk], insideTheLedgerOnly: Set<String>) throws {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    for (edge, walk) in walks {
      let text = try String(
        contentsOf: folder.appendingPathComponent("\(walk.file).swift"), encoding: .utf8)
      #expect(text.contains("func `\(walk.name)`"), "\(edge): \(walk.file) has no test '\(walk.name)'")
      #expect(walk.file.hasPrefix("LedgerTests/") == insideTheLedgerOnly.contains(edge), "\(edge): \(walk.file)")
    }
  }
}
