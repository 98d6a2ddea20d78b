/// The name of a stream, as the whole system knows it; an implementation may put a prefix before it.
///
/// - Shape: 1 to ``maximumBytes`` bytes of UTF-8; names are written in the code, never taken from a request.
/// - Source: the design, "Streams".
public struct StreamName: Hashable, Sendable, CustomStringConvertible {
  /// The longest name: a key longer than this is a mistake, and every entry in a log would carry it.
  public static let maximumBytes = 200

  /// The name itself, such as `payouts.immediate`.
  public let text: String

  /// A stream by its name. Traps on an empty or overlong name, which only wrong code can bring.
  public init(_ text: String) {
    precondition(
      (1...Self.maximumBytes).contains(text.utf8.count),
      "a stream's name has 1 to \(Self.maximumBytes) bytes, not \(text.utf8.count)")
    self.text = text
  }

  /// Accepted payouts that are to be paid at once.
  public static let payoutsImmediate = StreamName("payouts.immediate")
  /// Accepted payouts that wait for the hourly window.
  public static let payoutsHourly = StreamName("payouts.hourly")
  /// Accepted payouts that wait for the daily window.
  public static let payoutsDaily = StreamName("payouts.daily")
  /// Accepted payouts that wait for the weekly window.
  public static let payoutsWeekly = StreamName("payouts.weekly")
  /// Settlement batches that are released to the signer.
  public static let batchesReady = StreamName("batches.ready")
  /// Transactions that were signed and sent, for the monitor to follow.
  public static let transactionsSent = StreamName("transactions.sent")

  /// What was accepted and what ended unpaid, kept for some days; see ``IntentLog``.
  public static let intents = StreamName("intents")

  /// Where entries go that were delivered too often: `<stream>.dead`.
  public var deadLetters: StreamName { StreamName(text + ".dead") }

  /// The name itself.
  public var description: String { text }
}

/// The name of a consumer group: one group per stage reads a stream, so that each entry is worked on once by the stage.
///
/// - Shape: 1 to ``maximumBytes`` bytes of UTF-8.
public struct ConsumerGroup: Hashable, Sendable, CustomStringConvertible {
  /// The longest name of a group.
  public static let maximumBytes = 200

  /// The name itself, such as `scheduler`.
  public let text: String

  /// A group by its name. Traps on an empty or overlong name, which only wrong code can bring.
  public init(_ text: String) {
    precondition(
      (1...Self.maximumBytes).contains(text.utf8.count),
      "a consumer group's name has 1 to \(Self.maximumBytes) bytes, not \(text.utf8.count)")
    self.text = text
  }

  /// Reads the four streams of accepted payouts.
  public static let scheduler = ConsumerGroup("scheduler")
  /// Reads `batches.ready`.
  public static let signer = ConsumerGroup("signer")
  /// Reads `transactions.sent`.
  public static let monitor = ConsumerGroup("monitor")

  /// The name itself.
  public var description: String { text }
}

/// The name of one consumer inside a group: the name of the worker's instance.
///
/// Two living workers of one group must not share a name: each would take the other's unfinished entries for its own.
///
/// - Shape: 1 to ``maximumBytes`` bytes of UTF-8 without control characters; it comes from configuration, so it is
///   checked with an error.
public struct ConsumerName: Hashable, Sendable, CustomStringConvertible {
  /// The longest name of a consumer.
  public static let maximumBytes = 200

  /// The name itself, such as `scheduler-1`.
  public let text: String

  /// A consumer by its name; throws `invalidArgument` where it is empty, too long or holds control characters.
  public init(_ text: String) throws(StreamError) {
    guard (1...Self.maximumBytes).contains(text.utf8.count), text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else {
      throw StreamError(
        code: .invalidArgument, outcome: .notDone,
        message: "a consumer's name must have 1 to \(Self.maximumBytes) bytes without control characters; "
          + "it has \(text.utf8.count) bytes: set SERVICE_NAME (Signer: SIGNER_NAME) to such a name")
    }
    self.text = text
  }

  /// The name itself.
  public var description: String { text }
}
