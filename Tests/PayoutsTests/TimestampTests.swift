// Proves the calendar: what this module prints and reads is what Foundation's ISO 8601 says, and impossible dates are
// refused. Times before 1583 are left out of the comparison, since Foundation changes to the Julian calendar there.
import Foundation
import Payouts
import TestSupport
import Testing

@Suite struct TimestampTests {
  private static let first = Timestamp(milliseconds: -12_212_553_600_000)
  private static let last = Timestamp(milliseconds: 253_402_300_799_999)

  private func foundationText(_ timestamp: Timestamp) -> String {
    let seconds = timestamp.milliseconds.quotientAndRemainder(dividingBy: 1_000)
    let floored = seconds.remainder < 0 ? seconds.quotient - 1 : seconds.quotient
    let fraction = timestamp.milliseconds - floored * 1_000
    let whole = Date(timeIntervalSince1970: TimeInterval(floored)).formatted(.iso8601)
    return whole.dropLast() + "." + String(repeating: "0", count: 3 - "\(fraction)".count) + "\(fraction)Z"
  }

  @Test func `random times print and read as Foundation has them`() throws {
    var generator = SeededGenerator(printedFor: "timestamp text")
    for _ in 0..<5_000 {
      let timestamp = Timestamp(
        milliseconds: .random(in: Self.first.milliseconds...Self.last.milliseconds, using: &generator))
      #expect(timestamp.description == foundationText(timestamp))
      #expect(try Timestamp(rfc3339: timestamp.description) == timestamp)
    }
  }

  @Test func `random offsets and fractions read as Foundation reads them`() throws {
    var generator = SeededGenerator(printedFor: "timestamp offsets")
    let style = Date.ISO8601FormatStyle(timeZone: .gmt)
    for _ in 0..<2_000 {
      let whole = Timestamp(milliseconds: .random(in: -9_000_000_000...250_000_000_000, using: &generator) * 1_000)
      let offset = Int64.random(in: -720...840, using: &generator)
      let local = whole.advanced(byMilliseconds: offset * 60_000).description.dropLast(5)
      let sign = offset < 0 ? "-" : "+"
      let zone = sign + two(offset.magnitude / 60) + ":" + two(offset.magnitude % 60)
      let date = try style.parse(local + zone)
      #expect(try Timestamp(rfc3339: local + zone).milliseconds == Int64(date.timeIntervalSince1970) * 1_000)
      #expect(try Timestamp(rfc3339: "\(local).9\(zone)") == whole.advanced(byMilliseconds: 900))
      #expect(try Timestamp(rfc3339: "\(local).98\(zone)") == whole.advanced(byMilliseconds: 980))
      #expect(try Timestamp(rfc3339: "\(local).9876543\(zone)") == whole.advanced(byMilliseconds: 987))
    }
  }

  private func two(_ value: UInt64) -> String { value < 10 ? "0\(value)" : "\(value)" }

  @Test(arguments: [
    ("1970-01-01T00:00:00Z", 0), ("1969-12-31T23:59:59.999Z", -1), ("1970-01-01T00:00:00.001Z", 1),
    ("2000-02-29T00:00:00Z", 951_782_400_000), ("2024-02-29T23:59:59Z", 1_709_251_199_000),
    ("2024-12-31T23:59:59.999Z", 1_735_689_599_999), ("2026-04-29T06:48:27.123Z", 1_777_445_307_123),
    ("2026-04-29t06:48:27.123z", 1_777_445_307_123), ("2026-04-29T06:48:27.123-00:00", 1_777_445_307_123),
    ("1970-01-01T23:59:00+23:59", 0), ("1969-12-31T00:01:00-23:59", 0),
    ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
  ])
  func `known times are read`(text: String, milliseconds: Int64) throws {
    #expect(try Timestamp(rfc3339: text).milliseconds == milliseconds)
  }

  @Test(arguments: [
    "", "2026", "2026-11-24", "2026-11-24T03:14:50", "2026-11-24 03:14:50Z", "2026-11-24T03:14Z",
    "2026-11-24T03:14:50.Z",
    "2026-11-24T03:14:50,5Z", "2026-11-24T24:00:00Z", "2026-11-24T23:60:00Z", "2026-12-31T23:59:60Z",
    "2026-11-24T03:14:50+0100", "2026-11-24T03:14:50+24:00", "2026-11-24T03:14:50+01:60", "2026-11-24T03:14:50Z ",
    "2026-11-24T03:14:50ZZ", "2026-00-10T00:00:00Z", "2026-13-10T00:00:00Z", "2026-04-31T00:00:00Z",
    "2026-01-00T00:00:00Z", "2026-01-32T00:00:00Z", "2023-02-29T00:00:00Z", "1900-02-29T00:00:00Z",
    "2100-02-29T00:00:00Z", "26-11-24T03:14:50Z", "02026-11-24T03:14:50Z", "-026-11-24T03:14:50Z",
    "２026-11-24T03:14:50Z", "2026-1-24T03:14:50Z",
  ])
  func `impossible or other texts are refused`(text: String) {
    #expect(throws: MalformedValue.self) { try Timestamp(rfc3339: text) }
  }

  @Test(arguments: [
    (0, 0), (999, 0), (1_000, 1), (1_001, 1), (-1, -1), (-999, -1), (-1_000, -1), (-1_001, -2),
    (1_777_445_307_123_999, 1_777_445_307_123),
  ])
  func `microseconds are cut towards the past`(microseconds: Int64, milliseconds: Int64) {
    #expect(Timestamp(microseconds: microseconds).milliseconds == milliseconds)
  }

  @Test func `differences and moves are exact and opposite`() {
    let start = Timestamp(milliseconds: 1_777_445_307_123)
    let later = start.advanced(byMilliseconds: 120_000)
    #expect(later.milliseconds(since: start) == 120_000)
    #expect(start.milliseconds(since: later) == -120_000)
    #expect(start < later)
    #expect(start.microseconds == 1_777_445_307_123_000)
  }
}
