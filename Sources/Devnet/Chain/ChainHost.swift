import Dispatch

/// Keeps the one chain of a network and lets one caller at it at a time.
///
/// Where the chain is kept in a file, a block is on disk before anybody sees it.
actor ChainHost {
  private var chain: Chain { didSet { keep() } }
  private var kept: KeptChain?
  private var faces: [FaceState]
  private let queue = ChainQueue()
  /// Wall time, milliseconds since 1970.
  nonisolated let clock: @Sendable () -> Int64

  nonisolated var unownedExecutor: UnownedSerialExecutor { queue.asUnownedSerialExecutor() }

  /// Takes over `chain` and its file, if it has one, shown by `faceCount` faces; `clock` gives wall time in milliseconds
  /// since 1970.
  init(
    _ chain: Chain, kept: consuming KeptChain? = nil, faceCount: Int = 1, clock: @escaping @Sendable () -> Int64
  ) {
    self.chain = chain
    self.kept = kept
    faces = Array(repeating: FaceState(), count: faceCount)
    self.clock = clock
  }

  /// Runs `body` on the chain. What takes long, such as hashing and printing, belongs before or after.
  func withChain<Value: Sendable, Failure: Error>(
    _ body: @Sendable (inout Chain) throws(Failure) -> Value
  ) throws(Failure) -> Value {
    try body(&chain)
  }

  /// Makes the block of the slot that has begun by now, unless the head is there already or the slot stays empty.
  ///
  /// Slots that passed while this process was not running stay empty, as when a producer is silent.
  @discardableResult
  func produceDueBlock() -> Block? {
    let now = clock()
    let due = chain.slotTime(at: now)
    guard due >= chain.nextSlotTime, !chain.leavesEmpty(slot: due) else { return nil }
    return chain.produceBlock(at: due, now: now)
  }

  /// Makes blocks at once, each in the next slot whose producer is not silent; fewer where all of them are.
  func makeBlocks(_ count: Int) -> [Block] {
    let now = clock()
    var blocks: [Block] = []
    for _ in 0..<count {
      guard let time = chain.nextFilledSlot(from: max(chain.nextSlotTime, chain.slotTime(at: now))) else { break }
      blocks.append(chain.produceBlock(at: time, now: now))
    }
    return blocks
  }

  // MARK: Faces

  /// How each face sees the chain.
  var sights: [Sight] { faces.map(\.sight) }

  /// Changes how a face sees the chain.
  func look(_ sight: Sight, from face: Int) { faces[face].look(sight, at: chain) }

  /// Takes all interference back: every face sees the chain as it is, and producers are healthy.
  func heal() {
    chain.interference = Interference()
    for face in faces.indices { faces[face].look(.live, at: chain) }
  }

  /// Begins a request: which view of the chain it gets through this face.
  func view(from face: Int) -> FaceView { FaceView(host: self, face: face, lag: faces[face].nextLag()) }

  /// Runs `body` on the chain as a face sees it.
  func withChain<Value: Sendable, Failure: Error>(
    seenFrom face: Int, behind lag: Int64, _ body: @Sendable (inout Chain) throws(Failure) -> Value
  ) throws(Failure) -> Value {
    if var own = faces[face].stopped.take() {
      defer { faces[face].stopped = own }
      return try body(&own)
    }
    guard lag > 0 else { return try body(&chain) }
    return try faces[face].withCopy(of: chain, behind: lag, now: clock(), body)
  }

  /// Hands a transaction to a face's node, which tells the others about it unless it is cut off.
  func broadcast(
    _ prepared: PreparedTransaction, to face: Int, behind lag: Int64, isForgotten: Bool
  ) throws(Refusal) {
    let now = clock()
    try withChain(seenFrom: face, behind: lag) { chain throws(Refusal) in
      try chain.broadcast(prepared, now: now)
      if isForgotten { chain.forget(prepared.id) }
    }
    let hasOwnChain = lag > 0 || faces[face].stopped != nil
    guard hasOwnChain, !isForgotten, faces[face].sight != .cutOff else { return }
    do {
      try chain.broadcast(prepared, now: now)
    } catch {
      // The others judge for themselves, and nobody hears of it.
    }
  }

  /// Puts new blocks on disk. Where that fails nobody may see them, so the process ends.
  private func keep() {
    do {
      try kept?.keep(chain)
    } catch {
      fatalError("\(error)")
    }
  }
}

/// Runs the chain's jobs on a queue of its own, where waiting for the disk holds up nobody else.
private final class ChainQueue: SerialExecutor {
  private let queue = DispatchQueue(label: "devnet.chain")

  /// Runs `job` after those before it.
  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
  }
}

extension Chain {
  /// The begin of the slot in which `time` lies.
  func slotTime(at time: Int64) -> Int64 {
    let start = genesis.header.timestamp
    return start + (time - start) / parameters.slot * parameters.slot
  }

  /// Whether the slot at `time` stays empty on demand.
  func leavesEmpty(slot time: Int64) -> Bool {
    interference.isHalted || time <= interference.emptyThrough || isSilent(slot: time)
  }

  /// The first slot not before `time` whose producer is not silent; nil where all of them are.
  func nextFilledSlot(from time: Int64) -> Int64? {
    (0..<Int64(producers.addresses.count)).lazy.map { time + $0 * parameters.slot }.first { !isSilent(slot: $0) }
  }

  private func isSilent(slot time: Int64) -> Bool {
    interference.silentProducers.contains(
      producers.index(at: time, genesisTime: genesis.header.timestamp, slot: parameters.slot))
  }
}
