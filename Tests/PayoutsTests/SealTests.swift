// Proves that a seal covers every field, byte by byte as the design lays them out: the encoding is built a second time
// in Python, where `cryptography` also checks our signatures and makes some for us to check.
import Crypto
import Foundation
import TestSupport
import Testing

@testable import Payouts

@Suite struct SealTests {
  private static let secret = "s1:" + String(repeating: "0b", count: 32)

  private static let python = """
    import json, struct, sys
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    ABSENT = b"\\xff\\xff\\xff\\xff"
    def field(value):
        if value is None:
            return ABSENT
        if isinstance(value, int):
            value = struct.pack(">q", value)
        return struct.pack(">I", len(value)) + value
    def raw(text):
        return None if text is None else bytes.fromhex(text)
    def utf8(text):
        return None if text is None else text.encode()
    for line in sys.stdin:
        t = json.loads(line)
        parts = [1, utf8(t["key_id"]), raw(t["id"]), raw(t["reference"]), utf8(t["owner"]), utf8(t["network"]),
                 raw(t["token"]), utf8(t["asset"]), raw(t["recipient"]), int(t["amount"]), utf8(t["router"]),
                 utf8(t["batch_type"]), raw(t.get("client_batch")), utf8(t.get("node")), raw(t.get("kyc_hash")),
                 int(t["created_at"]), int(t["expires_at"]) if "expires_at" in t else None]
        message = b"tron-payouts/seal/v1\\0" + b"".join(field(p) for p in parts)
        key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(t["key"]))
        public = key.public_key()
        try:
            public.verify(bytes.fromhex(t["signature"]), message)
            verdict = "intact"
        except Exception as error:
            verdict = repr(error)
        print(json.dumps({"message": message.hex(), "signature": key.sign(message).hex(), "verdict": verdict,
                          "public": public.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()}))
    """

  private struct Question: Encodable {
    let key, key_id, id, reference, owner, network, token, asset, recipient, amount, router, batch_type: String
    let client_batch, node, kyc_hash: String?
    let created_at: String
    let expires_at: String?
    let signature: String
  }

  private struct Answer: Decodable {
    let message, signature, verdict, `public`: String
  }

  private static let texts = [
    "", "alice", "client-42", "ünïcödé", "名前", "a:b,c\"\\\n", String(repeating: "x", count: 300),
  ]

  static func randomTerms(_ generator: inout SeededGenerator) throws -> PayoutTerms {
    func sometimes<Value>(_ value: Value, _ generator: inout SeededGenerator) -> Value? {
      Bool.random(using: &generator) ? value : nil
    }
    return PayoutTerms(
      id: try PayoutID(bytes: generator.bytes(16)), reference: Reference(exactly: generator.bytes(32)),
      owner: texts.randomElement(using: &generator) ?? "",
      network: Network.allCases.randomElement(using: &generator) ?? .nile,
      token: Address(account: generator.bytes(20)), asset: sometimes("USDT", &generator) ?? "USDD",
      recipient: Address(account: generator.bytes(20)),
      amount: try Amount(microUSDT: .random(in: 0 ... .max, using: &generator)),
      router: RouterType.allCases.randomElement(using: &generator) ?? .v0,
      batchType: BatchType.allCases.randomElement(using: &generator) ?? .daily,
      clientBatch: sometimes(try BatchID(bytes: generator.bytes(16)), &generator),
      node: sometimes(texts.randomElement(using: &generator) ?? "", &generator),
      kycHash: sometimes(generator.bytes(32), &generator),
      createdAt: Timestamp(milliseconds: .random(in: 0...9_999_999_999_999, using: &generator)),
      expiresAt: sometimes(Timestamp(milliseconds: .random(in: 0...9_999_999_999_999, using: &generator)), &generator))
  }

  @Test func `five hundred random seals agree with Python in message and signature, both ways`() async throws {
    var generator = SeededGenerator(printedFor: "seal encoding")
    var cases: [(terms: PayoutTerms, sealer: Sealer)] = []
    var lines: [String] = []
    for _ in 0..<500 {
      let key = Hex.text(generator.bytes(32))
      let sealer = try Sealer("key-\(Int.random(in: 0...9, using: &generator)):\(key)")
      let terms = try Self.randomTerms(&generator)
      let question = Question(
        key: key, key_id: sealer.keyID, id: Hex.text(terms.id.bytes), reference: terms.reference.description,
        owner: terms.owner, network: terms.network.rawValue, token: Hex.text(terms.token.bytes), asset: terms.asset,
        recipient: Hex.text(terms.recipient.bytes), amount: "\(terms.amount.microUSDT)", router: terms.router.rawValue,
        batch_type: terms.batchType.rawValue, client_batch: terms.clientBatch.map { Hex.text($0.bytes) },
        node: terms.node, kyc_hash: terms.kycHash.map { Hex.text($0) }, created_at: "\(terms.createdAt.milliseconds)",
        expires_at: terms.expiresAt.map { "\($0.milliseconds)" }, signature: Hex.text(try sealer.seal(terms).signature))
      cases.append((terms, sealer))
      lines.append(String(decoding: try JSONEncoder().encode(question), as: UTF8.self))
    }
    let answers = try await PythonScript.run(Self.python, packages: ["cryptography==45.0.7"], lines: lines)
    for (line, (terms, sealer)) in zip(answers, cases) {
      let answer = try JSONDecoder().decode(Answer.self, from: Data(line.utf8))
      #expect(Hex.text(Seal.encoding(of: terms, version: 1, keyID: sealer.keyID)) == answer.message)
      #expect(answer.verdict == "intact")
      #expect(sealer.publicKeyText == "\(sealer.keyID):\(answer.public)")
      let theirs = Seal(version: 1, keyID: sealer.keyID, signature: try #require(Hex.bytes(answer.signature)))
      #expect(try SealVerifier(sealer.publicKeyText).isIntact(theirs, on: terms))
    }
  }

  @Test func `a change of any one field breaks the seal`() throws {
    var generator = SeededGenerator(printedFor: "seal fields")
    let sealer = try Sealer(Self.secret)
    let verifier = try SealVerifier(sealer.publicKeyText)
    for _ in 0..<50 {
      let terms = try Self.randomTerms(&generator)
      let seal = try sealer.seal(terms)
      #expect(verifier.isIntact(seal, on: terms))
      let other = try Self.randomTerms(&generator)
      for (field, changed) in Self.changes(of: terms, towards: other) where changed != terms {
        #expect(!verifier.isIntact(seal, on: changed), "\(field)")
      }
    }
  }

  /// The same terms but for one field each, taken from other terms.
  private static func changes(of t: PayoutTerms, towards o: PayoutTerms) -> [(String, PayoutTerms)] {
    func with(
      id: PayoutID? = nil, reference: Reference? = nil, owner: String? = nil, network: Network? = nil,
      token: Address? = nil, asset: String? = nil, recipient: Address? = nil, amount: Amount? = nil,
      router: RouterType? = nil, batchType: BatchType? = nil, clientBatch: BatchID?? = .none, node: String?? = .none,
      kycHash: [UInt8]?? = .none, createdAt: Timestamp? = nil, expiresAt: Timestamp?? = .none
    ) -> PayoutTerms {
      PayoutTerms(
        id: id ?? t.id, reference: reference ?? t.reference, owner: owner ?? t.owner, network: network ?? t.network,
        token: token ?? t.token, asset: asset ?? t.asset, recipient: recipient ?? t.recipient,
        amount: amount ?? t.amount, router: router ?? t.router, batchType: batchType ?? t.batchType,
        clientBatch: clientBatch ?? t.clientBatch, node: node ?? t.node, kycHash: kycHash ?? t.kycHash,
        createdAt: createdAt ?? t.createdAt, expiresAt: expiresAt ?? t.expiresAt)
    }
    return [
      ("id", with(id: o.id)), ("reference", with(reference: o.reference)), ("owner", with(owner: o.owner)),
      ("network", with(network: o.network)), ("token", with(token: o.token)), ("asset", with(asset: o.asset)),
      ("recipient", with(recipient: o.recipient)), ("amount", with(amount: o.amount)),
      ("router", with(router: o.router)),
      ("batchType", with(batchType: o.batchType)), ("clientBatch", with(clientBatch: .some(o.clientBatch))),
      ("node", with(node: .some(o.node))), ("kycHash", with(kycHash: .some(o.kycHash))),
      ("createdAt", with(createdAt: o.createdAt)), ("expiresAt", with(expiresAt: .some(o.expiresAt))),
      // Absent and empty are different things, and text cannot slip from one field into the next.
      ("node absent or empty", with(node: .some(t.node == nil ? "" : nil))),
      ("kycHash absent or empty", with(kycHash: .some(t.kycHash == nil ? [] : nil))),
      ("owner and network", with(owner: t.owner + "n")),
    ]
  }

  @Test func `another version, key id or signature is no seal`() throws {
    var generator = SeededGenerator(seed: 1)
    let sealer = try Sealer(Self.secret)
    let verifier = try SealVerifier(sealer.publicKeyText)
    let terms = try Self.randomTerms(&generator)
    let seal = try sealer.seal(terms)
    #expect(!verifier.isIntact(Seal(version: 0, keyID: "s1", signature: seal.signature), on: terms))
    #expect(!verifier.isIntact(Seal(version: 2, keyID: "s1", signature: seal.signature), on: terms))
    #expect(!verifier.isIntact(Seal(version: 1, keyID: "s2", signature: seal.signature), on: terms))
    #expect(!verifier.isIntact(Seal(version: 1, keyID: "s1", signature: []), on: terms))
    for index in [0, 31, 32, 63] {
      var signature = seal.signature
      signature[index] ^= 1
      #expect(!verifier.isIntact(Seal(version: 1, keyID: "s1", signature: signature), on: terms))
    }
    #expect(!verifier.isIntact(Seal(version: 1, keyID: "s1", signature: seal.signature + [0]), on: terms))
  }

  // The key's name is part of what is signed: a key known under two names must not lend one name's seals to the other.
  @Test func `a seal under one name is not one under another, even of the same key`() throws {
    var generator = SeededGenerator(seed: 2)
    let terms = try Self.randomTerms(&generator)
    let sealer = try Sealer(Self.secret)
    let publicHex = try #require(sealer.publicKeyText.split(separator: ":").last)
    let verifier = try SealVerifier("s1:\(publicHex),s2:\(publicHex)")
    let seal = try sealer.seal(terms)
    #expect(verifier.isIntact(seal, on: terms))
    #expect(!verifier.isIntact(Seal(version: 1, keyID: "s2", signature: seal.signature), on: terms))
  }

  @Test(arguments: [
    "", ":", "s1", "s1:", ":" + String(repeating: "0b", count: 32), "s1:" + String(repeating: "0b", count: 31),
    "s1:" + String(repeating: "0b", count: 33), "s1:" + String(repeating: "zz", count: 32),
    "s1:x:" + String(repeating: "0b", count: 32),
    String(repeating: "n", count: 65) + ":" + String(repeating: "0b", count: 32),
  ])
  func `malformed seal keys are refused without repeating them`(text: String) {
    let errors = [
      #expect(throws: MalformedValue.self) { _ = try Sealer(text) },
      #expect(throws: MalformedValue.self) { _ = try SealVerifier(text) },
    ]
    for error in errors { #expect(error?.description.contains(String(repeating: "0b", count: 31)) == false) }
  }

  @Test func `a name of 64 characters is the longest`() throws {
    #expect(throws: Never.self) {
      _ = try Sealer(String(repeating: "n", count: 64) + ":" + String(repeating: "0b", count: 32))
    }
  }

  @Test func `a verifier refuses one name for two keys`() throws {
    let text = try Sealer(Self.secret).publicKeyText
    #expect(throws: MalformedValue.self) { _ = try SealVerifier("\(text),\(text)") }
  }
}
