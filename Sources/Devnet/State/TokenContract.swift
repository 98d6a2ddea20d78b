/// How a contract call ended, and the energy it took (penalty included in `energy`).
struct CallOutcome: Sendable {
  var energy: Int64
  var penalty: Int64 = 0
  /// What the call returned, or revert data.
  var output: Bytes = []
  var logs: [Log] = []
  var hasReverted = false
}

/// The USDT contract, as TRON's mainnet runs it (tron-protocol.md §1.7, §5.3).
///
/// Its `transfer` returns false on success, as the real one does; only receipt and log tell that money moved.
struct TokenContract: Sendable {
  let address: Address

  static let name = "Tether USD"
  static let symbol = "USDT"
  static let decimals: UInt64 = 6

  /// Energy of a transfer to a holder: base 14,650 and a penalty at the maximum factor (observed, §5.3).
  static let energyToHolder: Int64 = 64_285
  static let penaltyToHolder: Int64 = 49_635
  /// Energy of a transfer to an address whose balance is zero: a storage slot more.
  static let energyToNewHolder: Int64 = 130_285
  static let penaltyToNewHolder: Int64 = 100_635
  /// What `transferFrom` costs on top of a transfer: another storage write, for the allowance (§5.7).
  static let energyOfAllowanceWrite: Int64 = 22_000
  static let energyOfApprove: Int64 = 99_764
  /// A require that fails early, and a read.
  static let energyOfRevert: Int64 = 3_146
  static let energyOfRead: Int64 = 4_062

  private static let transferTopic = Hash32.keccak256(Bytes("Transfer(address,address,uint256)".utf8)).bytes
  private static let approvalTopic = Hash32.keccak256(Bytes("Approval(address,address,uint256)".utf8)).bytes

  /// The functions by their selector: the first four bytes of keccak-256 of the signature.
  private enum Function: String, CaseIterable {
    case transfer = "transfer(address,uint256)"
    case transferFrom = "transferFrom(address,address,uint256)"
    case approve = "approve(address,uint256)"
    case allowance = "allowance(address,address)"
    case balanceOf = "balanceOf(address)"
    case decimals = "decimals()"
    case symbol = "symbol()"
    case name = "name()"
    case isBlackListed = "isBlackListed(address)"
    case paused = "paused()"
    case deprecated = "deprecated()"
    case basisPointsRate = "basisPointsRate()"
    case maximumFee = "maximumFee()"
    case owner = "owner()"

    /// How many argument words it takes.
    var arguments: Int {
      switch self {
      case .transferFrom: 3
      case .transfer, .approve, .allowance: 2
      case .balanceOf, .isBlackListed: 1
      case .decimals, .symbol, .name, .paused, .deprecated, .basisPointsRate, .maximumFee, .owner: 0
      }
    }
  }

  private static let functions: [Bytes: Function] = Dictionary(
    uniqueKeysWithValues: Function.allCases.map { (selector($0.rawValue), $0) })

  /// The four bytes that choose the function with this signature, e.g. `transfer(address,uint256)`.
  static func selector(_ signature: String) -> Bytes {
    Bytes(Hash32.keccak256(Bytes(signature.utf8)).bytes.prefix(4))
  }

  /// Runs a call and writes its effects to `state`. On a revert nothing has been written.
  ///
  /// - `callValue`: sun sent along; no function is payable, so any makes the call revert.
  func call(from caller: Address, data: Bytes, callValue: Int64, state: inout WorldState) -> CallOutcome {
    guard callValue == 0, let function = Self.functions[Bytes(data.prefix(4))] else { return reverted() }
    // Missing argument bytes read as zero, as the compiler this contract was built with allowed.
    var padded = data
    while padded.count < 4 + 32 * function.arguments { padded.append(0) }
    let words = (0..<function.arguments).map { index in
      Word256(bigEndian: padded[(4 + 32 * index)..<(36 + 32 * index)])
    }
    switch function {
    case .transfer: return transfer(from: caller, to: words[0].address, words[1], state: &state)
    case .transferFrom:
      return transferFrom(words[0].address, to: words[1].address, words[2], by: caller, state: &state)
    case .approve:
      return approve(Approval(owner: caller, spender: words[0].address), words[1], state: &state)
    case .allowance:
      return read(state.allowance(Approval(owner: words[0].address, spender: words[1].address)).bytes)
    case .balanceOf: return read(Word256(state.tokenBalance(words[0].address)).bytes)
    case .decimals: return read(Word256(Self.decimals).bytes)
    case .symbol: return read(encodedText(Self.symbol))
    case .name: return read(encodedText(Self.name))
    case .owner: return read(Word256(address).bytes)
    case .isBlackListed, .paused, .deprecated, .basisPointsRate, .maximumFee: return read(Word256.zero.bytes)
    }
  }

  private func transfer(from: Address, to: Address, _ amount: Word256, state: inout WorldState) -> CallOutcome {
    guard let outcome = move(from: from, to: to, amount, state: &state) else { return reverted() }
    return outcome
  }

  private func transferFrom(
    _ owner: Address, to: Address, _ amount: Word256, by spender: Address, state: inout WorldState
  ) -> CallOutcome {
    let approval = Approval(owner: owner, spender: spender)
    let allowance = state.allowance(approval)
    guard amount <= allowance, var outcome = move(from: owner, to: to, amount, state: &state) else {
      return reverted()
    }
    if allowance < .max {
      state.setAllowance(approval, allowance.subtracting(amount))
      outcome.energy += Self.energyOfAllowanceWrite
    }
    outcome.output = Word256(1).bytes
    return outcome
  }

  /// Moves tokens and emits the event, or nil, with nothing changed, where the contract's require fails.
  private func move(from: Address, to: Address, _ amount: Word256, state: inout WorldState) -> CallOutcome? {
    let balance = state.tokenBalance(from)
    guard to != .zero, let units = amount.uint64, units <= balance else { return nil }
    let isNewHolder = units > 0 && state.tokenBalance(to) == 0
    state.setTokenBalance(from, balance - units)
    // Read after the first write, so that a transfer to oneself changes nothing.
    state.setTokenBalance(to, state.tokenBalance(to) + units)
    return CallOutcome(
      energy: isNewHolder ? Self.energyToNewHolder : Self.energyToHolder,
      penalty: isNewHolder ? Self.penaltyToNewHolder : Self.penaltyToHolder,
      output: Word256.zero.bytes,
      logs: [event(Self.transferTopic, from, to, amount)])
  }

  private func approve(_ approval: Approval, _ amount: Word256, state: inout WorldState) -> CallOutcome {
    // This family of contracts refuses to change a non-zero allowance into another non-zero one.
    guard amount == .zero || state.allowance(approval) == .zero else { return reverted() }
    state.setAllowance(approval, amount)
    return CallOutcome(
      energy: Self.energyOfApprove, output: Word256(1).bytes,
      logs: [event(Self.approvalTopic, approval.owner, approval.spender, amount)])
  }

  private func event(_ topic: Bytes, _ first: Address, _ second: Address, _ amount: Word256) -> Log {
    Log(address: address, topics: [topic, Word256(first).bytes, Word256(second).bytes], data: amount.bytes)
  }

  private func read(_ output: Bytes) -> CallOutcome { CallOutcome(energy: Self.energyOfRead, output: output) }

  private func reverted() -> CallOutcome { CallOutcome(energy: Self.energyOfRevert, hasReverted: true) }

  /// ABI's form of a short string: offset, length, padded text.
  private func encodedText(_ text: String) -> Bytes {
    precondition(text.utf8.count <= 32, "only short texts are encoded here")
    let padding = Bytes(repeating: 0, count: 32 - text.utf8.count)
    return Word256(32).bytes + Word256(UInt64(text.utf8.count)).bytes + Bytes(text.utf8) + padding
  }
}
