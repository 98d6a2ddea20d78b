import Hummingbird

/// Brings HTTP to the node's API: paths, bodies, status codes, and the newline that ends every answer.
struct DevnetResponder: HTTPResponder {
  typealias Context = BasicRequestContext

  private let api: NodeAPI
  private let counts = RequestCounts()

  /// Answers for the chain of `host`.
  init(host: ChainHost) { api = NodeAPI(host: host) }

  /// The largest body that is read, in bytes (`node.http.maxMessageSize`).
  private static let bodySizeMax = 4 * 1_024 * 1_024

  /// Answers one request. Never throws for what a client sent.
  func respond(to request: Request, context: Context) async throws -> Response {
    let path = request.uri.path.split(separator: "/", omittingEmptySubsequences: true)
    guard path.count == 2, request.method == .get || request.method == .post else { return Self.notFound }
    switch path[0] {
    case "wallet": return try await node(String(path[1]), request, in: .head)
    case "walletsolidity": return try await node(String(path[1]), request, in: .solid)
    case "devnet": return await control(path[1])
    default: return Self.notFound
    }
  }

  private func node(_ name: String, _ request: Request, in view: Chain.View) async throws -> Response {
    guard let endpoint = NodeAPI.Endpoint(rawValue: name), view == .head || endpoint.isSolid else {
      return Self.notFound
    }
    counts.note(view == .head ? "/wallet/\(name)" : "/walletsolidity/\(name)")
    let query = request.uri.queryParameters.map { (name: String($0.key), value: String($0.value)) }
    var body: Bytes = []
    if request.method == .post {
      do {
        body = Bytes(try await request.body.collect(upTo: Self.bodySizeMax).readableBytesView)
      } catch let error as any HTTPResponseError where error.status == .contentTooLarge {
        return Self.json(.object(["Error": .string("the request body is too large")]), .contentTooLarge)
      }
    }
    do {
      let parsed =
        request.method == .post ? try NodeRequest(body: body, query: query) : NodeRequest(query: query)
      return Self.json(try await api.answer(endpoint, parsed, in: view))
    } catch {
      return Self.json(.object(["Error": .string(error.text)]))
    }
  }

  /// What is asked of the simulation itself, not of the node it plays.
  private func control(_ name: Substring) async -> Response {
    switch name {
    case "requests":
      let blocks = await api.host.withChain { $0.head.header.number }
      var requests = JSONObject()
      for (path, count) in counts.snapshot { requests.set(path, .integer(count)) }
      return Self.json(.object(["requests": .object(requests), "blocks": .integer(blocks)]))
    case "health":
      let (head, solid, pending, genesis) = await api.host.withChain {
        ($0.head.header.number, $0.solidNumber, $0.pending.count, $0.genesis.id)
      }
      return Self.json(
        .object([
          "status": .string("ok"), "genesis": .string(genesis.hex), "head": .integer(head),
          "solid": .integer(solid), "pending": .integer(Int64(pending)),
        ]))
    default: return Self.notFound
    }
  }

  private static let notFound = Response(
    status: .notFound, headers: [.contentType: "text/plain"],
    body: ResponseBody(byteBuffer: ByteBuffer(string: "Not Found\n")))

  private static func json(_ value: JSON, _ status: HTTPResponse.Status = .ok) -> Response {
    var bytes = value.bytes
    bytes.append(UInt8(ascii: "\n"))
    return Response(
      status: status, headers: [.contentType: "application/json"],
      body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
  }
}
