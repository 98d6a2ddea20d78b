import Payouts
import Tron

/// A signer for tests whose key lies in plain memory.
struct TestKey: TransactionSigner {
  let bytes: [UInt8]
  let address: Address

  init(_ bytes: [UInt8]) throws {
    self.bytes = bytes
    address = try Secp256k1.address(ofKey: bytes.span.bytes)
  }

  func sign(_ txid: TxID) throws(SigningError) -> [UInt8] { try Secp256k1.sign(txid, key: bytes.span.bytes) }

  /// The key of the reference's own vectors: 32 times 0x01.
  static func ones() throws -> TestKey { try TestKey([UInt8](repeating: 1, count: 32)) }
}

/// The bytes of hexadecimal text that a test wrote down.
func hex(_ text: String) -> [UInt8] {
  guard let bytes = Hex.bytes(text) else { preconditionFailure("not hexadecimal: \(text)") }
  return bytes
}
