import Ledger
import Payouts
import Testing

@testable import Simulation

/// Quarantines: asked for, begun, ended by vouchings, and what a retired journal still brings.
extension ModelWalk {
  private static let otherJournalID = [UInt8](repeating: 0x4b, count: 16)

  /// The declared journal or, seldom, another one.
  mutating func someJournalID() -> [UInt8] {
    let declared = model.journals[TestLedger.signer]?.journalID ?? TestLedger.journalID
    return roll(5) == 0 ? [TestLedger.journalID, Self.otherJournalID][roll(2)] : declared
  }

  mutating func quarantine() async throws {
    switch roll(5) {
    case 0...1: try await ask()
    case 2: try await beginWaits()
    case 3: try await bring()
    default: try await comeTo()
    }
  }

  private mutating func ask() async throws {
    let cause = QuarantineCause.allCases[roll(QuarantineCause.allCases.count)]
    let request = QuarantineRequest(
      signer: roll(8) == 0 ? "nobody" : TestLedger.signer, cause: cause,
      journalID: cause == .journalLost ? [TestLedger.journalID, Self.otherJournalID][roll(2)] : nil,
      expirationMilliseconds: cause == .bothStarted ? 30_000 : nil, reason: "reason")
    try await compare("request \(request.signer) \(cause)") {
      "\(try await $0.requestQuarantine(request))"
    } _: {
      "\($0.requestQuarantine(request))"
    }
  }

  private mutating func beginWaits() async throws {
    let head = Sample.place(1, at: model.now.advanced(byMilliseconds: Int64(roll(4)) * 25_000))
    let life = model.life
    try await compare("begin waits") {
      "\(try await $0.beginQuarantines(head: head, under: life))"
    } _: {
      "\($0.beginQuarantines(head: head, under: life))"
    }
  }

  private mutating func bring() async throws {
    let (entries, id) = (journal, [TestLedger.journalID, Self.otherJournalID][roll(2)])
    try await compare("bring \(entries.count)") {
      "\(try await $0.bring(entries, of: id))"
    } _: {
      "\(try $0.bring(entries, of: id))"
    }
  }

  /// Both views come to the same block, and its time is so late that most waits are over.
  private mutating func comeTo() async throws {
    let (head, solid) = (try #require(model.cursors[.head]), try #require(model.cursors[.solid]))
    let number = max(head.number, solid.number) + 1
    let place = Sample.place(number, at: model.now.advanced(byMilliseconds: 800_000), branch: branch)
    let block = HeadBlock(place: place, transactions: [], suspects: [], keepAbove: number - 3)
    try await compare("head comes to \(number)") {
      "\(try await $0.apply(head: block, after: head))"
    } _: {
      "\(try $0.apply(head: block, after: head))"
    }
    try await compare("solid comes to \(number)") {
      "\(try await $0.apply(solid: place, after: solid, verdicts: [:], retryDelayMilliseconds: 5_000))"
    } _: {
      "\(try $0.apply(solid: place, after: solid, verdicts: [:], retryDelayMilliseconds: 5_000))"
    }
    guard roll(2) == 0 else { return }
    let vouching = TestLedger.vouching(model.life, journalID: someJournalID())
    let entries = journal
    try await compare("vouch after waiting") {
      Self.text(try await $0.vouch(vouching, journal: entries))
    } _: {
      Self.text(try $0.vouch(vouching, journal: entries))
    }
  }
}
