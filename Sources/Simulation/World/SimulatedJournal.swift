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
    /// What it knows to be on the disk, as an index made at opening and after each sync knows it.
    var known: [JournalEntry]
    /// Whether a call is under way: calls come one after the other, as those of an actor that waits for its disk.
    var isBusy = false
  }

  let id: [UInt8]
  let wallet: Address
  private let disk: SimulatedDisk
  private let host: SimulationHost
  private let gate: FaultGate
  private let process: SimulatedProcess
  private let state: Mutex<State>

  init(_ disk: SimulatedDisk, wallet: Address, host: SimulationHost, gate: FaultGate, process: SimulatedProcess) {
    id = disk.id
    self.wallet = wallet
    self.disk = disk
    self.host = host
    self.gate = gate
    self.process = process
    state = Mutex(State(known: disk.held))
  }

  private var known: [JournalEntry] { state.withLock { $0.known } }

  private static let errors = FaultGate.Errors(
    notDone: { _ in JournalError.io(operation: "write", path: "simulated", errno: 28) },
    unknown: { _ in JournalError.io(operation: "fsync", path: "simulated", errno: 5) })

  func adopt(_ life: ServerLife) async {
    // A world that is over adopts nothing.
    guard (try? await takeTurn()) != nil else { return }
    state.withLock { state in
      state.life = life
      state.isBusy = false
    }
  }

  func entries() async throws -> [JournalEntry] {
    try await takeTurn()
    defer { giveTurn() }
    guard !state.withLock({ $0.isUnusable }) else { throw JournalError.unusable(path: "simulated") }
    return disk.held
  }

  private func takeTurn() async throws {
    while state.withLock({ $0.isBusy }) { try await host.sleep(until: host.now + 5) }
    // Nobody runs between the two: jobs come one at a time.
    state.withLock { $0.isBusy = true }
  }

  private func giveTurn() { state.withLock { $0.isBusy = false } }

  func append(_ entries: [JournalEntry], under life: ServerLife) async throws {
    try await takeTurn()
    defer { giveTurn() }
    let new = try state.withLock { state in
      guard life == state.life else { throw JournalError.anotherLife }
      var held = Set(state.known.map(\.txid))
      let new = entries.filter { held.insert($0.txid).inserted }
      guard new.isEmpty || !state.isUnusable else { throw JournalError.unusable(path: "simulated") }
      return new
    }
    guard !new.isEmpty else { return }
    do {
      try await gate.pass("journal", .journal, of: process, Self.errors, writing(new))
      state.withLock { $0.known += new }
    } catch JournalError.io(let operation, let path, let number) {
      if operation == "fsync" { state.withLock { $0.isUnusable = true } }
      throw JournalError.io(operation: operation, path: path, errno: number)
    }
  }

  private func writing(_ entries: [JournalEntry]) -> Passage<Void> {
    let disk = disk
    var passage = Passage { disk.write(entries) }
    passage.hasTimeOut = false
    // Lines are written one after the other: a crash keeps the first ones of a group that was not synced.
    passage.partly = { chance in disk.write(Array(entries.prefix(Int(chance % UInt64(entries.count))))) }
    return passage
  }

  func holds(_ txid: TxID) -> Bool { known.contains { $0.txid == txid } }

  func attempts(of reference: Reference) -> [JournalEntry] {
    known.filter { $0.payouts.contains { $0.reference == reference } }
  }

  func amountSigned(since time: Timestamp, except unpaid: Set<TxID>) -> Amount {
    let sum = known.filter { $0.purpose == .payouts && $0.signedAt >= time && !unpaid.contains($0.txid) }
      .flatMap(\.payouts).reduce(Int128(0)) { $0 + Int128($1.amount.microUSDT) }
    return (try? Amount(microUSDT: Int64(clamping: sum))) ?? .zero
  }
}
