/// `BlockHeader.raw`: what a producer signs.
struct BlockHeader: Equatable, Sendable {
  /// Milliseconds since 1970.
  var timestamp: Int64
  var transactionRoot: Hash32
  var parentHash: Hash32
  var number: Int64
  /// 21 bytes; empty in a genesis block.
  var witness: Bytes
  var version: Int32

  /// The bytes that are hashed, canonical.
  var encoded: Bytes {
    var writer = ProtobufWriter()
    writer.integer(1, timestamp)
    writer.bytes(2, transactionRoot.bytes)
    writer.bytes(3, parentHash.bytes)
    writer.integer(7, number)
    writer.bytes(9, witness)
    writer.integer(10, Int64(version))
    return writer.bytes
  }

  /// What the producer signs: SHA-256 of the header's raw data, not the block id (tron-protocol.md §1.6).
  var digest: Hash32 { .sha256(encoded) }

  /// The block's id: its number in eight bytes, then the last 24 of the digest.
  var id: Hash32 { digest.numbered(number) }
}

/// A transaction in a block, with what it did there.
struct IncludedTransaction: Sendable {
  let transaction: PreparedTransaction
  let receipt: Receipt
  let blockNumber: Int64
  let blockTime: Int64
}

/// A block of the chain, with what is needed to undo and redo it.
struct Block: Sendable {
  let header: BlockHeader
  let id: Hash32
  /// Empty in the genesis block.
  let witnessSignature: Bytes
  let transactions: [IncludedTransaction]
  /// What the simulation did before these transactions; not part of the block's bytes.
  var actions: [ChainAction] = []
  /// Every change of the world state this block made, in order.
  let changes: [StateChange]
}

/// The transaction root of a block.
enum MerkleTree {
  /// The root over the encoded transactions, `ret` included.
  ///
  /// Leaf = SHA-256 of a transaction; parent = SHA-256(left ‖ right); an odd node moves up unchanged; no leaf: 32 zero
  /// bytes. Source: tron-protocol.md §1.6 (MerkleTree, BlockCapsule).
  static func root(of transactions: [Bytes]) -> Hash32 {
    var level = transactions.map { Hash32.sha256($0) }
    guard !level.isEmpty else { return .zero }
    while level.count > 1 {
      var parents: [Hash32] = []
      for index in stride(from: 0, to: level.count, by: 2) {
        if index + 1 < level.count {
          parents.append(.sha256(level[index].bytes + level[index + 1].bytes))
        } else {
          parents.append(level[index])
        }
      }
      level = parents
    }
    return level[0]
  }
}
