import Hummingbird
public import Logging
public import ServiceLifecycle
import Synchronization

/// The simulated network: one or more nodes' HTTP APIs on loopback and a block every slot.
///
/// ```
/// HTTP ─▶ DevnetResponder ─▶ NodeAPI ─▶ FaceView ─▶ ChainHost (actor) ─▶ Chain (pure)
///          (one a face)   └▶ ControlAPI ───────────▶   ▲
///                                          BlockLoop ──┘  one block a slot
/// ```
public struct DevnetService: Service {
  private let configuration: DevnetConfiguration
  private let host: ChainHost
  private let logger: Logger
  private let onReady: @Sendable (_ urls: [String], _ genesisBlockID: String) async -> Void

  /// The id of block 0, 64 hex characters: by it a client knows this network.
  public let genesisBlockID: String

  /// A network that has not begun to run; where `DEVNET_STATE_FILE` holds a chain, the network that goes on with it.
  ///
  /// - Parameters:
  ///   - clock: wall time in milliseconds since 1970.
  ///   - onReady: called once with the URL of each face and the id of block 0, when all of them answer.
  public init(
    _ configuration: DevnetConfiguration, clock: @escaping @Sendable () -> Int64, logger: Logger,
    onReady: @escaping @Sendable (_ urls: [String], _ genesisBlockID: String) async -> Void
  ) throws(ChainFileError) {
    var chain: Chain?
    var kept: KeptChain?
    if let path = configuration.stateFile { kept = try KeptChain(path, configuration, chain: &chain) }
    let begun = chain ?? Chain(genesis: configuration.genesis, parameters: configuration.parameters)
    self.configuration = configuration
    self.logger = logger
    self.onReady = onReady
    host = ChainHost(begun, kept: kept, faceCount: configuration.faceCount, clock: clock)
    genesisBlockID = begun.genesis.id.hex
  }

  /// Serves until graceful shutdown or cancellation. Throws where a port cannot be opened.
  public func run() async throws {
    let control = ControlAPI(host: host, board: FaultBoard(), counts: RequestCounts())
    let ports = OpenPorts(count: configuration.faceCount)
    var services: [ServiceGroupConfiguration.ServiceConfiguration] = (0..<configuration.faceCount).map { face in
      .init(service: application(DevnetResponder(control: control, face: face), ports))
    }
    services.append(.init(service: BlockLoop(host: host, slot: configuration.slot)))
    let group = ServiceGroup(configuration: ServiceGroupConfiguration(services: services, logger: logger))
    try await group.run()
  }

  private func application(_ responder: DevnetResponder, _ ports: OpenPorts) -> some ApplicationProtocol {
    let (onReady, genesisBlockID, face) = (onReady, genesisBlockID, responder.face)
    let port = configuration.port == 0 ? 0 : configuration.port + face
    return Application(
      responder: responder,
      configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: port), serverName: "devnet"),
      onServerRunning: { channel in
        guard let port = channel.localAddress?.port, let all = ports.note(port, of: face) else { return }
        await onReady(all.map { "http://127.0.0.1:\($0)" }, genesisBlockID)
      },
      logger: logger)
  }
}

/// Gathers on which ports the faces listen.
private final class OpenPorts: Sendable {
  private let ports: Mutex<[Int?]>

  /// Waits for `count` faces.
  init(count: Int) { ports = Mutex(Array(repeating: nil, count: count)) }

  /// Notes one face's port; returns all of them, in order, with the last one.
  func note(_ port: Int, of face: Int) -> [Int]? {
    ports.withLock { ports in
      ports[face] = port
      let open = ports.compactMap { $0 }
      return open.count == ports.count ? open : nil
    }
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
