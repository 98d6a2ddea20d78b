import FoundationEssentials
import Payouts
import Testing

@testable import Worker

/// Values given by `KEY_FILE`, with real files.
struct SettingsFileTests {
  private let folder = FileManager.default.temporaryDirectory.appending(path: "settings-\(UUID().uuidString)")

  /// Writes a file into a folder of its own, lends its path, and removes the folder.
  private func withFile(_ bytes: [UInt8], _ body: (String) throws -> Void) throws {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appending(path: "value")
    try Data(bytes).write(to: file)
    try body(file.path)
  }

  private func token(_ environment: [String: String]) throws(ConfigurationError) -> String {
    try Settings.read(environment: environment) { $0.secret("TOKEN").withText { $0 } }
  }

  private func problem(_ environment: [String: String]) throws -> String {
    let error = try #require(throws: ConfigurationError.self) { try token(environment) }
    #expect(error.problems.count == 1)
    #expect(error.problems[0].key == "TOKEN")
    return error.problems[0].text
  }

  /// Proves that exactly one newline at the end is dropped, whichever its form, and nothing else.
  @Test(arguments: [
    ("s3cret", "s3cret"), ("s3cret\n", "s3cret"), ("s3cret\r\n", "s3cret"), ("s3cret\n\n", "s3cret\n"),
    (" s3cret ", " s3cret "), ("\ns3cret", "\ns3cret"),
  ])
  func `a file's value loses one newline at its end`(_ content: String, _ value: String) throws {
    try withFile([UInt8](content.utf8)) { path throws in #expect(try token(["TOKEN_FILE": path]) == value) }
  }

  /// Proves that a key given twice is a problem even where both agree, and that neither value is shown.
  @Test func `a key and its file together are a problem`() throws {
    try withFile([UInt8]("s3cret".utf8)) { path in
      let text = try problem(["TOKEN": "s3cret", "TOKEN_FILE": path])
      #expect(text.contains("twice"))
      #expect(!text.contains("s3cret"))
    }
  }

  /// Proves that an empty variable beside a file counts as not set.
  @Test func `an empty variable leaves the file its word`() throws {
    try withFile([UInt8]("s3cret".utf8)) { path throws in
      #expect(try token(["TOKEN": "", "TOKEN_FILE": path]) == "s3cret")
    }
  }

  /// Proves that each way in which a file cannot be used is named with the path.
  @Test func `an unusable file is a problem that says why`() throws {
    #expect(try problem(["TOKEN_FILE": folder.path]).contains("does not exist"))
    #expect(try problem(["TOKEN_FILE": "/"]).contains("cannot be read"))
    try withFile([]) { path throws in #expect(try problem(["TOKEN_FILE": path]).contains("it is empty")) }
    try withFile([0x0a]) { path throws in #expect(try problem(["TOKEN_FILE": path]).contains("it is empty")) }
    try withFile([0xff, 0xfe]) { path in
      let text = try problem(["TOKEN_FILE": path])
      #expect(text.contains("not UTF-8"))
      #expect(text.contains(path))
    }
    let limit = Settings.maximumFileBytes
    try withFile([UInt8](repeating: 0x61, count: limit)) { path throws in
      #expect(try token(["TOKEN_FILE": path]).utf8.count == limit)
    }
    try withFile([UInt8](repeating: 0x61, count: limit + 1)) { path throws in
      #expect(try problem(["TOKEN_FILE": path]).contains("at most \(limit)"))
    }
  }

  /// Proves that a wrong value from a file says which file it came from, and that a number may come from one.
  @Test func `a wrong value from a file names the file`() throws {
    try withFile([UInt8]("12\n".utf8)) { path in
      let read = { (range: ClosedRange<Int64>) throws(ConfigurationError) -> Int64 in
        try Settings.read(environment: ["COUNT_FILE": path]) { $0.integer("COUNT", in: range) }
      }
      #expect(try read(1...12) == 12)
      let error = try #require(throws: ConfigurationError.self) { try read(1...11) }
      #expect(error.problems[0].text.contains("got \"12\" from the file \(path)"))
    }
  }
}
