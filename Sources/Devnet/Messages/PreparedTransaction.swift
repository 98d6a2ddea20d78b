/// A transaction with all that can be computed from its bytes alone: decoded, hashed, its signers recovered.
///
/// Made once, outside the chain's lock, since hashing and recovering are the expensive part of a broadcast.
final class PreparedTransaction: Sendable {
  let transaction: Transaction
  let id: Hash32
  /// The canonical bytes of `raw_data`, whose hash is `id`.
  let rawBytes: Bytes
  /// Size of the canonical transaction without `ret`, in bytes.
  let size: Int
  /// What the only contract says; nil where there is not exactly one.
  let parameter: Contract.Parameter?
  /// The first contract's owner, empty where there is none.
  let ownerBytes: Bytes
  /// The same as an address; nil where it is none.
  let owner: Address?
  /// Who signed, in the order of the signatures; computed up to the most a transaction may carry.
  let signers: [Result<Address, Secp256k1.Failure>]

  /// Hashes `transaction` and recovers its signers.
  init(_ transaction: Transaction) {
    self.transaction = transaction
    rawBytes = transaction.raw.encoded
    let id = Hash32.sha256(rawBytes)
    self.id = id
    size = transaction.encoded.count
    parameter = transaction.raw.contracts.count == 1 ? transaction.raw.contracts[0].parameter : nil
    let ownerBytes = transaction.raw.contracts.first?.owner ?? []
    self.ownerBytes = ownerBytes
    owner = Address(ownerBytes)
    signers = transaction.signatures.prefix(ChainParameters.signatureCountMax).map { signature in
      Result { () throws(Secp256k1.Failure) in try Secp256k1.recover(signature, over: id) }
    }
  }

  /// The first contract's permission id, 0 where there is no contract.
  var permissionID: Int32 { transaction.raw.contracts.first?.permissionID ?? 0 }
}
