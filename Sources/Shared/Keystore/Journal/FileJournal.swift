import Glibc
import NIOCore
import NIOPosix
public import Payouts
import Synchronization

/// A journal in a file of its own: one line an entry, each with a checksum, appended and synced before anything is
/// broadcast.
///
/// The actor runs on a thread of its own, so that fsync blocks no cooperative thread; calls come one after the other.
public actor FileJournal: Journal {
  private static let loops = MultiThreadedEventLoopGroup(numberOfThreads: 1)

  /// 16 random bytes.
  public nonisolated let id: [UInt8]
  /// The wallet whose transactions it keeps.
  public nonisolated let wallet: Address
  private nonisolated let loop: any EventLoop
  private nonisolated let index: Mutex<JournalIndex>
  private nonisolated let reader: JournalReader
  private var file: JournalFile
  private var life: ServerLife?

  /// Its own thread.
  public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.executor.asUnownedSerialExecutor() }

  /// Where the journal of a Signer lies in its state directory.
  public static func path(directory: String, signer: String) -> String { "\(directory)/\(signer).journal" }

  /// Makes an empty journal and syncs it and its folder.
  /// - Throws: `JournalError.exists` and `.io`.
  public static func create(directory: String, signer: String, wallet: Address, id: [UInt8]) throws {
    let path = path(directory: directory, signer: signer)
    try JournalFile.create(path, header: try JournalLine.header(JournalHeader(id: id, signer: signer, wallet: wallet)))
  }

  /// Opens and locks a journal, reads it through, and cuts off a last line that a crash left unfinished: such an entry
  /// was never acknowledged, so nothing was broadcast for it.
  /// - Throws: `JournalError`.
  public static func open(directory: String, signer: String) throws -> FileJournal {
    try open(directory: directory, signer: signer, fsync: { Glibc.fsync($0) })
  }

  /// The same, with another way to ask the disk.
  static func open(directory: String, signer: String, fsync: @escaping JournalFile.Sync) throws -> FileJournal {
    let path = path(directory: directory, signer: signer)
    let file = try JournalFile(path, fsync: fsync)
    try file.harden()
    var index = JournalIndex()
    let header = try file.read { index.insert($0, at: $1) }
    guard header.signer == signer else {
      throw JournalError.another(path: path, detail: "it belongs to the Signer \(header.signer)")
    }
    return FileJournal(header: header, index: index, reader: try JournalReader(path), file: file)
  }

  private init(header: JournalHeader, index: JournalIndex, reader: JournalReader, file: consuming JournalFile) {
    id = header.id
    wallet = header.wallet
    loop = FileJournal.loops.next()
    self.index = Mutex(index)
    self.reader = reader
    self.file = file
  }

  /// See `Journal.adopt`.
  public func adopt(_ life: ServerLife) { self.life = life }

  /// See `Journal.entries`.
  public func entries() throws -> [JournalEntry] {
    var entries: [JournalEntry] = []
    _ = try file.read { entry, _ in entries.append(entry) }
    return entries
  }

  /// See `Journal.append`.
  public func append(_ entries: [JournalEntry], under life: ServerLife) throws {
    guard life == self.life else { throw JournalError.anotherLife }
    var inGroup: Set<TxID> = []
    let new = index.withLock { index in
      entries.filter { !index.holds($0.txid) && inGroup.insert($0.txid).inserted }
    }
    guard !new.isEmpty else { return }
    let lines = try new.map(JournalLine.entry)
    var offset = try file.append(lines.flatMap { $0 })
    index.withLock { index in
      for (entry, line) in zip(new, lines) {
        index.insert(entry, at: JournalPlace(offset: offset, length: line.count - 1))
        offset += line.count
      }
    }
  }

  /// See `Journal.holds`.
  public nonisolated func holds(_ txid: TxID) -> Bool { index.withLock { $0.holds(txid) } }

  /// See `Journal.attempts`.
  public nonisolated func attempts(of reference: Reference) throws -> [JournalEntry] {
    try index.withLock { $0.places(of: reference) }.map { try reader.entry(at: $0) }
      .filter { $0.payouts.contains { $0.reference == reference } }
  }

  /// See `Journal.amountSigned`.
  public nonisolated func amountSigned(since time: Timestamp, except unpaid: Set<TxID>) -> Amount {
    index.withLock { $0.amountSigned(since: time, except: unpaid) }
  }
}
