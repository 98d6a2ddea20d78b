/// The txids a node has seen within the hour, valid or not (`node.rpc.trxCacheEnable`, tron-protocol.md §2.4 step 4).
///
/// Off by default; with it a node answers DUP_TRANSACTION_ERROR to what it refused or dropped before.
struct TransactionCache: Sendable {
  /// Wall time at which each was seen, milliseconds.
  private var times: [Hash32: Int64] = [:]
  /// Oldest first.
  private var order: [Hash32] = []

  private static let life: Int64 = 3_600_000
  private static let countMax = 100_000

  /// Whether `id` was seen within the hour before `now`; if not, it is from now on.
  mutating func holds(_ id: Hash32, at now: Int64) -> Bool {
    if let time = times[id], now - time <= Self.life { return true }
    note(id, at: now)
    return false
  }

  /// Notes a txid; the oldest gives way where the cache is full.
  mutating func note(_ id: Hash32, at now: Int64) {
    if times.updateValue(now, forKey: id) == nil { order.append(id) }
    guard order.count > Self.countMax else { return }
    // Half at once, so that the list is not shifted for every entry.
    for old in order.prefix(Self.countMax / 2) { times[old] = nil }
    order.removeFirst(Self.countMax / 2)
  }
}
