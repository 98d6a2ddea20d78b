/// How a transaction's contract ended; names and numbers of Tron.proto, `Transaction.Result.contractResult`.
enum ContractResult: Int32, Sendable {
  case `default` = 0
  case success = 1
  case revert = 2
  case outOfEnergy = 10
  case outOfTime = 11

  /// The name a node prints.
  var name: String {
    switch self {
    case .default: "DEFAULT"
    case .success: "SUCCESS"
    case .revert: "REVERT"
    case .outOfEnergy: "OUT_OF_ENERGY"
    case .outOfTime: "OUT_OF_TIME"
    }
  }
}

/// One event that a contract emitted.
struct Log: Equatable, Sendable {
  let address: Address
  /// 32 bytes each.
  let topics: [Bytes]
  let data: Bytes
}

/// What running a transaction did and cost: the content of `TransactionInfo` but for its place in the chain.
///
/// All fees are in sun. Source: tron-protocol.md §4.3 (real receipts) and §5.
struct Receipt: Equatable, Sendable {
  /// What stands in the block beside the transaction: SUCCESS for a transfer too.
  var contractRet: ContractResult = .success
  /// The receipt's `result`: `default`, hence not printed, for anything but a contract call.
  var result: ContractResult = .default
  /// Energy paid from stake.
  var energyUsage: Int64 = 0
  /// Energy that the contract's owner paid from stake.
  var originEnergyUsage: Int64 = 0
  /// Sun burnt for energy.
  var energyFee: Int64 = 0
  var energyUsageTotal: Int64 = 0
  var energyPenaltyTotal: Int64 = 0
  /// Bandwidth taken from stake or from the free allowance.
  var netUsage: Int64 = 0
  /// Sun burnt for bandwidth.
  var netFee: Int64 = 0
  /// Fees without a receipt field of their own: memo, several signatures, activation, permissions.
  var otherFee: Int64 = 0
  /// What the call returned, or its revert data.
  var output: Bytes = []
  var contract: Address?
  var logs: [Log] = []
  var message = ""

  /// `TransactionInfo.fee`.
  var fee: Int64 { energyFee + netFee + otherFee }

  /// `TransactionInfo.result` is FAILED.
  var hasFailed: Bool { contractRet != .success }
}
