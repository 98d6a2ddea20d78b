/// How a log line looks: `LOG_FORMAT`.
public enum LogFormat: String, CaseIterable, Sendable {
  /// One JSON object a line, for machines.
  case json
  /// `time LEVEL service message key=value …`, for people.
  case text
}
