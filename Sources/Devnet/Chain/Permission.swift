/// Who may sign for an account, and what (tron-protocol.md §6).
struct Permission: Equatable, Sendable {
  /// Which permission it is, in the words a node prints.
  enum Kind: String, Sendable {
    case owner = "Owner"
    case active = "Active"
  }

  let kind: Kind
  let id: Int32
  let name: String
  let threshold: Int64
  /// Bit i of byte ⌊i/8⌋ allows contract type i; empty for an owner, who may do all.
  let operations: Bytes
  let keys: [Key]

  /// A key that may sign, and how much its signature counts.
  struct Key: Equatable, Sendable {
    let address: Bytes
    let weight: Int64
  }

  /// What a new account may do by its active permission; lacks type 46, the update of permissions.
  static let defaultOperations: Bytes = [0x7f, 0xff, 0x1f, 0xc0, 0x03, 0x3e, 0x01] + Bytes(repeating: 0, count: 25)

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

  /// The permission with this id, or nil. Accounts have only the two they begin with.
  static func of(_ address: Bytes, id: Int32) -> Permission? {
    switch id {
    case 0: defaultOwner(of: address)
    case 2: defaultActive(of: address)
    default: nil
    }
  }

  /// Whether transactions of this contract type may be signed by it.
  func allows(_ contractType: Int32) -> Bool {
    guard kind == .active else { return true }
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

/// Why signatures do not satisfy a permission.
struct SignatureRefusal: Error, Equatable, Sendable {
  /// Which of the node's exceptions it is; getsignweight tells them apart.
  enum Kind: Sendable { case format, permission }

  let kind: Kind
  let text: String

  /// A refusal with the text of the node's exception.
  init(_ kind: Kind, _ text: String) { (self.kind, self.text) = (kind, text) }
}
