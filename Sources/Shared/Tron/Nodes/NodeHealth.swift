public import Payouts

/// What one of several nodes was found to be like: what it failed at, until when it is left alone, how far its chain goes.
///
/// Pure: no I/O, no clock. `NodeGroup` keeps one for each node and asks `order` whom to ask.
public struct NodeHealth: Sendable, Hashable {
  /// What a node was asked for, the easier first: a node may well tell its head and fail at what a round needs.
  public enum Work: Int, Sendable, Hashable {
    /// Its newest blocks, asked for to know how far it is.
    case look
    /// A transaction was handed to it.
    case broadcast
    /// A read that stands alone, or all the reads of a round.
    case read
  }

  /// The newest block of one of a node's views.
  public struct Sighting: Sendable, Hashable {
    /// Its number.
    public let number: Int64
    /// Its own time.
    public let time: Timestamp
  }

  /// How a node failed, as far as it matters for how long it is left alone.
  public enum Failure: Sendable, Hashable {
    /// It could not be asked, or its answer could not be used.
    case away
    /// It said that it is not well just now (HTTP 503): others are asked at once, and it is looked at again soon.
    case unavailable
    /// It asked to be left alone, for so many milliseconds where it said how long.
    case asksForPause(Int64?)

    /// The longest that its pause grows to, in milliseconds.
    var longestPauseMilliseconds: Int64 {
      self == .unavailable ? NodeHealth.longestUnavailableMilliseconds : NodeHealth.longestPauseMilliseconds
    }
  }

  /// How long a node is left alone after its first failure, in milliseconds; twice as long each time.
  public static let firstPauseMilliseconds: Int64 = 1_000
  /// The longest that this grows to, in milliseconds.
  public static let longestPauseMilliseconds: Int64 = 60_000
  /// The longest that this grows to where the node is unavailable only, in milliseconds.
  public static let longestUnavailableMilliseconds: Int64 = 5_000
  /// The longest pause that a node may ask for, in milliseconds.
  public static let longestAskedPauseMilliseconds: Int64 = 300_000
  /// How many blocks a node may be behind another one before that one is asked first: as much as the fence may be behind
  /// the head (DESIGN.md §7).
  public static let lagBlocksMaximum: Int64 = 10

  /// Pauses in a row: failures since something as demanding as the last failed one went well.
  public private(set) var failures = 0
  /// What it failed at last, in words; nil where it did not since it last went well.
  public private(set) var trouble: String?
  /// Its newest head block; nil before one was seen. It goes back where the node's does.
  public private(set) var head: Sighting?
  /// The same of its solid view.
  public private(set) var solid: Sighting?
  private var failedAt: Work?
  private var pausedAt: Timestamp?
  private var pauseMilliseconds: Int64 = 0
  /// Whether the node itself asked to be left alone (reference §4.5), so that nobody asks it before its pause is over.
  public private(set) var isPauseAskedFor = false

  /// A node of which nothing is known.
  public init() {}

  /// Something went well. It ends a pause, but none that the node asked for: calls that were under way together may well end
  /// both ways.
  public mutating func worked(at work: Work) {
    guard work == .read || work == failedAt else { return }
    failures = 0
    trouble = nil
    failedAt = nil
    if !isPauseAskedFor { pausedAt = nil }
  }

  /// The node could not be asked, or its answer could not be used. What fails while it pauses already (calls that were
  /// under way together) makes its pause no longer, unless it asks for that.
  public mutating func failed(at work: Work, _ reason: String, _ failure: Failure, now: Timestamp) {
    trouble = reason
    if !isPaused(at: now) {
      failures += 1
      failedAt = work
      pausedAt = now
      isPauseAskedFor = false
      // Far below an overflow: 2^20 s are beyond the longest pause.
      pauseMilliseconds = min(
        NodeHealth.firstPauseMilliseconds << Int64(min(failures - 1, 20)), failure.longestPauseMilliseconds)
    }
    guard case .asksForPause(let asked) = failure else { return }
    isPauseAskedFor = true
    let pause = min(asked ?? 0, NodeHealth.longestAskedPauseMilliseconds)
    if pause > pauseLeft(at: now) {
      pausedAt = now
      pauseMilliseconds = pause
    }
  }

  /// A view's newest block was seen.
  public mutating func saw(_ header: BlockHeader, _ view: ChainView) {
    let sighting = Sighting(number: header.number, time: header.timestamp)
    switch view {
    case .head: head = sighting
    case .solid: solid = sighting
    }
  }

  /// Whether it is left alone now.
  public func isPaused(at now: Timestamp) -> Bool { pauseLeft(at: now) > 0 }

  /// For how long, in milliseconds; 0 where it is not. A clock that was set back ends every pause.
  public func pauseLeft(at now: Timestamp) -> Int64 {
    guard let pausedAt else { return 0 }
    let passed = now.milliseconds(since: pausedAt)
    return passed < 0 ? 0 : max(0, pauseMilliseconds - passed)
  }

  fileprivate func newest(_ view: ChainView) -> Int64? {
    switch view {
    case .head: head?.number
    case .solid: solid?.number
    }
  }

  /// Which nodes do not pause, in the order of the configuration.
  static func ready(_ nodes: [NodeHealth], at now: Timestamp) -> [Int] {
    nodes.indices.filter { !nodes[$0].isPaused(at: now) }
  }

  /// Whom to ask one after the other until one serves, the best first.
  ///
  /// 1. Those that do not pause, in the order of the configuration, each of which is at most `lagBlocksMaximum` blocks
  ///    behind the furthest of them. One of which nothing was seen yet counts among these.
  /// 2. Those that do not pause and are further behind: while a fresher one answers, they are not asked.
  /// 3. Those that pause because they failed, the end of the shortest pause first: while any other serves, they are left
  ///    alone; where none does, the caller's own growing waits are the brake, and whoever is back is found at once.
  ///
  /// Never one that asked for its pause.
  public static func order(_ nodes: [NodeHealth], for view: ChainView, at now: Timestamp) -> [Int] {
    let ready = ready(nodes, at: now)
    let behind = ready.filter { isBehind(nodes[$0], others: ready.map { nodes[$0] }, view) }
    let pausing = nodes.indices.filter { nodes[$0].isPaused(at: now) && !nodes[$0].isPauseAskedFor }
      .sorted { (nodes[$0].pauseLeft(at: now), $0) < (nodes[$1].pauseLeft(at: now), $1) }
    return ready.filter { !behind.contains($0) } + behind + pausing
  }

  /// Whether one of the others is so much further that this one is asked after it.
  static func isBehind(_ node: NodeHealth, others: [NodeHealth], _ view: ChainView) -> Bool {
    guard let own = node.newest(view), let furthest = others.compactMap({ $0.newest(view) }).max() else { return false }
    return furthest - own > lagBlocksMaximum
  }
}
