import Foundation
import Payouts
import TestSupport
import Testing
import Tron

@testable import Keystore
@testable import Simulation

private typealias Sample = JournalSample

/// The promises of `Journal`, each tried on every implementation: the file, the simulator's, and the one in memory.
///
/// What is expected is what the file does, since that is what runs: where another one answers otherwise, whatever is
/// proven with it is proven of something else.
@Suite struct JournalConformanceTests {
  @Test(arguments: JournalKind.allCases)
  func `it is empty at first, and who it was made as, opened again too`(kind: JournalKind) async throws {
    let first = try Sample.entry(1).txid
    try await withJournal(kind) { stand in
      try await stand.expectTwice(
        (.identity, .identity(Sample.journalID, Sample.wallet)), (.entries, .entries([])),
        (.holds(first), .holds(false)), (.attempts(Sample.reference(1)), .entries([])), (.amount(), .amount(0)))
    }
  }

  @Test(arguments: JournalKind.allCases)
  func `what was appended stands in its order, as it was given, opened again too`(kind: JournalKind) async throws {
    // What is another Signer's or wallet's, too: whoever appends has looked at that, and what another Signer has signed
    // is journaled before it is sent again.
    let entries = [
      try Sample.entry(3), try Sample.entry(9, amount: .max, by: "sig\"ner\n/ü", wallet: .zero),
      try Sample.entry(1, for: .treasury), try Sample.entry(2, of: [2, 4, 5]), try Sample.entry(4, of: []),
    ]
    try await withJournal(kind) { stand in
      try await stand.expect(
        (.append(Array(entries[..<2])), .done), (.append([]), .done), (.append(Array(entries[2...])), .done))
      try await stand.expectTwice((.entries, .entries(entries)))
      for entry in entries { try await stand.expect((.holds(entry.txid), .holds(true))) }
    }
  }

  @Test(arguments: JournalKind.allCases)
  func `what it holds is not written again, not even with other contents`(kind: JournalKind) async throws {
    let (first, second, third) = (try Sample.entry(1), try Sample.entry(2), try Sample.entry(3))
    let altered = try Sample.entry(1, of: [7], amount: 5)
    try await withJournal(kind) { stand in
      try await stand.expect(
        (.append([first]), .done), (.append([first]), .done), (.append([third, altered, second]), .done))
      try await stand.open(JournalPlan())
      try await stand.expect((.adopt(), .done), (.append([altered]), .done))
      try await stand.expectTwice(
        (.entries, .entries([first, third, second])), (.attempts(Sample.reference(1)), .entries([first])),
        (.attempts(Sample.reference(7)), .entries([])), (.amount(), .amount(3_000_000)))
    }
  }

  @Test(arguments: JournalKind.allCases)
  func `what stands twice in one group is written once`(kind: JournalKind) async throws {
    let twin = try Sample.entry(1)
    try await withJournal(kind) { stand in
      try await stand.expect((.append([twin, twin]), .done))
      try await stand.expectTwice(
        (.attempts(Sample.reference(1)), .entries([twin])), (.amount(), .amount(1_000_000)),
        (.entries, .entries([twin])))
    }
  }

  @Test(arguments: JournalKind.allCases)
  func `only what was read under the adopted life is taken, and an opening forgets it`(kind: JournalKind) async throws {
    // A life is another one where a single part of it is. What it holds is refused, too: it is to be read again.
    let (start, system, timeline) = (Sample.life(2), Sample.life(system: 8), Sample.life(timeline: "00000002"))
    let (first, second) = (try Sample.entry(1), try Sample.entry(2))
    try await withJournal(kind) { stand in
      for other in [start, system, timeline, Sample.life(oid: 2), Sample.life(node: 2)] {
        try await stand.expect(
          (.append([], under: other), .anotherLife), (.append([first], under: other), .anotherLife))
      }
      try await stand.expect(
        (.append([first]), .done), (.adopt(Sample.life(2)), .done), (.append([first]), .anotherLife),
        (.append([second]), .anotherLife), (.entries, .entries([first])))
      try await stand.open(JournalPlan())
      try await stand.expect((.append([second], under: Sample.life(2)), .anotherLife), (.entries, .entries([first])))
    }
  }

  @Test(arguments: JournalKind.allCases)
  func `a write that fails leaves nothing behind, and it goes on when there is room`(kind: JournalKind) async throws {
    let (first, group) = (try Sample.entry(1), [try Sample.entry(2), try Sample.entry(3)])
    try await withJournal(kind, JournalPlan(happening: .failsBefore, number: 2)) { stand in
      try await stand.expect(
        (.append([first]), .done), (.append(group), .inputOutput), (.holds(group[0].txid), .holds(false)),
        (.attempts(Sample.reference(2)), .entries([])), (.amount(), .amount(1_000_000)), (.entries, .entries([first])),
        (.append(group), .done))
      try await stand.expectTwice((.entries, .entries([first] + group)))
    }
  }

  @Test(arguments: JournalKind.allCases)
  func `after a failed fsync nothing is taken until the next opening, which has all`(kind: JournalKind) async throws {
    let (first, second, third) = (try Sample.entry(1), try Sample.entry(2), try Sample.entry(3))
    try await withFailedSync(kind) { stand in
      try await stand.expect(
        (.append([third]), .unusable), (.append([second]), .unusable),
        (.append([third], under: Sample.life(2)), .anotherLife), (.adopt(Sample.life(2)), .done),
        (.append([third], under: Sample.life(2)), .unusable))
      try await stand.open(JournalPlan())
      try await stand.expect(
        (.entries, .entries([first, second])), (.holds(second.txid), .holds(true)), (.adopt(), .done),
        (.append([third]), .done), (.entries, .entries([first, second, third])))
    }
  }

  @Test(arguments: JournalKind.allCases)
  func `after a failed fsync it holds nothing of that group`(kind: JournalKind) async throws {
    // Nobody knows what is on disk.
    let (first, second) = (try Sample.entry(1), try Sample.entry(2))
    try await withFailedSync(kind) { stand in
      try await stand.expect(
        (.holds(first.txid), .holds(true)), (.holds(second.txid), .holds(false)),
        (.attempts(Sample.reference(1)), .entries([first])), (.attempts(Sample.reference(2)), .entries([])),
        (.amount(), .amount(1_000_000)))
    }
  }

  @Test(arguments: JournalKind.allCases)
  func `after a failed fsync nobody reads it through until it is opened again`(kind: JournalKind) async throws {
    // So nobody vouches with it.
    try await withFailedSync(kind) { try await $0.expect((.entries, .unusable)) }
  }

  @Test(arguments: JournalKind.allCases)
  func `a group of which it holds all is taken, whatever is wrong with the disk`(kind: JournalKind) async throws {
    let held = try Sample.entry(1)
    try await withFailedSync(kind) { try await $0.expect((.append([]), .done), (.append([held]), .done)) }
    try await withJournal(kind, JournalPlan(happening: .failsBefore, number: 2)) { stand in
      try await stand.expect((.append([held]), .done), (.append([]), .done), (.append([held]), .done))
    }
  }

  @Test(arguments: [JournalKind.file, .simulated], [Happening.crashesBefore, .crashesWithin, .crashesAfter])
  func `a death in an append leaves a beginning of its group`(kind: JournalKind, happening: Happening) async throws {
    let (first, group) = (try Sample.entry(1), try (UInt8(2)...5).map { try Sample.entry($0) })
    let lengths: [Happening: ClosedRange<Int>] = [.crashesBefore: 0...0, .crashesWithin: 0...3, .crashesAfter: 4...4]
    try await withJournal(kind, JournalPlan(happening: happening, number: 2)) { stand in
      try await stand.expect((.append([first]), .done))
      let came = try await stand.answer(.append(group))
      guard case .died(let kept) = came else { Issue.record("it came to: \(came)"); return }
      #expect(lengths[happening]?.contains(kept) == true)
      try await stand.open(JournalPlan())
      try await stand.expect((.entries, .entries([first] + group.prefix(kept))), (.append(group), .anotherLife))
      for (index, entry) in group.enumerated() { try await stand.expect((.holds(entry.txid), .holds(index < kept))) }
      try await stand.expect((.adopt(), .done), (.append(group), .done))
      try await stand.expectTwice((.entries, .entries([first] + group)))
    }
  }

  @Test(arguments: [JournalKind.file, .simulated])
  func `while the disk hangs it answers at once, and holds nothing of what is written`(kind: JournalKind) async throws {
    let (first, second) = (try Sample.entry(1), try Sample.entry(2))
    let asked: [JournalCall] = [.holds(first.txid), .holds(second.txid), .attempts(Sample.reference(2)), .amount()]
    try await withJournal(kind, JournalPlan(happening: .hangs, number: 2, asked: asked)) { stand in
      try await stand.expect(
        (.append([first]), .done),
        (.append([second]), .hung([.holds(true), .holds(false), .entries([]), .amount(1_000_000)])),
        (.holds(second.txid), .holds(true)), (.entries, .entries([first, second])))
    }
  }

  @Test(arguments: JournalKind.allCases)
  func `amounts are those signed at or after a time, without what moved nothing`(kind: JournalKind) async throws {
    // Both sides of full hours, by which the file adds up; the treasury's own money never counts. Each digit of a sum
    // tells of one entry.
    let entries = [
      try Sample.entry(1, amount: 1, at: Sample.noon - 1), try Sample.entry(2, amount: 10, at: Sample.noon),
      try Sample.entry(3, amount: 100, at: Sample.noon + 1),
      try Sample.entry(4, of: [4, 5], amount: 1_000, at: Sample.noon + Sample.hour),
      try Sample.entry(6, amount: 50_000, for: .treasury),
    ]
    let unpaid: Set<TxID> = [entries[1].txid, entries[4].txid, try Sample.entry(99).txid]
    let sums: [(Int64, Int64)] = [
      (Sample.noon - Sample.hour, 2_111), (Sample.noon - 1, 2_111), (Sample.noon, 2_110), (Sample.noon + 1, 2_100),
      (Sample.noon + 2, 2_000), (Sample.noon + Sample.hour, 2_000), (Sample.noon + Sample.hour + 1, 0),
    ]
    try await withJournal(kind) { stand in
      try await stand.expect((.append(entries), .done))
      for (time, sum) in sums {
        try await stand.expectTwice(
          (.amount(since: time), .amount(sum)),
          (.amount(since: time, except: unpaid), .amount(time <= Sample.noon ? sum - 10 : sum)))
      }
    }
  }

  @Test(arguments: JournalKind.allCases)
  func `a sum beyond 64 bits is beyond any limit, and then exact again`(kind: JournalKind) async throws {
    let entries = try (UInt8(1)...3).map { try Sample.entry($0, amount: .max / 2) }
    try await withJournal(kind) { stand in
      try await stand.expect(
        (.append(entries), .done), (.amount(), .amount(.max)), (.amount(except: [entries[0].txid]), .amount(.max - 1)))
    }
  }

  @Test(arguments: JournalKind.allCases)
  func `attempts are what pays a reference, each once, the oldest first`(kind: JournalKind) async throws {
    // The file finds them by eight bytes made of the reference: another one has the same eight.
    let alike = Reference(exactly: Array(Sample.reference(1).bytes.suffix(8)) + Sample.reference(0).bytes.prefix(24))
    let entries = [
      try Sample.entry(9, of: [1]), try Sample.entry(4, of: [2, 1, 1]), try Sample.entry(5, of: [2]),
      try Sample.entry(3, of: [1, 2, 1], for: .treasury),
    ]
    try await withJournal(kind) { stand in
      try await stand.expect((.append(Array(entries[..<2])), .done), (.append(Array(entries[2...])), .done))
      try await stand.expectTwice(
        (.attempts(Sample.reference(1)), .entries([entries[0], entries[1], entries[3]])),
        (.attempts(Sample.reference(2)), .entries(Array(entries[1...]))), (.attempts(alike), .entries([])),
        (.attempts(Sample.reference(3)), .entries([])))
    }
  }

  @Test func `a file of another version is taken for damaged from its first line on`() async throws {
    // With a checksum of its own, as another program would write it. Whose wallet it is, is for the caller to look at.
    let owner = JournalHeader(id: Sample.journalID, signer: Sample.signer, wallet: Sample.wallet)
    let header = try JournalLine.header(owner)
    for version in 1...2 {
      let folder = try Sample.newFolder(in: FileManager.default.temporaryDirectory.path)
      defer { try? FileManager.default.removeItem(atPath: folder) }
      let path = FileJournal.path(directory: folder, signer: Sample.signer)
      let json = String(decoding: header.dropFirst(17).dropLast(), as: UTF8.self)
        .replacingOccurrences(of: "\"journal\":1,", with: "\"journal\":\(version),")
      let checksum = Hex.text(TxID(hashing: [UInt8](json.utf8)).bytes.prefix(8))
      try "\(checksum) \(json)\n".write(toFile: path, atomically: false, encoding: .utf8)
      do {
        #expect(try FileJournal.open(directory: folder, signer: Sample.signer).wallet == Sample.wallet && version == 1)
      } catch let error as JournalError {
        #expect(error == .damaged(path: path, line: 1) && version == 2)
      }
    }
  }

  @Test(arguments: [JournalKind.simulated, .memory])
  func `any sequence of calls, failures and deaths is answered as the file does`(kind: JournalKind) async throws {
    // 200 sequences. One ends where the two go apart, since what follows would say nothing; each way to go apart is
    // told once, with a sequence that leads there.
    let disk = try await mountedDisk()
    var seeds = SeededGenerator(printedFor: "journal conformance, \(kind.rawValue)")
    var (ways, reached) = ([String: String](), Set<String>())
    func word(_ text: some CustomStringConvertible) -> String { String(text.description.prefix { $0 != " " }) }
    for _ in 0..<200 {
      let (file, other) = (try FileStand(disk), try makeStand(kind))
      var dice = try JournalDice(seed: seeds.next())
      var (trail, mustOpen) = ([String](), true)
      for _ in 0..<40 {
        if mustOpen || dice.roll(12) == 0 {
          let plan = dice.plan(kind)
          try await file.open(plan)
          try await other.open(plan)
          trail.append("open (\(plan))")
        }
        let call = dice.call()
        let came = try await other.answer(call)
        // Where a death leaves a part of a group, the file gets the same part: any is possible.
        if case .died(let kept) = came { file.linesKept = kept }
        let truth = try await file.answer(call)
        trail.append("\(call): \(truth)")
        reached.insert(word(truth))
        guard came == truth else {
          ways["\(word(call)) is \(word(truth)) for the file, not \(word(came))"] = "\(trail), but \(came)"
          break
        }
        mustOpen = word(truth) == "died"
      }
      try await file.end()
      try await other.end()
    }
    try await disk.unmount()
    for (way, trail) in ways.sorted(by: { $0.key < $1.key }) { Issue.record("\(way): \(trail)") }
    let wanted = ["identity", "entries", "holds", "amount", "done", "anotherLife", "inputOutput", "unusable"]
    #expect(Set(wanted).subtracting(reached).isEmpty && reached.contains("died") == (kind == .simulated))
  }
}

/// What the cases are about.
enum JournalSample {
  static let signer = "signer-1"
  static let wallet = Address(account: [UInt8](repeating: 0x11, count: 20))
  static let journalID = [UInt8](repeating: 0x4a, count: 16)
  static let hour: Int64 = 3_600_000
  static let noon = 494_004 * hour

  /// A life of the database's server.
  static func life(
    _ start: Int64 = 1, system: Int64 = 7, timeline: String = "00000001", oid: Int64 = 1, node: Int64 = 1
  ) -> ServerLife {
    ServerLife(
      systemIdentifier: system, timeline: timeline, startMicroseconds: start, transactionsOID: oid,
      transactionsFileNode: node)
  }

  /// The reference with a number.
  static func reference(_ number: UInt8) -> Reference { Reference(exactly: bytes(number)) }

  private static func bytes(_ number: UInt8) -> [UInt8] { [UInt8](repeating: 0, count: 31) + [number] }

  /// The entry with a number, which pays the same amount to each reference. It takes more than a page of a disk, so
  /// that a full one cuts it short.
  static func entry(
    _ number: UInt8, of references: [UInt8]? = nil, amount: Int64 = 1_000_000, at signedAt: Int64 = JournalSample.noon,
    for purpose: JournalEntry.Purpose = .payouts, by signer: String = JournalSample.signer,
    wallet: Address = JournalSample.wallet
  ) throws -> JournalEntry {
    JournalEntry(
      txid: TxID(exactly: bytes(number)), wallet: wallet, signer: signer,
      signedBytes: [UInt8](repeating: number, count: 2_100), referenceBlockNumber: 66_987_627,
      headTime: Timestamp(milliseconds: signedAt - 1_000), expiration: Timestamp(milliseconds: signedAt + 120_001),
      feeLimit: Sun(15_634_200), signedAt: Timestamp(milliseconds: signedAt),
      payouts: try (references ?? [number]).map { number in
        JournalPayout(
          payout: try PayoutID(bytes: [UInt8](repeating: number, count: 16)), reference: reference(number),
          attemptNumber: 2, token: wallet, recipient: .zero, amount: try Amount(microUSDT: amount))
      }, purpose: purpose)
  }

  /// The numbers of entries.
  static func numbers(_ entries: [JournalEntry]) -> [UInt8] { entries.map { $0.txid.bytes[31] } }

  /// An empty folder.
  static func newFolder(in parent: String) throws -> String {
    let folder = "\(parent)/journal-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    return folder
  }
}

/// Draws calls about few transactions and lives, so that each is met again and again.
private struct JournalDice {
  private var chance: SeededGenerator
  private let pool: [JournalEntry]
  private let lives = [Sample.life(1), Sample.life(2)]
  private var adopted = 0
  private var hasAdopted = false

  init(seed: UInt64) throws {
    var chance = SeededGenerator(seed: seed)
    pool = try (UInt8(1)...8).map { number in
      let count = Int.random(in: 0...2, using: &chance)
      return try Sample.entry(
        number, of: (0..<count).map { _ in UInt8.random(in: 1...3, using: &chance) },
        amount: Int64.random(in: 1...1_000_000_000, using: &chance),
        at: Sample.noon + Int64.random(in: -2...2, using: &chance) * Sample.hour / 2,
        for: Int.random(in: 0..<4, using: &chance) == 0 ? .treasury : .payouts)
    }
    self.chance = chance
  }

  mutating func roll(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &chance) }

  /// What goes wrong after the next opening.
  mutating func plan(_ kind: JournalKind) -> JournalPlan {
    hasAdopted = false
    guard roll(4) > 0 else { return JournalPlan() }
    // The one in memory knows no deaths; a disk that hangs is tried apart.
    let happenings =
      kind == .memory ? [.failsBefore, .answerIsLost] : Channel.journal.happenings.filter { $0 != .hangs }
    return JournalPlan(happening: happenings.randomElement(using: &chance), number: 1 + roll(3))
  }

  mutating func call() -> JournalCall {
    if !hasAdopted, roll(4) > 0 { return adopt() }
    let index = roll(pool.count)
    switch roll(14) {
    case 0: return adopt()
    case 1...6: return append()
    case 7...8: return .entries
    case 9: return .holds(pool[index].txid)
    case 10...11: return .attempts(Sample.reference(UInt8(1 + roll(3))))
    case 12: return .identity
    default:
      let unpaid = pool.shuffled(using: &chance).prefix(roll(4)).map(\.txid)
      return .amount(since: pool[index].signedAt.milliseconds + Int64(roll(3) - 1), except: Set(unpaid))
    }
  }

  private mutating func adopt() -> JournalCall {
    hasAdopted = true
    adopted = roll(2)
    return .adopt(lives[adopted])
  }

  private mutating func append() -> JournalCall {
    var group = Array(pool.shuffled(using: &chance).prefix(roll(4)))
    // Seldom one of them twice, and seldom under the other life.
    if let first = group.first, roll(20) == 0 { group.append(first) }
    let life = roll(8) == 0 ? 1 - adopted : adopted
    return .append(group, under: lives[life])
  }
}
