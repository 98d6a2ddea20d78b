import Foundation

/// The result of a chaos run as a table.
struct ChaosReport {
  /// The states in which a payout ends.
  static let ends: Set<String> = ["confirmed", "failed", "rejected", "expired", "cancelled", "settled_externally"]
  /// From so many seconds of faults on a run must have met what takes a transaction's whole life.
  static let longRunSeconds = 300

  let seed: UInt64
  /// How long faults happened.
  let seconds: Int
  let minutes: Double
  let world: PaidWorld
  let faults: [ChaosFault: Int]
  /// Answers of nodes that were falsified, broken or late, by what the network was told to do.
  let falsified: [String: Int]
  let refusalsOfFullDisk: Int
  let deathsOfPostgres: Int
  let restarts: [Int32: Int]
  let decisions: [String: Int]
  /// How often clients were told that the hour's limit is reached while everything failed; nil where the run was in more than
  /// one hour, so that none need have been reached.
  let refusals: Int?
  let longestWait: Duration
  let unverified: Int
  /// How often a worker's own clock was seen to have jumped.
  let jumpsSeen: Int
  let verdicts: ChaosVerdicts
  /// How many clients asked once more when all had ended.
  let askedAgain: Int
  let violations: [Violation]

  /// The table.
  var text: String {
    var byStatus: [String: Int] = [:]
    for payout in world.payouts.values { byStatus[payout.status, default: 0] += 1 }
    let unpaid = byStatus.filter { $0.key != "confirmed" }
    var rows: [(String, String)] = [
      ("minutes, with coming to rest", minutes.formatted(.number.precision(.fractionLength(1)))), ("seed", "\(seed)"),
      ("posted", "\(world.orders.count)"), ("acknowledged", "\(world.payouts.count)"),
      ("paid", "\(byStatus["confirmed"] ?? 0)"), ("Transfers on the chain", "\(world.payments.count)"),
      ("refused", "\(world.orders.count { $0.isRefused })"), ("unpaid", Self.list(unpaid)),
      ("refused for the hour's limit meanwhile", refusals.map { "\($0)" } ?? "in several hours"),
      ("attempts", Self.list(world.attempts)),
      ("attempts that died, paid after that", "\(verdicts.dead), \(verdicts.paidAfterDeath)"),
      ("lies that stood until a verdict", Self.list(verdicts.lies)), ("asked again at rest", "\(askedAgain)"),
      ("faults", "\(faults.values.reduce(0, +))"), ("answers of nodes met", Self.list(falsified)),
      ("workers started again, by exit code", Self.list(restarts)),
      ("PostgreSQL refused, died: full disk", "\(refusalsOfFullDisk), \(deathsOfPostgres)"),
      ("longest way from acceptance to end", "\(longestWay) s"), ("decisions of operators", Self.list(decisions)),
      ("webhooks that did not verify", "\(unverified)"),
      ("jumps that a worker's clock showed", "\(jumpsSeen)"),
      ("longest wait for an answer", longestWait.formatted()),
      ("violations", "\(violations.count)"),
    ]
    for (fault, count) in faults.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
      rows.append(("  " + fault.rawValue, "\(count)"))
    }
    return rows.map { "chaos | \($0.0.padding(toLength: 38, withPad: " ", startingAt: 0)) | \($0.1)" }
      .joined(separator: "\n")
  }

  /// What a run must have met, so that a run in which nothing failed proves nothing by passing.
  var unmet: [String] {
    // These two take a transaction that waits just then: a short run may have none in time.
    let demanded = ChaosFault.allCases.filter { isLong || $0 != .keepOut && $0 != .lieHidden }
    var unmet = demanded.filter { faults[$0, default: 0] == 0 }.map { "no \($0.rawValue)" }
    // Told is not enough: a worker must have been given a lie; each kind of lie where there was time for that.
    let untold = ["omit", "claim"].filter { falsified[$0, default: 0] == 0 }
    if untold.count == 2 || isLong { unmet += untold.map { "no worker was given a lie: \($0)" } }
    if isLong {
      if verdicts.paidAfterDeath == 0 { unmet.append("no payout was paid by an attempt after one that died") }
      unmet += ChaosVerdicts.lies.filter { verdicts.lies[$0, default: 0] == 0 }
        .map { "no lie stood until a verdict was due: \($0)" }
    }
    if refusalsOfFullDisk + deathsOfPostgres == 0 { unmet.append("PostgreSQL met no full disk") }
    if jumpsSeen == 0 { unmet.append("no worker's clock was seen to jump") }
    if restarts.isEmpty { unmet.append("no worker was started again") }
    if refusals == 0 { unmet.append("no payout met the hour's limit") }
    if !world.payouts.values.contains(where: { $0.status == "confirmed" }) { unmet.append("no payout was paid") }
    return unmet
  }

  private var isLong: Bool { seconds >= Self.longRunSeconds }

  /// From acceptance to its end, by the server's clock.
  private var longestWay: Int64 {
    world.payouts.values.map { $0.endedAt - $0.acceptedAt }.max().map { $0 / 1_000 } ?? 0
  }

  private static func list(_ counts: [some Hashable & Comparable: Int]) -> String {
    counts.isEmpty
      ? "none" : counts.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: ", ")
  }
}

extension PaidWorld {
  /// How many payouts were signed once, twice …, by their histories.
  fileprivate var attempts: [Int: Int] {
    Dictionary(grouping: payouts.values) { payout in payout.history.count { $0.to == "signed" } }
      .mapValues(\.count)
  }
}
