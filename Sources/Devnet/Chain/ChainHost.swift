/// Keeps the one chain of a network and lets one caller at it at a time.
actor ChainHost {
  private var chain: Chain
  /// Wall time, milliseconds since 1970.
  nonisolated let clock: @Sendable () -> Int64

  /// Takes over `chain`; `clock` gives wall time in milliseconds since 1970.
  init(_ chain: Chain, clock: @escaping @Sendable () -> Int64) {
    self.chain = chain
    self.clock = clock
  }

  /// Runs `body` on the chain. What takes long, such as hashing and printing, belongs before or after.
  func withChain<Value: Sendable, Failure: Error>(
    _ body: @Sendable (inout Chain) throws(Failure) -> Value
  ) throws(Failure) -> Value {
    try body(&chain)
  }

  /// Makes the block of the slot that has begun by now, unless the head is there already.
  ///
  /// Slots that passed while this process was not running stay empty, as when a producer is silent.
  @discardableResult
  func produceDueBlock() -> Block? {
    let now = clock()
    let due = chain.slotTime(at: now)
    guard due > chain.head.header.timestamp else { return nil }
    return chain.produceBlock(at: due, now: now)
  }
}

extension Chain {
  /// The begin of the slot in which `time` lies.
  func slotTime(at time: Int64) -> Int64 {
    let start = genesis.header.timestamp
    return start + (time - start) / parameters.slot * parameters.slot
  }
}
