import Payouts
import Testing

@testable import Ledger

/// Whose turn it is, as a pure rule.
@Suite struct DueTurnTests {
  /// The order of some priorities, those in `long` having waited long, as text.
  private func order(_ waiting: [Priority], long: Set<Priority> = [], count: Int = 500) -> [String] {
    DueTurn.order(
      waiting.map { DueTurn.Waiting(priority: $0, hasWaitedLong: long.contains($0)) }, count: count
    ).map { "\($0.priority) \($0.placesKept)" }
  }

  // Proves the order, and that only what has waited long, and is below high, has places kept by all before it.
  @Test func `higher priorities come first and leave a fifth to each that has waited long`() {
    let all = Priority.allCases
    #expect(order(all) == ["urgent 0", "high 0", "normal 0", "low 0"])
    #expect(order(all.reversed()) == order(all))
    #expect(order(all, long: [.low]) == ["urgent 100", "high 100", "normal 100", "low 0"])
    #expect(order(all, long: [.normal]) == ["urgent 100", "high 100", "normal 0", "low 0"])
    #expect(order(all, long: Set(all)) == ["urgent 200", "high 200", "normal 100", "low 0"])
    #expect(order([.low, .urgent], long: [.low, .urgent]) == ["urgent 100", "low 0"])
    #expect(order([]) == [])
    #expect(order(all, long: [.low], count: 3) == ["urgent 1", "high 1", "normal 1", "low 0"])
  }
}
