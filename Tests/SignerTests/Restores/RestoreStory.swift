import Foundation
import Ledger
import Payouts
import TestSupport
import Testing

@testable import Payoutctl

/// The one story that all disasters share: payouts flow, a copy is made, history goes on, the copy comes back.
struct RestoreStory: Sendable {
  /// Three of each kind; where `FULL_RUN` is set, twenty.
  static let count = ProcessInfo.processInfo.environment["FULL_RUN"] == nil ? 3 : 20

  /// Confirmed before the copy.
  let paid = 1...count
  /// Accepted before the copy, ended unpaid after it.
  let ended = 101...100 + count
  /// Accepted before the copy, signed after it, in no block when disaster comes; every second one is pending at the node,
  /// and comes into a block only shortly before it expires.
  let signed = 201...200 + count
  /// Accepted after the copy, signed, and in a block when disaster comes.
  let included = 301...300 + count
  /// Accepted after the copy, not signed.
  let accepted = 401...400 + count

  var owed: [Int] { Array(paid) + Array(signed) + Array(included) + Array(accepted) }
  var all: [Int] { owed + Array(ended) }

  /// What is there when the copy is made.
  func beforeTheCopy(_ restore: RestoreScene) async throws {
    try await restore.submit(paid)
    try await restore.pass(until: "the first payouts are confirmed") { try await $0.isAtRest() }
    try await restore.submit(ended)
    try await restore.submit(signed)
  }

  /// What is lost.
  ///
  /// - Parameter signer: whose journal knows of it.
  func afterTheCopy(_ restore: RestoreScene, signer name: String = "signer-1") async throws {
    for number in ended { try await restore.reject(number) }
    try await restore.submit(included)
    try await restore.sign(included, by: name)
    guard let signer = await restore.running[name]?.steps else { throw SceneError("\(name) does not run") }
    await restore.carryOut(signer.broadcast)
    try await restore.scene.produce()
    await restore.carryOut(restore.monitor.followHead)
    try await restore.sign(signed, by: name)
    let taken = Set(
      try await restore.scene.pool.execute(
        """
        SELECT txid FROM (SELECT t.txid, row_number() OVER (ORDER BY p.id) AS n FROM transactions t
          JOIN attempts a USING (txid) JOIN payouts p ON p.reference = a.reference WHERE t.status = 'signed') signed
        WHERE n % 2 = 1
        """
      ).rows.map { try TxID($0.bytes("txid")) })
    await restore.scene.node.setBroadcast { _, txid in
      taken.contains(txid) ? nil : .answer(.serverBusy, "busy", takes: false)
    }
    await restore.carryOut(signer.broadcast)
    await restore.scene.node.setBroadcast(nil)
    let pending = await restore.scene.node.pending.count
    #expect(pending == (Self.count + 1) / 2)
    // The worst that can happen: it is paid long after the disaster, and just in time.
    await restore.holdBackWhatIsPending()
    try await restore.submit(accepted)
  }

  /// Clients ask again, the log of intents is replayed, Signers vouch or a quarantine ends, an operator looks at what the
  /// fence found, clients ask again, and operation goes on.
  ///
  /// - Parameters:
  ///   - findings: whether a journal is lost, so that the chain holds what nobody knows.
  ///   - meanwhile: what operators do while nobody vouches.
  func recover(
    _ restore: RestoreScene, _ name: String, findings: Bool = false,
    meanwhile: (RestoreScene) async throws -> Void = { _ in }
  ) async throws {
    let lostAt = restore.scene.clock.now()
    try await restore.submit(all)
    try await restore.pass(2)
    #expect(try await restore.isContinuous() == false, "vouched although the log of intents tells of what is lost")
    let report = try await restore.replay()
    #expect(report.ends == Self.count, "\(report)")
    try await meanwhile(restore)
    try await restore.pass(until: "the history is vouched for") { try await $0.isContinuous() }
    let waited = restore.scene.clock.now().milliseconds(since: lostAt)
    if findings {
      try await restore.pass(until: "the fence's findings are judged") { try await $0.scene.breaker() != nil }
      #expect(try await restore.openFindings() > 0)
      try await restore.closeBreaker()
    }
    try await restore.submit(all)
    try await restore.pass(until: "all is at rest") { restore in
      // What was still on its way when the operator looked is a finding too.
      if try await restore.scene.breaker() == "unknown_transaction" { try await restore.closeBreaker() }
      return try await restore.isAtRest()
    }
    let rested = restore.scene.clock.now().milliseconds(since: lostAt)
    print("restore \(name): vouched for after \(waited / 1_000) s of chain time, all at rest after \(rested / 1_000) s")
    try await expectOnce(restore, findings: findings)
  }

  /// One transfer a key, none for what had ended; what is not confirmed is held as paid by a transfer that nobody claims.
  func expectOnce(_ restore: RestoreScene, findings: Bool) async throws {
    for number in ended {
      let record = try await restore.record(number)
      #expect(record.status == .held && record.holdReason == HoldReason.endWasLost.rawValue, "\(number): \(record)")
      try await restore.reject(number)
    }
    let payments = await restore.payments(owed)
    #expect(payments.values.allSatisfy { $0 == 1 }, "\(payments.filter { $0.value != 1 })")
    #expect(await restore.payments(ended).values.allSatisfy { $0 == 0 })
    var held = 0
    for number in owed {
      let record = try await restore.record(number)
      if findings, record.status == .held, record.holdReason == HoldReason.unclaimedTransfer.rawValue {
        held += 1
      } else {
        #expect(record.status == .confirmed, "\(number): \(record.status) \(record.holdReason ?? "")")
      }
    }
    #expect((held > 0) == findings)
    // Operation goes on.
    try await restore.submit(901...902)
    try await restore.pass(until: "new payouts are confirmed") { try await $0.isAtRest() }
    #expect(await restore.payments(901...902) == [901: 1, 902: 1])
  }
}
