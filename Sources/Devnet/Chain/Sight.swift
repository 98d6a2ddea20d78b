/// How one face of the network, a node on a port of its own, sees the chain.
enum Sight: Equatable, Sendable {
  /// As it is.
  case live
  /// So many blocks behind the head. With several numbers each request takes the next one, as when requests reach
  /// several nodes behind one host: its head then goes back and forth.
  case behind([Int64])
  /// It takes no more blocks. What is broadcast to it goes on to the others.
  case stale
  /// It takes no more blocks, and nothing goes on: what is broadcast to it is pending there only.
  case cutOff
}

/// What a network keeps of one face: its sight, and the chains that are its own.
struct FaceState: Sendable {
  private(set) var sight = Sight.live
  /// The face's own chain while it takes no blocks.
  var stopped: Chain?
  /// The next one of several lags.
  private var turn = 0
  /// Copies by lag, made for the head `copiedHead`; so each holds a pool of its own from block to block.
  private var copies: [Int64: Chain] = [:]
  private var copiedHead: Hash32?

  /// Changes the sight; a face that stops keeps `chain` as it is now.
  mutating func look(_ sight: Sight, at chain: Chain) {
    self = FaceState()
    self.sight = sight
    switch sight {
    case .live, .behind: break
    case .stale, .cutOff: stopped = chain
    }
  }

  /// How far behind the next request finds this face.
  mutating func nextLag() -> Int64 {
    guard case .behind(let lags) = sight, !lags.isEmpty else { return 0 }
    defer { turn += 1 }
    return lags[turn % lags.count]
  }

  /// Runs `body` on the chain as this face sees it `lag` blocks behind `chain`; what `body` changes stays in the copy.
  mutating func withCopy<Value, Failure: Error>(
    of chain: Chain, behind lag: Int64, now: Int64, _ body: (inout Chain) throws(Failure) -> Value
  ) throws(Failure) -> Value {
    if copiedHead != chain.head.id {
      copies = [:]
      copiedHead = chain.head.id
    }
    var copy = copies.removeValue(forKey: lag) ?? chain.behind(by: lag, now: now)
    defer { copies[lag] = copy }
    return try body(&copy)
  }
}

/// One request's way to the chain: through which face, and how far behind that face is this time.
struct FaceView: Sendable {
  let host: ChainHost
  /// Counted from 0.
  let face: Int
  let lag: Int64

  /// Wall time, milliseconds since 1970.
  var clock: @Sendable () -> Int64 { host.clock }

  /// Runs `body` on the chain as the face sees it.
  func withChain<Value: Sendable, Failure: Error>(
    _ body: @Sendable (inout Chain) throws(Failure) -> Value
  ) async throws(Failure) -> Value {
    try await host.withChain(seenFrom: face, behind: lag, body)
  }

  /// Hands a transaction to the face's node.
  ///
  /// - `isForgotten`: the node accepts it and drops it with the next block.
  func broadcast(_ prepared: PreparedTransaction, isForgotten: Bool) async throws(Refusal) {
    try await host.broadcast(prepared, to: face, behind: lag, isForgotten: isForgotten)
  }
}
