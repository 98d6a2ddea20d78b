// Proves that decimal text becomes an exact number of millionths or an error, at both sides of every boundary, and that
// arithmetic never wraps. Python's decimal module is the second opinion.
import Payouts
import TestSupport
import Testing

@Suite struct AmountTests {
  @Test(arguments: [
    ("0", 0), ("0.0", 0), ("0.000000", 0), ("0.000001", 1), ("0.999999", 999_999), ("1", 1_000_000),
    ("1.000001", 1_000_001), ("12.345678", 12_345_678), ("0.1", 100_000), ("100.10", 100_100_000), ("007", 7_000_000),
    ("9223372036854.775806", Int64.max - 1), ("9223372036854.775807", Int64.max),
  ])
  func `plain decimals are read exactly`(text: String, microUSDT: Int64) throws {
    #expect(try Amount(decimal: text).microUSDT == microUSDT)
    #expect(try Sun(trx: text).count == microUSDT)
  }

  @Test(arguments: [
    "", ".", "1.", ".5", "+1", "-1", "-0", "1e3", "1E3", " 1", "1 ", "1,5", "1_000", "0x10", "NaN", "inf", "1.2.3", "٣",
    "１", "½", "1\n", "0.0000001", "0.0000000", "1.2345678", "9223372036854.775808", "9223372036855",
    "99999999999999999999999999", "--1", "1-", "$1",
  ])
  func `everything else is refused, not rounded`(text: String) {
    #expect(throws: MalformedValue.self) { try Amount(decimal: text) }
    #expect(throws: MalformedValue.self) { try Sun(trx: text) }
  }

  @Test(arguments: [
    (0, "0"), (1, "0.000001"), (10, "0.00001"), (999_999, "0.999999"), (1_000_000, "1"), (1_000_001, "1.000001"),
    (12_500_000, "12.5"), (Int64.max, "9223372036854.775807"),
  ])
  func `an amount prints as few decimals as it needs`(microUSDT: Int64, text: String) throws {
    #expect(try Amount(microUSDT: microUSDT).description == text)
    #expect(Sun(microUSDT).trx == text)
  }

  @Test func `TRX may be negative, as a difference, and prints so`() {
    #expect(Sun(-1).trx == "-0.000001")
    #expect(Sun(.min).trx == "-9223372036854.775808")
    #expect(Sun(13_847_400).trx == "13.8474")
  }

  @Test func `an amount is never negative`() throws {
    #expect(throws: MalformedValue.self) { try Amount(microUSDT: -1) }
    #expect(throws: MalformedValue.self) { try Amount(microUSDT: .min) }
    #expect(try Amount(microUSDT: 0) == .zero)
  }

  @Test func `a sum is exact up to the last value and an error beyond it`() throws {
    let nearlyAll = try Amount(microUSDT: Int64.max - 1)
    #expect(try nearlyAll.adding(Amount(microUSDT: 1)).microUSDT == .max)
    #expect(throws: MalformedValue.self) { try nearlyAll.adding(Amount(microUSDT: 2)) }
    #expect(try Amount.zero.adding(.zero) == .zero)
  }

  @Test func `every amount survives its own text`() throws {
    var generator = SeededGenerator(printedFor: "amount text")
    for _ in 0..<2_000 {
      let bits = Int.random(in: 0...63, using: &generator)
      let value = Int64.random(in: 0...(bits == 63 ? .max : 1 << bits), using: &generator)
      let amount = try Amount(microUSDT: value)
      #expect(try Amount(decimal: amount.description) == amount)
    }
  }

  @Test func `random decimals agree with Python's decimal arithmetic`() async throws {
    var generator = SeededGenerator(printedFor: "amount decimals")
    let texts = (0..<2_000).map { _ -> String in
      let whole = (0..<Int.random(in: 1...14, using: &generator)).map { _ in
        "\(Int.random(in: 0...9, using: &generator))"
      }
      let fraction = (0..<Int.random(in: 0...7, using: &generator)).map { _ in
        "\(Int.random(in: 0...9, using: &generator))"
      }
      return fraction.isEmpty ? whole.joined() : whole.joined() + "." + fraction.joined()
    }
    let expected = try await PythonScript.run(
      """
      import sys
      from decimal import Decimal
      for line in sys.stdin:
          text = line.strip()
          decimals = len(text.split(".")[1]) if "." in text else 0
          value = int(Decimal(text).scaleb(6)) if decimals <= 6 else 2**63
          print(value if value < 2**63 else "refused")
      """, lines: texts)
    for (text, value) in zip(texts, expected) {
      #expect((try? Amount(decimal: text)).map { "\($0.microUSDT)" } ?? "refused" == value, "\(text)")
    }
  }

  @Test func `amounts compare by value`() throws {
    #expect(try Amount(decimal: "0.999999") < Amount(decimal: "1"))
    #expect(Sun(-1) < Sun(0))
  }
}
