/// HTML that grows: everything that is no tag of ours is escaped.
struct HTMLText {
  private(set) var content = ""

  enum Cell {
    case text(String)
    case code(String)
    /// A schema, as its name or in words.
    case type(JSONValue)
  }

  mutating func raw(_ html: String) { content += html }

  mutating func text(_ text: String) { content += Self.escaped(text) }

  /// Paragraphs with `code` and **strong** words.
  mutating func paragraphs(_ text: String) {
    for paragraph in text.split(separator: "\n\n") {
      var (isCode, isStrong) = (false, false)
      raw("<p>")
      for (index, part) in paragraph.split(separator: "`", omittingEmptySubsequences: false).enumerated() {
        if index > 0 {
          raw(isCode ? "</code>" : "<code>")
          isCode.toggle()
        }
        for (place, words) in part.split(separator: "**", omittingEmptySubsequences: false).enumerated() {
          if place > 0 {
            raw(isStrong ? "</strong>" : "<strong>")
            isStrong.toggle()
          }
          self.text(String(words))
        }
      }
      raw("</p>")
    }
  }

  mutating func row(_ cells: [Cell]) {
    raw("<tr>")
    for cell in cells {
      raw("<td>")
      self.cell(cell)
    }
    raw("</tr>")
  }

  mutating func cell(_ cell: Cell) {
    switch cell {
    case .text(let text): self.text(text)
    case .code(let text):
      raw("<code>")
      self.text(text)
      raw("</code>")
    case .type(let schema): type(schema)
    }
  }

  private mutating func type(_ schema: JSONValue) {
    let parts = schema.items("allOf") + schema.items("oneOf")
    if let name = schema.reference {
      raw("<a href=\"#\(Self.escaped(name))\">")
      text(name)
      raw("</a>")
    } else if !parts.isEmpty {
      for (index, part) in parts.enumerated() {
        if index > 0 { raw(" or ") }
        type(part)
      }
    } else if schema.string("type") == "array" {
      raw("list of ")
      type(schema.member("items"))
    } else {
      text([schema.string("type"), schema.string("format")].filter { !$0.isEmpty }.joined(separator: ", "))
    }
    let words = schema.items("enum").compactMap(\.plainText)
    if !words.isEmpty { text(": \(words.joined(separator: ", "))") }
    for (name, words) in Self.bounds {
      if let bound = schema.member(name).plainText { text(", \(words) \(bound)") }
    }
    if schema.flag("nullable") { text(", or null") }
  }

  /// What a schema says besides its type, and how people say it.
  private static let bounds = [
    ("minimum", "at least"), ("maximum", "at most"), ("minLength", "characters: at least"),
    ("maxLength", "characters: at most"), ("minItems", "items: at least"), ("maxItems", "items: at most"),
    ("pattern", "as"), ("default", "default"),
  ]

  static func escaped(_ text: String) -> String {
    var escaped = ""
    for character in text {
      switch character {
      case "&": escaped += "&amp;"
      case "<": escaped += "&lt;"
      case ">": escaped += "&gt;"
      case "\"": escaped += "&quot;"
      default: escaped.append(character)
      }
    }
    return escaped
  }
}
