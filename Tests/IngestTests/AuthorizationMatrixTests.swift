import Payouts
import TestSupport
import Testing

@testable import Ingest

/// Who may do what: each call, by nobody and each role, by each proof, on payouts of one's own, those that name one and those
/// of others (api.md "Who may call"). What is expected stands here once more, in other words than the server's.
struct AuthorizationMatrixTests {
  /// Whose payout a call is about.
  enum Reach: CaseIterable {
    case own, named, others
  }

  private static let gatewayToken = "a-gateway-token-of-the-tests-long-enough"

  /// The status of a call that is allowed. Nothing that is asked here changes a payout: nobody vouches, none is held. Nor is
  /// the breaker closed, since nobody names what it is open by. No webhook is made, since no URL is named, and what is to be
  /// redelivered waits already.
  private static func done(_ operation: Operation) -> Int {
    switch operation {
    case .createPayout, .createBatch, .makeAPIKey: 201
    case .makeWebhook: 400
    // No node is registered: each request lacks its fields or names none.
    case .registerNode, .verifyNode: 400
    case .getNode, .suspendNode: 404
    case .testWebhook: 202
    case .redeliverWebhook: 409
    case .cancelPayout, .releasePayout, .rejectPayout, .settlePayout, .closeBreaker: 409
    // There is no Redis here.
    case .listDeadLetters, .retryDeadLetter: 503
    default: 200
    }
  }

  /// - Parameter role: nil for nobody.
  private static func expected(_ operation: Operation, _ role: Caller.Role?, _ reach: Reach) -> Int {
    let done = done(operation)
    if [.getHealth, .getReadiness, .getLiveness, .getDocumentation].contains(operation) { return done }
    guard let role else { return 401 }
    switch operation {
    case .getDocument, .listPayouts, .getTransactions, .quotePayouts: return done
    case .listWebhooks: return done
    case .listWebhookDeliveries: return role == .admin || reach == .own ? done : 404
    case .makeWebhook: return role == .endUser ? 403 : done
    case .deleteWebhook, .testWebhook, .redeliverWebhook, .rotateWebhookSecret:
      if role == .endUser { return 403 }
      return role == .admin || reach == .own ? done : 404
    case .getPayout, .getTransaction: return role == .admin || reach != .others ? done : 404
    // Whom a payout of it names may not see the whole batch.
    case .getBatch: return role == .admin || reach == .own ? done : 404
    case .createPayout, .createBatch:
      if role == .endUser { return 403 }
      return role == .nodeOperator && reach != .own ? 403 : done
    case .cancelPayout:
      if role == .endUser { return 403 }
      if role == .admin || reach == .own { return done }
      return reach == .named ? 403 : 404
    default: return role == .admin ? done : 403
    }
  }

  /// Three payouts, three batches of one, a webhook of each owner with a delivery, another one to be deleted, and a key that
  /// can be revoked.
  private struct World {
    let payouts: [Reach: String]
    let batches: [Reach: String]
    private(set) var webhooks: [Reach: String] = [:]
    private(set) var doomed: [Reach: String] = [:]
    private(set) var deliveries: [Reach: String] = [:]
    let key: String

    init(_ ingest: RunningIngest) async throws {
      var (payouts, batches): ([Reach: String], [Reach: String]) = ([:], [:])
      for (reach, owner, named) in [
        (Reach.own, "caller", nil), (.named, "other", "\"caller\""), (.others, "other", nil),
      ] {
        let (body, token) = (payoutBody(["beneficiary_user_id": named]), ingest.token(owner))
        let payout = try #require(try await ingest.post(body, token: token).text("payout_id"))
        let reply = try await ingest.post(batchBody([body]), token: token, path: "/payouts/batch")
        let batch = try #require(try reply.text("batch_id"))
        (payouts[reach], batches[reach]) = (payout, batch)
      }
      self.payouts = payouts
      self.batches = batches
      key = try await World.key(ingest, .service).id
      for (owner, reaches) in [("caller", [Reach.own]), ("other", [.named, .others])] {
        let (webhook, doomed) = (try await World.webhook(ingest, owner), try await World.webhook(ingest, owner))
        let path = "/webhooks/\(webhook)/test"
        let tested = try await ingest.ask("POST", path, token: ingest.token(owner))
        let delivery = try #require(try tested.text("delivery_id"))
        for reach in reaches {
          (webhooks[reach], self.doomed[reach], deliveries[reach]) = (webhook, doomed, delivery)
        }
      }
    }

    private static func webhook(_ ingest: RunningIngest, _ owner: String) async throws -> String {
      let made = try await ingest.post(
        #"{"url":"https://hooks.example"}"#, token: ingest.token(owner), path: "/webhooks")
      return try #require(try made.text("webhook_id"))
    }

    /// A new API key of the caller's in a role.
    static func key(_ ingest: RunningIngest, _ role: Caller.Role) async throws -> (id: String, text: String) {
      let body = #"{"name":"n","owner":"caller","role":"\#(role.rawValue)","node_ids":["n"]}"#
      let made = try await ingest.post(body, token: ingest.token("root", role: "admin"), path: "/admin/api-keys")
      return (try #require(try made.text("api_key_id")), try #require(try made.text("api_key")))
    }

    func path(_ operation: Operation, _ reach: Reach) -> String {
      operation.place.template.replacing("{payout_id}", with: payouts[reach] ?? "")
        .replacing("{batch_id}", with: batches[reach] ?? "")
        .replacing("{dead_letter_id}", with: "batches.ready:1-0").replacing("{api_key_id}", with: key)
        .replacing("{webhook_id}", with: (operation == .deleteWebhook ? doomed : webhooks)[reach] ?? "")
        .replacing("{delivery_id}", with: deliveries[reach] ?? "").replacing("{node_id}", with: "n")
    }

    func body(_ operation: Operation, _ reach: Reach) -> String? {
      switch operation {
      case .createPayout, .quotePayouts: payoutBody(["node_id": reach == .own ? "\"n\"" : "\"m\""])
      case .createBatch: batchBody([payoutBody(["node_id": reach == .own ? "\"n\"" : "\"m\""])])
      case .getTransactions: "{\"payout_ids\":[\"\(payouts[reach] ?? "")\"]}"
      case .settlePayout: #"{"reason":"r","proof":"p"}"#
      case .releasePayout, .rejectPayout, .openBreaker, .closeBreaker, .pausePayments, .resumePayments:
        #"{"reason":"r"}"#
      case .makeAPIKey: #"{"name":"n","owner":"o","role":"service"}"#
      case .makeWebhook, .registerNode, .verifyNode: "{}"
      case .suspendNode: #"{"reason":"r"}"#
      default: nil
      }
    }
  }

  /// The headers by which somebody is the caller in a role, by each proof; none of a role for nobody.
  private func proofs(_ ingest: RunningIngest, _ role: Caller.Role?) async throws -> [[String: String]] {
    guard let role else { return [[:], ["X-Gateway-Token": Self.gatewayToken]] }
    return [
      ["Authorization": "Bearer \(ingest.token("caller", role: role.rawValue, nodes: ["n"]))"],
      ["X-API-Key": try await World.key(ingest, role).text],
      [
        "X-Gateway-Token": Self.gatewayToken, "X-User-ID": "caller", "X-User-Role": role.rawValue,
        "X-User-Node-IDs": "n",
      ],
    ]
  }

  @Test func `each call is open to whom it should be, and to nobody else`() async throws {
    // Proves every cell of the matrix, and what lists show of it.
    let scene = try await IngestScene()
    try await scene.serving(["API_GATEWAY_TOKEN": Self.gatewayToken]) { ingest async throws in
      let world = try await World(ingest)
      var cells = 0
      for role in [nil] + Caller.Role.allCases.map(Optional.some) {
        for headers in try await proofs(ingest, role) {
          for operation in Operation.allCases {
            for reach in Reach.allCases {
              cells += 1
              let reply = try await ask(operation, reach, headers, ingest, world)
              let who = "\(operation), \(role?.rawValue ?? "nobody"), \(reach), by \(headers.keys.sorted())"
              // A key makes no keys, whoever it stands for.
              let isKey = headers["X-API-Key"] != nil
              let expected = isKey && operation == .makeAPIKey ? 403 : Self.expected(operation, role, reach)
              #expect(reply.status == expected, "\(who)")
              guard reply.status == 200, let list = try Self.listed(operation, reply) else { continue }
              let isSeen = role == .admin || reach != .others
              #expect(list.contains(world.payouts[reach] ?? "") == isSeen, "\(who)")
            }
          }
        }
      }
      #expect(cells == Operation.allCases.count * 3 * (2 + 3 * Caller.Role.allCases.count))
    }
  }

  private func ask(
    _ operation: Operation, _ reach: Reach, _ headers: [String: String], _ ingest: RunningIngest, _ world: World
  ) async throws -> RunningIngest.Reply {
    let body = world.body(operation, reach)
    let json = body == nil ? [:] : ["Content-Type": "application/json"]
    return try await ingest.ask(
      operation.place.method.rawValue, world.path(operation, reach), token: nil,
      headers: headers.merging(json) { $1 }, body: body.map { Array($0.utf8) })
  }

  /// The ids that a list shows; nil where it is none.
  private static func listed(_ operation: Operation, _ reply: RunningIngest.Reply) throws -> [String]? {
    let name = [.listPayouts: "payouts", .getTransactions: "transactions"][operation]
    return try name.map { try reply.member($0)?.items.compactMap { $0["payout_id"]?.textValue } ?? [] }
  }
}
