package import Payouts

/// Whose turn it is among payouts that are due: queued, their window ended.
///
/// Urgent ones first, then high, normal and low; within a priority those whose window ended first. So that no flood of
/// urgent payouts starves the rest, a fifth of each round is kept for `normal`, and a fifth for `low`, as soon as the
/// oldest due payout of that priority has waited for `patienceMilliseconds` since its window ended.
///
/// **The bound**: a normal or low payout with k older ones of its priority before it is in a batch at the latest with
/// the (⌊5k/n⌋ + 1)th round after its patience is over, where n is the number of payouts a round takes, whatever else
/// comes. Urgent and high ones always have three fifths of each round; a high one with urgent ones before it waits for
/// these.
package struct DueTurn {
  /// From when on a part of each round is kept for a priority: ten minutes after a window's end.
  package static let patienceMilliseconds: Int64 = 600_000
  /// Which part of a round is kept for such a priority: one fifth.
  package static let sharesOfRound = 5
  /// The priorities, the highest first.
  package static let highestFirst: [Priority] = [.urgent, .high, .normal, .low]

  /// A priority of which something is due.
  package struct Waiting: Hashable {
    package let priority: Priority
    /// Whether its oldest due payout has waited for longer than its patience.
    package let hasWaitedLong: Bool

    package init(priority: Priority, hasWaitedLong: Bool) {
      self.priority = priority
      self.hasWaitedLong = hasWaitedLong
    }
  }

  /// The order in which priorities are asked for payouts, and how many of the round's places each must leave to those
  /// after it. What one does not need, the next may take.
  ///
  /// - Parameter count: how many payouts the round takes.
  package static func order(_ waiting: [Waiting], count: Int) -> [(priority: Priority, placesKept: Int)] {
    let share = max(1, count / sharesOfRound)
    var kept = 0
    var order: [(priority: Priority, placesKept: Int)] = []
    for priority in highestFirst.reversed() {
      guard let entry = waiting.first(where: { $0.priority == priority }) else { continue }
      order.append((priority, kept))
      if entry.hasWaitedLong, priority == .normal || priority == .low { kept += share }
    }
    return order.reversed()
  }
}
