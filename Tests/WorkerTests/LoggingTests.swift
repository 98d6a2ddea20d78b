import Foundation
import Logging
import Payouts
import Synchronization
import Testing

@testable import Worker

/// Keeps lines instead of writing them.
final class KeptOutput: LogOutput {
  private let kept = Mutex<[(line: String, isUrgent: Bool)]>([])
  var lines: [String] { kept.withLock { $0.map(\.line) } }
  var urgent: [Bool] { kept.withLock { $0.map(\.isUrgent) } }
  func write(_ line: [UInt8], isUrgent: Bool) {
    kept.withLock { $0.append((String(decoding: line, as: UTF8.self), isUrgent)) }
  }
}

struct LoggingTests {
  private let output = KeptOutput()
  private let clock = VirtualClock(startingAt: 1_764_000_000_123)

  private struct Oops: Error, CustomStringConvertible {
    let description = "it \"broke\"\n"
  }

  private func logger(_ format: LogFormat, level: Logger.Level = .trace, label: String = "signer") -> Logger {
    Logger(label: label) { label in
      StructuredLogHandler(
        label: label, service: "signer", level: level, format: format, clock: clock, output: output)
    }
  }

  /// The line as Foundation's own parser reads it.
  private func parsed(_ line: String) throws -> [String: Any] {
    #expect(line.hasSuffix("\n") && !line.dropLast().contains("\n"))
    return try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
  }

  /// Proves that a line is one JSON object with the promised fields, by a parser that is not ours.
  @Test func `a JSON line holds time, level, service, message, error and metadata`() throws {
    var logger = logger(.json)
    logger[metadataKey: LogKey.payoutID] = "019ab2c3"
    logger.warning(
      "Broadcast failed", error: Oops(),
      metadata: [
        LogKey.attemptNumber: "2", "list": ["a", .stringConvertible(7)], "nested": ["b": "c", "a": "\(Oops())"],
      ])
    let fields = try parsed(output.lines[0])
    #expect(fields["time"] as? String == "2025-11-24T16:00:00.123Z")
    #expect(fields["level"] as? String == "warning")
    #expect(fields["service"] as? String == "signer")
    #expect(fields["message"] as? String == "Broadcast failed")
    #expect(fields["error"] as? String == "it \"broke\"\n")
    #expect(fields["payout.id"] as? String == "019ab2c3")
    #expect(fields["attempt.number"] as? String == "2")
    #expect(fields["list"] as? [String] == ["a", "7"])
    #expect(fields["nested"] as? [String: String] == ["a": "it \"broke\"\n", "b": "c"])
    #expect(fields["logger"] == nil)
  }

  /// Proves that every scalar that could break a line or a string comes back as it was, through Foundation's parser.
  @Test func `every awkward character survives a JSON line`() throws {
    let scalars =
      (0...0x1f00).compactMap(Unicode.Scalar.init)
      + ["\u{2028}", "\u{2029}", "\u{fffd}", "😀", "\u{10ffff}"]
    let text = String(String.UnicodeScalarView(scalars.prefix(4_000)))
    let rest = String(String.UnicodeScalarView(scalars.suffix(4_096)))
    logger(.json).info("\(text)", metadata: ["key \"\\\n": "\(rest)"])
    let fields = try parsed(output.lines[0])
    let message = try #require(fields["message"] as? String)
    let value = try #require(fields["key \"\\\n"] as? String)
    let isSame = Array(message.unicodeScalars) == Array(text.unicodeScalars)
    #expect(isSame)
    let isRestSame = Array(value.unicodeScalars) == Array(rest.unicodeScalars)
    #expect(isRestSame)
    #expect(!output.lines[0].contains("\u{2028}") && !output.lines[0].contains("\u{7f}"))
  }

  /// Proves that metadata cannot take the place of a line's own fields, and that another label is shown.
  @Test func `metadata cannot overwrite a line's own fields`() throws {
    let level: Logger.MetadataValue = "critical"
    logger(.json, label: "pool").info("Hello", metadata: ["level": level, "message": "forged"])
    let fields = try parsed(output.lines[0])
    #expect(fields["level"] as? String == "info")
    #expect(fields["message"] as? String == "Hello")
    #expect(fields["metadata.level"] as? String == "critical")
    #expect(fields["logger"] as? String == "pool")
  }

  /// Proves that the level decides, that only critical lines are urgent, and that a line's own metadata wins.
  @Test func `levels and the order of metadata hold`() throws {
    var logger = logger(.json, level: .notice)
    logger[metadataKey: "a"] = "logger"
    logger.info("Quiet")
    logger.notice("Loud", metadata: ["a": "line"])
    logger.critical("Louder")
    #expect(output.lines.count == 2)
    #expect(output.urgent == [false, true])
    #expect(try parsed(output.lines[0])["a"] as? String == "line")
    #expect(try parsed(output.lines[1])["a"] as? String == "logger")
  }

  /// Proves that a copy of a logger has settings of its own, as swift-log asks of every handler.
  @Test func `the handler is a value`() {
    var first = logger(.json)
    first[metadataKey: "only"] = "first"
    var second = first
    second.logLevel = .error
    second[metadataKey: "only"] = "second"
    #expect(first.logLevel == .trace)
    #expect(first[metadataKey: "only"] == "first")
    #expect(second[metadataKey: "only"] == "second")
  }

  /// Proves both sides of the longest value.
  @Test func `a value is cut at its maximum`() throws {
    let limit = StructuredLogHandler.maximumValueCharacters
    logger(.json).info("x", metadata: ["a": "\(String(repeating: "ä", count: limit))"])
    logger(.json).info("x", metadata: ["a": "\(String(repeating: "ä", count: limit + 1))"])
    #expect((try parsed(output.lines[0])["a"] as? String)?.count == limit)
    let cut = try #require(try parsed(output.lines[1])["a"] as? String)
    #expect(cut.count == limit + 1 && cut.hasSuffix("ä…"))
  }

  /// Proves the readable form, and that a stranger's text cannot draw on the terminal or forge a line in it.
  @Test func `a text line is readable and holds no control character`() {
    logger(.text).error(
      "Went\u{1b}[31m wrong", metadata: ["b": "two words", "a": "1", "c": "x\ny", "d": "say \"hi\"", "e": ""])
    #expect(
      output.lines[0]
        == "2025-11-24T16:00:00.123Z ERROR    signer Went\\u{1b}[31m wrong a=1 b=\"two words\" c=x\\u{a}y "
        + "d=\"say \\\"hi\\\"\" e=\"\"\n")
  }

  /// Proves that lines reach a descriptor whole and in order from many tasks, and that a reader who falls behind loses
  /// whole lines only, which are counted.
  @Test func `the writing thread keeps lines whole and counts what it drops`() async throws {
    let pipe = Pipe()
    let target = StandardErrorOutput(descriptor: pipe.fileHandleForWriting.fileDescriptor)
    let line = [UInt8]((String(repeating: "x", count: 1_023) + "\n").utf8)
    // Nobody reads yet: the pipe holds 64 KiB, then 4 MiB wait, the rest is dropped.
    let sent = StandardErrorOutput.maximumPendingBytes / line.count + 1_000
    for _ in 0..<sent { target.write(line, isUrgent: false) }
    let reader = Task.detached { try pipe.fileHandleForReading.readToEnd() ?? Data() }
    target.write([UInt8]("last\n".utf8), isUrgent: true)
    // Closed while the thread still writes, its number may be another test's file by then.
    let deadline = ContinuousClock.now + .seconds(120)
    while !target.flush() { try #require(ContinuousClock.now < deadline, "the reader takes nothing") }
    try pipe.fileHandleForWriting.close()
    let lines = String(decoding: try await reader.value, as: UTF8.self).split(separator: "\n")
    let whole = lines.filter { $0.utf8.count == 1_023 }.count
    let notes = try lines.filter { $0.hasPrefix("{") }.map { try parsed("\($0)\n") }
    let dropped = notes.compactMap { $0["log.dropped.count"] as? Int }.reduce(0, +)
    #expect(lines.contains("last"))
    #expect(lines.count == whole + notes.count + 1)
    #expect(dropped > 0)
    #expect(whole + dropped == sent)
  }

  /// Proves that a reader who never reads cannot hold up an urgent line for ever.
  @Test func `an urgent line waits for its reader only so long`() throws {
    let pipe = Pipe()
    let target = StandardErrorOutput(descriptor: pipe.fileHandleForWriting.fileDescriptor)
    target.write([UInt8](repeating: 0x78, count: 1 << 20), isUrgent: false)
    let began = ContinuousClock.now
    target.write([UInt8]("urgent\n".utf8), isUrgent: true)
    #expect(ContinuousClock.now - began < .seconds(StandardErrorOutput.maximumFlushSeconds + 8))
    // Somebody reads at last, so that the writing thread can end.
    #expect(try pipe.fileHandleForReading.read(upToCount: (1 << 20) + 7)?.count == (1 << 20) + 7)
  }
}
