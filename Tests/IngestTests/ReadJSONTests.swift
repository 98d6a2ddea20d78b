import Testing

@testable import Ingest

/// The JSON reader against RFC 8259 and its own limits.
struct ReadJSONTests {
  private func read(_ text: String) throws -> JSONValue { try ReadJSON.value(of: Array(text.utf8)) }

  @Test(arguments: [
    ("null", JSONValue.null), ("true", .flag(true)), (" false\n", .flag(false)), ("\"\"", .text("")),
    ("0", .number("0")), ("-0", .number("-0")), ("-0.0", .number("-0.0")), ("10", .number("10")),
    ("1.50", .number("1.50")), ("1e5", .number("1e5")), ("1E+5", .number("1E+5")), ("-1.25e-07", .number("-1.25e-07")),
    ("123456789012345678901234567890.000000000000000001", .number("123456789012345678901234567890.000000000000000001")),
    ("[]", .array([])), ("[ ]", .array([])), ("[1, [2]]", .array([.number("1"), .array([.number("2")])])),
    ("{}", .object([])), ("{ }", .object([])),
    ("{\"a\":{\"a\":1}}", .object([.init("a", .object([.init("a", .number("1"))]))])),
    ("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", .text("\"\\/\u{8}\u{c}\n\r\t")), ("\"\\u0041\\u00e9\\u20AC\"", .text("Aé€")),
    ("\"\\ud834\\udd1e\"", .text("𝄞")), ("\"é€𝄞\"", .text("é€𝄞")), ("\"\\u0000\"", .text("\0")),
    ("\"\u{7f}\"", .text("\u{7f}")),
    (
      "\t\r\n {\"b\" : [ true , null ] , \"a\" : \"\" }  ",
      .object([.init("b", .array([.flag(true), .null])), .init("a", .text(""))])
    ),
  ])
  func `a text that RFC 8259 allows is read, numbers with their digits`(_ text: String, _ value: JSONValue) throws {
    // Proves each production of the grammar; a number stays the text it was, however many digits it has.
    #expect(try read(text) == value)
  }

  @Test(arguments: [
    "", " ", "nul", "nulll", "True", "+1", "01", "-01", "-", ".5", "1.", "1.e5", "1e", "1e+", "0x10", "1_000", "NaN",
    "Infinity", "-Infinity", "'a'", "\"", "\"a", "\"\\\"", "\"\\x\"", "\"\\u12\"", "\"\\u12G4\"", "\"\\u+123\"",
    "\"\t\"", "\"\n\"", "\"\u{0}\"", "[", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[1]]", "]", "{", "{\"a\"",
    "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{a:1}", "{1:1}", "{\"a\" 1}", "{\"a\":1 \"b\":2}", "{,}", "{}{}",
    "1 2", "// c\n1", "/* c */1", "1 // c", "\u{feff}1", "\u{a0}1", "\"\\ud834\"", "\"\\ud834x\"", "\"\\ud834\\u0041\"",
    "\"\\udd1e\"", "\"\\udd1e\\ud834\"", "\"\\ud834\\\"", "{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":2}",
    "\"\\uFF11111\"x",
  ])
  func `a text that RFC 8259 forbids, or a name twice, is refused`(_ text: String) {
    // Proves that nothing is guessed: what another reader might read otherwise is not read at all.
    #expect(throws: MalformedJSON.self) { try read(text) }
  }

  @Test func `bytes that are no UTF-8 are refused`() {
    // Proves that no byte is replaced silently: overlong forms, surrogates, cut and stray bytes.
    let wrong: [[UInt8]] = [
      [0xff], [0x80], [0xc3], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82],
    ]
    for bytes in wrong {
      #expect(throws: MalformedJSON.self) { try ReadJSON.value(of: [0x22] + bytes + [0x22]) }
    }
  }

  @Test func `depth, number of values and length of numbers are limited, and the last possible ones are read`() throws {
    // Proves both sides of each limit; a bomb of brackets is refused at its limit, not at the end of the stack.
    func nested(_ depth: Int) -> String { String(repeating: "[", count: depth) + String(repeating: "]", count: depth) }
    _ = try read(nested(ReadJSON.depthMax))
    #expect(throws: MalformedJSON.self) { try read(nested(ReadJSON.depthMax + 1)) }
    #expect(throws: MalformedJSON.self) { try read(String(repeating: "[", count: 1 << 20)) }
    #expect(throws: MalformedJSON.self) { try read(String(repeating: "{\"a\":", count: 200_000)) }

    func list(_ count: Int) -> String { "[" + Array(repeating: "1", count: count - 1).joined(separator: ",") + "]" }
    _ = try read(list(ReadJSON.valuesMax))
    #expect(throws: MalformedJSON.self) { try read(list(ReadJSON.valuesMax + 1)) }

    _ = try read(String(repeating: "1", count: ReadJSON.numberCharactersMax))
    #expect(throws: MalformedJSON.self) { try read(String(repeating: "1", count: ReadJSON.numberCharactersMax + 1)) }
  }

  @Test func `what is written can be read again`() throws {
    // Proves that writer and reader agree, every escape included.
    let every = String(String.UnicodeScalarView((0...0x2030).compactMap { Unicode.Scalar($0) }))
    let value = JSONValue.object([
      .init(every, .array([.text(every), .number("-1.5e3"), .flag(true), .null, .object([])])), .init("", .text("")),
    ])
    #expect(try ReadJSON.value(of: value.utf8) == value)
    #expect(!value.utf8.contains { $0 < 0x20 || $0 == 0x7f })
  }

  @Test func `the canonical form sorts members at every level and keeps arrays`() throws {
    // Proves that the order of members does not matter and that of items does.
    let first = try read("{\"b\":[{\"d\":1,\"c\":2},3],\"a\":1}").canonical
    let second = try read("{\"a\":1,\"b\":[{\"c\":2,\"d\":1},3]}").canonical
    #expect(first == second)
    #expect(String(decoding: first.utf8, as: UTF8.self) == "{\"a\":1,\"b\":[{\"c\":2,\"d\":1},3]}")
    #expect(try read("{\"a\":[1,2]}").canonical != read("{\"a\":[2,1]}").canonical)
  }
}
