import Hummingbird
public import Logging
import NIOCore
public import ServiceLifecycle
import Synchronization

/// The HTTP server on `METRICS_HOST` and `METRICS_PORT`: /metrics, /health, /ready and /live of every worker.
///
/// It is the first service to start and the last to stop, so that a draining worker can still be watched.
public struct HealthServer: Service {
  private let host: String
  private let port: Int
  private let health: HealthRegistry
  private let metrics: PrometheusRegistry
  private let logger: Logger
  private let onListening: @Sendable (Int) -> Void

  /// - Parameters:
  ///   - host: an address of this machine, 127.0.0.1 unless others should reach it.
  ///   - port: 0 for any free one.
  ///   - onListening: told the port once the server accepts connections.
  public init(
    host: String, port: Int, health: HealthRegistry, metrics: PrometheusRegistry, logger: Logger,
    onListening: @escaping @Sendable (Int) -> Void = { _ in }
  ) {
    self.host = host
    self.port = port
    self.health = health
    self.metrics = metrics
    self.logger = logger
    self.onListening = onListening
  }

  /// Serves until graceful shutdown.
  /// - Throws: `WorkerError` with code `cannotListen` where the address is taken or not this machine's.
  public func run() async throws {
    let router = Router()
    HealthRoutes(health).add(to: router)
    router.get("metrics") { [metrics] _, _ in
      HealthRoutes.answer(metrics.text(), contentType: PrometheusText.contentType, status: .ok)
    }
    // The server's own talk (a line for its start and each refused request) is of use to its developers only.
    var serverLogger = logger
    serverLogger.logLevel = max(logger.logLevel, .notice)
    let isListening = Flag()
    let application = Application(
      router: router, configuration: ApplicationConfiguration(address: .hostname(host, port: port)),
      onServerRunning: { [host, logger, onListening] channel in
        let port = channel.localAddress?.port ?? 0
        isListening.set()
        logger.info(
          "Health endpoints listen", metadata: [LogKey.listenHost: "\(host)", LogKey.listenPort: "\(port)"])
        onListening(port)
      }, logger: serverLogger)
    do {
      try await application.run()
    } catch  where !isListening.isSet && !(error is CancellationError) {
      throw WorkerError(
        .cannotListen,
        "the health endpoints cannot listen on \(host) port \(port) (METRICS_HOST, METRICS_PORT): \(error)")
    }
  }

  /// Whether something has happened yet, told by one task to another.
  private final class Flag: Sendable {
    private let value = Atomic(false)
    var isSet: Bool { value.load(ordering: .acquiring) }
    func set() { value.store(true, ordering: .releasing) }
  }
}
