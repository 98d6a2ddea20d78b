import Foundation
import Glibc
import Payouts
import Synchronization
import TestSupport
import Testing

@testable import Keystore

/// Signer's own journal in a file (DESIGN.md §3 point 2).
@Suite struct FileJournalTests {
  static let wallet = Address(account: [UInt8](repeating: 0x11, count: 20))
  static let id = [UInt8](repeating: 0x4a, count: 16)
  static let life = life(1)

  static func life(_ number: Int64) -> ServerLife {
    ServerLife(
      systemIdentifier: number, timeline: "00000001", startMicroseconds: number, transactionsOID: 16_400,
      transactionsFileNode: 16_400)
  }

  static func entry(_ number: Int, amount: Int64 = 1_000_000) throws -> JournalEntry {
    let bytes = (0..<32).map { UInt8(truncatingIfNeeded: $0 < 24 ? 7 : number >> (8 * (31 - $0))) }
    return JournalEntry(
      txid: TxID(exactly: bytes), wallet: wallet, signer: "signer-1",
      signedBytes: [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 281), referenceBlockNumber: 66_987_627,
      headTime: Timestamp(milliseconds: 1_777_445_307_000), expiration: Timestamp(milliseconds: 1_777_445_427_001),
      feeLimit: Sun(15_634_200), signedAt: Timestamp(milliseconds: 1_777_445_308_000 + Int64(number)),
      payouts: [
        JournalPayout(
          payout: try PayoutID(bytes: Array(bytes.suffix(16))), reference: Reference(exactly: bytes),
          attemptNumber: 2, token: wallet, recipient: Address(account: [UInt8](repeating: 0x33, count: 20)),
          amount: try Amount(microUSDT: amount))
      ])
  }

  /// Runs a test on a fresh journal in a folder of its own.
  func withFolder(_ body: (String) async throws -> Void) async throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("journal-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try FileJournal.create(directory: folder, signer: "signer-1", wallet: Self.wallet, id: Self.id)
    try await body(folder)
  }

  func path(_ folder: String) -> String { FileJournal.path(directory: folder, signer: "signer-1") }

  /// Opens a journal that nobody holds. Another test's child may hold its lock for the moment between its fork and its
  /// exec, so a locked one is tried again, for ten seconds.
  func openFree(_ folder: String) async throws -> FileJournal {
    let deadline = ContinuousClock.now + .seconds(10)
    while true {
      do {
        return try FileJournal.open(directory: folder, signer: "signer-1")
      } catch JournalError.locked where ContinuousClock.now < deadline {
        try await Task.sleep(for: .milliseconds(5))
      }
    }
  }

  /// What a journal holds that is opened anew.
  func reopened(_ folder: String) async throws -> [JournalEntry] { try await openFree(folder).entries() }

  @Test func `what was appended is there after it is opened again, 10,000 entries too`() async throws {
    // Whole round trip through the file, in portions as broadcasting makes them.
    try await withFolder { folder in
      let entries = try (0..<10_000).map { try Self.entry($0) }
      do {
        let journal = try await openFree(folder)
        await journal.adopt(Self.life)
        for start in stride(from: 0, to: entries.count, by: 200) {
          try await journal.append(Array(entries[start..<start + 200]), under: Self.life)
        }
        // What it holds already is not written again.
        try await journal.append(Array(entries[..<50]), under: Self.life)
      }
      let journal = try await openFree(folder)
      #expect(journal.id == Self.id && journal.wallet == Self.wallet)
      #expect(try await journal.entries() == entries)
      #expect(try journal.attempts(of: entries[4_711].payouts[0].reference) == [entries[4_711]])
      let last = entries[9_999].signedAt
      #expect(journal.amountSigned(since: entries[9_000].signedAt, except: []).microUSDT == 1_000_000_000)
      #expect(journal.amountSigned(since: last, except: []).microUSDT == 1_000_000)
      #expect(journal.amountSigned(since: last, except: [entries[9_999].txid]) == .zero)
      #expect(journal.amountSigned(since: last.advanced(byMilliseconds: 1), except: []) == .zero)
    }
  }

  @Test func `an entry is in the file before the append returns`() async throws {
    // Another reader of the file sees it at once.
    try await withFolder { folder in
      let journal = try await openFree(folder)
      await journal.adopt(Self.life)
      try await journal.append([try Self.entry(1)], under: Self.life)
      let text = try String(contentsOfFile: path(folder), encoding: .utf8)
      #expect(text.hasSuffix("\n") && text.split(separator: "\n").count == 2)
      #expect(text.contains("\(try Self.entry(1).txid)"))
    }
  }

  @Test func `every append and every opening waits for the disk, and one that the disk refuses is not taken`()
    async throws
  {
    // "Fsyncs it": counted at the system call. What a killed process wrote and did not sync is read at the next opening,
    // so that opening syncs it; after a refusal nobody knows what is on disk, and only another opening can tell.
    try await withFolder { folder in
      let syncs = Mutex(0)
      let isRefusing = Mutex(false)
      @Sendable func ask(_ descriptor: Int32) -> Int32 {
        syncs.withLock { $0 += 1 }
        guard isRefusing.withLock({ $0 }) else { return Glibc.fsync(descriptor) }
        errno = EIO
        return -1
      }
      func open() throws -> FileJournal { try FileJournal.open(directory: folder, signer: "signer-1", fsync: ask) }
      do {
        let journal = try open()
        #expect(syncs.withLock { $0 } == 1)
        await journal.adopt(Self.life)
        try await journal.append([try Self.entry(1)], under: Self.life)
        #expect(syncs.withLock { $0 } == 2)
        isRefusing.withLock { $0 = true }
        await #expect(throws: JournalError.io(operation: "fsync", path: path(folder), errno: EIO)) {
          try await journal.append([try Self.entry(2)], under: Self.life)
        }
        isRefusing.withLock { $0 = false }
        await #expect(throws: JournalError.unusable(path: path(folder))) {
          try await journal.append([try Self.entry(3)], under: Self.life)
        }
        #expect(try journal.attempts(of: try Self.entry(2).payouts[0].reference).isEmpty)
      }
      isRefusing.withLock { $0 = true }
      #expect(throws: JournalError.io(operation: "fsync", path: path(folder), errno: EIO)) { _ = try open() }
      isRefusing.withLock { $0 = false }
      let before = syncs.withLock { $0 }
      let reopened = try open()
      #expect(syncs.withLock { $0 } == before + 1)
      #expect(try await reopened.entries() == [try Self.entry(1), try Self.entry(2)])
    }
  }

  @Test func `a journal that could not be made whole has no name, and can be made again`() async throws {
    // A crash while `signer init` writes must not leave a file that nothing can open and nothing may replace.
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("journal-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try "half a li".write(toFile: "\(path(folder)).1234.new", atomically: false, encoding: .utf8)
    #expect(throws: JournalError.missing(path: path(folder))) {
      _ = try FileJournal.open(directory: folder, signer: "signer-1")
    }
    try FileJournal.create(directory: folder, signer: "signer-1", wallet: Self.wallet, id: Self.id)
    #expect(try await openFree(folder).id == Self.id)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder).count == 2)
  }

  @Test func `it is readable by its owner alone, made once, and another Signer's is refused`() async throws {
    try await withFolder { folder in
      let attributes = try FileManager.default.attributesOfItem(atPath: path(folder))
      #expect(attributes[.posixPermissions] as? Int == 0o600)
      #expect(throws: JournalError.exists(path: path(folder))) {
        try FileJournal.create(directory: folder, signer: "signer-1", wallet: Self.wallet, id: Self.id)
      }
      #expect(throws: JournalError.missing(path: "\(folder)/signer-2.journal")) {
        _ = try FileJournal.open(directory: folder, signer: "signer-2")
      }
      try FileManager.default.copyItem(atPath: path(folder), toPath: "\(folder)/signer-2.journal")
      #expect(throws: JournalError.self) { _ = try FileJournal.open(directory: folder, signer: "signer-2") }
    }
  }

  @Test func `a journal is held by one opener at a time`() async throws {
    // "A journal file is locked": a second opening in this process and one in another both fail; afterwards both can.
    try await withFolder { folder in
      do {
        let journal = try await openFree(folder)
        #expect(throws: JournalError.locked(path: path(folder))) {
          _ = try FileJournal.open(directory: folder, signer: "signer-1")
        }
        let other = try await ChildProcess.run("flock", ["--nonblock", path(folder), "true"])
        #expect(other.status == 1)
        #expect(try await journal.entries().isEmpty)
      }
      #expect(try await ChildProcess.run("flock", ["--timeout", "10", path(folder), "true"]).status == 0)
      #expect(try await reopened(folder).isEmpty)
    }
  }

  @Test func `another life's entries are refused, and none at all before one is adopted`() async throws {
    // "Bytes read or committed under an earlier start and not yet journaled are thrown away."
    try await withFolder { folder in
      let journal = try await openFree(folder)
      let entry = try Self.entry(1)
      await #expect(throws: JournalError.anotherLife) { try await journal.append([entry], under: Self.life) }
      await journal.adopt(Self.life)
      await journal.adopt(Self.life(2))
      await #expect(throws: JournalError.anotherLife) { try await journal.append([entry], under: Self.life) }
      #expect(try await journal.entries().isEmpty)
      try await journal.append([entry], under: Self.life(2))
      #expect(try await journal.entries() == [entry])
    }
  }

  @Test(arguments: [1, 17, 300])
  func `a last line that a crash cut short is cut off, and the next one stands on a line of its own`(
    missing: Int
  ) async throws {
    // Such an entry was never acknowledged, so nothing was broadcast for it.
    try await withFolder { folder in
      let entries = try (1...3).map { try Self.entry($0) }
      do {
        let journal = try await openFree(folder)
        await journal.adopt(Self.life)
        try await journal.append(Array(entries[..<2]), under: Self.life)
      }
      var bytes = try Data(contentsOf: URL(fileURLWithPath: path(folder)))
      bytes.removeLast(missing)
      try bytes.write(to: URL(fileURLWithPath: path(folder)))
      do {
        let journal = try await openFree(folder)
        #expect(try await journal.entries() == [entries[0]])
        #expect(try journal.attempts(of: entries[1].payouts[0].reference).isEmpty)
        await journal.adopt(Self.life)
        try await journal.append([entries[2]], under: Self.life)
      }
      #expect(try await reopened(folder) == [entries[0], entries[2]])
    }
  }

  @Test(arguments: [(0, 1), (1, 2)])
  func `damage before the last line is refused`(line: Int, number: Int) async throws {
    // Nothing is guessed: one changed digit of the header or of a middle line.
    try await withFolder { folder in
      do {
        let journal = try await openFree(folder)
        await journal.adopt(Self.life)
        try await journal.append(try (1...3).map { try Self.entry($0) }, under: Self.life)
      }
      var lines = try String(contentsOfFile: path(folder), encoding: .utf8).split(
        separator: "\n", omittingEmptySubsequences: false
      ).map { Array($0.utf8) }
      lines[line][60] ^= 1
      try Data(lines.joined(separator: [UInt8(ascii: "\n")])).write(to: URL(fileURLWithPath: path(folder)))
      await #expect(throws: JournalError.damaged(path: path(folder), line: number)) { _ = try await openFree(folder) }
    }
  }

  @Test func `on a full disk nothing is acknowledged, no half line stays, and it goes on when there is room`()
    async throws
  {
    // A file system of 64 KiB, filled but for a few bytes: the write is cut short in the middle of a line.
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("full-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try await ChildProcess.require("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", folder])
    let result: Result<Void, any Error>
    do { result = .success(try await fillDisk(folder)) } catch { result = .failure(error) }
    try await ChildProcess.require("umount", ["--lazy", folder])
    try FileManager.default.removeItem(atPath: folder)
    try result.get()
  }

  private func fillDisk(_ folder: String) async throws {
    try FileJournal.create(directory: folder, signer: "signer-1", wallet: Self.wallet, id: Self.id)
    let first = try Self.entry(1)
    let more = try (2...40).map { try Self.entry($0) }
    do {
      let journal = try await openFree(folder)
      await journal.adopt(Self.life)
      try await journal.append([first], under: Self.life)
      let ballast = "\(folder)/ballast"
      try Data(repeating: 1, count: 48 * 1024).write(to: URL(fileURLWithPath: ballast))
      for _ in 0..<2 {
        await #expect(throws: JournalError.io(operation: "write", path: path(folder), errno: ENOSPC)) {
          try await journal.append(more, under: Self.life)
        }
        #expect(try journal.attempts(of: more[0].payouts[0].reference).isEmpty)
        #expect(try await journal.entries() == [first])
        let text = try String(contentsOfFile: path(folder), encoding: .utf8)
        #expect(text.hasSuffix("\n") && text.split(separator: "\n").count == 2)
      }
      try FileManager.default.removeItem(atPath: ballast)
      try await journal.append(Array(more[..<10]), under: Self.life)
    }
    #expect(try await reopened(folder) == [first] + more[..<10])
  }
}
