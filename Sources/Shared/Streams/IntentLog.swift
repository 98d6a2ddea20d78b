/// The stream `intents`: what was committed and told, kept in a second place for some days (DESIGN.md §3 "Continuity").
///
/// Unlike the other streams it is no transport: no group reads it, nothing is acknowledged, and it is trimmed by age and
/// size. Its entries carry everything that is needed to restore a row; what they mean is the ledger's to know.
///
/// Errors are ``StreamError``, or `CancellationError` where the calling task was cancelled.
public protocol IntentLog: Sendable {
  /// Appends entries in order, within ``IntentLogBounds/appendMilliseconds`` or not at all: somebody waits for an answer.
  ///
  /// On an error some of them may be in the log. Appending them again is harmless: whoever reads compares with rows.
  func appendIntents(_ entries: [[String: String]]) async throws

  /// The first and the last entry; nil where the log is empty or gone.
  func intentExtent() async throws -> IntentLogExtent?

  /// Whether an entry stands in the log. Trimming takes the oldest alone: where a mark is gone and younger ones are there,
  /// all up to some place is gone, also when a server that lost its end went on writing.
  func holdsIntent(_ id: StreamEntryID) async throws -> Bool

  /// Entries with ids above `id` in their order, up to `count`. Changes nothing.
  func intents(after id: StreamEntryID, atMost count: Int) async throws -> [IntentLogEntry]

  /// Drops the oldest entries beyond an age (by the server's clock, which made the ids) and a size, roughly: whole nodes
  /// of the stream, up to some thousand entries a call. The last entry always stays, since a checkpoint may stand on it.
  func trimIntents(ageMilliseconds: Int64, bytesMax: Int) async throws -> IntentLogTrim
}

/// The named maximum of everything about the log of intents.
public enum IntentLogBounds {
  /// How long an answer waits for the log, in milliseconds.
  public static let appendMilliseconds = 2_000
  /// How often what was kept in memory is tried again, in milliseconds.
  public static let retryMilliseconds: Int64 = 1_000
  /// The most memory that the log may take in Redis, in bytes: about a million acceptances.
  public static let bytesMax = 1 << 30
  /// The most entries in one append or one page.
  public static let maximumEntries = 1_000
}

/// An entry of the log.
public struct IntentLogEntry: Sendable, Hashable {
  /// Its place.
  public let id: StreamEntryID
  /// What it says.
  public let fields: [String: String]

  /// An entry.
  public init(id: StreamEntryID, fields: [String: String]) {
    self.id = id
    self.fields = fields
  }
}

/// From where to where the log reaches.
public struct IntentLogExtent: Sendable, Hashable {
  /// The oldest entry that is there.
  public let first: StreamEntryID
  /// The newest one.
  public let last: StreamEntryID

  /// An extent.
  public init(first: StreamEntryID, last: StreamEntryID) {
    self.first = first
    self.last = last
  }
}

/// What a trimming found and did.
public struct IntentLogTrim: Sendable, Hashable {
  /// How many entries were dropped.
  public let removed: Int
  /// The log's memory before, in bytes.
  public let bytes: Int
  /// Whether entries were dropped before their time, because of the size.
  public let wasTooLarge: Bool

  /// A trimming.
  public init(removed: Int, bytes: Int, wasTooLarge: Bool) {
    self.removed = removed
    self.bytes = bytes
    self.wasTooLarge = wasTooLarge
  }
}
