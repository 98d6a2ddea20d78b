import Ledger
import Payouts
import TestSupport
import Testing
import Tron

@testable import Payoutctl

/// The one story that all disasters share: payouts flow, a copy is made, history goes on, the copy comes back.
///
/// In every kind of payout neighbours are twins, of equal recipient and amount.
struct RestoreStory: Sendable {
  /// What a disaster took.
  enum Loss {
    /// The end of the database's history; the journals hold what was signed in it.
    case history
    /// That, and the only journal that held it: only time can tell, as long as what is lost may live, in milliseconds.
    case historyAndJournal(life: Int64)
  }

  /// After so many slots what was under way when disaster came is solid, and expiries have come due.
  static let untrustedSlots = 27
  /// In this time payouts with an end of their own expire, in milliseconds: after the disaster, while nobody has
  /// vouched.
  static let expiry: Int64 = 45_000

  /// Confirmed before the copy.
  let paid = 1...20
  /// Accepted before the copy, ended unpaid after it: cancelled by clients, but for two that an operator rejects.
  let ended = 101...122
  private var rejected: ClosedRange<Int> { ended.upperBound - 1...ended.upperBound }
  /// Accepted before the copy, signed after it, in no block when disaster comes. Every second one is pending at the
  /// node and comes into a block only shortly before it expires, and before its payout does. A person held the first
  /// one until then.
  let signed = 201...220
  /// Accepted after the copy, signed, and in a block when disaster comes.
  let included = 301...320
  /// Accepted after the copy, not signed.
  let accepted = 401...420
  /// Sent before the copy; the token refuses them after it, and one failure is all that they have.
  let failing = 601...602
  /// Accepted once the history is vouched for again: operation goes on.
  let next = 901...902
  /// Accepted before the copy, signed after it by a Signer that dies at it.
  var interrupted: [Int] = []
  /// Whether operators take their time, so that much comes due before anybody may vouch.
  var takesTime = true

  /// Accepted before the copy, never signed, expired while nobody has vouched. Where operators are quick they would be
  /// paid.
  var overdue: [Int] { takesTime ? Array(501...520) : [] }
  var pending: [Int] { signed.filter { !$0.isMultiple(of: 2) } }
  var owed: [Int] { Array(paid) + signed + included + accepted + interrupted }
  var all: [Int] { owed + ended + overdue + failing }

  /// What is there when the copy is made.
  func beforeTheCopy(_ restore: RestoreScene) async throws {
    try await restore.submit(paid)
    try await restore.pass(until: "the first payouts are confirmed") { try await $0.isAtRest() }
    try await restore.refuseAtTheToken(failing)
    try await restore.submit(failing)
    try await restore.sign(failing, by: "signer-1")
    for txid in try await restore.transactions(of: failing).values {
      await restore.scene.node.setExecution(.failure(.revert), of: txid)
    }
    try await restore.send(Array(failing), by: "signer-1")
    try await restore.submit(ended)
    try await restore.submit(pending, expiringIn: Self.expiry)
    try await restore.submit(signed.filter { $0.isMultiple(of: 2) })
    try await restore.submit(overdue, expiringIn: Self.expiry)
    try await restore.submit(interrupted)
    try await restore.hold(signed.lowerBound...signed.lowerBound)
  }

  /// What is lost.
  ///
  /// - Parameter name: whose journal knows of it.
  func afterTheCopy(_ restore: RestoreScene, signer name: String = "signer-1") async throws {
    try await restore.hold(rejected)
    for number in rejected { try await restore.decide(number, .reject) }
    for number in ended where !rejected.contains(number) { try await restore.cancel(number) }
    try await restore.submit(included)
    try await restore.sign(included, by: name)
    try await restore.send(Array(included), by: name)
    try await restore.produceBlock()
    try await restore.decide(signed.lowerBound, .release)
    try await restore.sign(signed, by: name)
    try await restore.send(pending, by: name)
    #expect(await restore.scene.node.pending.count == pending.count)
    await restore.holdBackWhatIsPending()
    try await restore.rememberLost(included + pending)
    try await restore.submit(accepted)
  }

  /// Clients ask again, everybody tries what must wait, operators look at what the fence found, the log of intents is
  /// replayed, Signers vouch or a quarantine ends, what no journal knows is adopted, clients ask again, and operation
  /// goes on.
  ///
  /// - Parameter meanwhile: what operators do while nobody vouches.
  func recover(
    _ restore: RestoreScene, _ name: String, from loss: Loss = .history,
    meanwhile: (RestoreScene) async throws -> Void = { _ in }
  ) async throws {
    let lostAt = restore.scene.clock.now()
    try await restore.submit(all)
    try await restore.pass(takesTime ? Self.untrustedSlots : 2)
    try await restore.tryWhatMustWait(Array(pending.prefix(2)) + accepted.prefix(1) + overdue.prefix(1))
    let look = try await restore.reconcile()
    if takesTime { try await expectNothingEnded(restore) }
    try await expectFound(look, restore)
    let report = try await restore.replay()
    #expect(report.ends == ended.count, "\(report)")
    try await restore.tryWhatMustWait([accepted.lowerBound] + ended.prefix(2))
    try await meanwhile(restore)
    try await restore.pass(until: "the history is vouched for") { try await $0.isContinuous() }
    let waited = restore.scene.clock.now().milliseconds(since: lostAt)
    var adopted = 0
    if case .historyAndJournal(let life) = loss {
      // Only a solid block after all these lives tells what is dead, whatever operators did meanwhile.
      let solid = await restore.scene.node.place(restore.scene.node.solidNumber).time
      #expect(solid.milliseconds(since: lostAt) >= 2 * RestoreScene.clockBound + life)
      adopted = try await adoptFindings(restore)
    }
    #expect(try await restore.reconcile().transactions.isEmpty)
    try await restore.submit(all, areKnown: true)
    try await restore.submit(next)
    try await restore.pass(until: "all is at rest") { try await $0.isAtRest() }
    let rested = restore.scene.clock.now().milliseconds(since: lostAt)
    print(
      "restore \(name): \(look.transactions.count) findings, \(look.matches) matched, vouched for after "
        + "\(waited / 1_000) s of chain time, \(adopted) adopted, all at rest after \(rested / 1_000) s")
    try await expectEnds(restore)
  }

  /// What has come due, and what the chain has refused for good, still waits.
  private func expectNothingEnded(_ restore: RestoreScene) async throws {
    #expect(try await restore.statuses(of: overdue).values.allSatisfy { $0 == .scheduled })
    for number in overdue { #expect(try #require(await restore.expiries[number]) < restore.scene.clock.now()) }
    for number in failing {
      #expect(try await restore.record(number).status == .scheduled)
      let attempts = try await restore.scene.ledger.attempts(of: restore.record(number).id)
      #expect(attempts.map(\.outcome) == [.failedOnChain] && attempts.map(\.blame) == [nil])
    }
  }

  /// Each transaction of the lost part that is in a block is found. Once that is solid it fits exactly the payout that
  /// it was signed for, twins too.
  private func expectFound(_ look: ReconcileReport, _ restore: RestoreScene) async throws {
    let found = await restore.lost.filter { takesTime || included.contains($0.value) }
    #expect(Set(look.transactions.map(\.txid)) == Set(found.keys.map(\.description)))
    let ids = try await restore.ids(of: Array(found.values))
    for (txid, number) in found {
      let entry = try #require(look.transactions.first { $0.txid == "\(txid)" })
      if takesTime {
        #expect(entry.outcome == .matches && entry.chain == "paid", "\(number): \(entry)")
        #expect(entry.payoutId == ids[number]?.description)
      } else {
        #expect(entry.outcome == .notSolid, "\(number): \(entry)")
      }
    }
  }

  /// No journal knows them: the breaker is open until a person has had them adopted, and closes it.
  ///
  /// Until then what must wait is tried in vain, although the history is vouched for.
  ///
  /// - Returns: how many.
  private func adoptFindings(_ restore: RestoreScene) async throws -> Int {
    let waiting = [accepted.lowerBound] + ended.prefix(2)
    try await restore.tryWhatMustWait(waiting, blocks: [.openFinding])
    try await restore.pass(until: "the fence's findings are judged") { try await $0.scene.breaker() != nil }
    try await restore.tryWhatMustWait(waiting, blocks: [.openFinding, .breakerOpen])
    let report = try await restore.reconcile("the disaster took them")
    let lost = await restore.lost
    #expect(report.transactions.count == lost.count)
    #expect(Set(report.transactions.map(\.outcome)) == [.ordered] && report.complaint == nil)
    try await restore.pass(until: "all of them are adopted") { try await $0.unexplained() == 0 }
    #expect(try await restore.closeBreaker() == "unknown_transaction")
    return report.transactions.count
  }

  /// One transfer a key and none for what ended unpaid; all are at their ends, limits are exact, operation goes on.
  func expectEnds(_ restore: RestoreScene) async throws {
    #expect(await restore.refusals.isEmpty, "some process does not go on")
    for number in try await restore.statuses(of: ended).filter({ $0.value == .held }).keys {
      #expect(try await restore.record(number).holdReason == HoldReason.endWasLost.rawValue)
      try await restore.decide(number, .reject)
    }
    let ends: [(numbers: [Int], status: PayoutStatus)] = [
      (owed + next, .confirmed), (overdue, .expired), (Array(failing), .failed),
    ]
    for end in ends {
      let others = try await restore.statuses(of: end.numbers).filter { $0.value != end.status }
      #expect(others.isEmpty, "not \(end.status)")
    }
    // Where an end was lost a person has said again that it holds.
    let told = try await restore.statuses(of: ended)
    #expect(told.values.allSatisfy { $0 == .rejected || $0 == .cancelled }, "\(told)")
    #expect(rejected.allSatisfy { told[$0] == .rejected })
    // Of all that the chain holds: nobody else was paid.
    let expected = (owed + next).reduce(into: [Address: Int]()) { $0[RestoreScene.recipient($1), default: 0] += 1 }
    let payments = await restore.scene.node.payments
    #expect(payments == expected, "\(payments.filter { expected[$0.key] != $0.value })")
    try await restore.expectExactLimits()
    #expect(try await restore.scene.breaker() == nil)
    #expect(try await restore.unexplained() == 0)
  }
}

extension ReconcileReport {
  /// How many fit a payout, and it alone.
  fileprivate var matches: Int { transactions.count { $0.outcome == .matches } }
}
