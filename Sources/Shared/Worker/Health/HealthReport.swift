public import Payouts

/// How a worker does as a whole, and what /health and /ready say of it.
public struct HealthReport: Sendable, Equatable {
  /// The worker as a whole.
  public enum Status: String, Sendable {
    /// Every part is well.
    case healthy
    /// Some part is not, but the worker does its duty.
    case degraded
    /// Some part has failed, and the worker cannot do its duty.
    case unhealthy
  }

  /// The name of the service.
  public let service: String
  /// When the report was made.
  public let time: Timestamp
  /// Whole seconds since the worker started.
  public let uptimeSeconds: Int64
  /// Whether it is finishing its work to stop.
  public let isDraining: Bool
  /// All parts by name.
  public let components: [String: HealthRegistry.Component]

  /// The worst of all parts: a failed one makes the worker unhealthy, a degraded or untried one degraded.
  public var status: Status {
    let states = Set(components.values.map(\.state))
    if states.contains(.failed) { return .unhealthy }
    return states.isSubset(of: [.ok]) ? .healthy : .degraded
  }

  /// Why no new work should be sent to this worker, sorted; empty while it is ready.
  /// - Parameter isStrict: whether a degraded part is a reason as well.
  public func reasonsNotReady(isStrict: Bool = false) -> [String] {
    let reasons = components.compactMap { name, component -> String? in
      switch component.state {
      case .ok: nil
      case .degraded: isStrict ? HealthReport.reason(name, component) : nil
      case .starting, .failed: HealthReport.reason(name, component)
      }
    }
    return (isDraining ? ["draining"] : []) + reasons.sorted()
  }

  /// The body of /health.
  public var healthJSON: String {
    let dependencies = components.sorted { $0.key < $1.key }.map { name, component -> (String, JSON) in
      var fields: [(String, JSON)] = [
        ("state", .text(component.state.rawValue)), ("since", .text(component.since.description)),
      ]
      if let detail = component.detail { fields.append(("detail", .text(detail))) }
      return (name, .object(fields))
    }
    return JSON.object([
      ("status", .text(status.rawValue)), ("service", .text(service)), ("timestamp", .text(time.description)),
      ("uptime_seconds", .integer(uptimeSeconds)), ("draining", .flag(isDraining)),
      ("dependencies", .object(dependencies)),
    ]).description
  }

  /// The body of /ready.
  public func readyJSON(isStrict: Bool = false) -> String {
    let reasons = reasonsNotReady(isStrict: isStrict)
    return JSON.object([
      ("ready", .flag(reasons.isEmpty)), ("reasons", .array(reasons.map { .text($0) })),
    ]).description
  }

  private static func reason(_ name: String, _ component: HealthRegistry.Component) -> String {
    component.detail.map { "\(name): \($0)" } ?? "\(name): \(component.state.rawValue)"
  }
}
