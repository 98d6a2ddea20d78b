public import Payouts

/// What a block's producer wrote down about a transaction's execution (TransactionInfo, reference §1.2, §4.3).
public struct TransactionReceipt: Sendable, Hashable {
  /// Whose receipt this is.
  public let txid: TxID
  /// The block that holds the transaction.
  public let blockNumber: Int64
  /// That block's time.
  public let blockTimestamp: Timestamp
  /// All that was burnt: energy, bandwidth, memo, several signatures.
  public let fee: Sun
  /// `energy_usage_total`: own, rented and burnt energy together.
  public let energyUsed: Int64
  /// Bandwidth taken from stake or the free allowance, in bytes.
  public let netUsage: Int64
  /// Burnt for bandwidth.
  public let netFee: Sun
  /// `receipt.result`; nil when absent, as for every transaction that calls no contract.
  public let result: ContractResult?
  /// Whether the node marked the whole as FAILED.
  public let isFailed: Bool
  /// Events. Never to be read where `result` is not success: the node does not clear them on a time-out (§5.6).
  public let logs: [EventLog]

  /// All fields, as a node or a test gives them.
  public init(
    txid: TxID, blockNumber: Int64, blockTimestamp: Timestamp, fee: Sun, energyUsed: Int64, netUsage: Int64,
    netFee: Sun, result: ContractResult?, isFailed: Bool, logs: [EventLog]
  ) {
    self.txid = txid
    self.blockNumber = blockNumber
    self.blockTimestamp = blockTimestamp
    self.fee = fee
    self.energyUsed = energyUsed
    self.netUsage = netUsage
    self.netFee = netFee
    self.result = result
    self.isFailed = isFailed
    self.logs = logs
  }
}
