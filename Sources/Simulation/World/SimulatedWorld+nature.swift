import Ingest
import Payouts
import Synchronization
import Tron

/// What happens by itself: blocks, accidents, clients.
extension SimulatedWorld {
  /// Slot after slot: a block, or an accident. Accidents end when the world has become calm.
  /// - Throws: `CancellationError` when the world is over.
  func rule() async throws {
    while true {
      try await host.sleep(until: (host.now / 3_000 + 1) * 3_000)
      database.backUp()
      let isCalm = host.now >= Self.beginning + settings.calmAfter
      if isCalm {
        clocks.setRight()
        chain.produce(at: host.now)
      } else {
        await passSlot()
      }
    }
  }

  private func passSlot() async {
    let sent = chain.broadcasts
    let pending = chain.pending
    let accidents = self.accidents.accidents(
      inSlot: (host.now - Self.beginning) / 3_000, processes: livingProcesses, sent: sent.count,
      pending: sent.indices.filter { pending.contains(sent[$0].txid) })
    var leftOut: Set<TxID> = []
    for accident in accidents {
      switch accident {
      case .kill(let name): kill(name)
      case .flush: redis.start { [streams] in await streams.flushAll() }
      case .restart: database.restart()
      case .restore(let slots): database.goBack(slots: slots)
      case .clock(let name, let milliseconds): clocks.setAhead(name, by: milliseconds)
      case .forgetting: chain.dropPending()
      case .fork(let depth, let pendsAgain): chain.fork(depth: depth, at: host.now, pendsAgain: pendsAgain)
      case .missedSlot: continue
      case .failing(let place, let isOutOfTime):
        guard sent.indices.contains(place) else { continue }
        chain.setResult(isOutOfTime ? .outOfTime : .outOfEnergy, of: sent[place].txid)
      case .leftOut(let place):
        guard sent.indices.contains(place) else { continue }
        leftOut.insert(sent[place].txid)
      }
    }
    guard !accidents.contains(.missedSlot) else { return }
    chain.produce(at: host.now) { !leftOut.contains($0) }
  }

  /// A client: asks for one payout until it has an answer that says what became of it, always under the same key.
  /// - Throws: `CancellationError` when the world is over.
  func ask(_ number: Int) async throws {
    let request = request(number)
    oracle.expects(request)
    if number < settings.refusedRecipients { chain.revert(to: request.recipient) }
    let body = """
      {"recipient_address":"\(request.recipient)","amount_usdt":"\(request.amount)","reason":"custom",\
      "router_type":"v0","batch_type":"immediate","webhook_url":"https://client.example/hooks"}
      """
    try await host.sleep(until: host.now + Int64(host.draw(below: UInt64(settings.calmAfter / 2 + 1))))
    while true {
      switch try await post([UInt8](body.utf8), key: request.key) {
      case .accepted(let id)?:
        oracle.told(request.key, id)
        return noteAnswered()
      case .refused(let reason)?:
        oracle.refused(request.key, reason)
        oracle.violated("the client of \(request.key) was refused: \(reason)")
        return noteAnswered()
      case .unknown?, nil:
        try await host.sleep(until: host.now + 500 + Int64(host.draw(below: 1_000)))
      }
    }
  }

  private func request(_ number: Int) -> Oracle.Request {
    let index = settings.hasTwins && number == settings.payouts - 1 ? number - 1 : number
    let recipient = Address(hashing: UInt8(index + 1))
    let amount = (try? Amount(microUSDT: 1_000_000 + Int64(index))) ?? .zero
    return Oracle.Request(key: "key-\(number)", recipient: recipient, amount: amount)
  }

  /// One HTTP request to an Ingest that lives; nil where no answer comes.
  private func post(_ body: [UInt8], key: String) async throws -> IngestDesk.Answer? {
    let open = desks.withLock { $0.sorted { $0.key < $1.key }.map(\.value) }
    guard !open.isEmpty else { return nil }
    let (process, desk) = open[Int(host.draw(below: UInt64(open.count)))]
    let answer = Mailbox()
    process.start { answer.put(await desk.accept(body, owner: "client", key: key, requestID: key)) }
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
private final class Mailbox: Sendable {
  private let stored = Mutex<IngestDesk.Answer?>(nil)

  var content: IngestDesk.Answer? { stored.withLock { $0 } }

  func put(_ answer: IngestDesk.Answer) { stored.withLock { $0 = answer } }
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
