/// What accounts are given for their stake.
enum Resource: Int32, CaseIterable, Sendable {
  case bandwidth = 0
  case energy = 1

  /// The name a node prints.
  var name: String { self == .bandwidth ? "BANDWIDTH" : "ENERGY" }
}

/// A price that holds from a time on; an entry of getenergyprices and getbandwidthprices.
struct PriceChange: Equatable, Sendable {
  /// Chain time, milliseconds; 0 for the first.
  let time: Int64
  /// Sun.
  let price: Int64
}

/// A change that waits for the next maintenance.
struct Proposal: Equatable, Sendable {
  let key: ChainParameterKey
  let value: Int64
}

/// What all accounts share (java-tron: DynamicPropertiesStore). Part of the world state, so that a fork undoes it too.
struct NetworkState: Equatable, Sendable {
  private(set) var parameters: ChainParameters
  /// Chain time of the next maintenance, milliseconds: the first block at or after it carries it out.
  private(set) var nextMaintenance: Int64
  /// Whether the last block carried one out: the two slots after it stay empty (tron-protocol.md §3.2).
  private(set) var headIsMaintenance = false
  /// How many maintenances there have been.
  private(set) var cycle: Int64 = 0
  /// Whole TRX staked for energy, network-wide: 10 energy a day for one TRX, about what the real network gives.
  var totalEnergyWeight: Int64 = 18_000_000_000
  /// Whole TRX staked for bandwidth, network-wide.
  var totalBandwidthWeight: Int64 = 27_000_000_000
  private(set) var energyPrices: [PriceChange]
  private(set) var bandwidthPrices: [PriceChange]
  private(set) var proposals: [Proposal] = []

  /// The state at the begin of a network.
  init(parameters: ChainParameters, genesisTime: Int64) {
    self.parameters = parameters
    nextMaintenance = genesisTime + parameters.maintenanceInterval
    energyPrices = [PriceChange(time: 0, price: parameters.energyPrice)]
    bandwidthPrices = [PriceChange(time: 0, price: parameters.bandwidthPrice)]
  }

  /// The earliest time of a block after one at `headTime`: the next slot, the third after a maintenance (§2.2).
  func nextSlotTime(after headTime: Int64) -> Int64 {
    let skipped = headIsMaintenance ? ChainParameters.slotsSkippedByMaintenance : 0
    return headTime + parameters.slot * (1 + skipped)
  }

  /// Puts a change down for the next maintenance.
  mutating func propose(_ proposal: Proposal) { proposals.append(proposal) }

  /// Ends a block at `time`; tells whether it carries out a maintenance.
  ///
  /// The block itself still ran under the old prices (MaintenanceManager.applyBlock).
  mutating func closeBlock(at time: Int64) -> Bool {
    headIsMaintenance = time >= nextMaintenance
    guard headIsMaintenance else { return false }
    for proposal in proposals {
      parameters[keyPath: proposal.key.field] = proposal.value
      let change = PriceChange(time: nextMaintenance, price: proposal.value)
      if proposal.key == .energyPrice { energyPrices.append(change) }
      if proposal.key == .bandwidthPrice { bandwidthPrices.append(change) }
    }
    proposals = []
    cycle += 1
    let interval = parameters.maintenanceInterval
    nextMaintenance += ((time - nextMaintenance) / interval + 1) * interval
    return true
  }

  /// What a stake of `sun` gives a day, in units of `resource`.
  func allowance(of resource: Resource, for sun: Int64) -> Int64 {
    let (limit, weight) = totals(resource)
    guard weight > 0 else { return 0 }
    return Int64(clamping: Int128(sun) * Int128(limit) / (Int128(weight) * Int128(Account.sunPerTRX)))
  }

  /// The stake, in sun, that gives `units` of `resource` a day; rounded down.
  func stake(for units: Int64, of resource: Resource) -> Int64 {
    let (limit, weight) = totals(resource)
    guard limit > 0 else { return 0 }
    return Int64(clamping: Int128(units) * Int128(weight) * Int128(Account.sunPerTRX) / Int128(limit))
  }

  /// What an account is given a day.
  func limit(of resource: Resource, for account: Account) -> Int64 {
    allowance(of: resource, for: account[stake: resource].usable)
  }

  /// What of it is left at chain time `now`.
  func left(of resource: Resource, for account: Account, at now: Int64) -> Int64 {
    max(0, limit(of: resource, for: account) - account[usage: resource].value(at: now))
  }

  /// Counts a stake that changed from `old` to `new` sun; whole TRX count.
  mutating func count(_ resource: Resource, from old: Int64, to new: Int64) {
    let change = new / Account.sunPerTRX - old / Account.sunPerTRX
    switch resource {
    case .bandwidth: totalBandwidthWeight += change
    case .energy: totalEnergyWeight += change
    }
  }

  private func totals(_ resource: Resource) -> (limit: Int64, weight: Int64) {
    switch resource {
    case .bandwidth: (parameters.totalBandwidthLimit, totalBandwidthWeight)
    case .energy: (parameters.totalEnergyLimit, totalEnergyWeight)
    }
  }
}
