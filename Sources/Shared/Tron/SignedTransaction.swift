public import Payouts

/// A transfer that can be broadcast: the bytes that are stored, journaled and sent, always the same.
public struct SignedTransaction: Sendable, Hashable {
  /// Its name for ever; signatures lie outside of it.
  public let txid: TxID
  /// The canonical `raw_data`.
  public let rawData: [UInt8]
  /// The whole serialized Transaction: `raw_data` and one signature.
  public let bytes: [UInt8]
  /// The account whose key signed, recovered from the signature; the owner's unless a permission names another.
  public let signer: Address
  /// The fields that `rawData` encodes.
  public let contents: TransactionContents

  /// - Precondition: `signature` has 65 bytes and recovers `signer`; `UnsignedTransaction.signed` has checked it.
  init(transaction: UnsignedTransaction, signature: [UInt8], signer: Address) {
    precondition(signature.count == Secp256k1.signatureSize, "a signature has 65 bytes")
    txid = transaction.txid
    rawData = transaction.rawData
    bytes = SignedTransaction.encoding(rawData: transaction.rawData, signature: signature)
    self.signer = signer
    contents = transaction.contents
  }

  /// Reads what was stored or journaled, and checks all of it: canonical bytes, one signature that recovers an address,
  /// a plain transfer. The caller compares txid, owner, recipient and amount with what it knows besides.
  ///
  /// - Throws: `TransactionError`; nothing may be sent then.
  public init(bytes: [UInt8]) throws(TransactionError) {
    let envelope: Envelope_SerializedTransaction = try decodeMessage(bytes, as: "the signed transaction")
    guard envelope.signature.count == 1, let signature = envelope.signature.first.map({ [UInt8]($0) }) else {
      throw .unsupported("\(envelope.signature.count) signatures, expected exactly one")
    }
    let rawData = [UInt8](envelope.rawData)
    let txid = TxID(hashing: rawData)
    guard signature.count == Secp256k1.signatureSize,
      let signer = Secp256k1.recoverAddress(digest: txid.bytes, signature: signature)
    else { throw .malformed("the signature recovers no address") }
    guard SignedTransaction.encoding(rawData: rawData, signature: signature) == bytes else {
      throw .malformed("the bytes are not raw_data and signature alone")
    }
    self.txid = txid
    self.rawData = rawData
    self.bytes = bytes
    self.signer = signer
    contents = try TransactionContents(rawData: rawData)
  }

  /// Puts together again what a block holds of a transaction with one signature.
  ///
  /// - Throws: `TransactionError` as for stored bytes: another number of signatures, another kind of transaction.
  public init(_ transaction: BlockTransaction) throws(TransactionError) {
    guard transaction.signatures.count == 1, let signature = transaction.signatures.first,
      signature.count == Secp256k1.signatureSize
    else { throw .unsupported("\(transaction.signatures.count) signatures, expected exactly one of 65 bytes") }
    try self.init(bytes: SignedTransaction.encoding(rawData: transaction.rawData, signature: signature))
  }

  /// Field 1 and field 2 of Transaction, each a length and its bytes (reference §1.2).
  private static func encoding(rawData: [UInt8], signature: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = [0x0a]
    var length = rawData.count
    while length >= 0x80 {
      bytes.append(UInt8(length & 0x7f) | 0x80)
      length >>= 7
    }
    bytes.append(UInt8(length))
    return bytes + rawData + [0x12, UInt8(signature.count)] + signature
  }

  /// Whose money it is.
  public var owner: Address { contents.owner }
  /// Who gets how much of what.
  public var payment: Payment { contents.payment }
  /// From when on no block can be built that holds it.
  public var expiration: Timestamp { contents.expiration }
}
