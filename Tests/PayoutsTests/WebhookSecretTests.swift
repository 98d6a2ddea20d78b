// Proves webhooks' signatures against the specification's published example and an independent implementation.
import Payouts
import TestSupport
import Testing

@Suite struct WebhookSecretTests {
  /// The example of the Standard Webhooks specification's reference libraries.
  private static let exampleText = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
  private static let exampleBytes: [UInt8] = [
    0x31, 0xf2, 0x90, 0xf6, 0xbf, 0x06, 0x29, 0x8a, 0xab, 0x4f, 0x08, 0xd4, 0x3c, 0x3f, 0x08, 0x2c, 0xf6, 0x48, 0xa3,
    0x62, 0xda, 0x2d, 0xa4, 0xb0,
  ]

  @Test func `the published example is signed as published`() throws {
    let secret = try WebhookSecret(bytes: Self.exampleBytes)
    #expect(secret.text == Self.exampleText)
    let signature = secret.signature(
      id: "msg_p5jXN8AQM9LWM0D4loKWxJek", seconds: 1_614_265_330, body: [UInt8](#"{"test": 2432232314}"#.utf8))
    #expect(signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
  }

  @Test func `a secret has 24 to 64 bytes and is never shown by accident`() throws {
    for count in [24, 25, 26, 64] {
      let secret = try WebhookSecret(bytes: [UInt8](repeating: 0xa5, count: count))
      for text in ["\(secret)", String(reflecting: secret), "\([secret])"] { #expect(!text.contains("pa")) }
      #expect(Mirror(reflecting: secret).children.isEmpty)
    }
    for count in [0, 23, 65] {
      #expect(throws: MalformedValue.self) { try WebhookSecret(bytes: [UInt8](repeating: 1, count: count)) }
    }
  }

  @Test func `Python's own hmac and base64 agree on secrets and bodies of every length`() async throws {
    // The differential: text of the secret, id, seconds and body in hexadecimal go in, the signature comes out.
    var generator = SeededGenerator(printedFor: "webhook signatures")
    var lines: [String] = []
    var expected: [String] = []
    for number in 0..<100 {
      let secret = try WebhookSecret(bytes: generator.bytes(24 + number % 41))
      let body = generator.bytes(number)
      lines.append("\(secret.text) id-\(number) \(1_700_000_000 + number) \(Hex.text(body)).")
      expected.append(secret.signature(id: "id-\(number)", seconds: 1_700_000_000 + Int64(number), body: body))
    }
    let script = """
      import base64, hashlib, hmac, sys
      for line in sys.stdin:
          secret, name, seconds, body = line.strip().split(" ")
          signed = f"{name}.{seconds}.".encode() + bytes.fromhex(body[:-1])
          code = hmac.new(base64.b64decode(secret.removeprefix("whsec_"), validate=True), signed, hashlib.sha256)
          print("v1," + base64.b64encode(code.digest()).decode())
      """
    #expect(try await PythonScript.run(script, lines: lines) == expected)
  }
}
