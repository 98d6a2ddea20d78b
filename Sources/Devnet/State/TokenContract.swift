/// The USDT contract, as TRON's mainnet runs it (tron-protocol.md §1.7, §5.3).
///
/// Its `transfer` returns false on success, as the real one does; only receipt and log tell that money moved.
struct TokenContract: CallableContract {
  let address: Address

  static let name = "Tether USD"
  static let symbol = "USDT"
  static let decimals: UInt64 = 6

  /// What comes before and after the two writes of a transfer. With these, at the full factor, a transfer to a holder
  /// takes 64,285 (14,650 and a penalty of 49,635), one to an empty balance 130,285, and a fee limit of 78,572 ends
  /// before the recipient's write, with 33,567 used: all as observed (tron-protocol.md §4.3, §5.3).
  private static let beforeTransfer = [
    EnergyStep(base: 2_662, fullPenalty: 8_905), EnergyStep.write(isNew: false),
  ]
  private static let afterTransfer = EnergyStep(base: 1_988, fullPenalty: 6_730)
  /// What an approval takes besides its write.
  private static let approval = EnergyStep(base: 2_684, fullPenalty: 9_080)
  /// A read.
  private static let reading = EnergyStep(base: 935, fullPenalty: 3_127)
  /// A require that fails early.
  private static let failing = EnergyStep(base: 715, fullPenalty: 2_431)
  /// What a call that reverts takes at the full factor.
  static let energyOfRevert = failing.base + failing.fullPenalty

  private static let transferTopic = Hash32.keccak256(Bytes("Transfer(address,address,uint256)".utf8)).bytes
  private static let approvalTopic = Hash32.keccak256(Bytes("Approval(address,address,uint256)".utf8)).bytes

  /// The functions by their selector: the first four bytes of keccak-256 of the signature.
  enum Function: String, CaseIterable {
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

    /// Whether a deprecated contract forwards it.
    var isForwarded: Bool {
      switch self {
      case .transfer, .transferFrom, .approve, .allowance, .balanceOf: true
      case .decimals, .symbol, .name, .isBlackListed, .paused, .deprecated, .basisPointsRate, .maximumFee, .owner:
        false
      }
    }
  }

  private static let functions: [Bytes: Function] = Dictionary(
    uniqueKeysWithValues: Function.allCases.map { (selector($0.rawValue), $0) })

  /// The four bytes that choose the function with this signature, e.g. `transfer(address,uint256)`.
  static func selector(_ signature: String) -> Bytes {
    Bytes(Hash32.keccak256(Bytes(signature.utf8)).bytes.prefix(4))
  }

  /// The function that a call's first four bytes choose, or nil.
  static func function(of data: Bytes) -> Function? { functions[Bytes(data.prefix(4))] }

  /// A call's argument words. Missing bytes read as zero, as the compiler this contract was built with allowed.
  static func arguments(of function: Function, in data: Bytes) -> [Word256] {
    var padded = data
    while padded.count < 4 + 32 * function.arguments { padded.append(0) }
    return (0..<function.arguments).map { Word256(bigEndian: padded[(4 + 32 * $0)..<(36 + 32 * $0)]) }
  }

  /// Runs a call and writes its effects to `state`. On a revert nothing has been written.
  ///
  /// - `callValue`: sun sent along; no function is payable, so any makes the call revert.
  func call(from caller: Address, data: Bytes, callValue: Int64, state: inout WorldState) -> CallOutcome {
    let factor = state.contractUse(address).factor
    let reverted = CallOutcome(steps: [Self.failing], factor: factor, hasReverted: true)
    guard callValue == 0, let function = Self.function(of: data) else { return reverted }
    if state.token.isDeprecated, function.isForwarded {
      // A call of an address without code reverts.
      guard state.token.upgradedAddress == FakeToken.address else { return reverted }
      return FakeToken().call(from: caller, data: data, callValue: 0, state: &state)
    }
    let words = Self.arguments(of: function, in: data)
    switch function {
    case .transfer: return move(from: caller, to: words[0].address, words[1], state: &state) ?? reverted
    case .transferFrom:
      return transferFrom(words[0].address, to: words[1].address, words[2], by: caller, state: &state) ?? reverted
    case .approve:
      return approve(Approval(owner: caller, spender: words[0].address), words[1], state: &state) ?? reverted
    case .allowance, .balanceOf, .decimals, .symbol, .name, .owner, .isBlackListed, .paused, .deprecated,
      .basisPointsRate, .maximumFee:
      return CallOutcome(steps: [Self.reading], factor: factor, output: read(function, words, state))
    }
  }

  /// What a function returns that changes nothing.
  private func read(_ function: Function, _ words: [Word256], _ state: WorldState) -> Bytes {
    let settings = state.token
    func flag(_ isSet: Bool) -> Bytes { Word256(isSet ? 1 : 0).bytes }
    switch function {
    case .transfer, .transferFrom, .approve: return []
    case .allowance:
      return state.allowance(Approval(owner: words[0].address, spender: words[1].address)).bytes
    case .balanceOf: return Word256(state.tokenBalance(words[0].address)).bytes
    case .decimals: return Word256(Self.decimals).bytes
    case .symbol: return Self.encodedText(Self.symbol)
    case .name: return Self.encodedText(Self.name)
    case .owner: return Word256(settings.owner ?? address).bytes
    case .isBlackListed: return flag(settings.blacklist.contains(words[0].address))
    case .paused: return flag(settings.isPaused)
    case .deprecated: return flag(settings.isDeprecated)
    case .basisPointsRate: return Word256(UInt64(clamping: settings.basisPointsRate)).bytes
    case .maximumFee: return Word256(UInt64(clamping: settings.maximumFee)).bytes
    }
  }

  private func transferFrom(
    _ owner: Address, to: Address, _ amount: Word256, by spender: Address, state: inout WorldState
  ) -> CallOutcome? {
    let approval = Approval(owner: owner, spender: spender)
    let allowance = state.allowance(approval)
    // A stranger may move nothing, and the event of that stands in the logs all the same.
    guard amount <= allowance, var outcome = move(from: owner, to: to, amount, state: &state) else { return nil }
    if allowance < .max {
      state.setAllowance(approval, allowance.subtracting(amount))
      outcome = outcome.adding([EnergyStep.write(isNew: false)])
    }
    outcome.output = Word256(1).bytes
    return outcome
  }

  /// Moves tokens and emits the events, or nil, with nothing changed, where the contract's require fails.
  ///
  /// A fee comes out of the amount and has an event of its own, behind the recipient's.
  private func move(from: Address, to: Address, _ amount: Word256, state: inout WorldState) -> CallOutcome? {
    let settings = state.token
    guard !settings.isPaused, !settings.blacklist.contains(from), !settings.refusedRecipients.contains(to) else {
      return nil
    }
    let balance = state.tokenBalance(from)
    guard to != .zero, let units = amount.uint64, units <= balance else { return nil }
    let fee = settings.fee(of: units)
    var steps = Self.beforeTransfer
    var logs: [Log] = []
    state.setTokenBalance(from, balance - units)
    func credit(_ recipient: Address, _ units: UInt64) {
      // Read after the first write, so that a transfer to oneself changes nothing.
      let before = state.tokenBalance(recipient)
      steps.append(.write(isNew: units > 0 && before == 0 && recipient != from))
      state.setTokenBalance(recipient, before + units)
      logs.append(Self.transferEvent(by: address, from: from, to: recipient, Word256(units)))
    }
    credit(to, units - fee)
    if fee > 0 {
      steps.append(.write(isNew: false))
      credit(settings.owner ?? address, fee)
    }
    steps.append(Self.afterTransfer)
    return CallOutcome(
      steps: steps, factor: state.contractUse(address).factor, output: Word256.zero.bytes, logs: logs)
  }

  private func approve(_ approval: Approval, _ amount: Word256, state: inout WorldState) -> CallOutcome? {
    // This family of contracts refuses to change a non-zero allowance into another non-zero one.
    guard !state.token.isPaused, amount == .zero || state.allowance(approval) == .zero else { return nil }
    state.setAllowance(approval, amount)
    return CallOutcome(
      steps: [Self.approval, .write(isNew: amount > .zero)], factor: state.contractUse(address).factor,
      output: Word256(1).bytes,
      logs: [
        Log(
          address: address,
          topics: [Self.approvalTopic, Word256(approval.owner).bytes, Word256(approval.spender).bytes],
          data: amount.bytes)
      ])
  }

  /// The event of a transfer, as `emitter` logs it.
  static func transferEvent(by emitter: Address, from: Address, to: Address, _ amount: Word256) -> Log {
    Log(
      address: emitter, topics: [transferTopic, Word256(from).bytes, Word256(to).bytes], data: amount.bytes)
  }

  /// ABI's form of a short string: offset, length, padded text.
  static func encodedText(_ text: String) -> Bytes {
    precondition(text.utf8.count <= 32, "only short texts are encoded here")
    let padding = Bytes(repeating: 0, count: 32 - text.utf8.count)
    return Word256(32).bytes + Word256(UInt64(text.utf8.count)).bytes + Bytes(text.utf8) + padding
  }
}
