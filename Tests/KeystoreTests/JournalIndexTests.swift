import Payouts
import TestSupport
import Testing

@testable import Keystore

/// What a journal answers from memory, held against the same answers by looking through everything.
@Suite struct JournalIndexTests {
  private static let hour: Int64 = 3_600_000

  /// An entry of one to three payments, signed somewhere in five hours around a full one.
  private static func entry(_ number: Int, _ random: inout SeededGenerator) throws -> JournalEntry {
    let first = try FileJournalTests.entry(number)
    let signedAt = Timestamp(milliseconds: 494_000 * hour + Int64.random(in: -2 * hour...2 * hour, using: &random))
    let payouts = try (0..<Int.random(in: 1...3, using: &random)).map { place in
      JournalPayout(
        payout: first.payouts[0].payout, reference: try Reference(place == 0 ? first.txid.bytes : random.bytes(32)),
        attemptNumber: 1, token: first.wallet, recipient: first.wallet,
        amount: try Amount(microUSDT: Int64.random(in: 1...1_000_000_000, using: &random)))
    }
    return JournalEntry(
      txid: first.txid, wallet: first.wallet, signer: first.signer, signedBytes: first.signedBytes,
      referenceBlockNumber: 1, headTime: signedAt, expiration: signedAt, feeLimit: first.feeLimit, signedAt: signedAt,
      payouts: payouts)
  }

  @Test func `amounts since any time, without what moved nothing, are those of the entries`() throws {
    // A full hour takes the sum of its hour, any other moment looks into it: both sides of both are asked.
    var random = SeededGenerator(printedFor: "journal index")
    let entries = try (1...500).map { try Self.entry($0, &random) }
    var index = JournalIndex()
    for (number, entry) in entries.enumerated() {
      index.insert(entry, at: JournalPlace(offset: number * 1_000, length: 900))
      // Once is enough.
      index.insert(entry, at: JournalPlace(offset: 7, length: 7))
    }
    let unpaid = Set(entries.filter { _ in Int.random(in: 0..<10, using: &random) == 0 }.map(\.txid))
    let hours = (-3...3).map { 494_000 * Self.hour + $0 * Self.hour }
    let times = hours.flatMap { [$0 - 1, $0, $0 + 1] } + entries.map(\.signedAt.milliseconds)
    for time in times.map({ Timestamp(milliseconds: $0) }) {
      for except in [[], unpaid] {
        let sum = entries.filter { $0.signedAt >= time && !except.contains($0.txid) }
          .flatMap(\.payouts).reduce(0) { $0 + $1.amount.microUSDT }
        #expect(index.amountSigned(since: time, except: except).microUSDT == sum)
      }
    }
    for (number, entry) in entries.enumerated() {
      #expect(index.holds(entry.txid))
      for payout in entry.payouts {
        #expect(index.places(of: payout.reference) == [JournalPlace(offset: number * 1_000, length: 900)])
      }
    }
    #expect(!index.holds(try FileJournalTests.entry(501).txid))
    #expect(index.places(of: try FileJournalTests.entry(501).payouts[0].reference).isEmpty)
  }

  @Test func `attempts of one reference stand in their order, and ids that differ in order alone are not mixed`() throws
  {
    var index = JournalIndex()
    let first = try FileJournalTests.entry(1)
    func attempt(_ txid: [UInt8]) throws -> JournalEntry {
      JournalEntry(
        txid: try TxID(txid), wallet: first.wallet, signer: first.signer, signedBytes: [], referenceBlockNumber: 1,
        headTime: first.headTime, expiration: first.expiration, feeLimit: first.feeLimit, signedAt: first.signedAt,
        payouts: first.payouts)
    }
    // The same eight bytes in another place: another id with the same key.
    let zeros = [UInt8](repeating: 0, count: 8)
    let ids: [[UInt8]] = (0..<4).map { place in (0..<4).flatMap { $0 == place ? [1, 2, 3, 4, 5, 6, 7, 8] : zeros } }
    for (number, id) in ids.dropLast().enumerated() {
      index.insert(try attempt(id), at: JournalPlace(offset: number, length: 1))
    }
    #expect(index.places(of: first.payouts[0].reference).map(\.offset) == [0, 1, 2])
    #expect(try ids.map { index.holds(try TxID($0)) } == [true, true, true, false])
    #expect(index.amountSigned(since: first.signedAt, except: [try TxID(ids[0])]).microUSDT == 2_000_000)
  }

  @Test func `a sum beyond 64 bits is beyond any limit, and becomes exact again with what moved nothing`() throws {
    var index = JournalIndex()
    let entries = try (1...3).map { try FileJournalTests.entry($0, amount: .max / 2) }
    for entry in entries { index.insert(entry, at: JournalPlace(offset: 0, length: 1)) }
    let time = entries[0].signedAt
    #expect(index.amountSigned(since: time, except: []).microUSDT == .max)
    #expect(index.amountSigned(since: time, except: [entries[0].txid]).microUSDT == .max - 1)
  }
}
