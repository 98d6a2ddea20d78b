/// What a chaos run has told the nodes to do wrong. Most of it ends every few faults.
///
/// What concerns one transaction stands longer: from before anybody could know its end until a verdict on it was long
/// due. Who believes one node has time to act on it then: to free a payout that was paid, or to confirm one that was
/// not.
actor ChaosNodeFaults {
  /// What the lying node says of one transaction.
  struct Lie: Sendable, Hashable {
    /// As devnet calls it: `omit`, `claim`.
    let name: String
    let txid: String
  }

  private struct Standing {
    let name: String
    let txid: String
    /// When the transaction expires, in Unix milliseconds.
    let expiration: Int64
  }

  /// How far the solid chain's time must have passed an expiration until what stands ends, in milliseconds: meanwhile
  /// the transaction's window is read, and its payout is signed again where it is freed.
  private static let afterExpiration: Int64 = 15_000
  /// So many blocks may come between a look at the head and a fork.
  private static let blocksMeanwhile: Int64 = 2

  private let chain: DevnetOracle
  /// The node that lies, counted from 1.
  private let liar: Int
  private var standing: [Int64: Standing] = [:]
  private var counted: [Int64: Int] = [:]
  /// How many requests the faults have met, by what was asked for.
  private(set) var met: [String: Int] = [:]
  /// What stood to its end and was told to somebody.
  private(set) var stood: [Lie] = []

  init(_ chain: DevnetOracle, liar: Int) {
    self.chain = chain
    self.liar = liar
  }

  /// The transactions that something stands about.
  var subjects: Set<String> { Set(standing.values.map(\.txid)) }

  /// Ends whatever does not stand, and what has stood long enough, so that the system can come to rest.
  func heal() async throws {
    for fault in try await count() where standing[fault.number] == nil { try await end(fault.number) }
    try await chain.tell("faces", ["sees": "live"])
    try await chain.tell("slots", ["miss": 0, "halted": false, "solid_frozen": false])
    try await endWhatIsOver()
  }

  /// Ends what has stood long enough.
  func endWhatIsOver() async throws {
    let hits = Dictionary(uniqueKeysWithValues: try await count().map { ($0.number, $0.hits) })
    let solid = try await chain.solidTime()
    for (number, fault) in standing where fault.expiration + Self.afterExpiration <= solid {
      if hits[number, default: 0] > 0 { stood.append(Lie(name: fault.name, txid: fault.txid)) }
      try await end(number)
    }
  }

  /// The lying node leaves a transaction out of its block.
  func omit(_ txid: String, expiringAt expiration: Int64) async throws {
    try await stand("omit", txid, expiration, ["face": liar])
  }

  /// A fork takes a transaction out of its block, and from then on every node drops it as often as it is handed over.
  /// The lying node says that it stands in that block, and paid.
  ///
  /// - Returns: false where its block could not be undone any more.
  func keepOut(_ txid: String, of block: Int64, expiringAt expiration: Int64) async throws -> Bool {
    var numbers: [Int64] = []
    do {
      // Before the fork: else it could be handed over, and be in a block, before it is dropped.
      numbers.append(try await stand("forget", txid, expiration))
      numbers.append(try await stand("claim", txid, expiration, ["block": block, "face": liar]))
      let depth = try await chain.headNumber() - block + 1 + Self.blocksMeanwhile
      try await chain.tell("fork", ["depth": depth, "drop": [txid]])
      return true
    } catch is Stack.Failure {
      for number in numbers { try await end(number) }
      return false
    }
  }

  @discardableResult
  private func stand(
    _ name: String, _ txid: String, _ expiration: Int64, _ more: [String: any Sendable] = [:]
  ) async throws -> Int64 {
    var body = more
    body["fault"] = name
    body["txid"] = txid
    let number = try await chain.setFault(body)
    standing[number] = Standing(name: name, txid: txid, expiration: expiration)
    return number
  }

  private func end(_ number: Int64) async throws {
    try await chain.tell("reset-faults", ["fault": number])
    standing[number] = nil
    counted[number] = nil
  }

  /// Adds what the faults have met since this was asked last.
  private func count() async throws -> [DevnetOracle.SetFault] {
    let faults = try await chain.setFaults()
    for fault in faults {
      met[fault.name, default: 0] += fault.hits - counted[fault.number, default: 0]
      counted[fault.number] = fault.hits
    }
    return faults
  }
}
