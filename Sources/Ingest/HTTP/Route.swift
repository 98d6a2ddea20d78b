import HTTPTypes

/// What a path names: the calls under its template, and the values of its parameters.
struct Route: Sendable {
  /// The template of the path.
  let template: String
  /// By method; GET answers HEAD as well.
  let operations: [HTTPRequest.Method: Operation]
  /// In the template's order; whether a text is an id is asked later.
  let parameters: [String]

  /// The route of a path without its query; nil where there is none. A literal segment goes before a parameter.
  init?(path: String) {
    let path = Route.stripped(path)
    let segments = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
    guard let found = Route.table.first(where: { $0.matches(segments) }) else { return nil }
    template = found.template
    operations = found.operations
    parameters = zip(found.segments, segments).filter { $0.0.isParameter }.map { String($0.1) }
  }

  /// The call of a method; nil where the path has none.
  func operation(_ method: HTTPRequest.Method) -> Operation? {
    operations[method == .head ? .get : method]
  }

  /// Whether all that stands here is answered without credentials.
  var isOpen: Bool { operations.values.allSatisfy(\.isOpen) }

  /// The methods that are answered, for `Allow`.
  var methods: [String] {
    (operations.keys.map(\.rawValue) + (operations[.get] == nil ? [] : ["HEAD"])).sorted()
  }

  private static func stripped(_ path: String) -> Substring {
    path == Operation.prefix || path.hasPrefix(Operation.prefix + "/")
      ? path.dropFirst(Operation.prefix.count) : path[...]
  }

  private struct Segment: Hashable, Sendable {
    let text: Substring
    var isParameter: Bool { text.first == "{" }
  }

  private struct Entry: Sendable {
    let template: String
    let segments: [Segment]
    var operations: [HTTPRequest.Method: Operation] = [:]

    func matches(_ path: ArraySlice<Substring>) -> Bool {
      segments.count == path.count && zip(segments, path).allSatisfy { $0.isParameter || $0.text == $1 }
    }
  }

  /// The templates with the most literal segments first.
  private static let table: [Entry] = {
    var entries: [String: Entry] = [:]
    for operation in Operation.allCases {
      let (method, template) = operation.place
      let segments = template.split(separator: "/").map { Segment(text: $0) }
      entries[template, default: Entry(template: template, segments: segments)].operations[method] = operation
    }
    return entries.values.sorted {
      let (left, right) = ($0.segments.count(where: \.isParameter), $1.segments.count(where: \.isParameter))
      return (left, $0.template) < (right, $1.template)
    }
  }()
}
