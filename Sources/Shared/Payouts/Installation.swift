/// What an installation is: stands in the database, so that no worker of another one can write in it.
public struct Installation: Sendable, Hashable {
  /// `dev`, `staging` or `production`.
  public let environment: String
  /// The TRON network.
  public let network: Network
  /// Its genesis block: transactions carry no chain id.
  public let genesis: BlockID
  /// The longest life a transaction may be given, in milliseconds (`MAX_EXPIRATION_SECONDS`).
  public let maximumExpirationMilliseconds: Int64
  /// How far clocks may differ, in milliseconds (`CLOCK_BOUND_SECONDS`).
  public let clockBoundMilliseconds: Int64

  /// An installation as configured.
  public init(
    environment: String, network: Network, genesis: BlockID, maximumExpirationMilliseconds: Int64,
    clockBoundMilliseconds: Int64
  ) {
    self.environment = environment
    self.network = network
    self.genesis = genesis
    self.maximumExpirationMilliseconds = maximumExpirationMilliseconds
    self.clockBoundMilliseconds = clockBoundMilliseconds
  }
}
