import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Payouts
import Worker

/// What a request is answered in: besides what Hummingbird needs, its connection, to end it where a body was not read.
struct IngestRequestContext: RequestContext {
  /// What Hummingbird needs.
  var coreContext: CoreRequestContextStorage
  /// The connection.
  let channel: any Channel

  /// A context for one request.
  init(source: ApplicationRequestContextSource) {
    coreContext = CoreRequestContextStorage(source: source)
    channel = source.channel
  }
}

/// The HTTP interface: parses, calls one step, renders. It decides nothing about payouts.
///
/// The order is fixed: health needs no credentials; everything else authenticates first, so that a stranger learns not
/// even which paths exist; then path, method, permission and body.
struct ServeHTTP: HTTPResponder {
  typealias Context = IngestRequestContext

  let authenticate: AuthenticateCaller
  let acceptPayout: AcceptPayout
  let readPayout: ReadPayout
  let answerPayout: AnswerPayout
  let answerTransaction: AnswerTransaction
  let readBody: ReadBody
  let health: any HTTPResponder<BasicRequestContext>
  let metrics: IngestMetrics
  let clock: any WallClock
  let random: any RandomSource
  let logger: Logger

  /// How long a connection whose request was not read to its end stays open for its answer, in seconds.
  static let lingerSeconds: Int64 = 2
  /// The longest path that is repeated in an answer, in characters.
  static let instanceCharactersMax = 256

  /// Answers one request. Never throws: every error has become a problem.
  func respond(to request: Request, context: Context) async throws -> Response {
    let began = ContinuousClock.now
    let requestID =
      RequestID.checked(request.headers[.requestID])
      ?? PayoutID(at: clock.now(), randomness: random.bytes(10)).description
    var logger = logger
    logger[metadataKey: LogKey.requestID] = "\(requestID)"
    let path = request.uri.path
    let route = Route(path: path)
    var exchange = Exchange(request: request, requestID: requestID, logger: logger)
    var response: Response
    do throws(Problem) {
      response = try await respond(route, context, &exchange)
    } catch {
      response = refusal(error, path: path, exchange)
    }
    if exchange.leavesBodyUnread { endConnection(&response, context.channel) }
    metrics.answered(route: route?.name ?? Route.unknownName, status: Int(response.status.code), since: began)
    exchange.logger.debug(
      "Request answered",
      metadata: [
        LogKey.requestMethod: "\(request.method.rawValue)", LogKey.requestRoute: "\(route?.name ?? Route.unknownName)",
        LogKey.responseStatus: "\(response.status.code)",
      ])
    return response
  }

  /// One request on its way through the interface.
  private struct Exchange {
    let request: Request
    let requestID: String
    var logger: Logger
    var isBodyRead = false

    var isHead: Bool { request.method == .head }

    /// Whether the caller may still be sending a body that nobody reads.
    var leavesBodyUnread: Bool {
      let declared = request.headers[.contentLength].map { $0 != "0" } ?? false
      return !isBodyRead && (declared || request.headers[.transferEncoding] != nil)
    }
  }

  private func respond(
    _ route: Route?, _ context: Context, _ exchange: inout Exchange
  ) async throws(Problem) -> Response {
    if case .health = route {
      try requireMethod(of: .health, exchange.request)
      return try await healthResponse(exchange, context)
    }
    let caller = try await authenticate.caller(authorization: exchange.request.headers[.authorization])
    exchange.logger[metadataKey: LogKey.callerID] = "\(caller.id)"
    guard let route else { throw Problem(.notFound, "There is nothing under this path.") }
    try requireMethod(of: route, exchange.request)
    let answer =
      switch route {
      case .health: throw Problem.mistake
      case .payouts: try await create(caller, &exchange)
      case .payout(let id): try await Answer.ok(answerPayout.current(view(id, caller)))
      case .transaction(let id): try await Answer.ok(answerTransaction.current(view(id, caller)))
      }
    return answer.response(requestID: exchange.requestID, isHead: exchange.isHead)
  }

  private func create(_ caller: Caller, _ exchange: inout Exchange) async throws(Problem) -> Answer {
    guard caller.has(.create) else {
      throw Problem(.forbidden, "The role \(caller.role.rawValue) may not create payouts (payment:create).")
    }
    let headers = exchange.request.headers
    let key = try IdempotencyKey(headers: headers[values: .idempotencyKey])
    guard Self.isJSON(headers[.contentType]) else {
      throw Problem(.unsupportedMediaType, "Send the body as application/json, in UTF-8.")
    }
    let body = try await readBody.bytes(of: exchange.request)
    exchange.isBodyRead = true
    let acceptance = try await acceptPayout.accept(body, caller: caller, key: key, requestID: exchange.requestID)
    let id = acceptance.record.id
    if acceptance.isReplay {
      exchange.logger.debug("Payout was accepted before", metadata: [LogKey.payoutID: "\(id)"])
    } else {
      exchange.logger.info(
        "Payout accepted",
        metadata: [LogKey.payoutID: "\(id)", LogKey.payoutReference: "\(acceptance.record.terms.reference)"])
    }
    metrics.accepted(isReplay: acceptance.isReplay)
    let prefix = exchange.request.uri.path.hasPrefix(Route.prefix + "/") ? Route.prefix : ""
    var answer = Answer(
      status: 201, body: answerPayout.created(acceptance.record), headers: [(.location, "\(prefix)/payouts/\(id)")])
    if acceptance.isReplay { answer.headers.append((.idempotencyReplayed, "true")) }
    return answer
  }

  private func view(_ id: String, _ caller: Caller) async throws(Problem) -> PayoutView {
    guard caller.has(.read) else {
      throw Problem(.forbidden, "The role \(caller.role.rawValue) may not read payouts (payment:read).")
    }
    return try await readPayout.view(id, for: caller)
  }

  private func requireMethod(of route: Route, _ request: Request) throws(Problem) {
    guard route.methods.contains(request.method.rawValue) else {
      throw Problem(.methodNotAllowed, "Allowed here: \(route.methods.joined(separator: ", ")).")
    }
  }

  private func healthResponse(_ exchange: Exchange, _ context: Context) async throws(Problem) -> Response {
    var head = exchange.request.head
    head.method = .get
    let request = Request(head: head, body: RequestBody(buffer: ByteBuffer()))
    let source = ApplicationRequestContextSource(channel: context.channel, logger: exchange.logger)
    do {
      var response = try await health.respond(to: request, context: BasicRequestContext(source: source))
      response.headers[.requestID] = exchange.requestID
      return exchange.isHead ? response.createHeadResponse() : response
    } catch {
      throw .mistake.because(error)
    }
  }

  /// A problem as an answer; those that are ours, not the caller's, are logged.
  private func refusal(_ problem: Problem, path: String, _ exchange: Exchange) -> Response {
    metrics.refused(problem.kind)
    let level: Logger.Level =
      switch problem.kind.status {
      case 500: .error
      case 503: .warning
      default: .debug
      }
    var metadata: Logger.Metadata = [LogKey.problemType: "\(problem.kind.rawValue)"]
    if let cause = problem.cause { metadata[LogKey.problemCause] = "\(cause)" }
    exchange.logger.log(level: level, "Request refused", metadata: metadata)
    var answer = Answer(problem, instance: Self.instance(path), requestID: exchange.requestID)
    if problem.kind == .methodNotAllowed, let route = Route(path: path) {
      answer.headers.append((.allow, route.methods.joined(separator: ", ")))
    }
    return answer.response(requestID: exchange.requestID, isHead: exchange.isHead)
  }

  /// Ends a connection on which somebody may go on sending: told by a header, and done a little later, so that the answer
  /// is not lost with it.
  private func endConnection(_ response: inout Response, _ channel: any Channel) {
    response.headers[.connection] = "close"
    channel.eventLoop.scheduleTask(in: .seconds(Self.lingerSeconds)) { channel.close(promise: nil) }
  }

  /// `application/json`, with no charset but UTF-8 (RFC 8259 §8.1, §11).
  static func isJSON(_ contentType: String?) -> Bool {
    guard let contentType else { return false }
    let parts = contentType.lowercased().split(separator: ";", omittingEmptySubsequences: false).map {
      String($0.drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
    }
    let charsets = ["charset=utf-8", "charset=\"utf-8\""]
    return parts[0] == "application/json" && parts.dropFirst().allSatisfy { charsets.contains($0) }
  }

  private static func instance(_ path: String) -> String {
    String(decoding: path.utf8.filter { (0x21...0x7e).contains($0) }.prefix(instanceCharactersMax), as: UTF8.self)
  }
}

extension LogKey {
  /// Why a request was refused: the end of the problem's type.
  static let problemType = "problem.type"
  /// What led to it, where that is an error of ours or of what we depend on.
  static let problemCause = "problem.cause"
}
