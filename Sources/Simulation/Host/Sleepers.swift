/// Who sleeps until when: a heap by moment. Equal moments wake in the order in which they were asked for.
struct Sleepers {
  private struct Alarm {
    let moment: Int64
    let ticket: UInt64

    func isBefore(_ other: Alarm) -> Bool { (moment, ticket) < (other.moment, other.ticket) }
  }

  /// A binary heap; alarms of those that were cancelled stay in it until their moment comes.
  private var alarms: [Alarm] = []
  private var sleeping: [UInt64: CheckedContinuation<Void, any Error>] = [:]
  private var cancelledEarly: Set<UInt64> = []
  private var lastTicket: UInt64 = 0

  /// The earliest moment at which somebody wants to wake.
  var nextMoment: Int64? {
    mutating get {
      while let first = alarms.first {
        if sleeping[first.ticket] != nil { return first.moment }
        removeFirst()
      }
      return nil
    }
  }

  mutating func nextTicket() -> UInt64 {
    lastTicket += 1
    return lastTicket
  }

  /// - Returns: false where that sleep was cancelled before it began.
  mutating func add(_ continuation: CheckedContinuation<Void, any Error>, ticket: UInt64, moment: Int64) -> Bool {
    if cancelledEarly.remove(ticket) != nil { return false }
    sleeping[ticket] = continuation
    alarms.append(Alarm(moment: moment, ticket: ticket))
    var child = alarms.count - 1
    while child > 0, alarms[child].isBefore(alarms[(child - 1) / 2]) {
      alarms.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
    return true
  }

  mutating func cancel(_ ticket: UInt64) -> CheckedContinuation<Void, any Error>? {
    if let continuation = sleeping.removeValue(forKey: ticket) { return continuation }
    cancelledEarly.insert(ticket)
    return nil
  }

  /// All whose moment has come, in order.
  mutating func removeDue(at now: Int64) -> [CheckedContinuation<Void, any Error>] {
    var due: [CheckedContinuation<Void, any Error>] = []
    while let first = alarms.first, first.moment <= now {
      removeFirst()
      if let continuation = sleeping.removeValue(forKey: first.ticket) { due.append(continuation) }
    }
    return due
  }

  private mutating func removeFirst() {
    alarms.swapAt(0, alarms.count - 1)
    alarms.removeLast()
    var parent = 0
    while true {
      let (left, right) = (2 * parent + 1, 2 * parent + 2)
      guard left < alarms.count else { return }
      let smaller = right < alarms.count && alarms[right].isBefore(alarms[left]) ? right : left
      guard alarms[smaller].isBefore(alarms[parent]) else { return }
      alarms.swapAt(parent, smaller)
      parent = smaller
    }
  }
}
