/// An amount of USDT, counted in micro-USDT (10⁻⁶), the token's own smallest unit.
///
/// Never negative; arithmetic that would leave the range of `Int64` throws or traps instead of wrapping.
/// No binary floating point comes near it.
public struct Amount: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// Decimals of USDT on TRON.
  public static let decimals = 6
  /// Nothing.
  public static let zero = Amount(exactly: 0)

  /// Micro-USDT, 0 or more.
  public let microUSDT: Int64

  private init(exactly microUSDT: Int64) { self.microUSDT = microUSDT }

  /// - Throws: `MalformedValue` for a negative number.
  public init(microUSDT: Int64) throws(MalformedValue) {
    guard microUSDT >= 0 else { throw MalformedValue("amount", "is negative") }
    self.microUSDT = microUSDT
  }

  /// Reads plain decimal text such as `12`, `0.01` or `12.345678`, exactly.
  ///
  /// - Throws: `MalformedValue` for a sign, an exponent, a lone dot, more than six decimals (zeros at the end
  ///   included: what a caller wrote is not rounded), or a number beyond `Int64`.
  public init(decimal text: some StringProtocol) throws(MalformedValue) {
    self.microUSDT = try Decimal6.parse(text, kind: "amount")
  }

  /// The sum.
  /// - Throws: `MalformedValue` where the sum does not fit.
  public func adding(_ other: Amount) throws(MalformedValue) -> Amount {
    let (sum, overflow) = microUSDT.addingReportingOverflow(other.microUSDT)
    guard !overflow else { throw MalformedValue("amount", "the sum is too large") }
    return Amount(exactly: sum)
  }

  /// Decimal text with as many decimals as needed: `12.5`, `3`, `0.000001`.
  public var description: String { Decimal6.text(microUSDT) }

  /// By value.
  public static func < (left: Amount, right: Amount) -> Bool { left.microUSDT < right.microUSDT }
}

/// An amount of TRX, counted in sun (10⁻⁶ TRX). A type of its own, so that fees and payouts cannot be mixed.
public struct Sun: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// Sun; fees, prices and balances on chain are Int64.
  public let count: Int64

  /// A number of sun.
  public init(_ count: Int64) { self.count = count }

  /// Reads decimal TRX, e.g. `100.5`.
  /// - Throws: `MalformedValue` as `Amount.init(decimal:)`.
  public init(trx text: some StringProtocol) throws(MalformedValue) {
    self.count = try Decimal6.parse(text, kind: "TRX amount")
  }

  /// Decimal TRX text: `13.8474`.
  public var trx: String { Decimal6.text(count) }

  /// The number and its unit.
  public var description: String { "\(count) sun" }

  /// By value.
  public static func < (left: Sun, right: Sun) -> Bool { left.count < right.count }
}

/// Decimal text of integers counted in millionths: USDT and TRX both have six decimals.
enum Decimal6 {
  private static let scale: Int64 = 1_000_000

  static func parse(_ text: some StringProtocol, kind: String) throws(MalformedValue) -> Int64 {
    let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 1 || parts.count == 2, parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy(isDigit) }) else {
      throw MalformedValue(kind, "expected a plain decimal number such as 12 or 0.5")
    }
    let fraction = parts.count == 2 ? Array(parts[1]) : []
    guard fraction.count <= Amount.decimals else {
      throw MalformedValue(kind, "has \(fraction.count) decimals, at most \(Amount.decimals) are possible")
    }
    var value: Int64 = 0
    for digit in Array(parts[0]) + fraction + repeatElement(UInt8(ascii: "0"), count: Amount.decimals - fraction.count)
    {
      let (product, high) = value.multipliedReportingOverflow(by: 10)
      let (sum, carried) = product.addingReportingOverflow(Int64(digit - UInt8(ascii: "0")))
      guard !high, !carried else { throw MalformedValue(kind, "is too large") }
      value = sum
    }
    return value
  }

  static func text(_ value: Int64) -> String {
    let magnitude = value.magnitude
    let whole = magnitude / UInt64(scale)
    let fraction = magnitude % UInt64(scale)
    let sign = value < 0 ? "-" : ""
    guard fraction > 0 else { return "\(sign)\(whole)" }
    let digits = String(fraction)
    let padded = String(repeating: "0", count: Amount.decimals - digits.count) + digits
    let last = padded.lastIndex { $0 != "0" } ?? padded.startIndex
    return "\(sign)\(whole).\(padded[...last])"
  }

  private static func isDigit(_ character: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(character)
  }
}
