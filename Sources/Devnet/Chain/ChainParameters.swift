/// The rules and prices of the network; those of mainnet in 2026 (tron-protocol.md §2, §3, §5.1).
///
/// What a vote of the real network can change has a ``ChainParameterKey``; it changes at a maintenance.
struct ChainParameters: Equatable, Sendable {
  /// A slot of chain time, milliseconds: 3,000 on the real networks.
  var slot: Int64 = 3_000
  /// Chain time from one maintenance to the next, milliseconds.
  var maintenanceInterval: Int64 = 21_600_000
  /// Sun a unit; never zero.
  var energyPrice: Int64 = 100
  /// Sun a byte.
  var bandwidthPrice: Int64 = 1_000
  /// Bytes a day and account.
  var freeBandwidth: Int64 = 600
  /// Sun for a transaction with a memo.
  var memoFee: Int64 = 1_000_000
  /// Sun for a transaction with more than one signature.
  var multiSignFee: Int64 = 1_000_000
  /// Sun for changing an account's permissions.
  var permissionUpdateFee: Int64 = 100_000_000
  /// Sun of bandwidth for a transfer that activates an account.
  var createAccountFee: Int64 = 100_000
  /// Sun a transfer pays on top for activating an account.
  var activationFee: Int64 = 1_000_000
  /// Sun.
  var feeLimitMax: Int64 = 15_000_000_000
  /// Milliseconds a call may take on the producer; this network takes none, and only tells it.
  var cpuTimeMax: Int64 = 80
  /// Energy a day, sold for stakes network-wide.
  var totalEnergyLimit: Int64 = 180_000_000_000
  /// Bandwidth a day, sold for stakes network-wide.
  var totalBandwidthLimit: Int64 = 43_200_000_000
  /// Energy of a contract in one cycle from which on its factor grows (§5.3).
  var dynamicEnergyThreshold: Int64 = 5_000_000_000
  /// By how much the factor grows a cycle, in ten-thousandths.
  var dynamicEnergyIncrease: Int64 = 2_000
  /// The largest factor, in ten-thousandths: 34,000 is +340 %.
  var dynamicEnergyMax: Int64 = 34_000
  /// Days from unstaking until the TRX can be withdrawn.
  var unfreezeDelayDays: Int64 = 14
  /// The longest lock of a delegation, in slots of 3 s.
  var delegationLockMax: Int64 = 864_000
  /// Bytes of a transfer that creates an account, its signatures not counted.
  var createAccountSizeMax: Int64 = 1_000
  /// 1: a block takes no transaction that expires before the slot after its parent (§2.2).
  var consensusLogicOptimization: Int64 = 1
  /// Whether a broadcast that failed is remembered for an hour (`node.rpc.trxCacheEnable`, §2.4 step 4).
  var cachesTransactions = false
  /// Whether estimateenergy answers (`vm.estimateEnergy`).
  var estimatesEnergy = false
  /// A broadcast is refused while more than this many are pending.
  var pendingMax = 2_000
  /// How long a node keeps what is pending, milliseconds of wall time.
  var pendingTimeout: Int64 = 60_000
  /// Bytes of transactions in a block.
  var blockSizeMax = 2_000_000
  /// Transactions in a block: a producer stops packing when its time is over (tron-protocol.md §2.3).
  var blockTransactionsMax = Int.max

  /// Bytes, counted as size without `ret` plus 128.
  static let transactionSizeMax = 512_000
  /// What is added to a transaction's size when it is held against `transactionSizeMax`.
  static let resultAllowance = 128
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
  /// How many slots after a maintenance stay empty (MAINTENANCE_SKIP_SLOTS).
  static let slotsSkippedByMaintenance: Int64 = 2
  /// `BlockHeader.version`.
  static let blockVersion: Int32 = 34
}
