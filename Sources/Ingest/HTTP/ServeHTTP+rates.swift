import Hummingbird
import Streams

/// Rate limits, and what an answer tells of them: the fields `RateLimit-Policy` and `RateLimit` of
/// draft-ietf-httpapi-ratelimit-headers-10, and `Retry-After` where there was nothing left.
extension ServeHTTP {
  /// Counts a request of a caller who is proven, before anything is read of it but its head.
  func countRequest(of caller: Caller, _ operation: Operation?, _ exchange: inout Exchange) async throws(Problem) {
    let rateClass = operation?.rateClass ?? RateClass(of: exchange.request.method)
    guard let verdict = await limitRates.take(rateClass, for: caller.id) else { return }
    exchange.rate = (rateClass, verdict)
    guard verdict.isTaken else { throw .rateLimited(rateClass, verdict) }
  }

  /// Tells what is left.
  static func tellRate(_ exchange: Exchange, _ response: inout Response) {
    guard let (rateClass, verdict) = exchange.rate else { return }
    let limit = verdict.limit
    response.headers[.rateLimitPolicy] = "\"\(rateClass.rawValue)\";q=\(limit.count);w=\(limit.windowSeconds)"
    response.headers[.rateLimit] =
      "\"\(rateClass.rawValue)\";r=\(verdict.remaining);t=\(verdict.fullAfterSeconds)"
  }
}

extension Problem {
  /// Provably nothing was done.
  fileprivate static func rateLimited(_ rateClass: RateClass, _ verdict: RateVerdict) -> Problem {
    Problem(
      .rateLimited,
      "You have used up your requests of class \(rateClass.rawValue): \(verdict.limit.count) in "
        + "\(verdict.limit.windowSeconds) seconds, which come anew one by one. Nothing was changed; try again later.",
      retryAfterSeconds: max(1, verdict.retryAfterSeconds))
  }
}
