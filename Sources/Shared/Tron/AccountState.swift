public import Payouts

/// An account as `getaccount` shows it (reference §4.4, §6).
///
/// The head view includes what is merely pending at that node: for decisions about money read the solid view.
public struct AccountState: Sendable, Hashable {
  /// Whether the account was ever activated; one that was not can still hold tokens.
  public let exists: Bool
  /// TRX; zero where the account does not exist.
  public let balance: Sun
  /// When it last owned a transaction; nil where it never did. Receiving does not count.
  public let latestOperation: Timestamp?
  /// Permission 0; nil where the node did not print it.
  public let ownerPermission: AccountPermission?
  /// Permissions 2, 3, … in list order.
  public let activePermissions: [AccountPermission]

  /// An account as a node or a test gives it.
  public init(
    exists: Bool, balance: Sun, latestOperation: Timestamp? = nil, ownerPermission: AccountPermission? = nil,
    activePermissions: [AccountPermission] = []
  ) {
    self.exists = exists
    self.balance = balance
    self.latestOperation = latestOperation
    self.ownerPermission = ownerPermission
    self.activePermissions = activePermissions
  }

  /// An address that was never activated.
  public static let absent = AccountState(exists: false, balance: Sun(0))
}

/// Who may sign what for an account (reference §6).
public struct AccountPermission: Sendable, Hashable {
  /// A key and how much its signature counts.
  public struct Key: Sendable, Hashable {
    /// The key's address.
    public let address: Address
    /// 1 or more.
    public let weight: Int64

    /// A key as a node or a test gives it.
    public init(address: Address, weight: Int64) {
      self.address = address
      self.weight = weight
    }
  }

  /// 0 owner, 1 witness, 2 and up active; what a transaction's `Permission_id` names.
  public let id: Int32
  /// The sum of weights that a transaction needs.
  public let threshold: Int64
  /// 32 bytes, bit i (least significant first) allows contract type i; empty for owner and witness, who may do all.
  public let operations: [UInt8]
  /// At most five.
  public let keys: [Key]

  /// A permission as a node or a test gives it.
  public init(id: Int32, threshold: Int64, operations: [UInt8], keys: [Key]) {
    self.id = id
    self.threshold = threshold
    self.operations = operations
    self.keys = keys
  }

  /// Whether the key alone may sign transactions of this contract type.
  public func allows(_ contractType: Int32, by address: Address) -> Bool {
    guard keys.contains(where: { $0.address == address && $0.weight >= threshold }) else { return false }
    if operations.isEmpty { return true }
    let (byte, bit) = Int(contractType).quotientAndRemainder(dividingBy: 8)
    return operations.indices.contains(byte) && operations[byte] & (1 << bit) != 0
  }
}
