import Synchronization

/// The faults that are set, in the order they came, shared by all faces.
final class FaultBoard: Sendable {
  private struct Content {
    var faults: [Int64: Fault] = [:]
    var lastID: Int64 = 0

    /// The ids of those that may still meet a request, oldest first.
    var open: [Int64] { faults.filter { $0.value.remaining != 0 }.keys.sorted() }

    /// Counts one request.
    mutating func use(_ id: Int64) {
      faults[id]?.hits += 1
      if let remaining = faults[id]?.remaining { faults[id]?.remaining = remaining - 1 }
    }
  }

  private let content = Mutex(Content())

  /// How many faults may be set, used-up ones included.
  static let countMax = 1_000

  /// Sets a fault; returns its number, or nil where there are too many.
  func add(_ fault: Fault) -> Int64? {
    content.withLock { content in
      guard content.faults.count < Self.countMax else { return nil }
      content.lastID += 1
      content.faults[content.lastID] = fault
      return content.lastID
    }
  }

  /// Removes one fault; false where it is not there.
  func remove(_ id: Int64) -> Bool { content.withLock { $0.faults.removeValue(forKey: id) != nil } }

  /// Removes all of them.
  func removeAll() { content.withLock { $0.faults = [:] } }

  /// All that are set, used-up ones included, oldest first.
  var snapshot: [(id: Int64, fault: Fault)] {
    content.withLock { $0.faults }.map { (id: $0.key, fault: $0.value) }.sorted { $0.id < $1.id }
  }

  /// Whether some fault asks for a request's transaction, which it then takes work to find out.
  var asksForTransactions: Bool {
    content.withLock { $0.faults.values.contains { $0.scope.txid != nil && $0.remaining != 0 } }
  }

  /// The faults that a request meets, each used up by one.
  ///
  /// Of each kind the oldest alone: two refusals, once each, meet two requests one after the other. A fault that comes
  /// instead of the answer leaves those of the answer for later.
  func meet(_ request: Fault.Subject) -> MetFaults {
    content.withLock { content in
      var met = MetFaults()
      let matching = content.open.filter { content.faults[$0]?.scope.contains(request) == true }
      func first(_ pick: (Fault.Effect) -> Bool) {
        if let id = matching.first(where: { content.faults[$0].map { pick($0.effect) } == true }) { content.use(id) }
      }
      first { effect in
        guard case .delayCall(let milliseconds) = effect else { return false }
        met.delayBefore = milliseconds
        return true
      }
      first { effect in
        guard case .instead(let standIn) = effect else { return false }
        met.standIn = standIn
        return true
      }
      guard met.standIn == nil else { return met }
      first { effect in
        guard case .delayAnswer(let milliseconds) = effect else { return false }
        met.delayAfter = milliseconds
        return true
      }
      first { effect in
        guard case .loseAnswer = effect else { return false }
        met.losesAnswer = true
        return true
      }
      guard request.isBroadcast else { return met }
      first { effect in
        guard case .broadcast(let fault) = effect else { return false }
        met.broadcast = fault
        return true
      }
      return met
    }
  }

  /// Goes through the lies that concern a request; `tell` says whether it told this one, which is then used up by one.
  func tell(_ request: Fault.Subject, _ tell: (Lie) -> Bool) {
    content.withLock { content in
      for id in content.open {
        guard let fault = content.faults[id], case .lie(let lie) = fault.effect, fault.scope.contains(request),
          tell(lie)
        else { continue }
        content.use(id)
      }
    }
  }
}

extension Fault.Subject {
  /// Whether the request hands over a transaction.
  var isBroadcast: Bool {
    [NodeAPI.Endpoint.broadcasthex, .broadcasttransaction].contains { $0.rawValue == endpoint }
  }
}
