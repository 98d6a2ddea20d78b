/// A contract that calls itself USDT, owns no money, and emits the Transfer events it is asked for.
///
/// Such contracts stand on the real network to deceive those who read events without looking at who emitted them
/// (tron-protocol.md §1.7, §4.3). Whoever calls its `transfer` or `transferFrom` gets the event, whatever balances are.
struct FakeToken: CallableContract {
  /// Where it stands on every simulated network.
  static let address = Address(last20: Hash32.keccak256(Bytes("devnet fake token".utf8)).bytes[12...])

  var address: Address { Self.address }

  /// About what a cheap token without penalty takes.
  private static let steps = [EnergyStep(base: 13_350, fullPenalty: 0)]

  /// Emits what the call asks for; anything else reverts.
  func call(from caller: Address, data: Bytes, callValue: Int64, state: inout WorldState) -> CallOutcome {
    var outcome = CallOutcome(steps: Self.steps, factor: 0)
    guard callValue == 0, let function = TokenContract.function(of: data) else {
      outcome.hasReverted = true
      return outcome
    }
    let words = TokenContract.arguments(of: function, in: data)
    switch function {
    case .transfer:
      outcome.logs = [TokenContract.transferEvent(by: address, from: caller, to: words[0].address, words[1])]
      outcome.output = Word256(1).bytes
    case .transferFrom:
      outcome.logs = [TokenContract.transferEvent(by: address, from: words[0].address, to: words[1].address, words[2])]
      outcome.output = Word256(1).bytes
    case .balanceOf, .allowance: outcome.output = Word256(UInt64(Int64.max)).bytes
    case .decimals: outcome.output = Word256(TokenContract.decimals).bytes
    case .symbol: outcome.output = TokenContract.encodedText(TokenContract.symbol)
    case .name: outcome.output = TokenContract.encodedText(TokenContract.name)
    case .approve, .isBlackListed, .paused, .deprecated, .basisPointsRate, .maximumFee, .owner:
      outcome.hasReverted = true
    }
    return outcome
  }
}
