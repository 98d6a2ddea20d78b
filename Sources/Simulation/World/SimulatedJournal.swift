import Keystore
import Payouts
import Synchronization

/// The disk of a Signer: what was synced outlives its process.
final class SimulatedDisk: Sendable {
  let id: [UInt8]
  private let entries = Mutex<[JournalEntry]>([])

  init(id: [UInt8]) { self.id = id }

  var held: [JournalEntry] { entries.withLock { $0 } }

  /// Keeps what it does not hold yet.
  func write(_ new: [JournalEntry]) {
    entries.withLock { entries in
      var known = Set(entries.map(\.txid))
      entries += new.filter { known.insert($0.txid).inserted }
    }
  }

  /// Loses everything after the first `count` entries: a snapshot was put back.
  func keep(first count: Int) { entries.withLock { $0 = Array($0.prefix(count)) } }
}

/// A Signer's own journal on its disk, opened by one process.
final class SimulatedJournal: Journal {
  private struct State {
    var life: ServerLife?
    var isUnusable = false
  }

  let id: [UInt8]
  let wallet: Address
  private let disk: SimulatedDisk
  private let gate: FaultGate
  private let process: SimulatedProcess
  private let state = Mutex(State())

  init(_ disk: SimulatedDisk, wallet: Address, gate: FaultGate, process: SimulatedProcess) {
    id = disk.id
    self.wallet = wallet
    self.disk = disk
    self.gate = gate
    self.process = process
  }

  private static let errors = FaultGate.Errors(
    notDone: { _ in JournalError.io(operation: "write", path: "simulated", errno: 28) },
    unknown: { _ in JournalError.io(operation: "fsync", path: "simulated", errno: 5) })

  func adopt(_ life: ServerLife) async { state.withLock { $0.life = life } }

  func entries() async throws -> [JournalEntry] { disk.held }

  func append(_ entries: [JournalEntry], under life: ServerLife) async throws {
    try state.withLock { state in
      guard life == state.life else { throw JournalError.anotherLife }
      guard !state.isUnusable else { throw JournalError.unusable(path: "simulated") }
    }
    do {
      try await gate.pass(
        "journal", .journal, of: process, Self.errors, Passage { try self.writeUnder(life, entries) })
    } catch JournalError.io(let operation, let path, let number) {
      if operation == "fsync" { state.withLock { $0.isUnusable = true } }
      throw JournalError.io(operation: operation, path: path, errno: number)
    }
  }

  /// Another life may have been adopted while the write waited for its turn.
  private func writeUnder(_ life: ServerLife, _ entries: [JournalEntry]) throws {
    guard state.withLock({ $0.life }) == life else { throw JournalError.anotherLife }
    disk.write(entries)
  }

  func holds(_ txid: TxID) -> Bool { disk.held.contains { $0.txid == txid } }

  func attempts(of reference: Reference) -> [JournalEntry] {
    disk.held.filter { $0.payouts.contains { $0.reference == reference } }
  }

  func amountSigned(since time: Timestamp, except unpaid: Set<TxID>) -> Amount {
    let sum = disk.held.filter { $0.purpose == .payouts && $0.signedAt >= time && !unpaid.contains($0.txid) }
      .flatMap(\.payouts).reduce(Int64(0)) { $0 + $1.amount.microUSDT }
    return (try? Amount(microUSDT: sum)) ?? .zero
  }
}
