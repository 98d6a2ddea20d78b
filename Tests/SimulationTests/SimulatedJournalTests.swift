import Keystore
import Payouts
import Synchronization
import Testing
import Tron

@testable import Simulation

/// What can happen to a Signer's journal.
@Suite struct SimulatedJournalTests {
  private static let start = SimulatedWorld.beginning

  private let host = SimulationHost(seed: 7, start: SimulatedJournalTests.start)
  private let disk = SimulatedDisk(id: [UInt8](repeating: 1, count: 16))
  private let process: SimulatedProcess

  init() { process = SimulatedProcess("signer-1", in: host) }

  private func life(_ number: Int64) -> ServerLife {
    ServerLife(
      systemIdentifier: number, timeline: "00000001", startMicroseconds: 1, transactionsOID: 1, transactionsFileNode: 1)
  }

  private func journal(_ happening: Happening?, ordinal: Int = 1, seed: UInt64 = 7) -> SimulatedJournal {
    let faults = happening.map {
      [
        Fault(
          place: FaultPlace(process: "signer-1", site: "journal", ordinal: ordinal), channel: .journal, happening: $0)
      ]
    }
    return SimulatedJournal(
      disk, wallet: .zero, host: host, gate: FaultGate(FaultPlan(listed: faults ?? []), seed: seed, host: host),
      process: process)
  }

  private func entries(_ count: UInt8) throws -> [JournalEntry] {
    try (1...count).map { number in
      JournalEntry(
        txid: try TxID([UInt8](repeating: number, count: 32)), wallet: .zero, signer: "signer-1", signedBytes: [],
        referenceBlockNumber: 1, headTime: Timestamp(milliseconds: 1), expiration: Timestamp(milliseconds: 2),
        feeLimit: Sun(1), signedAt: Timestamp(milliseconds: 1), payouts: [], purpose: .payouts)
    }
  }

  @Test("a disk that hangs is waited for: the write succeeds, and until then nobody reads or adopts another life")
  func hangs() throws {
    let (journal, entries, host) = (journal(.hangs), try entries(1), host)
    let (first, second) = (life(1), life(2))
    let told = Mutex<[String]>([])
    process.start {
      await journal.adopt(first)
      try? await journal.append(entries, under: first)
      told.withLock { $0.append("written after \((host.now - Self.start) / 1_000) s") }
    }
    process.start {
      try? await host.sleep(until: host.now + 1_000)
      await journal.adopt(second)
      let count = (try? await journal.entries().count) ?? -1
      told.withLock { $0.append("adopted after \((host.now - Self.start) / 1_000) s, holding \(count)") }
    }
    _ = host.run(until: Self.start + 60_000)
    #expect(
      Set(told.withLock { $0 }) == ["written after 10 s", "adopted after 10 s, holding 1"])
    #expect(disk.held == entries)
  }

  @Test("a crash within a group that is not synced keeps its first lines, any number of them but not all")
  func crashesWithin() throws {
    let entries = try entries(4)
    var kept: Set<Int> = []
    for seed in UInt64(1)...60 {
      let scene = SimulatedJournalTests()
      let journal = scene.journal(.crashesWithin, seed: seed)
      let life = life(1)
      scene.process.start {
        await journal.adopt(life)
        try? await journal.append(entries, under: life)
      }
      _ = scene.host.run(until: Self.start + 60_000)
      #expect(scene.process.isDead)
      #expect(scene.disk.held == Array(entries.prefix(scene.disk.held.count)))
      kept.insert(scene.disk.held.count)
    }
    #expect(kept == [0, 1, 2, 3])
  }

  @Test("what was read under an earlier life is not written")
  func anotherLife() throws {
    let (journal, entries) = (journal(nil), try entries(1))
    let (first, second) = (life(1), life(2))
    let error = Mutex<JournalError?>(nil)
    process.start {
      await journal.adopt(second)
      do { try await journal.append(entries, under: first) } catch let thrown {
        error.withLock { $0 = thrown as? JournalError }
      }
    }
    _ = host.run(until: Self.start + 60_000)
    #expect(error.withLock { $0 } == .anotherLife)
    #expect(disk.held.isEmpty)
  }
}
