public import Payouts

/// A transfer with all its fields, encoded and named, but not signed.
public struct UnsignedTransaction: Sendable, Hashable {
  /// The canonical `raw_data`.
  public let rawData: [UInt8]
  /// Its SHA-256: what is signed, and the transaction's name for ever.
  public let txid: TxID
  /// The fields that `rawData` encodes.
  public let contents: TransactionContents

  /// The most a signed transaction may measure (reference §2.3), with room for one signature.
  public static let rawDataSizeMax = 511_872 - 80

  /// A call of `transfer(to, amount)` of a TRC-20 token.
  ///
  /// - Parameters:
  ///   - owner: whose tokens move.
  ///   - token: the token's contract.
  ///   - recipient: who gets them.
  ///   - amount: in the token's smallest unit, more than zero.
  ///   - referenceBlock: a solid block, valid on every fork (reference §2.1).
  ///   - expiration: from when on no block can be built that holds it.
  ///   - timestamp: makes it unique: each payout needs its own (reference §1.4).
  ///   - feeLimit: caps all the energy, staked energy included (reference §5.4); more than zero.
  ///   - permissionID: the owner's permission that signs; nil or 0 is the owner permission.
  ///   - memo: costs a fee of its own; empty is none.
  /// - Throws: `TransactionError.invalidField`.
  public static func tokenTransfer(
    owner: Address, token: Address, to recipient: Address, amount: Amount, referenceBlock: BlockID,
    expiration: Timestamp, timestamp: Timestamp, feeLimit: Sun, permissionID: Int32? = nil, memo: [UInt8]? = nil
  ) throws(TransactionError) -> UnsignedTransaction {
    try UnsignedTransaction(
      owner: owner, payment: .token(token, recipient: recipient, amount: amount), referenceBlock: referenceBlock,
      expiration: expiration, timestamp: timestamp, feeLimit: feeLimit, permissionID: permissionID, memo: memo)
  }

  /// A transfer of TRX; parameters as `tokenTransfer`.
  /// - Throws: `TransactionError.invalidField`.
  public static func trxTransfer(
    owner: Address, to recipient: Address, amount: Sun, referenceBlock: BlockID, expiration: Timestamp,
    timestamp: Timestamp, permissionID: Int32? = nil, memo: [UInt8]? = nil
  ) throws(TransactionError) -> UnsignedTransaction {
    try UnsignedTransaction(
      owner: owner, payment: .trx(recipient: recipient, amount: amount), referenceBlock: referenceBlock,
      expiration: expiration, timestamp: timestamp, feeLimit: Sun(0), permissionID: permissionID, memo: memo)
  }

  private init(
    owner: Address, payment: Payment, referenceBlock: BlockID, expiration: Timestamp, timestamp: Timestamp,
    feeLimit: Sun, permissionID: Int32?, memo: [UInt8]?
  ) throws(TransactionError) {
    contents = TransactionContents(
      owner: owner, payment: payment, referenceBlockBytes: [UInt8](referenceBlock.bytes[6..<8]),
      referenceBlockHash: [UInt8](referenceBlock.bytes[8..<16]), expiration: expiration, timestamp: timestamp,
      feeLimit: feeLimit, permissionID: permissionID == 0 ? nil : permissionID, memo: memo == [] ? nil : memo)
    try contents.checkFields()
    rawData = try contents.encoded()
    guard rawData.count <= UnsignedTransaction.rawDataSizeMax else {
      throw .invalidField("the transaction has \(rawData.count) bytes, at most \(UnsignedTransaction.rawDataSizeMax)")
    }
    txid = TxID(hashing: rawData)
  }

  /// Signs, then recovers the address from the signature and compares it, whatever holds the key: a wrong key or a
  /// flipped bit is noticed before anything is stored.
  public func signed(by signer: some TransactionSigner) throws(SigningError) -> SignedTransaction {
    let signature = try signer.sign(txid)
    guard signature.count == Secp256k1.signatureSize, signature[64] <= 1,
      let recovered = Secp256k1.recoverAddress(digest: txid.bytes, signature: signature)
    else { throw .malformedSignature }
    guard recovered == signer.address else {
      throw .addressDiffers(expected: signer.address, recovered: recovered)
    }
    return SignedTransaction(transaction: self, signature: signature, signer: recovered)
  }
}
