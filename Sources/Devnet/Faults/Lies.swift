/// Tells one request what the lies that are set make of a true answer.
struct Lies: Sendable {
  let board: FaultBoard
  let request: Fault.Subject

  /// A block as getblock and its kin show it: its body may be false, its header is true.
  func told(_ block: Block) -> Block { told(block, asReceipts: false) }

  /// A block whose transactions are the receipts that gettransactioninfobyblocknum shows.
  func toldReceipts(_ block: Block) -> Block { told(block, asReceipts: true) }

  private func told(_ block: Block, asReceipts: Bool) -> Block {
    let number = block.header.number
    var body = block.transactions
    board.tell(request) { lie in
      switch lie {
      case .hide: return false
      case .omit(let id):
        let count = body.count
        body.removeAll { $0.transaction.id == id }
        return body.count != count
      case .claim(let claimed, let isInBody):
        if let index = body.firstIndex(where: { $0.transaction.id == claimed.transaction.id }) {
          body[index] = claimed
          return true
        }
        guard isInBody, claimed.blockNumber == number else { return false }
        body.append(claimed)
        return true
      case .noReceipts(number) where asReceipts:
        body = []
        return true
      case .wrongBody(number, let transactions) where !asReceipts:
        body = transactions
        return true
      case .noReceipts, .wrongBody: return false
      }
    }
    return Block(
      header: block.header, id: block.id, witnessSignature: block.witnessSignature, transactions: body,
      changes: block.changes)
  }

  /// What gettransactioninfobyid says of a transaction that stands in a block, or does not.
  func told(_ included: IncludedTransaction?, of id: Hash32) -> IncludedTransaction? {
    var told = included
    board.tell(request) { lie in
      switch lie {
      case .hide(id): told = nil
      case .claim(let claimed, _) where claimed.transaction.id == id: told = claimed
      case .hide, .claim, .omit, .noReceipts, .wrongBody: return false
      }
      return true
    }
    return told
  }

  /// What gettransactionbyid says of a transaction.
  func told(_ found: (PreparedTransaction, ContractResult)?, of id: Hash32) -> (PreparedTransaction, ContractResult)? {
    var told = found
    board.tell(request) { lie in
      switch lie {
      case .hide(id): told = nil
      case .claim(let claimed, _) where claimed.transaction.id == id:
        told = (claimed.transaction, claimed.receipt.contractRet)
      case .hide, .claim, .omit, .noReceipts, .wrongBody: return false
      }
      return true
    }
    return told
  }
}

extension IncludedTransaction {
  /// This transaction as if it had been paid, with the receipt of a transfer to a holder.
  func claimedPaid(by token: TokenContract) -> IncludedTransaction {
    var receipt = receipt
    receipt.contractRet = .success
    receipt.message = ""
    if case .trigger(let call)? = transaction.parameter {
      receipt.result = .success
      receipt.contract = token.address
      // A transfer to a holder, as observed (tron-protocol.md §5.3).
      receipt.energyUsageTotal = 64_285
      receipt.energyPenaltyTotal = 49_635
      receipt.output = Word256.zero.bytes
      receipt.logs = token.transferLog(of: call).map { [$0] } ?? []
    }
    return IncludedTransaction(
      transaction: transaction, receipt: receipt, blockNumber: blockNumber, blockTime: blockTime)
  }
}

extension TokenContract {
  /// The event that a `transfer` emits where it succeeds; nil for any other call.
  fileprivate func transferLog(of call: TriggerSmartContract) -> Log? {
    guard call.contract == address.bytes, call.data.count == 68, let owner = Address(call.owner),
      Bytes(call.data[0..<4]) == Self.selector("transfer(address,uint256)")
    else { return nil }
    let topic = Hash32.keccak256(Bytes("Transfer(address,address,uint256)".utf8)).bytes
    return Log(
      address: address, topics: [topic, Word256(owner).bytes, Bytes(call.data[4..<36])], data: Bytes(call.data[36...]))
  }
}
