// Proves that a compliance signature counts for the one statement and the one authority that it is of, and in one form.
import Payouts
import Testing
import Tron

@Suite struct ComplianceStatementTests {
  private func failure(
    _ statement: ComplianceStatement, _ signature: [UInt8], by authority: Address
  ) -> ComplianceSignatureError? {
    do {
      try statement.check(signature, by: authority)
      return nil
    } catch {
      return error
    }
  }

  @Test func `what an independent signer signed is verified, v written either way`() throws {
    // Proves the bytes and their hash by another hand, and that 27 and 28 are 0 and 1.
    let vectors = try ComplianceVectors.all()
    #expect(vectors.count == 4)
    for vector in vectors {
      #expect(vector.statement.bytes.count == 192)
      #expect(vector.statement.digest == vector.digest)
      #expect(failure(vector.statement, vector.signature, by: vector.authority) == nil)
      let ethereum = vector.signature[..<64] + [vector.signature[64] + 27]
      #expect(failure(vector.statement, [UInt8](ethereum), by: vector.authority) == nil)
    }
  }

  @Test func `a signature with a high s is refused although it recovers the authority`() throws {
    for vector in try ComplianceVectors.all() {
      #expect(Secp256k1.recoverAddress(digest: vector.digest, signature: vector.twin) == vector.authority)
      #expect(failure(vector.statement, vector.twin, by: vector.authority) == .highS)
    }
  }

  @Test func `a signature is worth nothing for any other statement or authority`() throws {
    // Proves that each field is signed: node, hash, recipient, amount, reason, nonce and time.
    for vector in try ComplianceVectors.all() {
      let good = vector.statement
      func other(
        node: String? = nil, kycHash: [UInt8]? = nil, recipient: Address? = nil, amount: Int64? = nil,
        reason: String? = nil, nonce: [UInt8]? = nil, until: Int64? = nil
      ) throws -> ComplianceStatement {
        try ComplianceStatement(
          node: node ?? good.node, kycHash: kycHash ?? good.kycHash, recipient: recipient ?? good.recipient,
          amount: amount.map { try Amount(microUSDT: $0) } ?? good.amount, reason: reason ?? good.reason,
          nonce: nonce ?? good.nonce, validUntilSeconds: until ?? good.validUntilSeconds)
      }
      let others = [
        try other(node: good.node + "x"), try other(kycHash: good.nonce), try other(recipient: vector.authority),
        try other(amount: 1), try other(reason: "custom"), try other(nonce: good.kycHash),
        try other(until: good.validUntilSeconds + 1),
      ]
      #expect(Set(others.map(\.digest)).count == others.count)
      for statement in others {
        let told = failure(statement, vector.signature, by: vector.authority)
        #expect(told == .signer || told == .recovery, "\(statement)")
      }
      #expect(failure(good, vector.signature, by: good.recipient) == .signer)
    }
  }

  @Test func `what is no signature is told by what is wrong with it`() throws {
    let vector = try #require(ComplianceVectors.all().first)
    let (good, zero) = (vector.signature, [UInt8](repeating: 0, count: 32))
    let order = hex("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")
    let half = hex("7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0")
    let (r, s) = ([UInt8](good[..<32]), [UInt8](good[32..<64]))
    let aboveHalf = [UInt8](half.dropLast()) + [0xa1]
    let ones = [UInt8](repeating: 0xff, count: 32)
    // No point of the curve has this x: 5³ + 7 is no square.
    let five = [UInt8](zero.dropLast()) + [5]
    func signature(_ r: [UInt8], _ s: [UInt8], _ v: UInt8) -> [UInt8] { r + s + [v] }
    var wrong: [([UInt8], ComplianceSignatureError)] = [
      ([], .length), ([UInt8](good.dropLast()), .length), (good + [0], .length), (signature(zero, s, 0), .range),
      (signature(r, zero, 0), .range), (signature(order, s, 0), .range), (signature(r, order, 0), .range),
      (signature(r, ones, 0), .range), (signature(r, aboveHalf, 0), .highS),
      (signature(r, s, good[64] ^ 1), .signer), (signature(r, half, good[64]), .signer),
      (signature(five, s, 0), .recovery),
    ]
    for v: UInt8 in [2, 3, 26, 29, 30, 255] { wrong.append((signature(r, s, v), .recoveryID)) }
    for (signature, told) in wrong {
      #expect(failure(vector.statement, signature, by: vector.authority) == told, "\(Hex.text(signature))")
    }
    #expect(Set(wrong.map(\.1)) == Set(ComplianceSignatureError.allCases))
  }

  @Test func `a statement takes a hash and a nonce of 32 bytes and no time before 1970`() throws {
    let good = try #require(ComplianceVectors.all().first).statement
    for (hashBytes, nonceBytes, until) in [(31, 32, Int64(0)), (32, 33, 0), (32, 32, -1)] {
      #expect(throws: MalformedValue.self) {
        try ComplianceStatement(
          node: "n", kycHash: [UInt8](repeating: 0, count: hashBytes), recipient: good.recipient, amount: .zero,
          reason: "r", nonce: [UInt8](repeating: 0, count: nonceBytes), validUntilSeconds: until)
      }
    }
  }
}
