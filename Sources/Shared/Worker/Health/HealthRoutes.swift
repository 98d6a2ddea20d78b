public import Hummingbird

/// The endpoints that tell how a worker does. They answer without authentication.
///
/// - GET /health: JSON with every part's state and the uptime; 200 healthy or degraded, 503 unhealthy.
/// - GET /ready: 200, or 503 with the reasons while the worker should get no new work; `?strict=true` counts degraded
///   parts as reasons too.
/// - GET /live: 200 as long as the process answers at all.
public struct HealthRoutes: Sendable {
  private let health: HealthRegistry

  /// - Parameter health: what the answers are made from, anew for each.
  public init(_ health: HealthRegistry) { self.health = health }

  /// Adds the three routes; a worker with an HTTP interface of its own offers them there as well.
  public func add<Routes: RouterMethods>(to routes: Routes) {
    let health = health
    routes.get("health") { _, _ in
      let report = health.report()
      return HealthRoutes.answer(report.healthJSON, isGood: report.status != .unhealthy)
    }
    routes.get("ready") { request, _ in
      let isStrict = request.uri.queryParameters["strict"] == "true"
      let report = health.report()
      return HealthRoutes.answer(
        report.readyJSON(isStrict: isStrict), isGood: report.reasonsNotReady(isStrict: isStrict).isEmpty)
    }
    routes.get("live") { _, _ in HealthRoutes.answer(JSON.object([("live", .flag(true))]).description, isGood: true) }
  }

  private static func answer(_ json: String, isGood: Bool) -> Response {
    HealthRoutes.answer(json, contentType: "application/json", status: isGood ? .ok : .serviceUnavailable)
  }

  /// An answer that no cache may keep.
  static func answer(_ body: String, contentType: String, status: HTTPResponse.Status) -> Response {
    Response(
      status: status, headers: [.contentType: contentType, .cacheControl: "no-store"],
      body: ResponseBody(byteBuffer: ByteBuffer(string: body)))
  }
}
