public import Payouts

/// Which chain is paid on, and the bounds within which its time and ours must agree.
///
/// ## Configuration keys
/// - `TRON_NETWORK` (mainnet, shasta, nile, devnet; required). mainnet needs `LUCID_ENV=production`, so that real money
///   is never paid by a program that runs with the conveniences of development.
/// - `TRON_GENESIS_BLOCK_ID` (64 hex digits; required for devnet, elsewhere built in, and another value is a problem).
/// - `USDT_CONTRACT_ADDRESS` (address, default by network).
/// - `REQUIRED_CONFIRMATIONS` (1 to 1000, default 19; below 19 on a devnet only).
/// - `CLOCK_BOUND_SECONDS` (1 to 600, default 60): how far the chain's time and our own may differ.
/// - `MAX_EXPIRATION_SECONDS` (60 to 3600, default 600): no transaction ever lives longer.
public struct TronConfiguration: SettingsReadable, Sendable {
  /// The network.
  public let network: Network
  /// Its block 0; a node counts only if it has the same.
  public let genesisBlockID: BlockID
  /// The contract of USDT.
  public let usdtContract: Address
  /// head − block + 1 at which a payout is confirmed, if its block is solid too.
  public let requiredConfirmations: Int64
  /// Seconds.
  public let clockBoundSeconds: Int64
  /// Seconds.
  public let maxExpirationSeconds: Int64

  /// The confirmations at which TRON's blocks are usually solid: more than two thirds of 27 producers.
  public static let usualConfirmations: Int64 = 19

  /// Reads every key.
  public init(from settings: inout Settings) {
    let stage = settings.deploymentStage()
    network = settings.choice("TRON_NETWORK")
    let isNetworkKnown = !settings.hasProblem("TRON_NETWORK")
    if isNetworkKnown, network == .mainnet, stage != .production {
      settings.note(
        "TRON_NETWORK", "mainnet moves real money and needs LUCID_ENV=production; expected shasta, nile or devnet")
    }
    genesisBlockID = TronConfiguration.genesis(of: network, isNetworkKnown: isNetworkKnown, from: &settings)
    usdtContract = settings.address("USDT_CONTRACT_ADDRESS", default: network.usdtContract)
    if usdtContract == .zero, !settings.hasProblem("USDT_CONTRACT_ADDRESS") {
      settings.note("USDT_CONTRACT_ADDRESS", "is the zero address; no contract lives there")
    }
    requiredConfirmations = settings.integer(
      "REQUIRED_CONFIRMATIONS", default: TronConfiguration.usualConfirmations, in: 1...1_000)
    if requiredConfirmations < TronConfiguration.usualConfirmations, isNetworkKnown, network != .devnet,
      !settings.hasProblem("REQUIRED_CONFIRMATIONS")
    {
      settings.note(
        "REQUIRED_CONFIRMATIONS",
        "expected at least \(TronConfiguration.usualConfirmations) on \(network.rawValue), got \(requiredConfirmations)"
      )
    }
    clockBoundSeconds = settings.integer("CLOCK_BOUND_SECONDS", default: 60, in: 1...600)
    maxExpirationSeconds = settings.integer("MAX_EXPIRATION_SECONDS", default: 600, in: 60...3_600)
  }

  private static func genesis(
    of network: Network, isNetworkKnown: Bool, from settings: inout Settings
  ) -> BlockID {
    let key = "TRON_GENESIS_BLOCK_ID"
    let isSet = settings.isSet(key)
    let given: BlockID? = settings.optionalIdentity(key)
    let standIn = BlockID(exactly: [UInt8](repeating: 0, count: 32))
    // Without a network there is nothing to hold it against; that problem is named already.
    guard isNetworkKnown else { return given ?? standIn }
    guard let builtIn = network.genesisBlockID else {
      if !isSet {
        settings.note(key, "is required for a devnet: expected the id of its block 0, 64 hexadecimal digits")
      }
      return given ?? standIn
    }
    if let given, given != builtIn {
      settings.note(key, "expected \(builtIn) for \(network.rawValue), got \(given): it is another network's")
    }
    return builtIn
  }
}
