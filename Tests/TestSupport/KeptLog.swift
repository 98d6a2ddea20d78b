public import Logging
import Synchronization

/// Log lines that are kept, so that a test can follow something through them.
public final class KeptLog: Sendable {
  /// A line: its message and its fields.
  public struct Line: Sendable {
    /// What happened.
    public let message: String
    /// With which names and values.
    public let fields: [String: String]
  }

  private let kept = Mutex<[Line]>([])

  /// An empty log.
  public init() {}

  /// All lines, in order.
  public var lines: [Line] { kept.withLock { $0 } }

  /// The lines with this field and value.
  public func lines(where field: String, is value: String) -> [Line] { lines.filter { $0.fields[field] == value } }

  /// A logger that writes here, from the level of information on.
  public func logger(_ label: String) -> Logger { Logger(label: label) { _ in Handler(log: self) } }

  private struct Handler: LogHandler {
    let log: KeptLog
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level = .info

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
      let fields = metadata.merging(event.metadata ?? [:]) { $1 }.mapValues { "\($0)" }
      log.kept.withLock { $0.append(Line(message: "\(event.message)", fields: fields)) }
    }
  }
}
