import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization
import Worker

/// The HTTP server: listens, keeps connections within bounds, and on graceful shutdown finishes what is in flight.
struct HTTPServer: Service {
  /// The most connections at a time; more wait in the listener's queue.
  static let connectionsMax = 10_000
  /// How many connections may wait to be taken.
  static let backlog = 1_024
  /// How long a connection may bring no request, or no whole head of one, in milliseconds: single bytes count for nothing.
  static let idleMillisecondsMax: Int64 = 15_000
  /// The most bytes of a request's headers, and of its line.
  static let headerBytesMax = 16 * 1_024
  /// The most headers of a request.
  static let headersMax = 100

  let responder: ServeHTTP
  let host: String
  let port: Int
  let logger: Logger
  /// How long a connection may be idle, in milliseconds.
  let idleMilliseconds: Int64
  let onListening: @Sendable (Int) -> Void

  /// Serves until graceful shutdown.
  /// - Throws: `WorkerError` with code `cannotListen` where the address is taken or not this machine's.
  func run() async throws {
    // The server's own talk (a line for its start and each refused request) is of use to its developers only.
    var serverLogger = logger
    serverLogger.logLevel = max(logger.logLevel, .notice)
    let isListening = Flag()
    let configuration = HTTP1Channel.Configuration(
      idleTimeout: .milliseconds(idleMilliseconds),
      httpDecoderConfiguration: .init(
        maxHeaderFieldSize: Self.headerBytesMax, maxHeaderListSize: Self.headerBytesMax,
        maxHeaderFieldCount: Self.headersMax))
    let application = Application(
      responder: responder, server: .http1(configuration: configuration),
      configuration: ApplicationConfiguration(
        address: .hostname(host, port: port), backlog: Self.backlog,
        availableConnectionsDelegate: MaximumAvailableConnections(Self.connectionsMax, logger: serverLogger)),
      onServerRunning: { channel in
        isListening.set()
        listening(channel.localAddress?.port ?? 0)
      }, logger: serverLogger)
    do {
      try await application.run()
    } catch  where !isListening.isSet && !(error is CancellationError) {
      throw WorkerError(.cannotListen, "cannot listen on \(host) port \(port) (HOST, PORT): \(error)")
    }
  }

  private func listening(_ port: Int) {
    logger.info(
      "Listening on http://\(host):\(port)",
      metadata: [LogKey.listenHost: "\(host)", LogKey.listenPort: "\(port)"])
    onListening(port)
  }

  /// Whether something has happened yet, told by one task to another.
  private final class Flag: Sendable {
    private let value = Atomic(false)
    var isSet: Bool { value.load(ordering: .acquiring) }
    func set() { value.store(true, ordering: .releasing) }
  }
}
