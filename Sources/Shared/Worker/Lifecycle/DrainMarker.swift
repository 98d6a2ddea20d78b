import Logging
import ServiceLifecycle

/// The first to hear of a graceful shutdown, being the last service of the group: marks the worker as draining, so
/// that /ready refuses new work before anything else stops.
struct DrainMarker: Service {
  let health: HealthRegistry
  let logger: Logger
  /// Raised at the same moment.
  let draining: StopSignal

  func run() async throws {
    let stop = StopSignal()
    await withGracefulShutdownHandler {
      await stop.wait()
    } onGracefulShutdown: {
      stop.raise()
    }
    guard stop.isRaised else { return }
    health.beginDraining()
    draining.raise()
    logger.info("Shutdown began: finishing what is under way")
  }
}

/// A service that must go on until it is told to stop; ending earlier is an error, which drains the others.
struct EnduringService: Service {
  let service: any Service

  /// The type alone: a service's own description may hold what it was configured with.
  var name: String { "\(type(of: service))" }

  func run() async throws {
    try await service.run()
    if !Task.isShuttingDownGracefully, !Task.isCancelled {
      throw WorkerError(.serviceEnded, "the service \(name) ended although nobody had told it to")
    }
  }
}
