/// The named maximum of everything that a ``StreamTransport`` takes; every implementation keeps the same.
public enum StreamLimits {
  /// The most entries that one read or claim asks for, from each stream.
  public static let maximumCount = 1000
  /// The most streams in one read or claim.
  public static let maximumStreams = 16
  /// The most entries in one append.
  public static let maximumAppend = 10_000
  /// The most entries in one acknowledgement.
  public static let maximumAcknowledge = 10_000
  /// The most fields in an entry.
  public static let maximumFields = 16
  /// The most bytes in a field's name or value: entries carry ids, not payloads.
  public static let maximumFieldBytes = 1024
  /// The longest wait of one blocking read, in milliseconds.
  public static let maximumBlockMilliseconds = 60_000
  /// The longest idle time that a claim may ask for, in milliseconds: a day.
  public static let maximumIdleMilliseconds = 86_400_000
  /// The most bytes of a dead letter's error text; a longer one is cut.
  public static let maximumErrorBytes = 1024

  /// Checks what a read or claim asks for; throws `invalidArgument`.
  public static func check(streams: [StreamName], count: Int) throws(StreamError) {
    guard (1...maximumStreams).contains(streams.count), Set(streams).count == streams.count else {
      throw .invalidArgument("a read names 1 to \(maximumStreams) different streams, not \(streams.count)")
    }
    guard (1...maximumCount).contains(count) else {
      throw .invalidArgument("a read asks for 1 to \(maximumCount) entries, not \(count)")
    }
  }

  /// Checks how long a read may block; throws `invalidArgument`.
  public static func check(blockMilliseconds: Int) throws(StreamError) {
    guard (0...maximumBlockMilliseconds).contains(blockMilliseconds) else {
      throw .invalidArgument("a read blocks for 0 to \(maximumBlockMilliseconds) ms, not \(blockMilliseconds)")
    }
  }

  /// Checks the idle time of a claim; throws `invalidArgument`.
  public static func check(idleMilliseconds: Int) throws(StreamError) {
    guard (0...maximumIdleMilliseconds).contains(idleMilliseconds) else {
      throw .invalidArgument("a claim's idle time is 0 to \(maximumIdleMilliseconds) ms, not \(idleMilliseconds)")
    }
  }

  /// Checks the entries of an append; throws `invalidArgument`.
  public static func check(append entries: [[String: String]]) throws(StreamError) {
    guard entries.count <= maximumAppend else {
      throw .invalidArgument("an append takes up to \(maximumAppend) entries, not \(entries.count)")
    }
    for fields in entries {
      guard (1...maximumFields).contains(fields.count) else {
        throw .invalidArgument("an entry has 1 to \(maximumFields) fields, not \(fields.count)")
      }
      for (name, value) in fields
      where name.isEmpty || name.utf8.count > maximumFieldBytes || value.utf8.count > maximumFieldBytes {
        throw .invalidArgument(
          "a field's name has 1 to \(maximumFieldBytes) bytes and its value up to as many; "
            + "one has \(name.utf8.count) and \(value.utf8.count)")
      }
    }
  }

  /// Checks how many entries are acknowledged at once; throws `invalidArgument`.
  public static func check(acknowledge entries: [StreamEntry]) throws(StreamError) {
    guard entries.count <= maximumAcknowledge else {
      throw .invalidArgument("an acknowledgement takes up to \(maximumAcknowledge) entries, not \(entries.count)")
    }
  }

  /// The error text of a dead letter, cut at a character so that it keeps within ``maximumErrorBytes``.
  public static func cut(error: String) -> String {
    var cut = error
    while cut.utf8.count > maximumErrorBytes {
      cut.removeLast(max(1, (cut.utf8.count - maximumErrorBytes) / 4))
    }
    return cut
  }
}
