import HTTPTypes
import Hummingbird

/// What browsers are told: who may read an answer (Fetch standard, "CORS protocol"), and that no answer is a page, but one.
///
/// Callers prove themselves by headers, never by cookies: no answer allows a browser to add credentials of its own.
extension ServeHTTP {
  /// For how long a browser need not ask again, in seconds.
  static let preflightSeconds = 600

  private static let requestHeaders =
    "Authorization, X-API-Key, Content-Type, Idempotency-Key, X-Request-ID, Last-Event-ID"
  private static let exposedHeaders =
    "Location, X-Request-ID, Retry-After, RateLimit, RateLimit-Policy, Idempotency-Replayed"

  /// The answer to a browser's question before a call, which carries no credentials; nil where it is none, or the page's
  /// origin is not allowed.
  ///
  /// - Throws: `Problem` of kind `forbidden` where it came another way than it must.
  func preflight(_ route: Route?, _ exchange: Exchange) throws(Problem) -> Response? {
    let request = exchange.request
    guard let route, request.method == .options, request.headers[.accessControlRequestMethod] != nil,
      let origin = request.headers[.origin], origins.contains(origin)
    else { return nil }
    try authenticate.checkWay(of: request.headers)
    var fields = HTTPFields()
    fields[.requestID] = exchange.requestID
    fields[.cacheControl] = "no-store"
    fields[.accessControlAllowMethods] = route.methods.joined(separator: ", ")
    fields[.accessControlAllowHeaders] = Self.requestHeaders
    fields[.accessControlMaxAge] = String(Self.preflightSeconds)
    return Response(status: .noContent, headers: fields)
  }

  /// Adds what every answer tells browsers.
  func tellBrowsers(_ exchange: Exchange, _ response: inout Response) {
    response.headers[.xContentTypeOptions] = "nosniff"
    response.headers[.referrerPolicy] = "no-referrer"
    if response.headers[.contentSecurityPolicy] == nil {
      response.headers[.contentSecurityPolicy] = "default-src 'none'; frame-ancestors 'none'"
    }
    guard !origins.areNone else { return }
    response.headers[.vary] = "Origin"
    guard let origin = exchange.request.headers[.origin], origins.contains(origin) else { return }
    response.headers[.accessControlAllowOrigin] = origin
    response.headers[.accessControlExposeHeaders] = Self.exposedHeaders
  }
}
