import Ledger
import Payouts
import Testing
import Tron

@testable import Simulation

/// What the oracle finds wrong as soon as it happens: with a change of the database, and with what goes out.
extension OracleTests {
  @Test("a signing while the history is not vouched for is found, and a put-back is none")
  func signing() throws {
    let transaction = try payment()
    var before = try tables()
    before.vouchedLife = nil
    var after = before
    after.transactions[transaction.txid] = row(transaction)
    let (broken, whole) = (oracle(), oracle())
    broken.changed(from: before, to: after)
    #expect(broken.violations == ["\(transaction.txid) was signed while the history was not trusted"])
    after.putBacks[transaction.txid] = after.now
    whole.changed(from: before, to: after)
    #expect(whole.violations == [])
  }

  @Test("a signing while a finding is open is found, and none after its acknowledgement")
  func signingWithFinding() throws {
    let transaction = try payment()
    var before = try tables()
    before.findings = [finding(try payment(1).txid)]
    var after = before
    after.transactions[transaction.txid] = row(transaction)
    let (broken, whole) = (oracle(), oracle())
    broken.changed(from: before, to: after)
    #expect(broken.violations == ["\(transaction.txid) was signed while the history was not trusted"])
    before.findings[0].isAcknowledged = true
    after.findings = before.findings
    whole.changed(from: before, to: after)
    #expect(whole.violations == [])
  }

  @Test("a signing whose COMMIT comes late is judged by what stood there when it was made, not when it landed")
  func lateSigning() throws {
    let transaction = try payment()
    var before = try tables()
    before.vouchedLife = nil
    var after = before
    after.transactions[transaction.txid] = row(transaction)
    let (made, landed) = (oracle(), oracle())
    made.changed(.made, from: before, to: after)
    #expect(made.violations == ["\(transaction.txid) was signed while the history was not trusted"])
    landed.changed(.landed, from: before, to: after)
    #expect(landed.violations == [])
  }

  @Test("a signing after a theft that the fence has read and did not find is found, but where it did or is behind")
  func signingAfterTheft() throws {
    let transaction = try payment()
    let theft = try strange()
    var before = try tables()
    before.blocks = [try #require(chain.block(of: theft))]
    func violations(
      of before: LedgerTables, after kind: Stranger, _ change: (inout LedgerTables) -> Void = { _ in }
    ) -> [String] {
      let oracle = oracle()
      oracle.saw(kind, theft)
      var before = before
      change(&before)
      var after = before
      after.transactions[transaction.txid] = row(transaction)
      oracle.changed(from: before, to: after)
      return oracle.violations
    }
    let found = ["\(transaction.txid) was signed although the fence had read the theft \(theft)"]
    #expect(violations(of: before, after: .stolenApproval) == found)
    #expect(violations(of: before, after: .stolenTransfer) == found)
    let harmless = violations(of: before, after: .dust)
    #expect(harmless == [])
    let acknowledged = finding(theft, isAcknowledged: true)
    let knowing = violations(of: before, after: .stolenApproval) { $0.findings = [acknowledged] }
    #expect(knowing == [])
    let behind = violations(of: before, after: .stolenApproval) { $0.blocks = [] }
    #expect(behind == [])
  }

  @Test("an unpaid end while the history is not vouched for, or a finding is open, is found")
  func ends() throws {
    let before = try tables()
    var after = before
    try after.move(id, to: .rejected, note: nil)
    let (broken, doubtful, whole) = (oracle(), oracle(), oracle())
    whole.changed(from: before, to: after)
    #expect(whole.violations == [])
    var untrusted = before
    untrusted.vouchedLife = nil
    broken.changed(from: untrusted, to: after)
    #expect(broken.violations == ["\(id) became rejected while the history was not trusted"])
    untrusted = before
    untrusted.findings = [finding(try payment().txid)]
    doubtful.changed(from: untrusted, to: after)
    #expect(doubtful.violations == ["\(id) became rejected while the history was not trusted"])
  }

  @Test("a vouching without a transaction that may still pay is found; what is known, dead or a solid finding is none")
  func vouching() throws {
    let transaction = try payment()
    _ = chain.broadcast(transaction, at: Self.now)
    var before = try tables()
    before.vouchedLife = nil
    var after = before
    after.vouchedLife = Self.life
    let (broken, known, dead) = (oracle(), oracle(), oracle())
    broken.changed(from: before, to: after)
    #expect(
      broken.violations == [
        "the history was vouched for without \(transaction.txid), which may still pay \(request.recipient)"
      ])
    var knowing = after
    knowing.transactions[transaction.txid] = row(transaction)
    knowing.putBacks[transaction.txid] = knowing.now
    known.changed(from: before, to: knowing)
    #expect(known.violations == [])
    chain.dropPending()
    pass(slots: 30)
    dead.changed(from: before, to: after)
    #expect(dead.violations == [])
  }

  @Test("a paid transaction that a vouching does not know must be a finding in a solid block that was read")
  func vouchingWithFinding() throws {
    let transaction = try payment()
    pay(transaction)
    pass(slots: 9)
    var before = try tables()
    before.vouchedLife = nil
    var after = before
    after.vouchedLife = Self.life
    after.findings = [finding(transaction.txid)]
    let (unread, read) = (oracle(), oracle())
    unread.changed(from: before, to: after)
    #expect(
      unread.violations == [
        "the history was vouched for without \(transaction.txid), which may still pay \(request.recipient)"
      ])
    after.cursors[.solid] = solid
    read.changed(from: before, to: after)
    #expect(read.violations == [])
  }

  // MARK: What goes out

  @Test("a second transaction of a payout is found while the first may pay, and none once that is over")
  func broadcasts() throws {
    let (first, second) = (try payment(), try payment(1))
    let (early, late) = (oracle(), oracle())
    early.sees(broadcast: first)
    _ = chain.broadcast(first, at: Self.now)
    early.sees(broadcast: first)
    #expect(early.violations == [])
    early.sees(broadcast: second)
    #expect(early.violations == ["\(second.txid) was sent while \(first.txid) could still pay key-1"])
    chain.dropPending()
    pass(slots: 30)
    late.sees(broadcast: second)
    #expect(late.violations == [])
  }

  @Test("a transaction that pays what nobody asked for is found before it pays")
  func broadcastToStranger() throws {
    let transaction = try payment()
    let (nobodys, somebodys) = (Oracle(chain, WorldSettings()), oracle())
    nobodys.sees(broadcast: transaction)
    #expect(nobodys.violations == ["\(transaction.txid) pays \(request.recipient), which nobody asked for"])
    somebodys.sees(broadcast: transaction)
    #expect(somebodys.violations == [])
  }

  @Test("a transaction that leaves its Signer before it is committed, or before its journal holds it, is found")
  func leavesEarly() throws {
    let transaction = try payment()
    let (before, after) = (try tables(), try tables(signed: transaction))
    func violations(isCommitted: Bool, isJournaled: Bool) -> [String] {
      let oracle = oracle()
      let disk = SimulatedDisk(id: [UInt8](repeating: 1, count: 16))
      if isCommitted { oracle.changed(from: before, to: after) }
      if isJournaled { disk.write([entry(transaction)]) }
      oracle.sees(transaction.txid, leave: disk)
      return oracle.violations
    }
    let uncommitted = ["\(transaction.txid) was sent before it was committed"]
    let unjournaled = ["\(transaction.txid) was sent before its Signer's own journal held it"]
    #expect(violations(isCommitted: false, isJournaled: true) == uncommitted)
    #expect(violations(isCommitted: true, isJournaled: false) == unjournaled)
    let whole = violations(isCommitted: true, isJournaled: true)
    #expect(whole == [])
  }

  private func entry(_ transaction: SignedTransaction) -> JournalEntry {
    JournalEntry(
      txid: transaction.txid, wallet: key.address, signer: "signer-1", signedBytes: transaction.bytes,
      referenceBlockNumber: 1, headTime: Self.moment, expiration: transaction.contents.expiration, feeLimit: Sun(1),
      signedAt: Self.moment,
      payouts: [
        JournalPayout(
          payout: id, reference: request.reference, attemptNumber: 1, token: SimulatedWorld.token,
          recipient: request.recipient, amount: request.amount)
      ])
  }
}
