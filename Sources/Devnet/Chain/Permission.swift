/// Who may sign for an account, and what (tron-protocol.md §6).
struct Permission: Equatable, Sendable {
  /// Which permission it is, in the words a node prints.
  enum Kind: String, CaseIterable, Sendable {
    case owner = "Owner"
    case witness = "Witness"
    case active = "Active"

    /// Its number in Tron.proto.
    var number: Int32 {
      switch self {
      case .owner: 0
      case .witness: 1
      case .active: 2
      }
    }

    /// The kind with this number, or nil.
    init?(number: Int32) {
      guard let kind = Self.allCases.first(where: { $0.number == number }) else { return nil }
      self = kind
    }
  }

  var kind: Kind
  var id: Int32
  var name: String
  var threshold: Int64
  /// Always 0 in what the chain takes.
  var parentID: Int32 = 0
  /// Bit i of byte ⌊i/8⌋ allows contract type i; empty for an owner, who may do all.
  var operations: Bytes
  var keys: [Key]

  /// A key that may sign, and how much its signature counts.
  struct Key: Equatable, Sendable {
    let address: Bytes
    let weight: Int64
  }

  /// What a new account may do by its active permission; lacks type 46, the update of permissions.
  static let defaultOperations: Bytes =
    [0x7f, 0xff, 0x1f, 0xc0, 0x03, 0x3e, 0xc3, 0x0f] + Bytes(repeating: 0, count: 24)
  /// The contract types there are, which an active permission may name: those, and type 46.
  static let availableOperations: Bytes =
    [0x7f, 0xff, 0x1f, 0xc0, 0x03, 0x7e, 0xc3, 0x0f] + Bytes(repeating: 0, count: 24)

  /// The owner permission every account begins with: its own key, threshold 1.
  static func defaultOwner(of address: Bytes) -> Permission {
    Permission(
      kind: .owner, id: 0, name: "owner", threshold: 1, operations: [],
      keys: [Key(address: address, weight: 1)])
  }

  /// The active permission every account begins with: its own key, threshold 1.
  static func defaultActive(of address: Bytes) -> Permission {
    Permission(
      kind: .active, id: 2, name: "active", threshold: 1, operations: defaultOperations,
      keys: [Key(address: address, weight: 1)])
  }

  /// Whether transactions of this contract type may be signed by it.
  func allows(_ contractType: Int32) -> Bool {
    guard kind == .active else { return true }
    return Self.names(contractType, in: operations)
  }

  /// Whether a bitmap names a contract type.
  static func names(_ contractType: Int32, in operations: Bytes) -> Bool {
    guard contractType >= 0, Int(contractType) < operations.count * 8 else { return false }
    return operations[Int(contractType) / 8] & (1 << UInt8(contractType % 8)) != 0
  }

  /// The sum of the signers' weights.
  ///
  /// Throws the node's text where a signature is malformed, a signer is no key of this permission, or one signed twice
  /// (TransactionCapsule.checkWeight).
  func weight(of prepared: PreparedTransaction) throws(SignatureRefusal) -> Int64 {
    let count = prepared.transaction.signatures.count
    guard count <= keys.count else {
      throw SignatureRefusal(
        .permission, "Signature count is \(count) more than key counts of permission : \(keys.count)")
    }
    var seen: Set<Address> = []
    var weight: Int64 = 0
    for signer in prepared.signers {
      let address: Address
      switch signer {
      case .success(let recovered): address = recovered
      case .failure(let failure): throw SignatureRefusal(.format, failure.message)
      }
      guard let key = keys.first(where: { $0.address == address.bytes }) else {
        throw SignatureRefusal(
          .permission, "\(prepared.id.hex) is signed by \(address.base58) but it is not contained of permission.")
      }
      guard seen.insert(address).inserted else {
        throw SignatureRefusal(.permission, "\(address.base58) has signed twice!")
      }
      weight += key.weight
    }
    return weight
  }
}

/// All permissions of an account (tron-protocol.md §6).
struct AccountPermissions: Equatable, Sendable {
  var owner: Permission
  /// Ids 2, 3, … in this order.
  var actives: [Permission]

  /// The permissions every account begins with, and those of an address without account.
  init(defaultsOf address: Bytes) {
    (owner, actives) = (.defaultOwner(of: address), [.defaultActive(of: address)])
  }

  /// What an update sets: ids follow from the order, whatever the update says.
  init(owner: Permission, actives: [Permission]) {
    self.owner = owner
    self.owner.id = 0
    self.actives = actives
    for index in actives.indices { self.actives[index].id = Int32(index) + 2 }
  }

  /// The permission with this id, or nil.
  subscript(id: Int32) -> Permission? { id == 0 ? owner : actives.first { $0.id == id } }
}

/// Why signatures do not satisfy a permission.
struct SignatureRefusal: Error, Equatable, Sendable {
  /// Which of the node's exceptions it is; getsignweight tells them apart.
  enum Kind: Sendable { case format, permission }

  let kind: Kind
  let text: String

  /// A refusal with the text of the node's exception.
  init(_ kind: Kind, _ text: String) { (self.kind, self.text) = (kind, text) }
}
