public import Payouts

/// A call of a token's contract that a node executes without a transaction (`triggerconstantcontract`, reference §4.4).
public enum TokenCall: Sendable, Hashable {
  /// The transfer as its sender would make it: whether it would be done, and nothing moves.
  case transfer(ExpectedTransfer)
  /// Whether the contract refuses all transfers just now.
  case isPaused(token: Address)
  /// Whether the contract refuses all transfers from that account.
  case isBlacklisted(Address, token: Address)

  /// Which contract is called.
  public var token: Address {
    switch self {
    case .transfer(let transfer): transfer.token
    case .isPaused(let token), .isBlacklisted(_, let token): token
    }
  }

  /// Who calls; for a question it does not matter.
  var caller: Address {
    switch self {
    case .transfer(let transfer): transfer.from
    case .isPaused(let token): token
    case .isBlacklisted(let account, _): account
    }
  }

  /// The function's signature.
  var signature: String {
    switch self {
    case .transfer: "transfer(address,uint256)"
    case .isPaused: "paused()"
    case .isBlacklisted: "isBlackListed(address)"
    }
  }

  /// The arguments as words.
  var arguments: [UInt8] {
    switch self {
    case .transfer(let transfer): ABI.word(transfer.to) + ABI.word(transfer.amount)
    case .isPaused: []
    case .isBlacklisted(let account, _): ABI.word(account)
    }
  }
}

/// What came of a call that was executed. A node that refuses to execute it at all answers with an error.
public enum TokenCallOutcome: Sendable, Hashable {
  /// It was done, and returned these bytes. USDT's transfer returns false on success (reference §1.7).
  case returned([UInt8])
  /// The contract refused, perhaps with a reason in ABI's form.
  case reverted([UInt8])
}

extension TronNode {
  /// The answer to a question that has yes and no.
  public func answer(to question: TokenCall, _ view: ChainView) async throws(TronNodeError) -> Bool {
    let outcome = try await simulate(question, view)
    guard case .returned(let word) = outcome, word.count == ABI.wordSize else {
      throw TronNodeError(
        .inconsistent, call: question.signature,
        reason: "expected a word of 32 bytes that says yes or no, got \(outcome)")
    }
    return word.contains { $0 != 0 }
  }
}
