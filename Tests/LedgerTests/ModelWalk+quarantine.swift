import Ledger
import Payouts
import Testing

@testable import Simulation

/// Quarantines: asked for, begun, ended by vouchings, and what a retired journal still brings.
extension ModelWalk {
  mutating func quarantine() async throws {
    if !model.retiredJournals.isEmpty, roll(2) == 0 { return try await bring() }
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
      signer: roll(8) == 0 ? "nobody" : someSigner(), cause: cause,
      journalID: cause == .journalLost ? Self.journalIDs[roll(Self.journalIDs.count)] : nil,
      expirationMilliseconds: cause == .bothStarted ? 30_000 : nil, reason: "reason")
    try await compare("request \(request.signer) \(cause)") {
      "\(try await $0.requestQuarantine(request))"
    } _: {
      "\($0.requestQuarantine(request))"
    }
  }

  private mutating func beginWaits() async throws {
    let head = Sample.place(1, at: model.now.advanced(byMilliseconds: Int64(roll(4)) * 25_000))
    let life = someLife()
    try await compare("begin waits") {
      Self.text(try await $0.beginQuarantines(head: head, under: life))
    } _: {
      Self.text($0.beginQuarantines(head: head, under: life))
    }
    if roll(2) == 0 { try await comeTo() }
  }

  private static func text(_ beginning: QuarantineBeginning) -> String {
    guard case .begun(let waits) = beginning else { return "\(beginning)" }
    return "begun \(waits.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" })"
  }

  private mutating func bring() async throws {
    let retired = model.retiredJournals.keys.map(Hex.text).sorted()
    let ids =
      retired.isEmpty || roll(3) == 0 ? Self.journalIDs : Self.journalIDs.filter { retired.contains(Hex.text($0)) }
    let (entries, id) = (someJournal(of: someSigner()), ids[roll(ids.count)])
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
    let signer = someSigner()
    let (entries, vouching) = (someJournal(of: signer), word(of: signer))
    try await compare("vouch as \(signer) after waiting") {
      Self.text(try await $0.vouch(vouching, journal: entries))
    } _: {
      Self.text(try $0.vouch(vouching, journal: entries))
    }
  }
}
