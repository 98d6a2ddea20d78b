import Ledger
import Payouts
import Synchronization

/// The one database server of a simulated world.
final class SimulatedDatabase: Sendable {
  /// What a backup holds, with what the Signers' disks held at that moment.
  struct Backup: Sendable {
    let tables: LedgerTables
    let disks: [DiskMark]
  }

  /// How far a Signer's journal went; nil where there was no disk.
  struct DiskMark: Sendable {
    let id: [UInt8]?
    let count: Int
  }

  /// How far a change has come that is told of.
  enum Stage: Sendable {
    /// It is made and committed.
    case done
    /// It is made; its COMMIT takes effect late.
    case made
    /// Its COMMIT has taken effect, late.
    case landed
  }

  /// What came of trying a transaction.
  enum Attempt<Value: Sendable>: Sendable {
    case done(Value)
    /// Somebody holds until then what it would change.
    case mustWait(until: Int64)
  }

  private let tables: Mutex<LedgerTables>
  private let late = Mutex<(all: [LateCommit], count: Int)>(([], 0))
  private let backups = Mutex<[Backup]>([])
  private let written = Mutex(0)
  let host: SimulationHost
  /// Told of every change: what stood before, and what stands now.
  private let onChange: @Sendable (Stage, LedgerTables, LedgerTables) -> Void

  /// A server with empty tables.
  init(
    _ host: SimulationHost, onChange: @escaping @Sendable (Stage, LedgerTables, LedgerTables) -> Void = { _, _, _ in }
  ) {
    self.host = host
    self.onChange = onChange
    tables = Mutex(
      LedgerTables(now: Timestamp(milliseconds: host.now), life: SimulatedDatabase.life(startedAt: host.now)))
  }

  /// One transaction: all of it or nothing.
  func transaction<Value>(actor: String, _ body: (inout LedgerTables) throws -> sending Value) rethrows -> sending Value
  {
    let now = Timestamp(milliseconds: host.now)
    return try tables.withLock { tables in
      var copy = tables
      copy.now = now
      copy.actor = actor
      let value = try body(&copy)
      onChange(.done, tables, copy)
      tables = copy
      noteWrite()
      return value
    }
  }

  // MARK: Late commits

  /// A number of its own for each.
  func lateNumber() -> Int {
    late.withLock { late in
      late.count += 1
      return late.count
    }
  }

  /// Tries a transaction beside those whose COMMIT takes effect late.
  ///
  /// - Parameter landsAt: its number and moment where its own COMMIT does.
  func attempt<Value: Sendable>(
    _ site: String, actor: String, landsAt: (number: Int, moment: Int64)?,
    _ body: (inout LedgerTables) throws -> Value
  ) throws -> Attempt<Value> {
    let now = Timestamp(milliseconds: host.now)
    let late = late.withLock { $0.all }
    func holder(of rows: Set<String>) -> LateCommit? { late.first { $0.holds(any: rows) } }
    let locks = LateCommit.locks(of: site)
    if let holder = holder(of: locks) { return .mustWait(until: holder.landsAt) }
    return try tables.withLock { tables in
      var copy = tables
      copy.now = now
      copy.actor = actor
      for other in late { other.addTo(&copy.beside) }
      let value = try body(&copy)
      copy.beside = .init()
      // Mostly nobody commits late, and nobody asks.
      let rows = late.isEmpty && landsAt == nil ? [] : LateCommit.rows(tables, copy).union(locks)
      if let holder = holder(of: rows) { return .mustWait(until: holder.landsAt) }
      if let landsAt {
        onChange(.made, tables, copy)
        let commit = LateCommit(
          number: landsAt.number, landsAt: landsAt.moment, from: tables, to: copy, rows: rows)
        self.late.withLock { $0.all.append(commit) }
      } else {
        onChange(.done, tables, copy)
        tables = copy
        noteWrite()
      }
      return .done(value)
    }
  }

  /// A COMMIT takes effect, where its server lives on.
  func land(_ number: Int) {
    let commit = late.withLock { late in
      late.all.firstIndex { $0.number == number }.map { late.all.remove(at: $0) }
    }
    guard let commit else { return }
    tables.withLock { tables in
      let before = tables
      commit.land(in: &tables)
      tables.now = Timestamp(milliseconds: host.now)
      onChange(.landed, before, tables)
      noteWrite()
    }
  }

  /// A server that stops rolls back what it has not committed.
  private func rollBackLate() { late.withLock { $0.all = [] } }

  /// A transaction that changes nothing.
  func reading<Value>(actor: String, _ body: (LedgerTables) throws -> sending Value) rethrows -> sending Value {
    let now = Timestamp(milliseconds: host.now)
    return try tables.withLock { tables in
      tables.now = now
      tables.actor = actor
      return try body(tables)
    }
  }

  /// A transaction that is not committed.
  func rollBack(actor: String, _ body: (inout LedgerTables) throws -> Void) throws {
    var copy = contents
    copy.now = Timestamp(milliseconds: host.now)
    copy.actor = actor
    try body(&copy)
  }

  /// What stands in it.
  var contents: LedgerTables { tables.withLock { $0 } }

  /// How often something was written: while it stays, so does what stands in it.
  var writes: Int { written.withLock { $0 } }

  private func noteWrite() { written.withLock { $0 += 1 } }

  /// Starts it again: another life, vouched for by nobody.
  func restart() {
    rollBackLate()
    tables.withLock { $0.life = Restoration.fileCopy.life(after: $0.life, at: host.now) }
    noteWrite()
  }

  /// Takes a backup, one a slot; the last forty are kept.
  func backUp(_ disks: [DiskMark]) {
    let present = contents
    backups.withLock { backups in
      if backups.count == 40 { backups.removeFirst() }
      backups.append(Backup(tables: present, disks: disks))
    }
  }

  /// Puts the newest backup in its place that is at least so old and starts it: what was signed, sent, included and
  /// confirmed since is forgotten.
  ///
  /// - Parameter losesAcceptances: false for the newest one that lacks no acceptance and no unpaid end.
  /// - Returns: that backup, and whether it lacks any; nil where there is none.
  func goBack(
    slots: Int, losesAcceptances: Bool, by restoration: Restoration
  ) -> (backup: Backup, hasLost: Bool)? {
    let candidates = backups.withLock { $0.dropLast(slots) }
    return tables.withLock { tables in
      let life = restoration.life(after: tables.life, at: host.now)
      let usable = candidates.last { losesAcceptances || $0.tables.lacksOnlyPayments(of: tables) }
      guard let backup = usable else { return nil }
      let hasLost = !backup.tables.lacksOnlyPayments(of: tables)
      rollBackLate()
      tables = backup.tables
      tables.life = life
      noteWrite()
      return (backup, hasLost)
    }
  }

  private static func life(startedAt milliseconds: Int64) -> ServerLife {
    ServerLife(
      systemIdentifier: 1, timeline: "00000001", startMicroseconds: milliseconds * 1_000, transactionsOID: 1,
      transactionsFileNode: 1)
  }
}

extension LedgerTables {
  /// Whether these hold all payouts of other tables and all their unpaid ends.
  fileprivate func lacksOnlyPayments(of others: LedgerTables) -> Bool {
    others.payouts.values.allSatisfy { row in
      payouts[row.terms.id].map { !row.status.isUnpaidFinal || $0.status == row.status } ?? false
    }
  }
}
