import ServiceLifecycle
import Worker

/// Whoever keeps audit records outside of this machine.
protocol AuditReceiver: Sendable {
  /// Hands records over, as JSON. Returns once they were taken; an error may come after they were.
  func take(_ json: [UInt8]) async throws
}

/// The operator's `AUDIT_SINK_URL`: called by the same rules as `ALARM_WEBHOOK_URL`, 2xx in time means that all was
/// taken.
struct AuditWebhook: AuditReceiver, Service {
  private let call: AlarmWebhook

  /// - Parameters:
  ///   - url: of kind endpoint; may hold a token.
  ///   - proxy: the SOCKS5 server through which it is called; nil for a direct connection.
  init(_ url: ServiceURL, proxy: ProxyServer? = nil) {
    call = AlarmWebhook(url, proxy: proxy)
  }

  /// See `AuditReceiver`.
  func take(_ json: [UInt8]) async throws { try await call.tell(json) }

  /// Closes the connections where no service group does.
  func close() async throws { try await call.close() }

  /// Waits for the end and closes the connections.
  func run() async throws { try await call.run() }
}
