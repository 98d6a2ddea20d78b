import Crypto
public import Payouts

/// How a block's id and its root of transactions come about (reference §1.6): what lets a client check a node's word.
public enum BlockHashing {
  /// 8 bytes of the number, big endian, and the last 24 of SHA-256 of the header's `raw_data`.
  public static func blockID(number: Int64, headerRawData: [UInt8]) -> BlockID {
    let digest = [UInt8](SHA256.hash(data: headerRawData))
    return BlockID(exactly: withUnsafeBytes(of: number.bigEndian) { [UInt8]($0) } + digest[8...])
  }

  /// Whose signature this is: it is made over SHA-256 of the header's `raw_data`, not over the block's id.
  ///
  /// - Parameter witness: the producer's account, by the header.
  public static func signature(
    _ signature: [UInt8], ofHeader headerRawData: [UInt8], by witness: Address?
  ) -> ProducerSignature {
    let digest = [UInt8](SHA256.hash(data: headerRawData))
    guard let signer = Secp256k1.recoverAddress(digest: digest, signature: signature) else { return .invalid }
    return signer == witness ? .byWitness : .byAnotherKey(signer)
  }

  /// The leaf of a transaction: SHA-256 of all its bytes, signatures and result included.
  public static func leaf(ofTransaction bytes: [UInt8]) -> [UInt8] { [UInt8](SHA256.hash(data: bytes)) }

  /// `txTrieRoot`: a parent is SHA-256 of its two children, an odd node moves up unchanged, an empty block has 32 zero
  /// bytes (java-tron MerkleTree).
  public static func root(ofLeaves leaves: [[UInt8]]) -> [UInt8] {
    guard !leaves.isEmpty else { return [UInt8](repeating: 0, count: 32) }
    var level = leaves
    while level.count > 1 {
      level = stride(from: 0, to: level.count, by: 2).map { index in
        guard index + 1 < level.count else { return level[index] }
        return [UInt8](SHA256.hash(data: level[index] + level[index + 1]))
      }
    }
    return level[0]
  }
}
