import Foundation
import NIOCore
import Testing

@testable import Ingest

/// Whole requests that are nearly right, many on one connection: heads, queries, proofs and bodies.
///
/// `FUZZ_REQUESTS=1000000` asks for so many; else a few thousand are sent.
struct FuzzTests {
  private static let asked = ProcessInfo.processInfo.environment["FUZZ_REQUESTS"].flatMap { Int($0) }
  private static let connections = 8
  private static let requestsAConnection = 40
  /// What the process may grow by once a fifth is done, in bytes.
  private static let growthMax = 64 << 20

  @Test func `no mutated request makes an error of ours, keeps its connection hanging or costs memory`() async throws {
    let seed = UInt64.random(in: .min ... .max)
    print("seed of the mutated requests: \(seed)")
    let wanted = Self.asked ?? 4_000
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let request = FuzzedRequest(token: ingest.token())
      var counts: [Int: Int] = [:]
      var (round, early) = (UInt64(0), 0)
      while counts.values.reduce(0, +) < wanted {
        let statuses = try await withThrowingTaskGroup(of: [Int].self) { group in
          for worker in 0..<Self.connections {
            let own = seed &+ round &* 1_000 &+ UInt64(worker)
            group.addTask { try await Self.talk(to: ingest.port, request, seed: own) }
          }
          return try await group.reduce(into: []) { $0 += $1 }
        }
        for status in statuses {
          #expect(status < 500, "round \(round)")
          counts[status, default: 0] += 1
        }
        round += 1
        if early == 0, counts.values.reduce(0, +) > wanted / 5 { early = Self.residentBytes }
      }
      print("answers to mutated requests: \(counts.sorted { $0.key < $1.key })")
      #expect(Set(counts.keys).isSuperset(of: [200, 201, 400, 401, 404]))
      #expect(try await ingest.ask("GET", "/live", token: nil).status == 200)
      // Other suites share this process where all run together.
      if Self.asked != nil {
        print("grown by \(Self.residentBytes - early) bytes")
        #expect(Self.residentBytes - early < Self.growthMax)
      }
    }
  }

  /// Sends requests one behind the other, the last of which ends the connection.
  ///
  /// - Returns: the statuses of the answers; fewer than were sent where the server ended the connection earlier.
  private static func talk(to port: Int, _ request: FuzzedRequest, seed: UInt64) async throws -> [Int] {
    var generator = SplitMix(state: seed)
    var bytes: [UInt8] = []
    for place in 1...requestsAConnection {
      bytes += request.bytes(isLast: place == requestsAConnection, using: &generator)
    }
    let sent = bytes
    let answer = try await RawConnection.exchange(port: port) { outbound in
      try await outbound.write(ByteBuffer(bytes: sent))
    }
    return answer.components(separatedBy: "HTTP/1.1 ").dropFirst().compactMap { Int($0.prefix(3)) }
  }

  private static var residentBytes: Int {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
    return (line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0) << 10
  }
}

/// Requests whose framing holds, and of which anything else may be wrong.
private struct FuzzedRequest: Sendable {
  let token: String

  private static let paths = [
    "/payouts", "/api/payment/payouts", "/payouts/019b9d78-e547-7d59-b9e0-8ee90723d989", "/payouts?limit=5",
    "/payouts?status=queued&created_from=2026-01-01T00:00:00Z&cursor=019b9d78-e547-7d59-b9e0-8ee90723d989",
    "/payouts/019b9d78-e547-7d59-b9e0-8ee90723d989/transaction", "/payouts/transactions/bulk", "/payouts/batch",
    "/webhooks", "/openapi.json", "/health", "/live", "/admin/held", "/admin/audit?limit=3",
  ]

  func bytes(isLast: Bool, using generator: inout SplitMix) -> [UInt8] {
    let method = ["GET", "POST", "POST", "POST", "DELETE", "HEAD", "PUT"].randomElement(using: &generator) ?? "GET"
    var path = Array((method == "POST" ? "/payouts" : Self.paths.randomElement(using: &generator) ?? "/").utf8)
    if one(in: 4, &generator) { path = Array((Self.paths.randomElement(using: &generator) ?? "/").utf8) }
    if one(in: 4, &generator) { mutate(&path, among: 0x21...0x7e, &generator) }
    var head = Array("\(method) ".utf8) + path + Array(" HTTP/1.1\r\nHost: x\r\n".utf8)
    func field(_ name: String, _ text: String, oneIn rarity: Int) {
      var value = Array(text.utf8)
      if one(in: rarity, &generator) { mutate(&value, among: 0x20...0xff, &generator) }
      // What ends a line would be another field, or the end of the head.
      head += Array("\(name): ".utf8) + value.filter { $0 != 0x7f } + [0x0d, 0x0a]
    }
    if !one(in: 10, &generator) { field("Authorization", "Bearer \(token)", oneIn: 5) }
    if one(in: 3, &generator) { field("Idempotency-Key", "key-\(generator.next() % 1_000)", oneIn: 2) }
    if one(in: 4, &generator) { field("X-Request-ID", "req-1", oneIn: 2) }
    if one(in: 8, &generator) { field("X-API-Key", "tpk_0f1e2d3c4b5a6978_secret", oneIn: 2) }
    if one(in: 8, &generator) { field("X-Gateway-Token", "token", oneIn: 2) }
    if one(in: 8, &generator) { field("Origin", "https://example.com", oneIn: 2) }
    let body = method == "POST" || method == "PUT" ? Mutation.body(using: &generator) : []
    if !body.isEmpty { field("Content-Type", "application/json", oneIn: 8) }
    if isLast { head += Array("Connection: close\r\n".utf8) }
    return head + Array("Content-Length: \(body.count)\r\n\r\n".utf8) + body
  }

  private func one(in count: Int, _ generator: inout SplitMix) -> Bool {
    Int.random(in: 0..<count, using: &generator) == 0
  }

  private func mutate(_ bytes: inout [UInt8], among allowed: ClosedRange<UInt8>, _ generator: inout SplitMix) {
    for _ in 0..<Int.random(in: 1...3, using: &generator) where !bytes.isEmpty {
      let place = Int.random(in: 0..<bytes.count, using: &generator)
      switch Int.random(in: 0..<4, using: &generator) {
      case 0: bytes[place] = UInt8.random(in: allowed, using: &generator)
      case 1: bytes.insert(UInt8.random(in: allowed, using: &generator), at: place)
      case 2: bytes.removeSubrange(place..<min(bytes.count, place + Int.random(in: 1...8, using: &generator)))
      default: bytes.append(contentsOf: bytes[place...])
      }
    }
  }
}
