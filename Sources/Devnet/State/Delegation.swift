/// Who lends stake to whom, for which resource.
struct DelegationKey: Hashable, Sendable {
  let from: Address
  let to: Address
  let resource: Resource
}

/// Stake that is lent to another account (tron-protocol.md §5.5); amounts in sun.
struct Delegation: Equatable, Sendable {
  /// What can be taken back at any time.
  var free: Int64 = 0
  /// What is bound until `lockedUntil`.
  var locked: Int64 = 0
  /// Chain time, milliseconds; 0 without a lock.
  var lockedUntil: Int64 = 0

  var isEmpty: Bool { free == 0 && locked == 0 }

  /// What can be taken back at chain time `now`.
  func revocable(at now: Int64) -> Int64 { lockedUntil < now ? free + locked : free }

  /// Frees what was bound, where its time has come.
  mutating func unlock(at now: Int64) {
    guard lockedUntil < now else { return }
    free += locked
    (locked, lockedUntil) = (0, 0)
  }
}
