public import Logging

/// Writes log events as one line each, JSON or readable text, with their metadata under the keys of `LogKey`.
///
/// A JSON line is one object: `time` (RFC 3339, UTC, milliseconds), `level`, `service`, `message`, `error` where there
/// is one, then the metadata in alphabetical order. Metadata under one of these names is written as `metadata.<name>`.
/// Values are cut at `maximumValueCharacters`, so that a stranger's long answer cannot fill the disk.
public struct StructuredLogHandler: LogHandler {
  /// The longest text of one value, in Unicode scalars.
  public static let maximumValueCharacters = 4_096

  /// The least level that is written.
  public var logLevel: Logger.Level
  /// Written with every line of this logger.
  public var metadata: Logger.Metadata = [:]
  /// Asked for more metadata at every line.
  public var metadataProvider: Logger.MetadataProvider?

  private let label: String
  private let service: String
  private let format: LogFormat
  private let clock: any WallClock
  private let output: any LogOutput

  /// - Parameters:
  ///   - label: the logger's; written as `logger` where it differs from the service.
  ///   - service: the name of the program.
  ///   - clock: dates the lines.
  ///   - output: takes the finished lines.
  public init(
    label: String, service: String, level: Logger.Level, format: LogFormat, clock: any WallClock,
    output: any LogOutput
  ) {
    self.label = label
    self.service = service
    self.logLevel = level
    self.format = format
    self.clock = clock
    self.output = output
  }

  /// One entry of this logger's metadata.
  public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  /// Writes one line. Of equal keys the event's wins over the provider's, and that over the logger's.
  public func log(event: LogEvent) {
    var merged = metadata
    if let provided = metadataProvider?.get() { merged.merge(provided) { _, new in new } }
    if let own = event.metadata { merged.merge(own) { _, new in new } }
    let line = LogLine(
      time: clock.now(), level: event.level, service: service, label: label == service ? nil : label,
      message: event.message.description, error: event.error.map { "\($0)" },
      metadata: merged.sorted { $0.key < $1.key })
    var bytes: [UInt8] = []
    switch format {
    case .json: line.json.append(to: &bytes)
    case .text: bytes.append(contentsOf: line.text.utf8)
    }
    bytes.append(UInt8(ascii: "\n"))
    output.write(bytes, isUrgent: event.level == .critical)
  }
}
