import Testing
import Worker

struct TurnsTests {
  /// Proves the order: what never failed first, as given; then the one that failed longest ago.
  @Test func `what failed comes last, the longest ago first`() {
    let turns = Turns<Int>()
    func order(_ things: [Int]) -> [Int] { turns.order(things) { $0 } }
    #expect(order([3, 1, 2]) == [3, 1, 2])
    turns.failed(3)
    #expect(order([3, 1, 2]) == [1, 2, 3])
    turns.failed(1)
    #expect(order([3, 1, 2]) == [2, 3, 1])
    turns.failed(3)
    #expect(order([3, 1, 2]) == [2, 1, 3])
  }

  /// Proves that each of several that always fail has its turn, and that nothing waits behind them.
  @Test func `each has its turn where all fail`() {
    let turns = Turns<Int>()
    var first: [Int] = []
    for _ in 1...6 {
      let next = turns.order([1, 2, 3]) { $0 }[0]
      first.append(next)
      turns.failed(next)
    }
    #expect(first == [1, 2, 3, 1, 2, 3])
    #expect(turns.order([1, 2, 3, 4]) { $0 }[0] == 4)
  }

  /// Proves that it keeps nothing of what is gone: whatever comes again is as new.
  @Test func `what is gone is forgotten`() {
    let turns = Turns<Int>()
    turns.failed(1)
    #expect(turns.order([2]) { $0 } == [2])
    #expect(turns.order([1, 2]) { $0 } == [1, 2])
  }
}
