/// A point in time in Unix milliseconds, the resolution of TRON's blocks and transactions.
///
/// Where it comes from is the caller's affair: an injected clock, the database or a block. This module has no clock.
public struct Timestamp: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// Milliseconds since 1970-01-01T00:00:00Z.
  public let milliseconds: Int64

  /// A point in Unix milliseconds.
  public init(milliseconds: Int64) { self.milliseconds = milliseconds }

  /// A point in Unix microseconds, PostgreSQL's resolution, cut to the millisecond (towards the past).
  public init(microseconds: Int64) {
    self.milliseconds = microseconds >= 0 ? microseconds / 1_000 : -((999 - microseconds) / 1_000)
  }

  /// Unix microseconds, PostgreSQL's resolution.
  public var microseconds: Int64 { milliseconds * 1_000 }

  /// This point moved by a number of milliseconds, negative for the past.
  public func advanced(byMilliseconds change: Int64) -> Timestamp { Timestamp(milliseconds: milliseconds + change) }

  /// Milliseconds from `earlier` to this point.
  public func milliseconds(since earlier: Timestamp) -> Int64 { milliseconds - earlier.milliseconds }

  /// RFC 3339 in UTC with milliseconds: `2026-11-24T03:14:50.123Z`.
  public var description: String {
    let days = milliseconds.flooredQuotient(by: 86_400_000)
    let rest = milliseconds - days * 86_400_000
    let date = CivilDate(daysSinceEpoch: days)
    let seconds = rest / 1_000
    return "\(padded(date.year, 4))-\(padded(date.month, 2))-\(padded(date.day, 2))T"
      + "\(padded(seconds / 3600, 2)):\(padded(seconds / 60 % 60, 2)):\(padded(seconds % 60, 2))"
      + ".\(padded(rest % 1_000, 3))Z"
  }

  /// By time.
  public static func < (left: Timestamp, right: Timestamp) -> Bool { left.milliseconds < right.milliseconds }
}

extension Timestamp {
  /// Reads an RFC 3339 date-time with any offset; digits beyond milliseconds are cut.
  ///
  /// - Throws: `MalformedValue` for other forms, impossible dates, and leap seconds (which Unix time cannot hold).
  public init(rfc3339 text: some StringProtocol) throws(MalformedValue) {
    var reader = DigitReader(text.utf8)
    do {
      let date = CivilDate(
        year: try reader.digits(4), month: try reader.digits(2, after: "-"), day: try reader.digits(2, after: "-"))
      try reader.letter("T", or: "t")
      let hour = try reader.digits(2)
      let minute = try reader.digits(2, after: ":")
      let second = try reader.digits(2, after: ":")
      let fraction = try reader.fractionMilliseconds()
      let offset = try reader.offsetMinutes()
      guard reader.isAtEnd, let days = date.daysSinceEpoch, hour < 24, minute < 60, second < 60 else {
        throw MalformedValue("", "")
      }
      let minutes = days * 1_440 + hour * 60 + minute - offset
      self.init(milliseconds: (minutes * 60 + second) * 1_000 + fraction)
    } catch {
      throw MalformedValue("time", "expected RFC 3339 such as 2026-11-24T03:14:50Z")
    }
  }
}

/// A day of the proleptic Gregorian calendar, by Howard Hinnant's published day-count formulas.
private struct CivilDate {
  let year: Int64
  let month: Int64
  let day: Int64

  init(year: Int64, month: Int64, day: Int64) {
    self.year = year
    self.month = month
    self.day = day
  }

  init(daysSinceEpoch: Int64) {
    let shifted = daysSinceEpoch + 719_468
    let era = shifted.flooredQuotient(by: 146_097)
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
    month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
    year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  }

  /// Nil where there is no such day.
  var daysSinceEpoch: Int64? {
    guard (1...12).contains(month), day >= 1 else { return nil }
    let marchYear = month <= 2 ? year - 1 : year
    let era = marchYear.flooredQuotient(by: 400)
    let yearOfEra = marchYear - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let days = era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    let back = CivilDate(daysSinceEpoch: days)
    return back.month == month && back.day == day ? days : nil
  }
}

private struct DigitReader<Text: Collection> where Text.Element == UInt8 {
  private var rest: Text.SubSequence

  init(_ text: Text) { rest = text[...] }

  var isAtEnd: Bool { rest.isEmpty }

  mutating func digits(_ count: Int, after separator: Unicode.Scalar? = nil) throws -> Int64 {
    if let separator { try letter(separator, or: separator) }
    var value: Int64 = 0
    for _ in 0..<count { value = value * 10 + (try digit()) }
    return value
  }

  mutating func letter(_ wanted: Unicode.Scalar, or other: Unicode.Scalar) throws {
    guard let next = rest.popFirst(), next == UInt8(ascii: wanted) || next == UInt8(ascii: other) else {
      throw MalformedValue("", "")
    }
  }

  mutating func fractionMilliseconds() throws -> Int64 {
    guard rest.first == UInt8(ascii: ".") else { return 0 }
    rest = rest.dropFirst()
    var value = try digit() * 100
    var weight: Int64 = 10
    while let next = rest.first, isDigit(next) {
      value += try digit() * weight
      weight /= 10
    }
    return value
  }

  mutating func offsetMinutes() throws -> Int64 {
    guard let sign = rest.popFirst() else { throw MalformedValue("", "") }
    switch sign {
    case UInt8(ascii: "Z"), UInt8(ascii: "z"): return 0
    case UInt8(ascii: "+"), UInt8(ascii: "-"):
      let hours = try digits(2)
      let minutes = try digits(2, after: ":")
      guard hours < 24, minutes < 60 else { throw MalformedValue("", "") }
      return (hours * 60 + minutes) * (sign == UInt8(ascii: "+") ? 1 : -1)
    default: throw MalformedValue("", "")
    }
  }

  private mutating func digit() throws -> Int64 {
    guard let next = rest.popFirst(), isDigit(next) else { throw MalformedValue("", "") }
    return Int64(next - UInt8(ascii: "0"))
  }

  private func isDigit(_ character: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(character)
  }
}

extension Int64 {
  /// The quotient rounded towards the past, so that times before 1970 fall into the right day.
  fileprivate func flooredQuotient(by divisor: Int64) -> Int64 {
    let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? quotient - 1 : quotient
  }
}

private func padded(_ value: Int64, _ width: Int) -> String {
  let digits = String(value)
  return String(repeating: "0", count: max(0, width - digits.count)) + digits
}
