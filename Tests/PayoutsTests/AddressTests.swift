// Proves that an address enters the program only with its checksum, length and prefix right, and leaves it as the same
// text: golden vectors of the protocol reference §7 and §8.1, and random addresses against tronpy.
import Payouts
import TestSupport
import Testing

@Suite struct AddressTests {
  static let golden = [
    ("TCNkawTmcQgYSU8nP8cHswT1QPjharxJr7", "411a642f0e3c3af545e7acbd38b07251b3990914f1"),
    ("TMVQGm1qAQYVdetCeGRRkTWYYrLXuHK2HC", "417e5f4552091a69125d5dfcb7b8c2659029395bdf"),
    ("TPX6HK2NRN4XKRX1JAhbC827bm7gMmy5w1", "4194a15629b2b2bbd3a5453e6d6696b2875278633b"),
    ("TVEZYjZyemfJoLUdGtzsM2ua1HAnbsNgAF", "41d351c7c627ad5531edb9587f4150caf393c33e87"),
    ("TJAAinkKN2h9KxtBZXw6SyL7HwCQXnzFsE", "4159d3ad9d126e153b9564417d3a05cf51c1964edf"),
    ("TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", "41a614f803b6fd780986a42c78ec9c7f77e6ded13c"),
    ("TXYZopYRdj2D9XRtbG411XZZ3kM5VkAeBf", "41eca9bc828a3005b9a3b909f2cc5c2a54794de05f"),
    ("TG3XXyExBkPp9nzdajDZsozEu4BkaSJozs", "4142a1e39aefa49290f2b3f9ed688d7cecf86cd6e0"),
    ("T9yD14Nj9j7xAB4dbGeiX9h8unkKHxuWwb", "410000000000000000000000000000000000000000"),
  ]

  @Test(arguments: golden)
  func `golden addresses read from text and from bytes, and print the same`(text: String, hex: String) throws {
    let address = try Address(text)
    #expect(Hex.text(address.bytes) == hex)
    #expect(address.description == text)
    #expect(try Address(bytes: try #require(Hex.bytes(hex))) == address)
    #expect(Address(account: address.account) == address)
  }

  @Test func `the zero address is its own constant`() throws {
    #expect(try Address("T9yD14Nj9j7xAB4dbGeiX9h8unkKHxuWwb") == .zero)
  }

  @Test(arguments: [
    ("TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6u", "checksum"),
    ("TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6", "33 characters"),
    ("TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6tt", "35 characters"),
    ("27RV48Fn94Yhn8eP1hzFZwrJkCKDKC11LQq", "35 characters"),
    ("", "0 characters"),
    ("TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj60", "alphabet"),
    ("TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLjO1", "alphabet"),
    ("TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLjl1", "alphabet"),
    ("TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLjI1", "alphabet"),
    (" TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6", "alphabet"),
    ("TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLjé", "alphabet"),
    ("1111111111111111111111111111111111", "decodes to"),
  ])
  func `other texts are refused, and the reason names what is wrong`(text: String, reason: String) throws {
    let error = #expect(throws: MalformedValue.self) { try Address(text) }
    #expect(error?.kind == "address")
    #expect(error?.reason.contains(reason) == true, "\(error?.reason ?? "")")
  }

  @Test func `bytes are refused on both sides of 21 and for any other prefix`() {
    #expect(throws: MalformedValue.self) { try Address(bytes: [0x41] + [UInt8](repeating: 1, count: 19)) }
    #expect(throws: MalformedValue.self) { try Address(bytes: [0x41] + [UInt8](repeating: 1, count: 21)) }
    #expect(throws: Never.self) { try Address(bytes: [0x41] + [UInt8](repeating: 1, count: 20)) }
    for prefix in UInt8.min...UInt8.max where prefix != 0x41 {
      #expect(throws: MalformedValue.self) { try Address(bytes: [prefix] + [UInt8](repeating: 1, count: 20)) }
    }
  }

  // One wrong character in 34 must never pass: that is what the checksum is for.
  @Test func `no single changed character of a random address is accepted`() throws {
    var generator = SeededGenerator(printedFor: "address checksum")
    let alphabet = Array("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")
    for _ in 0..<20 {
      let address = Address(account: generator.bytes(20))
      #expect(try Address(address.description) == address)
      for position in 0..<34 {
        var characters = Array(address.description)
        let other = alphabet.filter { $0 != characters[position] }.randomElement(using: &generator)
        characters[position] = try #require(other)
        #expect(throws: MalformedValue.self) { try Address(String(characters)) }
      }
    }
  }

  @Test func `a thousand random addresses print as tronpy prints them`() async throws {
    var generator = SeededGenerator(printedFor: "address text")
    var accounts = (0..<998).map { _ in generator.bytes(20) }
    accounts.append([UInt8](repeating: 0, count: 20))
    accounts.append([UInt8](repeating: 0xff, count: 20))
    let texts = try await PythonScript.run(
      """
      import sys
      from tronpy.keys import to_base58check_address
      for line in sys.stdin:
          print(to_base58check_address(line.strip()))
      """, lines: accounts.map { "41" + Hex.text($0) })
    for (account, text) in zip(accounts, texts) { #expect(Address(account: account).description == text) }
  }

  @Test func `addresses sort by their bytes`() throws {
    var generator = SeededGenerator(printedFor: "address order")
    let addresses = (0..<100).map { _ in Address(account: generator.bytes(20)) }
    #expect(addresses.sorted().map(\.bytes) == addresses.map(\.bytes).sorted { $0.lexicographicallyPrecedes($1) })
  }
}
