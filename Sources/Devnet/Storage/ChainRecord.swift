/// One entry of a chain's file: what a network begins with, or a block as far as it does not follow from the others.
enum ChainRecord: Sendable {
  case beginning(NetworkBeginning)
  case block(BlockRecord)

  /// The entry's bytes; a field number says which of the two it is.
  var encoded: Bytes {
    var writer = ProtobufWriter()
    switch self {
    case .beginning(let beginning): writer.message(1, beginning.encoded)
    case .block(let block): writer.message(2, block.encoded)
    }
    return writer.bytes
  }

  /// The entry that `bytes` encode.
  init(decoding bytes: Bytes) throws(ProtobufError) {
    var reader = ProtobufReader(bytes)
    guard let field = try reader.next() else { throw ProtobufError(reason: "an empty entry") }
    switch field.number {
    case 1: self = .beginning(try NetworkBeginning(decoding: try field.bytes()))
    case 2: self = .block(try BlockRecord(decoding: try field.bytes()))
    default: throw ProtobufError(reason: "an entry of unknown kind \(field.number)")
    }
  }
}

/// Everything on which the blocks of a network rest: with it and their transactions they can be made again.
struct NetworkBeginning: Equatable, Sendable {
  var genesis: Genesis
  /// Milliseconds.
  var slot: Int64
  /// Milliseconds.
  var maintenanceInterval: Int64

  /// What a configuration asks for.
  init(genesis: Genesis, parameters: ChainParameters) {
    (self.genesis, slot, maintenanceInterval) = (genesis, parameters.slot, parameters.maintenanceInterval)
  }

  /// The beginning that `bytes` encode.
  init(decoding bytes: Bytes) throws(ProtobufError) {
    (genesis, slot, maintenanceInterval) = (Genesis(time: 0), 0, 0)
    var reader = ProtobufReader(bytes)
    while let field = try reader.next() {
      switch field.number {
      case 1: genesis.time = try field.integer()
      case 2: genesis.seed = Hash32(try field.bytes()) ?? .zero
      case 3: genesis.tokenAddress = try Address(recorded: try field.bytes())
      case 4: genesis.producerCount = Int(try field.integer())
      case 5: genesis.funds.append(try Genesis.Fund(decoding: try field.bytes()))
      case 6: slot = try field.integer()
      case 7: maintenanceInterval = try field.integer()
      default: break
      }
    }
  }

  /// Its bytes.
  var encoded: Bytes {
    var writer = ProtobufWriter()
    writer.integer(1, genesis.time)
    writer.bytes(2, genesis.seed.bytes)
    writer.bytes(3, genesis.tokenAddress.bytes)
    writer.integer(4, Int64(genesis.producerCount))
    for fund in genesis.funds { writer.message(5, fund.encoded) }
    writer.integer(6, slot)
    writer.integer(7, maintenanceInterval)
    return writer.bytes
  }
}

/// A block as it is kept: its transactions with their results, what was done besides, and the id it must come to.
struct BlockRecord: Equatable, Sendable {
  let number: Int64
  let id: Hash32
  /// Chain time, milliseconds.
  let time: Int64
  var actions: [ChainAction] = []
  /// In the block's order, without `ret`.
  var transactions: [Transaction] = []
  /// The number of each one's contractRet.
  var results: [Int64] = []

  /// What is kept of `block`.
  init(_ block: Block) {
    (number, id, time, actions) = (block.header.number, block.id, block.header.timestamp, block.actions)
    transactions = block.transactions.map(\.transaction.transaction)
    results = block.transactions.map { Int64($0.receipt.contractRet.rawValue) }
  }

  /// The record that `bytes` encode.
  init(decoding bytes: Bytes) throws(ProtobufError) {
    var (number, time, id): (Int64, Int64, Bytes) = (0, 0, [])
    var reader = ProtobufReader(bytes)
    while let field = try reader.next() {
      switch field.number {
      case 1: number = try field.integer()
      case 2: id = try field.bytes()
      case 3: time = try field.integer()
      case 4: actions.append(try ChainAction(decoding: try field.bytes()))
      case 5: transactions.append(try Transaction(decoding: try field.bytes()))
      case 6: results.append(try field.integer())
      default: break
      }
    }
    guard let id = Hash32(id), results.count == transactions.count else {
      throw ProtobufError(reason: "a block without id, or without a result for each transaction")
    }
    (self.number, self.id, self.time) = (number, id, time)
  }

  /// Its bytes.
  var encoded: Bytes {
    var writer = ProtobufWriter()
    writer.integer(1, number)
    writer.bytes(2, id.bytes)
    writer.integer(3, time)
    for action in actions { writer.message(4, action.encoded) }
    for (transaction, result) in zip(transactions, results) {
      writer.message(5, transaction.encoded)
      writer.integer(6, result)
    }
    return writer.bytes
  }
}

extension Genesis.Fund {
  /// The fund that `bytes` encode.
  fileprivate init(decoding bytes: Bytes) throws(ProtobufError) {
    var (address, trx, usdt, energy): (Bytes, Int64, Int64, Int64) = ([], 0, 0, 0)
    var reader = ProtobufReader(bytes)
    while let field = try reader.next() {
      switch field.number {
      case 1: address = try field.bytes()
      case 2: trx = try field.integer()
      case 3: usdt = try field.integer()
      case 4: energy = try field.integer()
      default: break
      }
    }
    self.init(
      address: try Address(recorded: address), trx: trx, usdt: UInt64(bitPattern: usdt), energy: energy)
  }

  fileprivate var encoded: Bytes {
    var writer = ProtobufWriter()
    writer.bytes(1, address.bytes)
    writer.integer(2, trx)
    writer.integer(3, Int64(bitPattern: usdt))
    writer.integer(4, energy)
    return writer.bytes
  }
}

extension Address {
  /// An address that was written by this program.
  init(recorded bytes: Bytes) throws(ProtobufError) {
    guard let address = Address(bytes) else { throw ProtobufError(reason: "bytes that are no address") }
    self = address
  }
}
