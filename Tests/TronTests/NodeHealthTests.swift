import Payouts
import Testing
import Tron

/// Which of several nodes is asked, decided without any I/O.
@Suite struct NodeHealthTests {
  static let start = Timestamp(milliseconds: 2_000_000_000_000)

  static func at(_ milliseconds: Int64) -> Timestamp { start.advanced(byMilliseconds: milliseconds) }

  private static func node(head number: Int64?) -> NodeHealth {
    var node = NodeHealth()
    if let number { node.saw(header(number), .head) }
    return node
  }

  private static func header(_ number: Int64) -> BlockHeader {
    let id = BlockID(exactly: [UInt8](repeating: 1, count: 32))
    return BlockHeader(
      number: number, id: id, parentID: id, timestamp: at(number * 3_000),
      transactionRoot: [UInt8](repeating: 0, count: 32), witness: nil)
  }

  private func order(_ nodes: [NodeHealth], at milliseconds: Int64 = 0, _ view: ChainView = .head) -> [Int] {
    NodeHealth.order(nodes, for: view, at: Self.at(milliseconds))
  }

  @Test func `each failure after a pause doubles the next, up to a minute, until something goes well`() {
    var node = NodeHealth()
    var now: Int64 = 0
    for seconds in [1, 2, 4, 8, 16, 32, 60, 60] as [Int64] {
      node.failed(at: .read, "away", .away, now: Self.at(now))
      #expect(node.pauseLeft(at: Self.at(now)) == seconds * 1_000)
      #expect(node.isPaused(at: Self.at(now + seconds * 1_000 - 1)))
      now += seconds * 1_000
      #expect(!node.isPaused(at: Self.at(now)))
    }
    #expect(node.failures == 8 && node.trouble == "away")
    node.worked(at: .read)
    #expect(node.failures == 0 && node.trouble == nil)
    node.failed(at: .read, "again", .away, now: Self.at(now))
    #expect(node.pauseLeft(at: Self.at(now)) == 1_000)
  }

  @Test func `a node that is not well just now pauses for five seconds at most, and is asked where no other serves`() {
    // HTTP 503 is no wish to be left alone: a lone node is looked at again within seconds.
    var node = NodeHealth()
    var now: Int64 = 0
    for seconds in [1, 2, 4, 5, 5, 5] as [Int64] {
      node.failed(at: .read, "503", .unavailable, now: Self.at(now))
      #expect(node.pauseLeft(at: Self.at(now)) == seconds * 1_000)
      #expect(order([node], at: now) == [0])
      #expect(order([node, NodeHealth()], at: now) == [1, 0])
      now += seconds * 1_000
    }
    // What it may have asked for before is over, and a wish in the middle of such a pause counts.
    var asked = NodeHealth()
    asked.failed(at: .read, "429", .asksForPause(nil), now: Self.start)
    #expect(order([asked]).isEmpty)
    asked.failed(at: .read, "503", .unavailable, now: Self.at(1_000))
    #expect(order([asked], at: 1_000) == [0])
    asked.failed(at: .read, "429", .asksForPause(30_000), now: Self.at(1_500))
    #expect(order([asked], at: 1_500).isEmpty)
    #expect(asked.pauseLeft(at: Self.at(1_500)) == 30_000)
  }

  @Test func `calls that fail together count as one failure`() {
    // Eight broadcasts under way at once must not put a node that was away for a moment aside for a minute.
    var node = NodeHealth()
    for _ in 0..<8 { node.failed(at: .broadcast, "away", .away, now: Self.start) }
    #expect(node.failures == 1)
    #expect(node.pauseLeft(at: Self.start) == 1_000)
  }

  @Test func `a node is paused as long as it asks, at most five minutes, whatever else goes well`() {
    for (asked, pause) in [(nil, 1_000), (30_000, 30_000), (400_000, 300_000), (500, 1_000)] as [(Int64?, Int64)] {
      var node = NodeHealth()
      node.failed(at: .read, "429", .asksForPause(asked), now: Self.start)
      node.worked(at: .read)
      #expect(node.pauseLeft(at: Self.start) == pause)
      #expect(order([node]).isEmpty)
      #expect(order([node], at: pause) == [0])
    }
    // It asks in the middle of a pause that was shorter.
    var node = NodeHealth()
    node.failed(at: .read, "away", .away, now: Self.start)
    node.failed(at: .read, "403", .asksForPause(30_000), now: Self.at(500))
    #expect(node.pauseLeft(at: Self.at(500)) == 30_000)
    #expect(node.failures == 1)
  }

  @Test func `a node that tells its head and fails at the rest stays unwell`() {
    // A light node answers getnowblock for ever.
    var node = NodeHealth()
    node.failed(at: .read, "no receipts", .away, now: Self.start)
    node.worked(at: .look)
    node.worked(at: .broadcast)
    #expect(node.failures == 1 && node.isPaused(at: Self.start))
    node.failed(at: .read, "no receipts", .away, now: Self.at(1_000))
    #expect(node.pauseLeft(at: Self.at(1_000)) == 2_000)
    // One that failed to tell its head is well when it does.
    var away = NodeHealth()
    away.failed(at: .look, "away", .away, now: Self.start)
    away.worked(at: .look)
    #expect(away.failures == 0 && !away.isPaused(at: Self.start))
  }

  @Test func `a clock that is set back ends every pause`() {
    var node = NodeHealth()
    node.failed(at: .read, "403", .asksForPause(300_000), now: Self.start)
    #expect(!node.isPaused(at: Self.at(-1)))
  }

  @Test func `the configuration's order holds among nodes that are within ten blocks`() {
    let nodes = [Self.node(head: 90), Self.node(head: nil), Self.node(head: 100)]
    #expect(order(nodes) == [0, 1, 2])
    #expect(order([Self.node(head: 89)] + nodes.dropFirst()) == [1, 2, 0])
    // The solid view is judged by itself.
    #expect(order([Self.node(head: 89)] + nodes.dropFirst(), .solid) == [0, 1, 2])
    var behind = NodeHealth()
    behind.saw(Self.header(60), .solid)
    var fresh = NodeHealth()
    fresh.saw(Self.header(71), .solid)
    #expect(order([behind, fresh], .solid) == [1, 0])
  }

  @Test func `a node that pauses is asked last, and makes nobody look old`() {
    var far = Self.node(head: 200)
    far.failed(at: .read, "away", .away, now: Self.start)
    let nodes = [far, Self.node(head: 90), Self.node(head: 100)]
    #expect(order(nodes) == [1, 2, 0])
    // Back again, it is the furthest.
    #expect(order(nodes, at: 1_000) == [0, 1, 2])
  }

  @Test func `where all pause, those that failed are asked, the shortest pause first`() {
    var nodes = [NodeHealth](repeating: NodeHealth(), count: 3)
    nodes[0].failed(at: .read, "away", .away, now: Self.at(500))
    nodes[1].failed(at: .read, "away", .away, now: Self.start)
    nodes[2].failed(at: .read, "403", .asksForPause(30_000), now: Self.start)
    #expect(order(nodes, at: 600) == [1, 0])
  }
}
