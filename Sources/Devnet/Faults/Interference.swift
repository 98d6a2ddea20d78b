/// What is done to a chain on demand: slots that stay empty, a solid head that stands still, calls that fail.
///
/// Part of the chain, so that one value says all about it; a fresh one is a network in health.
struct Interference: Sendable {
  /// No block comes by itself, only on demand.
  var isHalted = false
  /// Slots up to this chain time stay empty.
  var emptyThrough: Int64 = 0
  /// Indexes of producers that are silent in their turns.
  var silentProducers: Set<Int> = []
  /// The solid head stands still; the next block after its end catches up.
  var isSolidFrozen = false
  /// How many blocks the solid view lies below the solid head: 0 or 1 (tron-protocol.md §3.4).
  var solidViewLag: Int64 = 0
  private(set) var forcedResults: [ForcedResult] = []

  /// Contract calls that end in a failure when they are packed, however healthy they are.
  struct ForcedResult: Sendable {
    let result: ContractResult
    /// Only this transaction.
    var txid: Hash32?
    /// Only calls of this account.
    var owner: Address?
    /// How many more calls it meets; nil until it is cleared.
    var remaining: Int64?
  }

  /// Adds a failure for calls to come, behind those that are there.
  mutating func force(_ result: ForcedResult) { forcedResults.append(result) }

  /// How `prepared` ends in the block that is being made, or nil where it just runs; used up by one.
  mutating func takeForcedResult(for prepared: PreparedTransaction) -> ContractResult? {
    guard case .trigger? = prepared.parameter,
      let index = forcedResults.firstIndex(where: { forced in
        (forced.txid ?? prepared.id) == prepared.id && (forced.owner == nil || forced.owner == prepared.owner)
      })
    else { return nil }
    let forced = forcedResults[index]
    if let remaining = forced.remaining {
      if remaining > 1 {
        forcedResults[index].remaining = remaining - 1
      } else {
        forcedResults.remove(at: index)
      }
    }
    return forced.result
  }
}
