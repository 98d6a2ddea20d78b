/// The place of an entry in its stream; ids grow with every entry.
///
/// - Shape: printed as `<milliseconds>-<sequence>`, both unsigned 64-bit decimals.
/// - Source: Redis documentation, "Redis Streams", entry IDs.
public struct StreamEntryID: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// Unix time in milliseconds at which the server took the entry (its clock, never a basis for a decision).
  public let milliseconds: UInt64
  /// Tells apart the entries of one millisecond.
  public let sequence: UInt64

  /// Before every entry.
  public static let zero = StreamEntryID(milliseconds: 0, sequence: 0)

  /// An id by its two parts.
  public init(milliseconds: UInt64, sequence: UInt64) {
    self.milliseconds = milliseconds
    self.sequence = sequence
  }

  /// Reads the printed form; nil where the text is anything else.
  public init?(_ text: String) {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 2, let milliseconds = UInt64(parts[0]), let sequence = UInt64(parts[1]),
      parts[0].first != "+", parts[1].first != "+"
    else { return nil }
    self.init(milliseconds: milliseconds, sequence: sequence)
  }

  /// `<milliseconds>-<sequence>`.
  public var description: String { "\(milliseconds)-\(sequence)" }

  /// The order of entries in a stream.
  public static func < (left: StreamEntryID, right: StreamEntryID) -> Bool {
    (left.milliseconds, left.sequence) < (right.milliseconds, right.sequence)
  }
}

/// One entry as it was delivered: a wake-up that carries ids, never the authority to pay.
public struct StreamEntry: Hashable, Sendable {
  /// The stream it was read from.
  public let stream: StreamName
  /// Its place in that stream.
  public let id: StreamEntryID
  /// What it carries: ids only. Whoever reads it looks up the row.
  public let fields: [String: String]
  /// How often it was delivered, this time included: 1 for a first delivery.
  public let deliveries: Int

  /// An entry as a transport hands it out.
  public init(stream: StreamName, id: StreamEntryID, fields: [String: String], deliveries: Int) {
    self.stream = stream
    self.id = id
    self.fields = fields
    self.deliveries = deliveries
  }
}

/// The fields that a dead letter carries besides those of the entry it was made from.
///
/// They all begin with `dead.`; a field of the entry with such a name gives way.
public enum DeadLetterField {
  /// How all their names begin.
  static let prefix = "dead."
  /// Why the entry was given up.
  public static let error = "dead.error"
  /// The stream it came from.
  public static let stream = "dead.stream"
  /// The id it had there.
  public static let id = "dead.id"
  /// The group that gave it up.
  public static let group = "dead.group"
  /// How often it had been delivered.
  public static let deliveries = "dead.deliveries"
}
