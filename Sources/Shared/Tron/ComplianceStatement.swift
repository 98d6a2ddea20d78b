import Crypto
public import Payouts

/// What the compliance authority signs: that a node with this identity may be paid so much at this address for this
/// reason, until some time (api.md "Payouts").
///
/// Its bytes have one length and no separators, so that a contract can build them too:
///
/// | bytes | what |
/// | --- | --- |
/// | 27 | `tron-payouts/compliance/v1` and a zero byte |
/// | 32 | SHA-256 of the node's id in UTF-8 |
/// | 32 | the hash of what proved its identity |
/// | 21 | the recipient, with `0x41` |
/// | 8 | the amount in micro-USDT, big endian |
/// | 32 | SHA-256 of the reason in UTF-8 |
/// | 32 | the nonce |
/// | 8 | until when it holds, in Unix seconds, big endian |
public struct ComplianceStatement: Sendable, Hashable {
  /// Bytes of a nonce and of a hash.
  public static let hashSize = 32
  /// The reason of the statement by which a node is verified: it is about no payout, and its amount is zero.
  public static let verificationReason = "kyc_verification"

  private static let domain = [UInt8]("tron-payouts/compliance/v1".utf8) + [0]

  /// Whom it is about.
  public let node: String
  /// The hash of what proved its identity, 32 bytes.
  public let kycHash: [UInt8]
  /// Who is paid.
  public let recipient: Address
  /// How much.
  public let amount: Amount
  /// For what.
  public let reason: String
  /// What makes it another statement than all others, 32 bytes.
  public let nonce: [UInt8]
  /// Until when it holds, in Unix seconds.
  public let validUntilSeconds: Int64

  /// - Throws: `MalformedValue` unless hash and nonce have 32 bytes and the time is not negative.
  public init(
    node: String, kycHash: [UInt8], recipient: Address, amount: Amount, reason: String, nonce: [UInt8],
    validUntilSeconds: Int64
  ) throws(MalformedValue) {
    guard kycHash.count == Self.hashSize, nonce.count == Self.hashSize else {
      throw MalformedValue(
        "compliance statement", "has \(kycHash.count) and \(nonce.count) bytes of hash and nonce, expected 32 each")
    }
    guard validUntilSeconds >= 0 else { throw MalformedValue("compliance statement", "ends before 1970") }
    self.node = node
    self.kycHash = kycHash
    self.recipient = recipient
    self.amount = amount
    self.reason = reason
    self.nonce = nonce
    self.validUntilSeconds = validUntilSeconds
  }

  /// What is hashed, 192 bytes.
  public var bytes: [UInt8] {
    Self.domain + Self.hash(node) + kycHash + recipient.bytes + Self.bigEndian(amount.microUSDT) + Self.hash(reason)
      + nonce + Self.bigEndian(validUntilSeconds)
  }

  /// What is signed: SHA-256 of ``bytes``.
  public var digest: [UInt8] { [UInt8](SHA256.hash(data: bytes)) }

  /// Checks that the authority signed this. Nothing here is secret, so that nothing needs constant time.
  ///
  /// Of the two forms of each signature the one with the high s is refused: so nobody can make another one of a
  /// signature that he has seen.
  /// - Parameter signature: r ‖ s ‖ v, v 0, 1, 27 or 28.
  /// - Throws: `ComplianceSignatureError`: the first check that fails, in the order of its cases.
  public func check(_ signature: [UInt8], by authority: Address) throws(ComplianceSignatureError) {
    guard signature.count == Secp256k1.signatureSize else { throw .length }
    guard [0, 1, 27, 28].contains(signature[64]) else { throw .recoveryID }
    let (r, s) = (signature[..<32], signature[32..<64])
    for number in [r, s] {
      guard number.contains(where: { $0 != 0 }), number.lexicographicallyPrecedes(Secp256k1.order) else { throw .range }
    }
    guard !Secp256k1.halfOrder.lexicographicallyPrecedes(s) else { throw .highS }
    guard let signer = Secp256k1.recoverAddress(digest: digest, signature: signature) else { throw .recovery }
    guard signer == authority else { throw .signer }
  }

  private static func hash(_ text: String) -> [UInt8] { [UInt8](SHA256.hash(data: [UInt8](text.utf8))) }

  private static func bigEndian(_ number: Int64) -> [UInt8] {
    withUnsafeBytes(of: number.bigEndian) { [UInt8]($0) }
  }
}

/// Why a compliance signature is none of the authority's over the statement.
public enum ComplianceSignatureError: String, Error, Sendable, Hashable, CaseIterable {
  /// It has not 65 bytes.
  case length
  /// Its last byte is none of 0, 1, 27 and 28.
  case recoveryID = "recovery_id"
  /// r or s is zero, or not below the curve's order.
  case range
  /// s is above half of the curve's order.
  case highS = "high_s"
  /// It is no signature of any key.
  case recovery
  /// Somebody else signed it, or the authority signed another statement: the two look the same.
  case signer
}

extension Secp256k1 {
  /// The order of the curve's group (SEC 2 §2.4.1), 32 bytes.
  static let order: [UInt8] =
    [UInt8](repeating: 0xff, count: 15) + [
      0xfe, 0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
    ]
  /// Half of it, rounded down.
  static let halfOrder: [UInt8] =
    [0x7f] + [UInt8](repeating: 0xff, count: 15) + [
      0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
    ]
}
