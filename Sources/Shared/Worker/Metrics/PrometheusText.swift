/// The spelling of Prometheus' text format 0.0.4 (prometheus.io, "Exposition formats").
enum PrometheusText {
  /// The media type of /metrics.
  static let contentType = "text/plain; version=0.0.4; charset=utf-8"

  /// A metric's name: `[a-zA-Z_:][a-zA-Z0-9_:]*`; other characters become underscores.
  static func metricName(_ label: String) -> String { name(label) { $0 == UInt8(ascii: ":") } }

  /// Labels without their braces, sorted by name: `outcome="ok",step="send"`. Of equal names the last one counts.
  static func labels(_ dimensions: [(String, String)]) -> String {
    let byName = Dictionary(dimensions.map { (name($0.0) { _ in false }, $0.1) }) { _, last in last }
    return byName.sorted { $0.key < $1.key }.map { "\($0.key)=\"\(escapedValue($0.value))\"" }.joined(separator: ",")
  }

  /// Labels as they stand behind a name; nothing where there are none.
  static func braced(_ labels: String) -> String { labels.isEmpty ? "" : "{\(labels)}" }

  /// A number as Go's ParseFloat reads it.
  static func number(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
    let text = "\(value)"
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }

  /// A help text: backslash and line feed are escaped.
  static func escapedHelp(_ text: String) -> String {
    text.unicodeScalars.map { $0 == "\\" ? "\\\\" : $0 == "\n" ? "\\n" : String($0) }.joined()
  }

  /// A label's value: backslash, line feed and quotation mark are escaped.
  static func escapedValue(_ text: String) -> String {
    text.unicodeScalars.map { $0 == "\\" ? "\\\\" : $0 == "\n" ? "\\n" : $0 == "\"" ? "\\\"" : String($0) }.joined()
  }

  private static func name(_ text: String, alsoAllowing isAllowed: (UInt8) -> Bool) -> String {
    let characters = text.utf8.enumerated().map { index, character -> UInt8 in
      switch character {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"): character
      case UInt8(ascii: "0")...UInt8(ascii: "9") where index > 0: character
      default: isAllowed(character) ? character : UInt8(ascii: "_")
      }
    }
    return characters.isEmpty ? "_" : String(decoding: characters, as: UTF8.self)
  }
}
