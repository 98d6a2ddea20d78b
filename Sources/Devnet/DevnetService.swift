import Hummingbird
public import Logging
public import ServiceLifecycle

/// The simulated network: a node's HTTP API on loopback and a block every slot.
///
/// ```
/// HTTP ─▶ DevnetResponder ─▶ NodeAPI ─▶ ChainHost (actor) ─▶ Chain (pure)
///                                          ▲
///                              BlockLoop ──┘  one block a slot
/// ```
public struct DevnetService: Service {
  private let configuration: DevnetConfiguration
  private let host: ChainHost
  private let logger: Logger
  private let onReady: @Sendable (_ url: String, _ genesisBlockID: String) async -> Void

  /// The id of block 0, 64 hex characters: by it a client knows this network.
  public let genesisBlockID: String

  /// A network that has not begun to run.
  ///
  /// - Parameters:
  ///   - clock: wall time in milliseconds since 1970.
  ///   - onReady: called once with the URL and the id of block 0, when the node answers there.
  public init(
    _ configuration: DevnetConfiguration, clock: @escaping @Sendable () -> Int64, logger: Logger,
    onReady: @escaping @Sendable (_ url: String, _ genesisBlockID: String) async -> Void
  ) {
    var parameters = ChainParameters()
    parameters.slot = configuration.slot
    let chain = Chain(genesis: configuration.genesis, parameters: parameters)
    self.configuration = configuration
    self.logger = logger
    self.onReady = onReady
    host = ChainHost(chain, clock: clock)
    genesisBlockID = chain.genesis.id.hex
  }

  /// Serves until graceful shutdown or cancellation. Throws where the port cannot be opened.
  public func run() async throws {
    let (onReady, genesisBlockID) = (onReady, genesisBlockID)
    let application = Application(
      responder: DevnetResponder(host: host),
      configuration: ApplicationConfiguration(
        address: .hostname("127.0.0.1", port: configuration.port), serverName: "devnet"),
      onServerRunning: { channel in
        guard let port = channel.localAddress?.port else { return }
        await onReady("http://127.0.0.1:\(port)", genesisBlockID)
      },
      logger: logger)
    let group = ServiceGroup(
      configuration: ServiceGroupConfiguration(
        services: [
          .init(service: application),
          .init(service: BlockLoop(host: host, slot: configuration.slot)),
        ], logger: logger))
    try await group.run()
  }
}

/// Makes a block at the begin of every slot of wall time.
struct BlockLoop: Service {
  let host: ChainHost
  let slot: Int64

  /// Runs until graceful shutdown or cancellation.
  func run() async throws {
    await cancelWhenGracefulShutdown {
      while !Task.isCancelled {
        let untilNextSlot = slot - host.clock() % slot
        do {
          try await Task.sleep(for: .milliseconds(untilNextSlot))
        } catch {
          return
        }
        await host.produceDueBlock()
      }
    }
  }
}
