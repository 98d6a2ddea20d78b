import Synchronization

/// In which order things are looked at of which some may be looked at in vain: those come last, the one whose turn is longest
/// ago first, so that none of them keeps the others waiting however often it fails.
///
/// In memory only: after a start all are alike. It remembers no more than there is to look at.
public final class Turns<ID: Hashable & Sendable>: Sendable {
  private let inVain = Mutex<[ID]>([])

  /// All are alike.
  public init() {}

  /// The same things in the order of their turns; among those that never had one in vain, in the order given. What is not
  /// among them is forgotten.
  public func order<Thing>(_ things: [Thing], by id: (Thing) -> ID) -> [Thing] {
    let present = Set(things.map(id))
    let places = inVain.withLock { ids in
      ids.removeAll { !present.contains($0) }
      return Dictionary(uniqueKeysWithValues: zip(ids, 0...))
    }
    return things.enumerated()
      .map { (place: places[id($0.element)] ?? -1, index: $0.offset, thing: $0.element) }
      .sorted { ($0.place, $0.index) < ($1.place, $1.index) }
      .map(\.thing)
  }

  /// This one had its turn in vain.
  public func failed(_ id: ID) {
    inVain.withLock { ids in
      ids.removeAll { $0 == id }
      ids.append(id)
    }
  }
}
