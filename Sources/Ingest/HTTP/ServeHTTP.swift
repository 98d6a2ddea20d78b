import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Payouts
import Streams
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
/// The order is fixed: what is open to all needs no credentials; everything else authenticates first; then the rate limit, path, method, permission, query and body.
struct ServeHTTP: HTTPResponder {
  typealias Context = IngestRequestContext

  let authenticate: AuthenticateCaller
  let limitRates: LimitRates
  let origins: AllowedOrigins
  let acceptPayout: AcceptPayout
  let readPayout: ReadPayout
  let listPayouts: ListPayouts
  let cancelPayout: CancelPayout
  let steerPayments: SteerPayments
  let decideHeld: DecideHeld
  let inspectQueues: InspectQueues
  let readStats: ReadStats
  let quotePayouts: QuotePayouts
  let manageAPIKeys: ManageAPIKeys
  let listAudits: ListAudits
  let manageWebhooks: ManageWebhooks
  let manageKYC: ManageKYC
  let answerPayout: AnswerPayout
  let answerTransaction: AnswerTransaction
  let readBody: ReadBody
  let health: any HTTPResponder<BasicRequestContext>
  let audit: RecordAudit
  let allowance = StrangerAllowance()
  let limited: LimitedAllowance
  /// This process, in audit records.
  let service: String
  let metrics: IngestMetrics
  let clock: any WallClock
  let random: any RandomSource
  let logger: Logger

  /// How long a connection whose request was not read to its end stays open for its answer, in seconds.
  static let lingerSeconds: Int64 = 2
  /// The longest path that is repeated in an answer, in characters.
  static let instanceCharactersMax = 256

  /// ops/openapi.yaml.
  static let document = (try? ReadJSON.value(of: Array(OpenAPIDocument.json.utf8))) ?? .null
  /// Written once: it is the largest answer, and always the same.
  private static let documentAnswer = Answer.ok(document)
  private static let documentation = Answer(
    page: DescribeInterface(document).page, styledBy: DescribeInterface.style)

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
    let operation = route?.operation(request.method)
    let name = operation?.rawValue ?? Operation.unknownName
    var exchange = Exchange(
      request: request, parameters: route?.parameters ?? [], requestID: requestID, logger: logger)
    var response: Response
    var refused: Problem.Kind?
    do throws(Problem) {
      response = try await respond(route, operation, context, &exchange)
    } catch {
      refused = error.kind
      // Whose proof was right once, and is worth nothing any more.
      if error.kind == .unauthenticated, let cause = error.cause {
        exchange.auditDetail = cause
        exchange.logger.warning(
          "A proof that is worth nothing any more was sent", metadata: [LogKey.problemCause: "\(cause)"])
      }
      response = refusal(error, route, path: path, exchange)
    }
    await record(exchange, operation, response, refused)
    Self.tellRate(exchange, &response)
    tellBrowsers(exchange, &response)
    if exchange.leavesBodyUnread { endConnection(&response, context.channel) }
    metrics.answered(route: name, status: Int(response.status.code), since: began)
    exchange.logger.debug(
      "Request answered",
      metadata: [
        LogKey.requestMethod: "\(request.method.rawValue)", LogKey.requestRoute: "\(name)",
        LogKey.responseStatus: "\(response.status.code)",
      ])
    return response
  }

  /// One request on its way through the interface.
  struct Exchange {
    let request: Request
    /// The values of the path's parameters.
    let parameters: [String]
    let requestID: String
    var logger: Logger
    var isBodyRead = false
    /// Who asks, once that is proven.
    var caller: Caller?
    /// What was left of the caller's allowance, where there is a limit.
    var rate: (rateClass: RateClass, verdict: RateVerdict)?
    /// What the audit record says besides: a reason, or what was made.
    var auditDetail: String?

    var isHead: Bool { request.method == .head }
    var query: Substring? { request.uri.query.map { $0[...] } }

    /// Whether the caller may still be sending a body that nobody reads.
    var leavesBodyUnread: Bool {
      let declared = request.headers[.contentLength].map { $0 != "0" } ?? false
      return !isBodyRead && (declared || request.headers[.transferEncoding] != nil)
    }
  }

  private func respond(
    _ route: Route?, _ operation: Operation?, _ context: Context, _ exchange: inout Exchange
  ) async throws(Problem) -> Response {
    if let answer = try preflight(route, exchange) { return answer }
    if let route, route.isOpen {
      guard let operation else { throw Self.notAllowed(route) }
      if operation == .getDocumentation {
        return Self.documentation.response(requestID: exchange.requestID, isHead: exchange.isHead)
      }
      return try await healthResponse(exchange, context)
    }
    let caller = try await authenticate.caller(headers: exchange.request.headers)
    exchange.caller = caller
    exchange.logger[metadataKey: LogKey.callerID] = "\(caller.id)"
    try await countRequest(of: caller, operation, &exchange)
    guard let route else { throw Problem(.notFound, "There is nothing under this path.") }
    guard let operation else { throw Self.notAllowed(route) }
    if let permission = operation.permission, !caller.has(permission) { throw caller.lacks(permission) }
    if !operation.readsQuery { try Self.refuseQuery(exchange) }
    let answer =
      switch operation {
      case .createPayout: try await create(caller, &exchange)
      case .createBatch: try await createBatch(caller, &exchange)
      case .quotePayouts: try await Answer.ok(AnswerQuote.quote(quotePayouts.quote(body(&exchange), caller: caller)))
      case .getBatch: try await batch(caller, exchange)
      case .listPayouts: try await list(caller, exchange)
      case .getPayout: try await Answer.ok(answerPayout.current(view(caller, exchange)))
      case .cancelPayout: try await cancel(caller, exchange)
      case .getTransaction: try await Answer.ok(answerTransaction.current(view(caller, exchange)))
      case .getTransactions: try await transactions(caller, &exchange)
      case .getStats: try await Answer.ok(AnswerStats.stats(readStats.stats(), readStats.limits))
      case .makeWebhook: try await makeWebhook(caller, &exchange)
      case .listWebhooks: try await webhooks(caller, exchange)
      case .deleteWebhook: try await deleteWebhook(caller, exchange)
      case .listWebhookDeliveries: try await webhookDeliveries(caller, exchange)
      case .testWebhook: try await testWebhook(caller, exchange)
      case .redeliverWebhook: try await redeliverWebhook(caller, exchange)
      case .rotateWebhookSecret: try await rotateWebhookSecret(caller, exchange)
      case .registerNode: try await registerNode(caller, &exchange)
      case .getNode: try await node(exchange)
      case .verifyNode: try await verifyNode(caller, &exchange)
      case .suspendNode: try await suspendNode(caller, &exchange)
      case .releasePayout, .rejectPayout, .settlePayout: try await decide(operation, caller, &exchange)
      case .listHeld: try await held(exchange)
      case .openBreaker: try await steer(.openBreaker, caller, &exchange)
      case .closeBreaker: try await closeBreaker(caller, &exchange)
      case .pausePayments: try await steer(.pause, caller, &exchange)
      case .resumePayments: try await steer(.resume, caller, &exchange)
      case .listFindings: try await findings(exchange)
      case .getQueues: try await Answer.ok(AnswerOperator.queues(inspectQueues.depths()))
      case .listDeadLetters: try await deadLetters(exchange)
      case .retryDeadLetter: try await retryDeadLetter(caller, exchange)
      case .makeAPIKey: try await makeAPIKey(caller, &exchange)
      case .listAPIKeys: try await apiKeys(exchange)
      case .revokeAPIKey: try await revokeAPIKey(caller, exchange)
      case .listAudits: try await audits(exchange)
      case .getDocument: Self.documentAnswer
      case .getHealth, .getReadiness, .getLiveness, .getDocumentation: throw .mistake
      }
    return answer.response(requestID: exchange.requestID, isHead: exchange.isHead)
  }

  private static func notAllowed(_ route: Route) -> Problem {
    Problem(.methodNotAllowed, "Allowed here: \(route.methods.joined(separator: ", ")).")
  }

  /// A query that nobody reads could mean something to whoever sent it.
  private static func refuseQuery(_ exchange: Exchange) throws(Problem) {
    var fields = try ReadQuery.fields(exchange.query)
    try fields.whole(())
  }

  /// The body, where it is declared as JSON.
  func body(_ exchange: inout Exchange) async throws(Problem) -> [UInt8] {
    guard Self.isJSON(exchange.request.headers[.contentType]) else {
      throw Problem(.unsupportedMediaType, "Send the body as application/json, in UTF-8.")
    }
    let body = try await readBody.bytes(of: exchange.request)
    exchange.isBodyRead = true
    return body
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
  private func refusal(_ problem: Problem, _ route: Route?, path: String, _ exchange: Exchange) -> Response {
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
    if problem.kind == .methodNotAllowed, let route {
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
