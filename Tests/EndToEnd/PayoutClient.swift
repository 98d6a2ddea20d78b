import AsyncHTTPClient
import Foundation
import NIOCore
import Payouts

/// A client as the documents ask for: an idempotency key for each payout, and the same again until there is an answer.
struct PayoutClient: Sendable {
  /// One payout that the client wants.
  struct Wish: Hashable, Sendable {
    let key: String
    let recipient: Address
    let amount: Amount
    var batchType = "immediate"
    var priority = "normal"
    var webhookURL: String?
    var expiresAt: String?
  }

  /// What became of a wish.
  enum Answer: Sendable, Equatable {
    /// It is a payout with this id.
    case accepted(id: String)
    /// It is none: the status, and the problem's type as its last word.
    case refused(status: UInt, problem: String)
  }

  /// Each Ingest's address; a request that got no answer goes to the next one.
  let urls: [String]
  private let token: String

  /// With as many kept-alive connections as requests are under way.
  ///
  /// - Parameter token: the bearer token; one of the ``Stack``, good for three hours, where none is given.
  init(urls: [String], token: String = Stack.token()) {
    self.urls = urls
    self.token = token
  }

  private static let http = HTTPClient(
    eventLoopGroup: HTTPClient.defaultEventLoopGroup,
    configuration: {
      var configuration = HTTPClient.Configuration()
      configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 64
      return configuration
    }())

  /// Asks until the payout is accepted, and returns its id.
  func pay(_ wish: Wish) async throws -> String {
    switch try await ask(wish) {
    case .accepted(let id): return id
    case .refused(let status, let problem): throw Stack.Failure("\(wish.key): \(status) \(problem)")
    }
  }

  /// Asks until there is an answer.
  func ask(_ wish: Wish, within patience: Duration = .seconds(90)) async throws -> Answer {
    let deadline = ContinuousClock.now + patience
    var turn = wish.key.utf8.reduce(0) { $0 &+ Int($1) }
    while ContinuousClock.now < deadline {
      if let answer = try await ask(wish, once: urls[turn % urls.count]) { return answer.meaning }
      turn += 1
      try await Task.sleep(for: .milliseconds(50))
    }
    throw Stack.Failure("\(wish.key) was not answered in time")
  }

  /// What an Ingest said to one request.
  struct Reply {
    let status: UInt
    let fields: [String: Any]

    /// What it means to the client.
    var meaning: Answer {
      if status == 201, let id = fields["payout_id"] as? String { return .accepted(id: id) }
      let problem = (fields["type"] as? String)?.split(separator: ":").last.map(String.init)
      return .refused(status: status, problem: problem ?? "\(fields)")
    }
  }

  /// One request; nil where nobody knows: without an answer, or where the answer is that the same key must ask again.
  func ask(_ wish: Wish, once url: String) async throws -> Reply? {
    let webhook = wish.webhookURL.map { ",\"webhook_url\":\"\($0)\"" } ?? ""
    let expiry = wish.expiresAt.map { ",\"expires_at\":\"\($0)\"" } ?? ""
    let body = """
      {"recipient_address":"\(wish.recipient)","amount_usdt":"\(wish.amount)","reason":"custom","router_type":"v0",
       "batch_type":"\(wish.batchType)","priority":"\(wish.priority)"\(webhook)\(expiry)}
      """
    var request = HTTPClientRequest(url: url + "/payouts")
    request.method = .POST
    request.headers.add(name: "Authorization", value: "Bearer \(token)")
    request.headers.add(name: "Content-Type", value: "application/json")
    request.headers.add(name: "Idempotency-Key", value: wish.key)
    request.body = .bytes(ByteBuffer(string: body))
    do {
      let response = try await Self.http.execute(request, timeout: .seconds(15))
      let answer = Data(buffer: try await response.body.collect(upTo: 1 << 20))
      let fields = try JSONSerialization.jsonObject(with: answer) as? [String: Any] ?? [:]
      return response.status.code == 503 ? nil : Reply(status: response.status.code, fields: fields)
    } catch {
      // No answer: nobody knows. The same key finds out.
      try Task.checkCancellation()
      return nil
    }
  }

  /// A payout's state as its owner reads it; nil where no Ingest tells it just now.
  func status(of id: String) async throws -> String? { try await payout(id)?["status"] as? String }

  /// All that its owner reads of a payout; nil where no Ingest tells it just now.
  func payout(_ id: String) async throws -> [String: Any]? {
    for url in urls {
      var request = HTTPClientRequest(url: url + "/payouts/\(id)")
      request.headers.add(name: "Authorization", value: "Bearer \(token)")
      do {
        let response = try await Self.http.execute(request, timeout: .seconds(15))
        let answer = Data(buffer: try await response.body.collect(upTo: 1 << 20))
        let fields = try JSONSerialization.jsonObject(with: answer) as? [String: Any]
        if let fields, fields["status"] is String { return fields }
      } catch {
        try Task.checkCancellation()
      }
    }
    return nil
  }

  /// Pays many, a few at a time; tells after each.
  func pay(
    _ wishes: [Wish], concurrently: Int = 8, accepted: @escaping @Sendable (Wish, String) async -> Void
  ) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      var rest = wishes[...]
      func next() {
        guard let wish = rest.popFirst() else { return }
        group.addTask { await accepted(wish, try await pay(wish)) }
      }
      for _ in 0..<concurrently { next() }
      while try await group.next() != nil { next() }
    }
  }
}

/// What the client knows: what it asked for and was told. The ledger's word is not asked.
actor Account {
  private(set) var ids: [PayoutClient.Wish: String] = [:]

  var count: Int { ids.count }

  /// Why something done while paying failed, if it did.
  private(set) var failure: (any Error)?

  /// Does something once; its failure is kept for the end.
  func attempt(_ body: @Sendable () async throws -> Void) async {
    do { try await body() } catch { failure = error }
  }

  func record(_ wish: PayoutClient.Wish, _ id: String) { ids[wish] = id }
}
