// Proves that ids, hashes and hexadecimal text are read strictly and print what was read.
import Foundation
import Payouts
import TestSupport
import Testing

@Suite struct IdentityTests {
  @Test func `hexadecimal text is read in either case and printed in lower case`() {
    #expect(Hex.bytes("00ff7Ab0") == [0x00, 0xff, 0x7a, 0xb0])
    #expect(Hex.text([0x00, 0xff, 0x7a, 0xb0]) == "00ff7ab0")
    #expect(Hex.bytes("") == [])
    for text in ["0", "000", "0g", "0x00", " 00", "0\u{130}", "é"] { #expect(Hex.bytes(text) == nil, "\(text)") }
  }

  @Test func `every byte survives its hexadecimal text`() {
    let all = [UInt8](UInt8.min...UInt8.max)
    #expect(Hex.bytes(Hex.text(all)) == all)
    #expect(Hex.bytes(Hex.text(all).uppercased()) == all)
  }

  @Test func `a txid has exactly 32 bytes or 64 digits`() throws {
    let bytes = [UInt8](repeating: 0xab, count: 32)
    #expect(try TxID(bytes).description == String(repeating: "ab", count: 32))
    #expect(try TxID(hex: String(repeating: "AB", count: 32)).bytes == bytes)
    for count in [0, 31, 33] {
      #expect(throws: MalformedValue.self) { try TxID([UInt8](repeating: 0, count: count)) }
      #expect(throws: MalformedValue.self) { try TxID(hex: String(repeating: "00", count: count)) }
    }
    #expect(throws: MalformedValue.self) { try TxID(hex: "0x" + String(repeating: "0", count: 62)) }
  }

  @Test func `a block id carries its number`() throws {
    let id = try BlockID(hex: "0000000003fe266bf6b6d392f654dc2e5011601546ed04623d9fcc4e9d439a25")
    #expect(id.number == 66_987_627)
    #expect(try BlockID(hex: "7fffffffffffffff" + String(repeating: "0", count: 48)).number == .max)
    #expect(try BlockID(hex: String(repeating: "0", count: 64)).number == 0)
  }

  @Test func `a new payout id is a UUID of version 7 that holds its time`() throws {
    var generator = SeededGenerator(printedFor: "payout id")
    for _ in 0..<500 {
      let time = Timestamp(milliseconds: .random(in: 0...(1 << 48 - 1), using: &generator))
      let id = PayoutID(at: time, randomness: generator.bytes(10))
      let uuid = try #require(UUID(uuidString: id.description))
      #expect(uuid.uuidString.lowercased() == id.description)
      #expect(id.bytes[6] >> 4 == 7)
      #expect(id.bytes[8] >> 6 == 0b10)
      #expect(id.bytes.prefix(6).reduce(0) { $0 << 8 | Int64($1) } == time.milliseconds)
      #expect(try PayoutID(id.description.uppercased()) == id)
      #expect(try PayoutID(bytes: id.bytes) == id)
    }
  }

  @Test func `all 74 random bits of an id are used`() {
    let zeros = PayoutID(at: Timestamp(milliseconds: 0), randomness: [UInt8](repeating: 0, count: 10))
    let ones = PayoutID(at: Timestamp(milliseconds: 0), randomness: [UInt8](repeating: 0xff, count: 10))
    let bits = zip(zeros.bytes, ones.bytes).map { ($0 ^ $1).nonzeroBitCount }.reduce(0, +)
    #expect(bits == 74)
  }

  @Test func `a later id sorts later, whatever its random bits`() {
    let early = PayoutID(at: Timestamp(milliseconds: 999), randomness: [UInt8](repeating: 0xff, count: 10))
    let late = PayoutID(at: Timestamp(milliseconds: 1_000), randomness: [UInt8](repeating: 0, count: 10))
    #expect(early < late)
  }

  @Test(arguments: [
    "", "019ab2c3-1111-7222-8333-44445555666", "019ab2c3-1111-7222-8333-4444555566667",
    "019ab2c31111722283334444555566",
    "019ab2c311117222833344445555666600", "{019ab2c3-1111-7222-8333-444455556666}",
    "019ab2c3-1111-7222-8333-44445555666g",
    "019ab2c31-111-7222-8333-444455556666", "019ab2c3-1111-7222-8333_444455556666",
    " 019ab2c3-1111-7222-8333-444455556666",
  ])
  func `other texts are no id`(text: String) {
    #expect(throws: MalformedValue.self) { try PayoutID(text) }
  }

  @Test func `an id has 16 bytes`() {
    for count in [0, 15, 17] {
      #expect(throws: MalformedValue.self) { try PayoutID(bytes: [UInt8](repeating: 0, count: count)) }
    }
  }
}
