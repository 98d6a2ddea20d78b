/// The rules and prices of the network; those of mainnet in 2026 (tron-protocol.md §2, §3, §5.1).
struct ChainParameters: Sendable {
  /// A slot of chain time, milliseconds: 3,000 on the real networks.
  var slot: Int64 = 3_000
  /// Sun a unit.
  var energyPrice: Int64 = 100
  /// Sun a byte.
  var bandwidthPrice: Int64 = 1_000
  /// Bytes a day and account.
  var freeBandwidth: Int64 = 600
  /// Sun for a transaction with a memo.
  var memoFee: Int64 = 1_000_000
  /// Sun of bandwidth for a transfer that activates an account.
  var createAccountFee: Int64 = 100_000
  /// Sun a transfer pays on top for activating an account.
  var activationFee: Int64 = 1_000_000
  /// Sun.
  var feeLimitMax: Int64 = 15_000_000_000
  /// A broadcast is refused while more than this many are pending.
  var pendingMax = 2_000
  /// How long a node keeps what is pending, milliseconds of wall time.
  var pendingTimeout: Int64 = 60_000
  /// Bytes of transactions in a block.
  var blockSizeMax = 2_000_000

  /// Bytes, counted as size without `ret` plus 128.
  static let transactionSizeMax = 512_000
  /// What is added to a transaction's size when it is held against `transactionSizeMax`.
  static let resultAllowance = 128
  /// Bytes of a transfer that creates an account, its signatures not counted.
  static let createAccountSizeMax = 1_000
  /// What is added to a transaction's size when bandwidth is billed.
  static let billedResultSize = 64
  /// How far ahead of the head's time an expiration may lie, milliseconds.
  static let expirationMax: Int64 = 86_400_000
  /// The most signatures a transaction may carry (TOTAL_SIGN_NUM).
  static let signatureCountMax = 5
  /// The sizes a signature may have in a broadcast (4.8.2 on).
  static let signatureSizes = 65...68
  /// How many blocks back a reference block may lie.
  static let referenceDepth: Int64 = 65_536
  /// `BlockHeader.version`.
  static let blockVersion: Int32 = 34
}
