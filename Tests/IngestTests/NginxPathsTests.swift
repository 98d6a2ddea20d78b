import HTTPTypes
import TestSupport
import Testing

@testable import Ingest

/// What the gateway shows of Ingest, to whom, and in which spelling.
struct NginxPathsTests {
  /// Paths that only inside may see: one of each sort.
  private static let hidden = [
    "/admin/held", "/admin/breaker/open", "/metrics", "/dashboard", "/health", "/payouts/x/release",
  ]

  /// Ways to spell a path that some server reads as this one.
  private static func spellings(_ path: String) -> [String] {
    let bare = path.dropFirst()
    let codes = bare.utf8.map { "%" + String($0, radix: 16) }
    let encoded = codes.joined()
    let begun = ["/", "/x/..", "/x/%2e%2e", "/.", "/%2E", "/docs/%2e%2e", "/payouts/..", "/payouts/x/../..", "/%2f"]
    let ended = ["/", "//", "/.", "/..;/", "?", "?x=/payouts", "#", "#/payouts", ";x=1", "%20", "%00", "%23", "%3F"]
    var all = [path, path.uppercased(), "/\(encoded)", "/%25\(encoded.dropFirst())"]
    // Its first and its last letter alone, in digits of both cases.
    all += ["/\(codes[0])\(bare.dropFirst())", "/\(bare.dropLast())\(codes[codes.count - 1].uppercased())"]
    all += ["https://localhost\(path)", "https://localhost/x/..\(path)", "/payouts\\..\(path)", "/docs#/..\(path)"]
    all += ["/..\(path)", "\(path)."]
    all += ["//", "\\"].map { path.replacing("/", with: $0) }
    all += begun.map { $0 + path }
    all += ended.map { path + $0 }
    return all
  }

  @Test func `what is hidden is nowhere outside, however it is spelled`() async throws {
    // Proves that no spelling of it, under either prefix, reaches what stands behind: nginx could pass it on raw, and
    // Ingest reads paths otherwise. Those that lead out of the root, or are no path, nginx itself refuses with 400.
    let heard = HeardRequests()
    try await ScriptedServer.run(answering: heard.answered) { url in
      try await GatewayCaller.run(before: [url]) { caller in
        let proof = "Authorization: Bearer t\r\nX-Gateway-Token: \(GatewayCaller.token)\r\n"
        for path in Self.hidden {
          var targets = Self.spellings(path) + Self.spellings("/api/payment\(path)")
          targets += ["/api/payment/api/payment", "/API/payment", "/api/%70ayment", "/api//payment"].map { $0 + path }
          for target in targets {
            let reply = try #require(try await caller.ask("GET", target: target, headers: proof), "\(target)")
            #expect(reply.status == 404 || reply.status == 400, "\(target): \(reply.status)")
            #expect(reply.problem == (reply.status == 404 ? "not-found" : "malformed-request"), "\(target)")
          }
          let plain = [path, "/\(path)", "/x/..\(path)", "/api/payment\(path)", "/api/payment/%2e%2e\(path)"]
          for method in ["GET", "HEAD", "POST", "DELETE", "OPTIONS", "PURGE"] {
            for target in plain {
              let reply = try await caller.ask(method, target: target, headers: proof)
              #expect(reply?.status == 404, "\(method) \(target)")
            }
          }
        }
        #expect(heard.all.isEmpty, "\(heard.all.map(\.path))")
      }
    }
  }

  @Test func `every call is shown outside, but probes and what operators do`() async throws {
    // Proves the gateway's table against the interface's own, under both prefixes: a new call is hidden until it stands
    // in both, and then this test asks for it. Who is inside sees all of them.
    let heard = HeardRequests()
    try await ScriptedServer.run(answering: heard.answered) { url in
      for networks in [nil, "127.0.0.1/32", "10.0.0.0/8,::1"] {
        let settings = networks.map { ["GATEWAY_INTERNAL_NETWORKS": $0] } ?? [:]
        let isInside = networks == "127.0.0.1/32"
        try await GatewayCaller.run(before: [url], settings) { caller in
          for operation in Operation.allCases {
            let (method, template) = operation.place
            let isHidden =
              template.hasPrefix("/admin/") || template.hasPrefix("/kyc")
              || ["/dashboard", "/health", "/ready", "/live"].contains(template)
              || ["/release", "/reject", "/settle"].contains { template.hasSuffix($0) }
            for prefix in ["", "/api/payment"] {
              let path = prefix + template.replacing(/\{[a-z_]+\}/, with: "0190-a.b~c")
              let before = heard.all.count
              let reply = try await caller.ask(method.rawValue, path)
              #expect(reply.status == (isHidden && !isInside ? 404 : 200), "\(method) \(path)")
              #expect(heard.all.dropFirst(before).map(\.path) == (reply.status == 200 ? [path] : []))
            }
          }
          let metrics = try await caller.ask("GET", "/metrics")
          #expect(metrics.status == 404)
        }
      }
    }
  }

  @Test func `what goes on is spelled as it came`() async throws {
    // Proves that path and query are not rewritten, and that ids may hold what needs an escape, but nothing that could be
    // spelled plainly, or that means something in a path.
    let heard = HeardRequests()
    try await ScriptedServer.run(answering: heard.answered) { url in
      try await GatewayCaller.run(before: [url]) { caller in
        let plain = [
          "/payouts", "/payouts?limit=5&cursor=a%2Fb%3D&x=%61//../", "/webhooks/node%201:a@b",
          "/webhooks/%C3%A9%7B%22%7D",
          "/api/payment/payouts/0190?", "/payouts/batch/0190", "/webhooks/deliveries/x/redeliver", "/payouts/...",
        ]
        for target in plain {
          #expect(try await caller.ask("GET", target: target)?.status == 200, "\(target)")
        }
        #expect(heard.all.map(\.path) == plain)
        let others = [
          "/", "/x", "/payouts/", "/Payouts", "/payouts/x/y", "/webhooks/%61", "/webhooks/a%2fb", "/webhooks/a%5Cb",
          "/webhooks/a%25b",
          "/webhooks/a%0Ab", "/webhooks/a%zz", "/webhooks/é", "/docs/", "/-/read", "/-/write", "/-/verifier",
          "/-/malformed",
        ]
        for target in others {
          let status = try await caller.ask("GET", target: target)?.status
          #expect(status == 404 || status == 400, "\(target): \(status ?? 0)")
        }
        #expect(heard.all.count == plain.count)
      }
    }
  }

  @Test func `who asks for another server gets none`() async throws {
    // Proves that a name in the request alone chooses nothing.
    let heard = HeardRequests()
    try await ScriptedServer.run(answering: heard.answered) { url in
      try await GatewayCaller.run(before: [url]) { caller in
        for host in ["other", "127.0.0.1", "localhost.other"] {
          let reply = try await caller.exchange("GET /payouts HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n\r\n")
          #expect(reply?.status == 421 && reply?.problem == "misdirected-request", "\(host)")
        }
        #expect(heard.all.isEmpty)
      }
    }
  }
}
