import Logging
import Payouts

/// One log event, ready to be written in either format.
struct LogLine {
  let time: Timestamp
  let level: Logger.Level
  let service: String
  /// The logger's label where it differs from the service.
  let label: String?
  let message: String
  let error: String?
  /// Sorted by key.
  let metadata: [(key: String, value: Logger.MetadataValue)]

  private static let reserved: Set<String> = ["time", "level", "service", "logger", "message", "error"]

  /// One object; see `StructuredLogHandler` for its fields.
  var json: JSON {
    var fields: [(String, JSON)] = [
      ("time", .text(time.description)), ("level", .text(level.rawValue)), ("service", .text(service)),
    ]
    if let label { fields.append(("logger", .text(label))) }
    fields.append(("message", .text(LogLine.cut(message))))
    if let error { fields.append(("error", .text(LogLine.cut(error)))) }
    for (key, value) in metadata {
      fields.append((LogLine.reserved.contains(key) ? "metadata.\(key)" : key, LogLine.json(value)))
    }
    return .object(fields)
  }

  /// `2026-11-24T03:14:50.123Z INFO    signer Message key=value key="two words"`.
  var text: String {
    let shownLevel = level.rawValue.uppercased()
    let padding = String(repeating: " ", count: max(0, 8 - shownLevel.count))
    let origin = label.map { "\(service)/\($0)" } ?? service
    var line = "\(time) \(shownLevel)\(padding) \(origin) \(LogLine.visible(LogLine.cut(message)))"
    let error = error.map { [(key: "error", value: Logger.MetadataValue.string($0))] } ?? []
    for (key, value) in error + metadata {
      line += " \(LogLine.visible(key))=\(LogLine.quoted(LogLine.cut(value.description)))"
    }
    return line
  }

  private static func json(_ value: Logger.MetadataValue) -> JSON {
    switch value {
    case .string(let text): .text(cut(text))
    case .stringConvertible(let value): .text(cut(value.description))
    case .array(let items): .array(items.map(json))
    case .dictionary(let fields): .object(fields.sorted { $0.key < $1.key }.map { ($0.key, json($0.value)) })
    }
  }

  private static func cut(_ text: String) -> String {
    let limit = StructuredLogHandler.maximumValueCharacters
    // UTF-8 has at least as many bytes as scalars, so that the usual short text is not counted twice.
    guard text.utf8.count > limit, text.unicodeScalars.count > limit else { return text }
    return String(String.UnicodeScalarView(text.unicodeScalars.prefix(limit))) + "…"
  }

  /// Control characters would let a stranger's text draw on the operator's terminal or forge a line.
  private static func visible(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: isControl) else { return text }
    return text.unicodeScalars.map { isControl($0) ? "\\u{\(String($0.value, radix: 16))}" : String($0) }.joined()
  }

  private static func quoted(_ text: String) -> String {
    let shown = visible(text)
    guard shown.isEmpty || shown.contains(where: { $0 == " " || $0 == "\"" || $0 == "=" }) else { return shown }
    return "\"\(shown.map { $0 == "\"" ? "\\\"" : String($0) }.joined())\""
  }

  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value) || scalar == "\u{2028}" || scalar == "\u{2029}"
  }
}
