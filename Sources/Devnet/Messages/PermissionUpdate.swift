/// `AccountPermissionUpdateContract`: replaces all permissions of an account at once.
struct PermissionUpdateContract: Equatable, Sendable {
  var account: Bytes = []
  /// Nil where it is missing, which the chain refuses.
  var owner: Permission?
  /// A producer's permission, which no account here may have.
  var witness: Permission?
  var actives: [Permission] = []

  /// A message of these fields.
  init(account: Bytes, owner: Permission?, witness: Permission? = nil, actives: [Permission]) {
    (self.account, self.owner, self.witness, self.actives) = (account, owner, witness, actives)
  }

  /// The message that `bytes` encode.
  init(decoding bytes: Bytes) throws(ProtobufError) {
    var reader = ProtobufReader(bytes)
    while let field = try reader.next() {
      switch field.number {
      case 1: account = try field.bytes()
      case 2: owner = try Permission(decoding: try field.bytes())
      case 3: witness = try Permission(decoding: try field.bytes())
      case 4: actives.append(try Permission(decoding: try field.bytes()))
      default: break
      }
    }
  }

  /// The canonical bytes.
  var encoded: Bytes {
    var writer = ProtobufWriter()
    writer.bytes(1, account)
    if let owner { writer.message(2, owner.encoded) }
    if let witness { writer.message(3, witness.encoded) }
    for active in actives { writer.message(4, active.encoded) }
    return writer.bytes
  }
}

extension Permission {
  /// The `Permission` that `bytes` encode.
  init(decoding bytes: Bytes) throws(ProtobufError) {
    self.init(kind: .owner, id: 0, name: "", threshold: 0, operations: [], keys: [])
    var reader = ProtobufReader(bytes)
    while let field = try reader.next() {
      switch field.number {
      case 1:
        guard let kind = Kind(number: try field.integer32()) else {
          throw ProtobufError(reason: "Permission.type is none of Owner (0), Witness (1) and Active (2).")
        }
        self.kind = kind
      case 2: id = try field.integer32()
      case 3: name = String(decoding: try field.bytes(), as: UTF8.self)
      case 4: threshold = try field.integer()
      case 5: parentID = try field.integer32()
      case 6: operations = try field.bytes()
      case 7: keys.append(try Key(decoding: try field.bytes()))
      default: break
      }
    }
  }

  /// The canonical bytes.
  var encoded: Bytes {
    var writer = ProtobufWriter()
    writer.integer(1, Int64(kind.number))
    writer.integer(2, Int64(id))
    writer.bytes(3, Bytes(name.utf8))
    writer.integer(4, threshold)
    writer.integer(5, Int64(parentID))
    writer.bytes(6, operations)
    for key in keys { writer.message(7, key.encoded) }
    return writer.bytes
  }
}

extension Permission.Key {
  /// The `Key` that `bytes` encode.
  fileprivate init(decoding bytes: Bytes) throws(ProtobufError) {
    var (address, weight): (Bytes, Int64) = ([], 0)
    var reader = ProtobufReader(bytes)
    while let field = try reader.next() {
      switch field.number {
      case 1: address = try field.bytes()
      case 2: weight = try field.integer()
      default: break
      }
    }
    self.init(address: address, weight: weight)
  }

  /// The canonical bytes.
  fileprivate var encoded: Bytes {
    var writer = ProtobufWriter()
    writer.bytes(1, address)
    writer.integer(2, weight)
    return writer.bytes
  }
}
