/// The accounts that take turns in making blocks, and what each has made.
///
/// Source: tron-protocol.md §3.1 (DposSlot) and §3.3 (DposService.updateSolidBlock).
struct Producers: Sendable {
  /// Deterministic keys: they guard nothing but the shape of the blocks of a simulated network.
  private let privateKeys: [Bytes]
  /// In the order of their turns.
  let addresses: [Address]
  /// The number of the latest block each has made; 0 before the first.
  private(set) var latestBlocks: [Int64]

  /// How many producers the real networks have.
  static let countMax = 27

  /// `count` producers, 1 to 27, none of which has made a block.
  init(count: Int) {
    precondition((1...Self.countMax).contains(count), "a network has 1 to 27 producers")
    let keys = (0..<count).map { Hash32.sha256(Bytes("devnet block producer \($0)".utf8)).bytes }
    privateKeys = keys
    addresses = keys.map { key in
      guard let address = Secp256k1.address(ofPrivateKey: key) else {
        preconditionFailure("a producer's key is not below the group order")
      }
      return address
    }
    latestBlocks = Array(repeating: 0, count: count)
  }

  /// Whose turn the slot at `time` is: turns are counted from the genesis time, whether or not blocks were made.
  func index(at time: Int64, genesisTime: Int64, slot: Int64) -> Int {
    Int((time - genesisTime) / slot % Int64(addresses.count))
  }

  /// The signature of a block's header digest by producer `index`.
  func sign(_ digest: Hash32, by index: Int) -> Bytes {
    Secp256k1.sign(digest, with: privateKeys[index])
  }

  /// Notes that producer `index` has made block `number`.
  mutating func note(block number: Int64, by index: Int) { latestBlocks[index] = number }

  /// Looks up again what each has made, after blocks were taken off; `blocks` begins with the genesis block.
  mutating func recount(_ blocks: [Block], slot: Int64) {
    latestBlocks = Array(repeating: 0, count: addresses.count)
    var missing = addresses.count
    for block in blocks.dropFirst().reversed() {
      guard missing > 0 else { break }
      let producer = index(at: block.header.timestamp, genesisTime: blocks[0].header.timestamp, slot: slot)
      guard latestBlocks[producer] == 0 else { continue }
      latestBlocks[producer] = block.header.number
      missing -= 1
    }
  }

  /// The solid block's number: the latest blocks of all producers, sorted, at index ⌊n · 0.3⌋.
  var solidNumber: Int64 { Self.solidNumber(latestBlocks) }

  /// The formula itself: the highest block on which more than 70 % of the producers have built at or above.
  static func solidNumber(_ latestBlocks: [Int64]) -> Int64 {
    latestBlocks.sorted()[latestBlocks.count * 3 / 10]
  }
}
