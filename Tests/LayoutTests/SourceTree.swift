import Foundation

/// The package's own files, as they lie on disk.
enum SourceTree {
  /// A source file of ours.
  struct File: Sendable {
    /// From the package's folder: `Sources/Shared/Ledger/Ledger.swift`.
    let path: String
    /// All of it.
    let text: String

    /// Its lines, without their ends.
    var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }

    /// Its lines that are no comment.
    var codeLines: [Substring] { lines.filter { !$0.drop { $0 == " " }.hasPrefix("//") } }

    /// The modules it imports.
    var imports: Set<String> {
      let pattern =
        /^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:(?:public|package|internal|fileprivate|private)\s+)?import\s+(?:(?:struct|class|enum|protocol|func|var|let|typealias)\s+)?(\w+)/
      return Set(codeLines.compactMap { $0.firstMatch(of: pattern).map { String($0.output.1) } })
    }

    /// Whether a generator wrote it.
    var isGenerated: Bool { path.hasSuffix(".pb.swift") || path.hasSuffix("OpenAPIDocument.swift") }
  }

  /// The package's folder.
  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  /// A file of the package as text.
  static func text(_ path: String) throws -> String {
    try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
  }

  /// The names of the folders in a folder.
  static func folders(in path: String) throws -> [String] {
    let folder = root.appendingPathComponent(path)
    return try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { name in
      var isDirectory: ObjCBool = false
      return FileManager.default.fileExists(atPath: folder.appendingPathComponent(name).path, isDirectory: &isDirectory)
        && isDirectory.boolValue
    }.sorted()
  }

  /// The Swift files under a folder.
  static func files(under path: String) throws -> [File] {
    let folder = root.appendingPathComponent(path)
    let names = try FileManager.default.subpathsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".swift") }
    return try names.sorted().map { File(path: "\(path)/\($0)", text: try text("\(path)/\($0)")) }
  }
}
