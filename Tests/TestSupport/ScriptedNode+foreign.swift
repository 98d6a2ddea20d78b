public import Payouts
public import Tron

extension ScriptedNode {
  /// A transaction of anybody's, put into a block.
  public struct Foreign: Sendable {
    let transaction: BlockTransaction
    let execution: Execution

    /// - Parameters:
    ///   - rawData: a serialized `raw_data`.
    ///   - signatures: as the block holds them; who signed does not matter to this chain.
    public init(
      rawData: [UInt8], signatures: [[UInt8]] = [], _ execution: Execution = .success
    ) throws(TransactionError) {
      transaction = try BlockTransaction(
        rawData: rawData, contractResult: execution.inBlock, signatures: signatures)
      self.execution = execution
    }

    /// Its identity.
    public var txid: TxID { transaction.txid }
  }

  /// One of the producers.
  public static func producer(_ index: Int64) -> Address {
    Address(account: [UInt8](repeating: 0xb0, count: 19) + [UInt8(truncatingIfNeeded: index)])
  }
}
