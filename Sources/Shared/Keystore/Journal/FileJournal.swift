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
    let (header, entries) = try file.read()
    guard header.signer == signer else {
      throw JournalError.another(path: path, detail: "it belongs to the Signer \(header.signer)")
    }
    return FileJournal(header: header, entries: entries, file: file)
  }

  private init(header: JournalHeader, entries: [JournalEntry], file: consuming JournalFile) {
    id = header.id
    wallet = header.wallet
    loop = FileJournal.loops.next()
    var index = JournalIndex()
    for entry in entries { index.insert(entry) }
    self.index = Mutex(index)
    self.file = file
  }

  /// See `Journal.adopt`.
  public func adopt(_ life: ServerLife) { self.life = life }

  /// See `Journal.entries`.
  public func entries() throws -> [JournalEntry] { try file.read().entries }

  /// See `Journal.append`.
  public func append(_ entries: [JournalEntry], under life: ServerLife) throws {
    guard life == self.life else { throw JournalError.anotherLife }
    let new = index.withLock { index in entries.filter { !index.holds($0.txid) } }
    guard !new.isEmpty else { return }
    try file.append(try new.flatMap(JournalLine.entry))
    index.withLock { index in for entry in new { index.insert(entry) } }
  }

  /// See `Journal.attempts`.
  public nonisolated func attempts(of reference: Reference) -> [JournalEntry] {
    index.withLock { $0.attempts(of: reference) }
  }

  /// See `Journal.amountSigned`.
  public nonisolated func amountSigned(since time: Timestamp, except unpaid: Set<TxID>) -> Amount {
    index.withLock { $0.amountSigned(since: time, except: unpaid) }
  }
}
