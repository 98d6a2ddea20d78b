import Ledger
import Payouts

/// The wait that stands in for a vouching that cannot be had (DESIGN.md §3 "Continuity").
extension LedgerTables {
  /// A quarantine's row.
  struct Quarantine: Equatable, Sendable {
    /// Its present wait.
    struct Wait: Equatable, Sendable {
      let life: ServerLife
      let beganAt: Timestamp
      let beginBlockNumber: Int64
      let until: Timestamp
    }

    let id: Int64
    let request: QuarantineRequest
    let declaredBy: String
    let declaredAt: Timestamp
    let declaredUnder: ServerLife
    var wait: Wait?
    var endedAt: Timestamp?
    var outcome: QuarantineOutcome?
  }

  /// `MAX_EXPIRATION_SECONDS` and `CLOCK_BOUND_SECONDS` of a simulated installation, in milliseconds.
  static let maximumExpirationMilliseconds: Int64 = 600_000
  static let clockBoundMilliseconds: Int64 = 60_000
  /// `Ledger.longestLifeMilliseconds`.
  static let longestLifeMilliseconds = maximumExpirationMilliseconds + clockBoundMilliseconds

  /// `Ledger.requestQuarantine`.
  mutating func requestQuarantine(_ request: QuarantineRequest) -> QuarantineAnswer {
    if let id = request.journalID {
      let isAwaited = quarantines.contains {
        $0.endedAt == nil && $0.request.journalID == id && $0.request.signer != request.signer
      }
      if retiredJournals[id] != nil || isAwaited
        || journals.contains(where: { $0 != request.signer && $1.journalID == id })
      {
        return .retiredJournal
      }
    }
    guard journals[request.signer] != nil || vouchings.contains(where: { $0.names.contains(request.signer) }) else {
      return .unknownSigner
    }
    switch request.cause {
    case .signerAway:
      if isContinuous { return .notNeeded }
      if openQuarantine(of: request.signer) != nil { return .standing }
    case .journalLost: if journals[request.signer]?.journalID == request.journalID { return .notNeeded }
    case .bothStarted, .walletPast: break
    }
    return store(request) ? .requested : .standing
  }

  /// - Returns: false where the same stands already.
  mutating func store(_ request: QuarantineRequest) -> Bool {
    var replaced: QuarantineRequest?
    if let index = openQuarantine(of: request.signer) {
      let standing = quarantines[index].request
      if (standing.cause, standing.journalID) == (request.cause, request.journalID) { return false }
      endQuarantine(index, as: .replaced)
      replaced = standing
    }
    quarantines.append(
      Quarantine(
        id: Int64(quarantines.count + 1), request: lengthened(request, replacing: replaced), declaredBy: actor,
        declaredAt: now, declaredUnder: life))
    return true
  }

  /// The longest life that the database knows counts where both have started, and the length of the wait whose place this
  /// one takes.
  private func lengthened(_ request: QuarantineRequest, replacing replaced: QuarantineRequest?) -> QuarantineRequest {
    var expiration = request.expirationMilliseconds ?? Self.maximumExpirationMilliseconds
    if request.cause == .bothStarted {
      let lives = transactions.values.map { $0.entry.expiration.milliseconds(since: $0.entry.headTime) }
      let longest = lives.max() ?? 0
      expiration = max(expiration, longest + QuarantineRequest.lifeRoundingMilliseconds)
    }
    if let length = replaced?.expirationMilliseconds { expiration = max(expiration, length) }
    return QuarantineRequest(
      signer: request.signer, cause: request.cause, journalID: request.journalID, expirationMilliseconds: expiration,
      reason: request.reason)
  }

  private func openQuarantine(of signer: String) -> Int? {
    quarantines.firstIndex { $0.request.signer == signer && $0.endedAt == nil }
  }

  private mutating func endQuarantine(_ index: Int, as outcome: QuarantineOutcome) {
    quarantines[index].endedAt = now
    quarantines[index].outcome = outcome
  }

  /// `Ledger.beginQuarantines`.
  mutating func beginQuarantines(head: BlockPlace, under wanted: ServerLife) -> QuarantineBeginning {
    guard life == wanted else { return .anotherLife }
    let difference = abs(now.milliseconds(since: head.time))
    guard difference <= Self.clockBoundMilliseconds else { return .clocksDiffer(milliseconds: difference) }
    var begun: [String: Timestamp] = [:]
    for (index, row) in quarantines.enumerated() where row.endedAt == nil && row.wait?.life != life {
      var expiration = row.request.expirationMilliseconds ?? Self.maximumExpirationMilliseconds
      if row.declaredUnder != life { expiration = max(expiration, Self.maximumExpirationMilliseconds) }
      let until = now.advanced(byMilliseconds: 2 * Self.clockBoundMilliseconds + expiration)
      let begin = cursors[.solid]?.number ?? wallets.values.map(\.number).min() ?? 0
      quarantines[index].wait = Quarantine.Wait(life: life, beganAt: now, beginBlockNumber: begin, until: until)
      begun[row.request.signer] = until
      raiseAlarm("quarantine", "signer \(row.request.signer)", row.request.reason)
    }
    return .begun(begun)
  }

  /// `quarantine_is_over`.
  func isOver(_ quarantine: Quarantine) -> Bool {
    guard quarantine.endedAt == nil, let wait = quarantine.wait, wait.life == life, let solid = cursors[.solid],
      let head = cursors[.head], head.number >= solid.number
    else { return false }
    return blocks.contains { $0.number == solid.number && $0.id == solid.id } && solid.number > wait.beginBlockNumber
      && solid.time >= wait.until
  }

  /// `Ledger.openQuarantines`.
  var openQuarantines: [QuarantineRecord] { quarantines.filter { $0.endedAt == nil }.map(record) }

  /// All of them, in the order of their ids.
  var quarantineRecords: [QuarantineRecord] { quarantines.map(record) }

  private func record(_ row: Quarantine) -> QuarantineRecord {
    QuarantineRecord(
      id: row.id, signer: row.request.signer, cause: row.request.cause, journalID: row.request.journalID,
      reason: row.request.reason, declaredBy: row.declaredBy, declaredAt: row.declaredAt, beganAt: row.wait?.beganAt,
      until: row.wait?.until, isOfPresentLife: row.wait?.life == life, isOver: isOver(row), endedAt: row.endedAt,
      outcome: row.outcome)
  }

  /// `Ledger.endQuarantines`.
  mutating func endQuarantines(by vouching: Vouching) {
    for index in quarantines.indices where isOver(quarantines[index]) {
      let request = quarantines[index].request
      if request.signer == vouching.signer, let id = request.journalID, id != vouching.journalID,
        journals[vouching.signer]?.journalID == vouching.journalID
      {
        continue
      }
      endQuarantine(index, as: .waited)
      guard let id = request.journalID, let old = journals[request.signer] else { continue }
      retiredJournals[old.journalID] = request.signer
      journals[request.signer] = DeclaredJournal(wallet: old.wallet, journalID: id)
    }
  }

  /// `Ledger.mustWait`.
  func mustWait(_ signer: String) -> Bool {
    guard let open = openQuarantine(of: signer), !isOver(quarantines[open]) else { return false }
    return quarantines[...open].reversed().filter { $0.request.signer == signer }
      .prefix { $0.outcome == nil || $0.outcome == .replaced }
      .contains { [.bothStarted, .walletPast].contains($0.request.cause) }
  }

  /// A quarantine of its name ends when a Signer vouches.
  mutating func endQuarantine(ofVouched signer: String) {
    if let index = openQuarantine(of: signer) { endQuarantine(index, as: .vouched) }
  }

  /// Whose names a wait stands for under the present life.
  var waitedOut: Set<String> {
    Set(quarantines.filter { $0.outcome == .waited && $0.wait?.life == life }.map(\.request.signer))
  }

  /// `Ledger.quarantineThatKeepsAll`.
  var quarantineThatKeepsAll: QuarantineCondition? {
    let open = quarantines.filter { $0.endedAt == nil }
    let names = Set(open.map(\.request.signer))
    guard let since = open.map(\.declaredAt).min(), !isContinuous || names.isSuperset(of: journals.keys) else {
      return nil
    }
    let haveBegun = open.allSatisfy { $0.wait?.life == life }
    return QuarantineCondition(since: since, until: haveBegun ? open.compactMap { $0.wait?.until }.max() : nil)
  }

  /// `Ledger.bring`.
  mutating func bring(_ journal: [JournalEntry], of journalID: [UInt8]) throws -> LateJournalOutcome {
    guard let signer = retiredJournals[journalID] else { return .notRetired }
    let result = try putBack(missing(of: journal), signer: signer)
    closeExplainedFindings()
    return .brought(putBack: result.putBack, deferred: result.deferred, contradicted: result.contradicted)
  }
}
