import Hummingbird
import ServiceLifecycle

/// Brings HTTP to one face's node: paths, bodies, status codes, faults, and the newline that ends every answer.
struct DevnetResponder: HTTPResponder {
  typealias Context = DevnetContext

  let control: ControlAPI
  /// Counted from 0.
  let face: Int

  /// The largest body that is read, in bytes (`node.http.maxMessageSize`).
  private static let bodySizeMax = 4 * 1_024 * 1_024

  /// Answers one request. Never throws for what a client sent.
  func respond(to request: Request, context: DevnetContext) async throws -> Response {
    let path = request.uri.path.split(separator: "/", omittingEmptySubsequences: true)
    guard path.count == 2, request.method == .get || request.method == .post else { return Self.notFound }
    switch path[0] {
    case "wallet": return try await node(String(path[1]), request, in: .head, context)
    case "walletsolidity": return try await node(String(path[1]), request, in: .solid, context)
    case "devnet": return try await control(String(path[1]), request)
    default: return Self.notFound
    }
  }

  private func node(
    _ name: String, _ request: Request, in view: Chain.View, _ context: DevnetContext
  ) async throws -> Response {
    guard let endpoint = NodeAPI.Endpoint(rawValue: name), view == .head || endpoint.isSolid else {
      return Self.notFound
    }
    let path = view == .head ? "wallet/\(name)" : "walletsolidity/\(name)"
    control.counts.note("/\(path)")
    guard let body = try await body(of: request) else { return Self.tooLarge }
    let query = request.uri.queryParameters.map { (name: String($0.key), value: String($0.value)) }
    let call = Result { () throws(NodeError) in
      request.method == .post ? try NodeRequest(body: body, query: query) : NodeRequest(query: query)
    }
    var subject = Fault.Subject(face: face, endpoint: name, path: path)
    if control.board.asksForTransactions, case .success(let call) = call {
      subject.txid = call.subjectTransaction(of: endpoint)
    }
    let met = control.board.meet(subject)
    await wait(met.delayBefore)
    if let standIn = met.standIn { return await answer(standIn, context) }
    let response = await answer(endpoint, call, in: view, subject, met)
    await wait(met.delayAfter)
    if met.losesAnswer { await context.breakConnection() }
    return response
  }

  private func answer(
    _ endpoint: NodeAPI.Endpoint, _ call: Result<NodeRequest, NodeError>, in view: Chain.View,
    _ subject: Fault.Subject, _ met: MetFaults
  ) async -> Response {
    let lies = Lies(board: control.board, request: subject)
    let api = NodeAPI(host: await control.host.view(from: face), lies: lies, broadcastFault: met.broadcast)
    do {
      return Self.json(try await api.answer(endpoint, try call.get(), in: view))
    } catch {
      return Self.json(.object(["Error": .string(error.text)]))
    }
  }

  private func answer(_ standIn: Fault.StandIn, _ context: DevnetContext) async -> Response {
    switch standIn {
    case .brokenConnection:
      await context.breakConnection()
      return Response(status: .internalServerError)
    case .status(let code):
      let status = HTTPResponse.Status(code: code)
      return FalseAnswer.body(of: code).map { Self.json($0, status) } ?? Response(status: status)
    case .nodeError(let text): return Self.json(.object(["Error": .string(text)]))
    case .lightNode: return Self.text(FalseAnswer.lightNode, .ok)
    }
  }

  /// Waits, but not longer than the network lives.
  private func wait(_ milliseconds: Int64) async {
    guard milliseconds > 0 else { return }
    await cancelWhenGracefulShutdown {
      do {
        try await Task.sleep(for: .milliseconds(milliseconds))
      } catch {
        // The end has come, and the answer comes with it.
      }
    }
  }

  // MARK: Control

  /// What is asked of the simulation itself, not of the node it plays.
  private func control(_ name: String, _ request: Request) async throws -> Response {
    if let question = ControlAPI.Question(rawValue: name) { return Self.json(await control.answer(question)) }
    guard let command = ControlAPI.Command(rawValue: name) else { return Self.notFound }
    guard request.method == .post else { return Self.refused("/devnet/\(name) takes POST", .methodNotAllowed) }
    guard let body = try await body(of: request) else { return Self.tooLarge }
    do {
      return Self.json(try await control.carryOut(command, body: body))
    } catch {
      return Self.refused(error.sentence, .badRequest)
    }
  }

  // MARK: HTTP

  /// The whole body; nil where it is too large.
  private func body(of request: Request) async throws -> Bytes? {
    guard request.method == .post else { return [] }
    do {
      return Bytes(try await request.body.collect(upTo: Self.bodySizeMax).readableBytesView)
    } catch let error as any HTTPResponseError where error.status == .contentTooLarge {
      return nil
    }
  }

  private static let notFound = text("Not Found", .notFound)

  private static let tooLarge = json(
    .object(["Error": .string("the request body is too large")]), .contentTooLarge)

  private static func refused(_ sentence: String, _ status: HTTPResponse.Status) -> Response {
    json(.object(["error": .string(sentence)]), status)
  }

  private static func text(_ text: String, _ status: HTTPResponse.Status) -> Response {
    Response(
      status: status, headers: [.contentType: "text/plain"],
      body: ResponseBody(byteBuffer: ByteBuffer(string: "\(text)\n")))
  }

  private static func json(_ value: JSON, _ status: HTTPResponse.Status = .ok) -> Response {
    var bytes = value.bytes
    bytes.append(UInt8(ascii: "\n"))
    return Response(
      status: status, headers: [.contentType: "application/json"],
      body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
  }
}
