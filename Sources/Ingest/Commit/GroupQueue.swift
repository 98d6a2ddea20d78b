/// Which waiting entries go together, and when: a pure state machine without I/O, tasks or time.
///
/// A few *lanes* work, each on one group at a time. A group is whatever waited when a lane became free, at most
/// `groupMax` entries (by their weights, where some count for several), oldest first: so an idle system adds no delay, and a busy one makes larger groups by itself.
///
/// | event | lanes idle | lanes all busy |
/// | --- | --- | --- |
/// | `submit` | wakes one with a group of one | the entry waits, or is refused beyond `waitingMax` |
/// | `laneIsFree` | goes to sleep where nothing waits | takes the next group |
/// | `close` | all end | each ends when nothing waits any more |
struct GroupQueue<Entry> {
  /// What becomes of a submitted entry.
  enum Submission {
    /// It waits.
    case waits
    /// This idle lane is to be woken with this group.
    case wake(lane: Int, group: [Entry])
    /// As many wait as may: nothing was taken.
    case refusedFull
    /// Nothing more is taken.
    case refusedClosed
  }

  /// What a free lane does next.
  enum Next {
    /// Work on this group.
    case work([Entry])
    /// Sleep until it is woken.
    case sleep
    /// End: the queue is closed and empty.
    case end
  }

  /// The most entries in a group, by weight; a heavier one goes alone.
  let groupMax: Int
  /// The most entries that wait, by weight.
  let waitingMax: Int
  /// For how many an entry counts, 1 or more.
  private let weight: @Sendable (Entry) -> Int
  /// Entries in the order they came; those before `head` are gone.
  private var entries: [Entry] = []
  private var head = 0
  private var idleLanes: [Int] = []
  private(set) var isClosed = false
  /// How many entries wait, by weight.
  private(set) var waitingCount = 0

  /// An open queue without entries and lanes.
  init(groupMax: Int, waitingMax: Int, weight: @escaping @Sendable (Entry) -> Int = { _ in 1 }) {
    precondition(groupMax > 0 && waitingMax > 0, "a queue takes at least one entry")
    self.groupMax = groupMax
    self.waitingMax = waitingMax
    self.weight = weight
  }

  /// Takes an entry.
  mutating func submit(_ entry: Entry) -> Submission {
    guard !isClosed else { return .refusedClosed }
    if let lane = idleLanes.popLast() {
      // A lane sleeps only while nothing waits, so the group is this entry alone.
      return .wake(lane: lane, group: [entry])
    }
    guard waitingCount + weight(entry) <= waitingMax else { return .refusedFull }
    waitingCount += weight(entry)
    entries.append(entry)
    return .waits
  }

  /// A lane has begun, or has finished its group.
  mutating func laneIsFree(_ lane: Int) -> Next {
    let group = takeGroup()
    if !group.isEmpty { return .work(group) }
    if isClosed { return .end }
    precondition(!idleLanes.contains(lane), "a lane is free once")
    idleLanes.append(lane)
    return .sleep
  }

  /// Takes nothing more. What waits is still worked on.
  /// - Returns: the lanes that sleep, which end now.
  mutating func close() -> [Int] {
    isClosed = true
    defer { idleLanes = [] }
    return idleLanes
  }

  /// Empties a closed queue whose lanes are gone.
  /// - Returns: what nobody will work on.
  mutating func abandon() -> [Entry] {
    precondition(isClosed, "only a closed queue is abandoned")
    defer {
      entries = []
      head = 0
      waitingCount = 0
    }
    return Array(entries[head...])
  }

  private mutating func takeGroup() -> [Entry] {
    var (end, taken) = (head, 0)
    while end < entries.count {
      let heavier = taken + weight(entries[end])
      guard heavier <= groupMax || end == head else { break }
      (end, taken) = (end + 1, heavier)
    }
    let group = Array(entries[head..<end])
    head = end
    waitingCount -= taken
    // The gone beginning is given back now and then, so that each entry is moved once at most.
    if head == entries.count || head > waitingMax {
      entries.removeFirst(head)
      head = 0
    }
    return group
  }
}
