/// Who may spend of whose tokens.
struct Approval: Hashable, Sendable {
  let owner: Address
  let spender: Address
}

/// One write to the world state, with what stood there before, so that it can be undone and redone.
enum StateChange: Sendable {
  case account(Address, old: Account?, new: Account?)
  case tokenBalance(Address, old: UInt64, new: UInt64)
  case allowance(Approval, old: Word256, new: Word256)
  case delegation(DelegationKey, old: Delegation, new: Delegation)
  case contractUse(Address, old: ContractUse, new: ContractUse)
  case token(old: TokenSettings, new: TokenSettings)
  case network(old: NetworkState, new: NetworkState)
}

/// Accounts, token balances, allowances and what all share, with a journal of what changed.
///
/// Reading costs one look-up however deep the chain is. Every write is journaled: ``rollback(to:)`` undoes back to a
/// mark (a failed call, the pending pool, a block that a fork removes), and ``apply(_:)`` repeats a block's changes on
/// another copy (the solid view follows the head in this way).
struct WorldState: Sendable {
  private var accounts: [Address: Account] = [:]
  private var tokenBalances: [Address: UInt64] = [:]
  private var allowances: [Approval: Word256] = [:]
  private var delegations: [DelegationKey: Delegation] = [:]
  private var contractUses: [Address: ContractUse] = [:]
  private(set) var token = TokenSettings()
  private(set) var network: NetworkState
  private var journal: [StateChange] = []

  /// An empty state of a network whose first block has `genesisTime`.
  init(parameters: ChainParameters = ChainParameters(), genesisTime: Int64 = 0) {
    network = NetworkState(parameters: parameters, genesisTime: genesisTime)
  }

  /// A place in the journal.
  struct Mark: Sendable {
    fileprivate let count: Int
    /// Before all that is in the journal.
    static let start = Mark(count: 0)
  }

  /// The account, or nil where it was never activated.
  func account(_ address: Address) -> Account? { accounts[address] }

  /// Micro-units of the token.
  func tokenBalance(_ address: Address) -> UInt64 { tokenBalances[address] ?? 0 }

  /// What `spender` may still take from `owner`.
  func allowance(_ approval: Approval) -> Word256 { allowances[approval] ?? .zero }

  /// What is lent, nothing where it never was.
  func delegation(_ key: DelegationKey) -> Delegation { delegations[key] ?? Delegation() }

  /// How much a contract is used.
  func contractUse(_ address: Address) -> ContractUse { contractUses[address] ?? ContractUse() }

  /// Sets or removes an account.
  mutating func setAccount(_ address: Address, _ account: Account?) {
    write(.account(address, old: accounts[address], new: account))
  }

  /// Sets a token balance, in micro-units.
  mutating func setTokenBalance(_ address: Address, _ balance: UInt64) {
    write(.tokenBalance(address, old: tokenBalance(address), new: balance))
  }

  /// Sets what a spender may take; zero removes it.
  mutating func setAllowance(_ approval: Approval, _ allowance: Word256) {
    write(.allowance(approval, old: self.allowance(approval), new: allowance))
  }

  /// Sets what is lent; nothing removes it.
  mutating func setDelegation(_ key: DelegationKey, _ delegation: Delegation) {
    write(.delegation(key, old: self.delegation(key), new: delegation))
  }

  /// Sets how much a contract is used.
  mutating func setContractUse(_ address: Address, _ use: ContractUse) {
    write(.contractUse(address, old: contractUse(address), new: use))
  }

  /// Sets the token's switches.
  mutating func setToken(_ settings: TokenSettings) { write(.token(old: token, new: settings)) }

  /// Sets what all accounts share.
  mutating func setNetwork(_ network: NetworkState) { write(.network(old: self.network, new: network)) }

  /// Ends a block at `time`, which may carry out a maintenance.
  mutating func closeBlock(at time: Int64) {
    var network = network
    let isMaintenance = network.closeBlock(at: time)
    if network != self.network { setNetwork(network) }
    guard isMaintenance else { return }
    // In a fixed order, so that the same blocks make the same journal.
    for address in contractUses.keys.sorted(by: { $0.hex < $1.hex }) {
      var use = contractUse(address)
      use.beginCycle(network.cycle, network.parameters)
      setContractUse(address, use)
    }
  }

  /// The present place in the journal.
  var mark: Mark { Mark(count: journal.count) }

  /// Undoes every write since `mark`, last first.
  mutating func rollback(to mark: Mark) {
    while journal.count > mark.count {
      undo(journal.removeLast())
    }
  }

  /// Takes the whole journal out: those changes can from now on be undone only by ``undo(_:)-([StateChange])``.
  mutating func takeJournal() -> [StateChange] {
    defer { journal = [] }
    return journal
  }

  /// Repeats changes that were made elsewhere, without journaling them.
  mutating func apply(_ changes: [StateChange]) {
    for change in changes { perform(change) }
  }

  /// Undoes a block's changes; nothing may have been written on top of them.
  mutating func undo(_ changes: [StateChange]) {
    precondition(journal.isEmpty, "pending changes must be rolled back before a block is undone")
    for change in changes.reversed() { undo(change) }
  }

  private mutating func write(_ change: StateChange) {
    perform(change)
    journal.append(change)
  }

  private mutating func perform(_ change: StateChange) {
    switch change {
    case .account(let address, _, let new): accounts[address] = new
    case .tokenBalance(let address, _, let new): tokenBalances[address] = new == 0 ? nil : new
    case .allowance(let approval, _, let new): allowances[approval] = new == .zero ? nil : new
    case .delegation(let key, _, let new): delegations[key] = new.isEmpty ? nil : new
    case .contractUse(let address, _, let new): contractUses[address] = new
    case .token(_, let new): token = new
    case .network(_, let new): network = new
    }
  }

  private mutating func undo(_ change: StateChange) {
    switch change {
    case .account(let address, let old, let new): perform(.account(address, old: new, new: old))
    case .tokenBalance(let address, let old, let new): perform(.tokenBalance(address, old: new, new: old))
    case .allowance(let approval, let old, let new): perform(.allowance(approval, old: new, new: old))
    case .delegation(let key, let old, let new): perform(.delegation(key, old: new, new: old))
    case .contractUse(let address, let old, let new): perform(.contractUse(address, old: new, new: old))
    case .token(let old, let new): perform(.token(old: new, new: old))
    case .network(let old, let new): perform(.network(old: new, new: old))
    }
  }
}
