public import Payouts

/// Signer's own memory, outside of the database: what it signed, before anybody else hears of it (DESIGN.md §3 point 2).
///
/// A database can go back in time; the journal does not. It is what a Signer compares the database with before it
/// vouches, so an entry that is in no journal was never broadcast.
public protocol Journal: Sendable {
  /// 16 random bytes; another id under a known Signer's name is a lost journal.
  nonisolated var id: [UInt8] { get }
  /// The wallet whose transactions it keeps.
  nonisolated var wallet: Address { get }

  /// From now on only entries read under this life of the database server are taken.
  ///
  /// Called before the entries are read for a vouching: whatever was read under an earlier life and is not journaled
  /// by now is thrown away for ever (DESIGN.md §3 "Continuity").
  func adopt(_ life: ServerLife) async
  /// All entries ever written, in order.
  /// - Throws: `JournalError` where the file cannot be read or was changed.
  func entries() async throws -> [JournalEntry]
  /// Writes entries that it does not hold yet and returns when they are on disk.
  /// - Throws: `JournalError.anotherLife` where `life` is not the adopted one: nothing was written. Any other error
  ///   leaves open what is on disk; nothing may be broadcast then.
  func append(_ entries: [JournalEntry], under life: ServerLife) async throws

  /// Whether it holds a transaction.
  nonisolated func holds(_ txid: TxID) -> Bool
  /// What it holds about a reference, oldest first.
  /// - Throws: `JournalError` where that cannot be read: nobody may then believe that there is nothing.
  nonisolated func attempts(of reference: Reference) throws -> [JournalEntry]
  /// What was signed at or after a point in time: Signer's limits are counted here too, since a database may forget.
  /// - Parameter unpaid: transactions that moved nothing; they do not count.
  nonisolated func amountSigned(since time: Timestamp, except unpaid: Set<TxID>) -> Amount
}

/// What is wrong with a journal.
public enum JournalError: Error, Equatable, Sendable, CustomStringConvertible {
  /// There is none; `payoutctl signer init` makes one.
  case missing(path: String)
  /// There is one already.
  case exists(path: String)
  /// Another process holds it.
  case locked(path: String)
  /// The operating system refused.
  case io(operation: String, path: String, errno: Int32)
  /// A line before the last is not what was written.
  case damaged(path: String, line: Int)
  /// A write or fsync failed, so that nobody knows what is on disk; only opening it anew tells.
  case unusable(path: String)
  /// It is another Signer's or another wallet's.
  case another(path: String, detail: String)
  /// The entries were read under another life of the database server.
  case anotherLife

  /// What happened and what to do.
  public var description: String {
    switch self {
    case .missing(let path):
      "there is no journal at \(path): run 'payoutctl signer init' once on a new installation; where it is lost for good, "
        + "'payoutctl signer init --journal-lost', which takes a quarantine"
    case .exists(let path): "there is a journal at \(path) already"
    case .locked(let path): "the journal \(path) is held by another process: one Signer a journal"
    case .io(let operation, let path, let errno): "\(operation) of the journal \(path) failed with errno \(errno)"
    case .damaged(let path, let line):
      "line \(line) of the journal \(path) is not what was written: treat the journal as lost ('payoutctl signer init --journal-lost')"
    case .unusable(let path):
      "an earlier write of the journal \(path) failed and could not be undone: mend the disk, then start Signer again"
    case .another(let path, let detail): "the journal \(path) is another one: \(detail)"
    case .anotherLife: "the database server was started again since these entries were read; they are thrown away"
    }
  }
}
