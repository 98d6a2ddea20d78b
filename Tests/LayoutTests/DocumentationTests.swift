import Foundation
import Testing

/// README.md says what is there, and all of it.
struct DocumentationTests {
  /// The keys in the first column of README's configuration tables.
  private func documentedKeys() throws -> [String] {
    let readme = try SourceTree.text("README.md")
    let rows = readme.split(separator: "\n").filter { $0.hasPrefix("| `") }
    return rows.flatMap { row -> [String] in
      let first = row.dropFirst().prefix { $0 != "|" }
      return first.matches(of: /`([A-Z][A-Z0-9_]{3,})`/).map { String($0.output.1) }
    }
  }

  /// The keys that programs read: texts in capitals, in the files that read settings.
  private func readKeys() throws -> Set<String> {
    let key = /"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|HOST|PORT)"/
    let files = try SourceTree.files(under: "Sources").filter { file in
      ["inout Settings", "extension Settings", "Settings.read", "ConfigurationSource("].contains {
        file.text.contains($0)
      }
    }
    #expect(files.count > 5)
    return Set(files.flatMap { $0.codeLines.flatMap { $0.matches(of: key).map { String($0.output.1) } } })
  }

  @Test func `the configuration table and the code name the same keys`() throws {
    // Proves both directions: no key is undocumented, and none is documented that nobody reads; none stands there twice.
    let documented = try documentedKeys()
    let read = try readKeys()
    #expect(read.contains("TRON_RPC_URL") && read.contains("DEVNET_FUND"), "the reader finds no keys any more")
    #expect(read.subtracting(documented).isEmpty, "not in README.md: \(read.subtracting(documented).sorted())")
    #expect(Set(documented).subtracting(read).isEmpty, "read by nobody: \(Set(documented).subtracting(read).sorted())")
    #expect(documented.count == Set(documented).count, "a key stands in README.md twice")
  }

  @Test func `the folder table names every folder`() throws {
    let readme = try SourceTree.text("README.md")
    let shared = try SourceTree.folders(in: "Sources/Shared").map { "Sources/Shared/\($0)" }
    let others = try SourceTree.folders(in: "Sources").filter { $0 != "Shared" }.map { "Sources/\($0)" }
    for folder in shared + others { #expect(readme.contains("`\(folder)`"), "\(folder) is not in README.md") }
  }

  @Test func `every command of README exists and can be run`() throws {
    let readme = try SourceTree.text("README.md")
    let commands = Set(readme.matches(of: /\bops\/[a-z]+(?:-[a-z]+)*\b(?!\.)/).map { String($0.output) }).subtracting([
      "ops/lib"
    ])
    #expect(commands.isSuperset(of: ["ops/demo", "ops/test", "ops/up", "ops/down"]))
    for command in commands.sorted() + [".ci/run"] {
      #expect(
        FileManager.default.isExecutableFile(atPath: SourceTree.root.appendingPathComponent(command).path),
        "\(command) cannot be run")
    }
  }

  @Test func `every suite, file and constraint that ops safety names exists`() throws {
    // What keeps an invariant, and what would notice if nothing did, is named there: the names must not go out of date.
    let document = try SourceTree.text("ops/safety.md")
    let suites = Set(document.matches(of: /\b[A-Z][A-Za-z]*Tests\b/).map { String($0.output) })
    let declared = Set(
      try SourceTree.files(under: "Tests").flatMap { file in
        file.text.matches(of: /(?:struct|class|actor) ([A-Z][A-Za-z]*Tests)\b/).map { String($0.output.1) }
      })
    #expect(suites.count > 30)
    #expect(suites.subtracting(declared).isEmpty, "there are no \(suites.subtracting(declared).sorted())")
    let sources = try SourceTree.files(under: "Sources").map(\.text).joined()
    let names = Set(document.matches(of: /`([a-z]+(?:_[a-z]+)+)`/).map { String($0.output.1) })
    #expect(names.count > 3)
    for name in names.sorted() { #expect(sources.contains(name), "nothing is named \(name)") }
  }
}
