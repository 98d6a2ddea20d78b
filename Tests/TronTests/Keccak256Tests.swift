// Proves that keccak-256 is the one of Ethereum and TRON, at every length around its block of 136 bytes.
import Payouts
import TestSupport
import Testing
import Tron

@Suite struct Keccak256Tests {
  // Sources: the Keccak team's test vectors, and the selectors of the protocol reference §1.7.
  @Test(arguments: [
    ("", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
    ("abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
    (
      "Transfer(address,address,uint256)", "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
    ),
  ])
  func `known hashes`(text: String, digest: String) {
    #expect(Hex.text(Keccak256.hash(text.utf8)) == digest)
  }

  @Test(arguments: [
    ("transfer(address,uint256)", "a9059cbb"), ("balanceOf(address)", "70a08231"), ("paused()", "5c975abb"),
    ("isBlackListed(address)", "e47d6060"), ("transferFrom(address,address,uint256)", "23b872dd"),
  ])
  func `selectors of the token's functions`(signature: String, selector: String) {
    #expect(Hex.text(Keccak256.hash(signature.utf8).prefix(4)) == selector)
  }

  @Test func `random messages of 0 to 300 bytes and some long ones agree with pycryptodome`() async throws {
    var generator = SeededGenerator(printedFor: "keccak-256")
    let lengths = Array(0...300) + [407, 408, 409, 1_000, 4_096, 20_000]
    let messages = lengths.map { generator.bytes($0) }
    let digests = try await PythonScript.run(
      """
      import sys
      from Crypto.Hash import keccak
      for line in sys.stdin:
          print(keccak.new(digest_bits=256, data=bytes.fromhex(line.strip())).hexdigest())
      """, lines: messages.map { Hex.text($0) })
    for (message, digest) in zip(messages, digests) {
      #expect(Hex.text(Keccak256.hash(message)) == digest, "\(message.count) bytes")
    }
  }
}
