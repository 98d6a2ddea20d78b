import Ingest
import Payouts
import Synchronization

/// The clients of a world.
extension SimulatedWorld {
  /// How often a client asks again that was refused.
  private static let triesAfterRefusal = 14

  /// A client: asks for one payout until it has an answer that says what became of it, always under the same key; later it
  /// asks again.
  /// - Throws: `CancellationError` when the world is over.
  func ask(_ number: Int) async throws {
    let latest = settings.asksAtOnce ? 0 : settings.calmAfter / 2
    let begin = host.now + Int64(host.draw(below: UInt64(latest + 1)))
    let request = request(number, at: begin)
    oracle.expects(request)
    if number < settings.refusedRecipients { chain.revert(to: request.recipient) }
    try await host.sleep(until: begin)
    try await insist(request)
    if settings.withdrawing > 0, host.draw(below: 10_000) < settings.withdrawing { try await withdraw(request) }
    try await askAgain { try await insist(request) }
    noteAnswered()
  }

  /// A client that asks for several payouts at once, under one key; it withdraws one of them at most.
  /// - Throws: `CancellationError` when the world is over.
  func askForBatch() async throws {
    let latest = settings.asksAtOnce ? 0 : settings.calmAfter / 2
    let begin = host.now + Int64(host.draw(below: UInt64(latest + 1)))
    let requests = (0..<settings.batch).map { place in
      var request = request(place, at: begin, mayExpire: false, key: "batch")
      request.place = UInt32(place)
      return request
    }
    for (number, request) in requests.enumerated() {
      oracle.expects(request)
      if number < settings.refusedRecipients { chain.revert(to: request.recipient) }
    }
    try await host.sleep(until: begin)
    try await insist(requests)
    if settings.withdrawing > 0, host.draw(below: 10_000) < settings.withdrawing {
      try await withdraw(requests[requests.count - 1])
    }
    try await askAgain { try await insist(requests) }
    for _ in requests { noteAnswered() }
  }

  /// Asks again as often as clients do, the last time when the world is calm.
  private func askAgain(_ insist: () async throws -> Void) async throws {
    for repetition in 0..<settings.repetitions {
      let isLast = repetition == settings.repetitions - 1
      let calm = Self.beginning + settings.calmAfter
      let earliest = isLast ? max(calm, host.now) + 20_000 : host.now
      let latest = isLast ? earliest + 60_000 : max(calm, host.now)
      try await host.sleep(until: earliest + Int64(host.draw(below: UInt64(latest - earliest + 1))))
      try await insist()
    }
  }

  /// Asks for a batch until it is told.
  private func insist(_ requests: [Oracle.Request]) async throws {
    let key = requests[0].key
    let body = [UInt8](#"{"payouts":[\#(requests.map(Self.body).joined(separator: ","))]}"#.utf8)
    var refusals = 0
    while true {
      let answer = try await ask { await $0.acceptBatch(body, owner: Oracle.owner, key: key, requestID: key) }
      switch answer {
      case .accepted(let ids)?:
        for (request, id) in zip(requests, ids) { oracle.told(request.name, id) }
        return
      case .refused(let reason)?:
        refusals += 1
        for request in requests { oracle.refused(request.name, reason) }
        guard refusals < Self.triesAfterRefusal else { return }
        try await host.sleep(until: host.now + 10_000 + Int64(host.draw(below: 20_000)))
      case .unknown?, nil:
        for request in requests { oracle.wasNotAnswered(request.name) }
        try await host.sleep(until: host.now + 500 + Int64(host.draw(below: 1_000)))
      }
    }
  }

  private static func body(_ request: Oracle.Request) -> String {
    let end = request.expiresAt.map { #","expires_at":"\#($0)""# } ?? ""
    return """
      {"recipient_address":"\(request.recipient)","amount_usdt":"\(request.amount)","reason":"custom",\
      "router_type":"v0","batch_type":"immediate","webhook_url":"https://client.example/hooks"\(end)}
      """
  }

  /// Asks until it is told.
  private func insist(_ request: Oracle.Request) async throws {
    let body = Self.body(request)
    var refusals = 0
    while true {
      switch try await post([UInt8](body.utf8), key: request.key) {
      case .accepted(let id)?: return oracle.told(request.key, id)
      case .refused(let reason)?:
        refusals += 1
        oracle.refused(request.key, reason)
        guard refusals < Self.triesAfterRefusal else { return }
        try await host.sleep(until: host.now + 10_000 + Int64(host.draw(below: 20_000)))
      case .unknown?, nil:
        oracle.wasNotAnswered(request.key)
        try await host.sleep(until: host.now + 500 + Int64(host.draw(below: 1_000)))
      }
    }
  }

  private func request(
    _ number: Int, at begin: Int64, mayExpire: Bool = true, key: String? = nil
  ) -> Oracle.Request {
    let index = settings.hasTwins && number == settings.payouts - 1 ? number - 1 : number
    let recipient = Address(hashing: UInt8(index + 1))
    let base: Int64 = number < settings.largePayouts ? 5_000_000 : 1_000_000
    let amount = (try? Amount(microUSDT: base + Int64(index))) ?? .zero
    let expires = mayExpire && settings.expiring > 0 && host.draw(below: 10_000) < settings.expiring
    let end = expires ? Timestamp(milliseconds: begin + 5_000 + Int64(host.draw(below: 150_000))) : nil
    return Oracle.Request(key: key ?? "key-\(number)", recipient: recipient, amount: amount, expiresAt: end)
  }

  /// Cancels what it was told of, some time later, and asks until it knows what came of it.
  private func withdraw(_ request: Oracle.Request) async throws {
    guard let id = oracle.requests.first(where: { $0.name == request.name })?.told.last else { return }
    try await host.sleep(until: host.now + Int64(host.draw(below: 20_000)))
    for _ in 0..<Self.triesToWithdraw {
      switch try await ask({ await $0.cancel(id, owner: Oracle.owner) }) {
      case .cancelled?: return oracle.withdrew(request.name)
      case .refused?: return
      case .unknown?, nil: try await host.sleep(until: host.now + 2_000 + Int64(host.draw(below: 4_000)))
      }
    }
  }

  /// Then it is as if it had not asked: the next answers tell what became of it.
  private static let triesToWithdraw = 60

  private func post(_ body: [UInt8], key: String) async throws -> IngestDesk.Answer? {
    try await ask { await $0.accept(body, owner: Oracle.owner, key: key, requestID: key) }
  }

  /// One HTTP request to an Ingest that lives; nil where no answer comes.
  private func ask<Told: Sendable>(_ question: @escaping @Sendable (IngestDesk) async -> Told) async throws -> Told? {
    let open = desks.withLock { $0.sorted { $0.key < $1.key }.map(\.value) }
    guard !open.isEmpty else { return nil }
    let (process, desk) = open[Int(host.draw(below: UInt64(open.count)))]
    let answer = Mailbox<Told>()
    process.start { answer.put(await question(desk)) }
    let isLost = host.draw(below: 10_000) < settings.lostAnswer
    let deadline = host.now + 30_000
    while host.now < deadline {
      if let told = answer.content { return isLost ? nil : told }
      try await host.sleep(until: host.now + 20)
    }
    return nil
  }
}

/// Where an answer arrives, if it does.
private final class Mailbox<Told: Sendable>: Sendable {
  private let stored = Mutex<Told?>(nil)

  var content: Told? { stored.withLock { $0 } }

  func put(_ answer: Told) { stored.withLock { $0 = answer } }
}

extension Address {
  /// An address of nobody's, different for each number.
  fileprivate init(hashing number: UInt8) {
    // 0x41 and twenty bytes: what every address is made of (reference §1.1).
    let bytes: [UInt8] = [0x41] + [UInt8](repeating: number, count: 20)
    guard let address = try? Address(bytes: bytes) else { preconditionFailure("twenty-one bytes are an address") }
    self = address
  }
}
