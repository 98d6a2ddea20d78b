// Proves that a reference is what the design says, against Python's hashlib and unbounded integers.
import Foundation
import Payouts
import TestSupport
import Testing

@Suite struct ReferenceTests {
  private static let python = """
    import hashlib, json, struct, sys
    def field(value):
        return struct.pack(">I", len(value)) + value
    for line in sys.stdin:
        q = json.loads(line)
        if "id" in q:
            message = b"tron-payouts/reference/payout-id/v1\\0" + bytes.fromhex(q["id"])
        else:
            message = (b"tron-payouts/reference/v1\\0" + field(q["owner"].encode()) + field(q["key"].encode())
                       + field(struct.pack(">I", q["index"])))
        digest = hashlib.sha256(message).digest()
        number = int.from_bytes(digest, "big")
        print(digest.hex(), number % 1000, number >> 246)
    """

  private struct Question: Encodable {
    var owner: String?
    var key: String?
    var index: UInt32?
    var id: String?
  }

  @Test func `a thousand random references agree with Python`() async throws {
    var generator = SeededGenerator(printedFor: "reference")
    let texts = ["", "a", "alice", "ключ", "🔑", "a\u{0}b", "\n", String(repeating: "k", count: 255)]
    var references: [Reference] = []
    var lines: [String] = []
    for number in 0..<1_000 {
      let question: Question
      if number.isMultiple(of: 4) {
        let id = try PayoutID(bytes: generator.bytes(16))
        references.append(Reference(payoutWithoutKey: id))
        question = Question(id: Hex.text(id.bytes))
      } else {
        let owner = (texts.randomElement(using: &generator) ?? "") + (texts.randomElement(using: &generator) ?? "")
        let key = texts.randomElement(using: &generator) ?? ""
        let index = [0, 1, 99, UInt32.max, .random(in: .min ... .max, using: &generator)][number % 5]
        references.append(Reference(owner: owner, idempotencyKey: key, index: index))
        question = Question(owner: owner, key: key, index: index)
      }
      lines.append(String(decoding: try JSONEncoder().encode(question), as: UTF8.self))
    }
    let answers = try await PythonScript.run(Self.python, lines: lines)
    for (reference, answer) in zip(references, answers) {
      #expect("\(reference) \(reference.milliseconds) \(reference.topTenBits)" == answer)
    }
  }

  @Test func `owner, key and index cannot be mistaken for one another`() {
    let references = [
      Reference(owner: "ab", idempotencyKey: "c", index: 0), Reference(owner: "a", idempotencyKey: "bc", index: 0),
      Reference(owner: "abc", idempotencyKey: "", index: 0), Reference(owner: "", idempotencyKey: "abc", index: 0),
      Reference(owner: "ab", idempotencyKey: "c", index: 1), Reference(owner: "c", idempotencyKey: "ab", index: 0),
    ]
    #expect(Set(references).count == references.count)
    #expect(Reference(owner: "ab", idempotencyKey: "c", index: 0) == references[0])
  }

  @Test func `the extremes of milliseconds and top bits`() {
    let zeros = Reference(exactly: [UInt8](repeating: 0, count: 32))
    let ones = Reference(exactly: [UInt8](repeating: 0xff, count: 32))
    #expect(zeros.milliseconds == 0)
    #expect(zeros.topTenBits == 0)
    #expect(ones.topTenBits == 1_023)
    // 2^256 - 1 modulo 1000.
    #expect(ones.milliseconds == 935)
    #expect(Reference(exactly: [0x00, 0x40] + [UInt8](repeating: 0, count: 30)).topTenBits == 1)
    #expect(Reference(exactly: [0x00, 0x3f] + [UInt8](repeating: 0xff, count: 30)).topTenBits == 0)
  }
}
