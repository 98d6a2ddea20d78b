extension Execution {
  /// Ends a call in a named failure without running it; returns the energy to pay for (tron-protocol.md §5.6).
  ///
  /// A time-out and a lack of energy take the whole `limit`, a revert what it used until then. Nothing moves.
  func end(in failure: ContractResult, _ limit: Int64, _ receipt: inout Receipt) -> Int64 {
    receipt.contractRet = failure
    receipt.result = failure
    switch failure {
    case .revert:
      receipt.message = "REVERT opcode executed"
      return min(limit, TokenContract.energyOfRevert)
    case .outOfTime: receipt.message = "CPU timeout for 'PUSH1' operation executing"
    case .outOfEnergy: receipt.message = "Not enough energy for 'SSTORE' operation executing"
    default: receipt.message = "\(failure.name) was asked for"
    }
    return limit
  }
}
