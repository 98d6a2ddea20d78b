import Foundation
import Payouts
import TestSupport
import Testing

@testable import Worker

/// The clock that a test moves, without a process of its own.
struct ClockMovedByFileTests {
  private func withFile(_ text: String, _ body: (String) async throws -> Void) async throws {
    let path = FileManager.default.temporaryDirectory.appending(path: "clock-\(UUID().uuidString)").path
    try Data(text.utf8).write(to: URL(filePath: path))
    defer { try? FileManager.default.removeItem(atPath: path) }
    try await body(path)
  }

  private func ahead(_ clock: ClockMovedByFile) -> Int64 { clock.now().milliseconds(since: SystemClock().now()) }

  @Test func `it is ahead by what the file says, and follows it`() async throws {
    try await withFile("600000\n") { path in
      let clock = try ClockMovedByFile(path: path)
      #expect((590_000...600_000).contains(ahead(clock)))
      for (text, range) in [("-600000", -600_100...(-599_900)), ("0\n", -100...100)] as [(String, ClosedRange<Int64>)] {
        try Data(text.utf8).write(to: URL(filePath: path), options: .atomic)
        #expect(await eventually { range.contains(ahead(clock)) }, "\(text)")
      }
    }
  }

  @Test func `a file that is gone or half written leaves the clock where it is`() async throws {
    try await withFile("600000") { path in
      let clock = try ClockMovedByFile(path: path)
      for text in ["", "-", "6e5", "86400001", "1 2", nil] {
        if let text {
          try Data(text.utf8).write(to: URL(filePath: path))
        } else {
          try FileManager.default.removeItem(atPath: path)
        }
        let looked = ContinuousClock.now + .milliseconds(200)
        // Long enough for several looks.
        #expect(
          await eventually {
            _ = clock.now(); return ContinuousClock.now > looked
          })
        #expect((590_000...600_100).contains(ahead(clock)), "\(text ?? "gone")")
      }
      try Data("1000".utf8).write(to: URL(filePath: path))
      #expect(await eventually { (900...1_100).contains(ahead(clock)) })
    }
  }

  @Test func `many callers at once get a time, and none of them waits for the file`() async throws {
    try await withFile("600000") { path in
      let clock = try ClockMovedByFile(path: path)
      await withTaskGroup(of: Bool.self) { group in
        for _ in 0..<8 {
          group.addTask { (0..<20_000).allSatisfy { _ in (599_000...601_000).contains(ahead(clock)) } }
        }
        for await isRight in group { #expect(isRight) }
      }
    }
  }

  @Test(arguments: ["", "x", "1.5", "-86400001", "9223372036854775808", String(repeating: "0", count: 65)])
  func `what is no offset is refused at the start`(text: String) async throws {
    try await withFile(text) { path in
      #expect(throws: MalformedValue.self) { try ClockMovedByFile(path: path) }
    }
  }
}
