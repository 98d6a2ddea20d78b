/// `FreezeBalanceV2Contract` and `UnfreezeBalanceV2Contract`, which have the same fields: so many sun of stake more or
/// less for a resource (balance_contract.proto).
struct StakeContract: Equatable, Sendable {
  var owner: Bytes = []
  /// Sun.
  var amount: Int64 = 0
  /// Number of a ``Resource``; the chain judges it.
  var resource: Int32 = 0

  /// A message of these fields.
  init(owner: Bytes, amount: Int64, resource: Int32) {
    (self.owner, self.amount, self.resource) = (owner, amount, resource)
  }

  /// The message that `bytes` encode.
  init(decoding bytes: Bytes) throws(ProtobufError) {
    var reader = ProtobufReader(bytes)
    while let field = try reader.next() {
      switch field.number {
      case 1: owner = try field.bytes()
      case 2: amount = try field.integer()
      case 3: resource = try field.integer32()
      default: break
      }
    }
  }

  /// The canonical bytes.
  var encoded: Bytes {
    var writer = ProtobufWriter()
    writer.bytes(1, owner)
    writer.integer(2, amount)
    writer.integer(3, Int64(resource))
    return writer.bytes
  }
}

/// `DelegateResourceContract`, and `UnDelegateResourceContract`, which is the same without a lock.
struct DelegateContract: Equatable, Sendable {
  var owner: Bytes = []
  /// Number of a ``Resource``; the chain judges it.
  var resource: Int32 = 0
  /// Sun of stake.
  var balance: Int64 = 0
  var receiver: Bytes = []
  var isLocked = false
  /// Slots of 3 s; 0 is 86,400 of them.
  var lockPeriod: Int64 = 0

  /// A message of these fields.
  init(owner: Bytes, resource: Int32, balance: Int64, receiver: Bytes, isLocked: Bool = false, lockPeriod: Int64 = 0) {
    (self.owner, self.resource, self.balance, self.receiver) = (owner, resource, balance, receiver)
    (self.isLocked, self.lockPeriod) = (isLocked, lockPeriod)
  }

  /// The message that `bytes` encode.
  init(decoding bytes: Bytes) throws(ProtobufError) {
    var reader = ProtobufReader(bytes)
    while let field = try reader.next() {
      switch field.number {
      case 1: owner = try field.bytes()
      case 2: resource = try field.integer32()
      case 3: balance = try field.integer()
      case 4: receiver = try field.bytes()
      case 5: isLocked = try field.integer() != 0
      case 6: lockPeriod = try field.integer()
      default: break
      }
    }
  }

  /// The canonical bytes.
  var encoded: Bytes {
    var writer = ProtobufWriter()
    writer.bytes(1, owner)
    writer.integer(2, Int64(resource))
    writer.integer(3, balance)
    writer.bytes(4, receiver)
    writer.integer(5, isLocked ? 1 : 0)
    writer.integer(6, lockPeriod)
    return writer.bytes
  }
}
