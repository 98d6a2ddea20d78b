import Ledger
import TestSupport
import Testing
import Worker

@testable import Ingest

/// How many look-ups of API keys go on at a time.
struct LookUpSlotsTests {
  @Test func `four go on, thirty-two wait for their turn, and no more do`() async throws {
    // Proves both bounds, the order of the turns, and that slots which were given back are there again.
    let slots = LookUpSlots()
    for _ in 0..<4 { try await slots.take() }
    try await withThrowingTaskGroup(of: Int.self) { group in
      for number in 0..<32 {
        group.addTask {
          try await slots.take()
          return number
        }
        try await until("it waits") { slots.waitingCount == number + 1 }
      }
      for _ in 0..<2 {
        let refused = await #expect(throws: Problem.self) { try await slots.take() }
        #expect(refused?.kind == .overloaded && refused?.retryAfterSeconds == 1)
      }
      for number in 0..<32 {
        slots.release()
        let next = try await group.next()
        #expect(next == number)
      }
    }
    for _ in 0..<4 { slots.release() }
    for _ in 0..<4 { try await slots.take() }
    #expect(slots.waitingCount == 0)
  }

  @Test func `whoever is cancelled waits no more, and nobody waits for him`() async throws {
    // Proves it for one that waits, and for one that was cancelled before it asked.
    let slots = LookUpSlots()
    for _ in 0..<4 { try await slots.take() }
    let waiting = Task { try await slots.take() }
    try await until("it waits") { slots.waitingCount == 1 }
    waiting.cancel()
    let left = await #expect(throws: Problem.self) { try await waiting.value }
    #expect(left?.kind == .unavailable && slots.waitingCount == 0)
    let early = Task {
      // Ends when it is cancelled.
      try? await Task.sleep(for: .seconds(600))
      try await slots.take()
    }
    early.cancel()
    let never = await #expect(throws: Problem.self) { try await early.value }
    #expect(never?.kind == .unavailable && slots.waitingCount == 0)
    slots.release()
    try await slots.take()
    let next = Task { try await slots.take() }
    try await until("all are taken") { slots.waitingCount == 1 }
    slots.release()
    try await next.value
  }

  @Test func `in a storm of takers that come and are cancelled no slot is lost or made`() async throws {
    // Proves that after any of it there are four slots again, and never more than four takers at a time.
    let slots = LookUpSlots()
    let inside = Occupancy()
    var generator = SeededGenerator(printedFor: "look-up slots")
    for _ in 0..<20 {
      let patience = (0..<60).map { _ in Int.random(in: 0...3, using: &generator) }
      await withTaskGroup(of: Void.self) { group in
        for milliseconds in patience {
          group.addTask {
            let taker = Task {
              try await slots.take()
              await inside.enter()
              try? await Task.sleep(for: .milliseconds(1))
              await inside.leave()
              slots.release()
            }
            try? await Task.sleep(for: .milliseconds(milliseconds))
            if milliseconds < 3 { taker.cancel() }
            _ = await taker.result
          }
        }
      }
    }
    let most = await inside.most
    #expect(most <= 4 && slots.waitingCount == 0)
    for _ in 0..<4 { try await slots.take() }
    let fifth = Task { try await slots.take() }
    try await until("the fifth waits") { slots.waitingCount == 1 }
    slots.release()
    try await fifth.value
  }

  @Test func `a flood of made-up keys is a flood for keys alone`() async throws {
    // Proves over HTTP that no more than four of them ask the ledger at a time, that those beyond the queue are told to
    // come again, and that tokens are served meanwhile.
    let scene = try await IngestScene()
    let slow = SlowKeys()
    try await scene.serving(apiKeys: slow) { ingest async throws in
      let counter = "payouts_ingest_api_key_lookups_refused_total"
      let statuses = try await withThrowingTaskGroup(of: Int.self, returning: [Int].self) { group in
        for _ in 0..<40 {
          group.addTask {
            let text = APIKeyText(random: SystemRandomSource()).text
            let reply = try await ingest.ask("GET", "/payouts", token: nil, headers: ["X-API-Key": text])
            if reply.status == 503 {
              #expect(reply.problem == "overloaded" && reply.headers.first(name: "Retry-After") == "1")
            }
            return reply.status
          }
        }
        try await until("all have come") { ingest.metric(counter) == 4 }
        let asked = await slow.askedCount
        #expect(asked == 4)
        #expect(try await ingest.post(payoutBody()).status == 201)
        #expect(try await ingest.get("/payouts").status == 200)
        await slow.open()
        var statuses: [Int] = []
        for try await status in group { statuses.append(status) }
        return statuses
      }
      #expect(statuses.count { $0 == 401 } == 36 && statuses.count { $0 == 503 } == 4)
    }
  }
}

/// How many are inside at a time.
private actor Occupancy {
  private var count = 0
  private(set) var most = 0

  func enter() {
    count += 1
    most = max(most, count)
  }

  func leave() { count -= 1 }
}

/// A ledger without keys, which answers once it is opened.
private actor SlowKeys: APIKeyLedger {
  private var isOpen = false
  private(set) var askedCount = 0

  func open() { isOpen = true }

  func apiKey(_ id: APIKeyID) async throws -> APIKeyRecord? {
    askedCount += 1
    while !isOpen { try await Task.sleep(for: .milliseconds(5)) }
    return nil
  }

  func makeAPIKey(_ terms: APIKeyTerms, seal: APIKeySeal) async throws -> APIKeyRecord {
    throw SceneError("no key is made here")
  }

  func revokeAPIKey(_ id: APIKeyID, by caller: String) async throws -> APIKeyRecord? { nil }
  func apiKeys(of owner: String?, atMost count: Int) async throws -> [APIKeyRecord] { [] }
}
