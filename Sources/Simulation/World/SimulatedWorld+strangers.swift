import Payouts
import Tron

/// What others do on the chain.
extension SimulatedWorld {
  /// Four bytes each: which function of a token is called.
  private static let transferSelector: [UInt8] = [0xa9, 0x05, 0x9c, 0xbb]
  private static let approveSelector: [UInt8] = [0x09, 0x5e, 0xa7, 0xb3]

  /// Somebody acts in the next block.
  func act(_ kind: Stranger) {
    do {
      let foreign = try transaction(of: kind)
      chain.add(foreign)
      oracle.saw(kind, foreign.transaction.txid)
    } catch {
      oracle.violated("the simulator cannot make a \(kind.rawValue): \(error)")
    }
  }

  private func transaction(of kind: Stranger) throws -> SimulatedChain.Foreign {
    let (wallet, stranger) = (key.address, strangerKey.address)
    let amount = try Amount(microUSDT: 3_000_000)
    let unsigned = try UnsignedTransaction.tokenTransfer(
      owner: kind.isTheft ? wallet : stranger, token: Self.token, to: kind == .dust ? wallet : stranger,
      amount: amount, referenceBlock: chain.latest(.solid).block.header.id,
      expiration: Timestamp(milliseconds: host.now + 60_000), timestamp: Timestamp(milliseconds: host.now),
      feeLimit: Sun(100_000_000))
    var rawData = unsigned.rawData
    if kind == .stolenApproval, let start = rawData.firstRange(of: Self.transferSelector) {
      rawData.replaceSubrange(start, with: Self.approveSelector)
    }
    let signer = kind.isTheft ? key : strangerKey
    let transaction = try BlockTransaction(
      rawData: rawData, contractResult: .success, signatures: [try signer.sign(TxID(hashing: rawData))])
    return SimulatedChain.Foreign(transaction: transaction, logs: try logs(of: kind, amount))
  }

  private func logs(of kind: Stranger, _ amount: Amount) throws -> [EventLog] {
    let (wallet, stranger) = (key.address, strangerKey.address)
    func log(_ token: Address, from sender: Address, to recipient: Address, _ amount: Amount) -> EventLog {
      EventLog(TokenTransfer(token: token, sender: sender, recipient: recipient, amount: amount))
    }
    return switch kind {
    case .stolenTransfer: [log(Self.token, from: wallet, to: stranger, amount)]
    case .stolenApproval: []
    case .zeroTransfer: [log(Self.token, from: wallet, to: stranger, .zero)]
    case .fakeToken: [log(stranger, from: wallet, to: stranger, amount)]
    case .dust: [log(Self.token, from: stranger, to: wallet, try Amount(microUSDT: 1))]
    }
  }
}
