/// One worker's reading of its streams, a step at a time: take entries, have them handled, acknowledge them.
///
/// There is no loop and no clock inside: the worker, a test or a simulator calls ``step()`` as it likes, one at a time.
/// A worker that may not act does not call it, so it takes nothing.
///
/// Where entries come from, in this order:
/// 1. *Its own earlier life.* At the start, and after a read or claim that failed on the way: what is pending under its
///    name, page by page.
/// 2. *The dead.* At most every `claimEveryMilliseconds` a claim begins, and goes on with each step until it brings nothing.
/// 3. *New ones.*
///
/// What the handler does not return, or throws on, stays pending and comes again by a claim. From its third delivery on
/// an entry is handed over alone, in turns from the front and from the back of those that came with it: so one entry that
/// kills the process each time holds up its neighbours for two rounds at most. Delivered more than `maximumDeliveries`
/// times, it goes to the dead letters.
public actor StreamConsumer {
  /// Handles entries, all of one stage's streams mixed, up to `count`; returns those that may be acknowledged: their
  /// effect is committed, or they have none.
  public typealias Handler = @Sendable ([StreamEntry]) async throws -> [StreamEntry]
  /// Makes an entry that was delivered too often harmless before it leaves the stream (its payouts are `held`, an alarm is
  /// raised), and returns the error that its dead letter carries. Where it throws, the entry stays pending.
  public typealias GiveUp = @Sendable (StreamEntry) async throws -> String

  private let transport: any StreamTransport
  private let configuration: StreamConsumerConfiguration
  private let now: @Sendable () -> Int64
  private let handle: Handler
  private let giveUp: GiveUp

  /// How many entries it asks for at present: half as many with each reading that fails after another, since the answer may
  /// be longer than is read (entries that somebody else made large), twice as many after each that went well.
  private var count: Int
  private var hasReadingFailed = false
  private var isStepping = false
  private var isCatchingUp = true
  /// Where the next page of its own pending entries begins.
  private var caughtUpTo: [StreamName: StreamEntryID] = [:]
  private var isClaiming = false
  private var nextClaim: Int64?

  /// A consumer that has not read yet. Throws `invalidArgument` where the configuration breaks a limit.
  ///
  /// - Parameters:
  ///   - now: Milliseconds on a clock that does not go back; only spaces the claims.
  ///   - handle: See ``Handler``.
  ///   - giveUp: See ``GiveUp``.
  public init(
    transport: any StreamTransport, configuration: StreamConsumerConfiguration, now: @escaping @Sendable () -> Int64,
    handle: @escaping Handler, giveUp: @escaping GiveUp
  ) throws(StreamError) {
    try configuration.check()
    self.transport = transport
    self.configuration = configuration
    count = configuration.count
    self.now = now
    self.handle = handle
    self.giveUp = giveUp
  }

  /// Takes what there is and has it handled; returns how many entries it took, 0 where there were none.
  ///
  /// Throws the first error of the transport or the handler, after everything else that was taken has been tried; on
  /// cancellation it stops at once. Either way the entries concerned stay pending. Must not be called while a step runs.
  public func step() async throws -> Int {
    precondition(!isStepping, "one step at a time")
    isStepping = true
    defer { isStepping = false }

    let entries: [StreamEntry]
    do {
      entries = try await take()
    } catch {
      if hasReadingFailed { count = max(1, count / 2) }
      hasReadingFailed = true
      throw error
    }
    hasReadingFailed = false
    count = min(configuration.count, count * 2)
    var firstError: (any Error)?
    for portion in portions(of: entries) {
      do {
        try Task.checkCancellation()
        try await work(on: portion)
      } catch let error as CancellationError {
        throw error
      } catch {
        firstError = firstError ?? error
      }
    }
    if let firstError { throw firstError }
    return entries.count
  }

  private func take() async throws -> [StreamEntry] {
    if isCatchingUp {
      let entries = try await transport.readPending(
        configuration.streams, after: caughtUpTo, group: configuration.group, consumer: configuration.consumer,
        count: count)
      for entry in entries { caughtUpTo[entry.stream] = max(entry.id, caughtUpTo[entry.stream] ?? .zero) }
      if !entries.isEmpty { return entries }
      isCatchingUp = false
    }
    do {
      if isClaimDue() {
        let entries = try await transport.claim(
          configuration.streams, group: configuration.group, consumer: configuration.consumer,
          idleMilliseconds: configuration.claimIdleMilliseconds, count: count)
        isClaiming = !entries.isEmpty
        if isClaiming { return entries }
      }
      return try await transport.read(
        configuration.streams, group: configuration.group, consumer: configuration.consumer, count: count,
        blockMilliseconds: configuration.blockMilliseconds)
    } catch {
      // Entries may have been given to this consumer in a reply that was lost.
      isCatchingUp = true
      caughtUpTo = [:]
      throw error
    }
  }

  private func isClaimDue() -> Bool {
    if isClaiming { return true }
    let now = now()
    if let nextClaim, now < nextClaim { return false }
    nextClaim = now + Int64(configuration.claimEveryMilliseconds)
    return true
  }

  /// What is handed over together: fresh entries in portions of `count`, then those of many deliveries one by one, then
  /// those to be given up, one by one.
  private func portions(of entries: [StreamEntry]) -> [ArraySlice<StreamEntry>] {
    let alone = StreamConsumerConfiguration.aloneFromDelivery
    let fresh = entries.filter { $0.deliveries < alone }
    let often = entries.filter { $0.deliveries >= alone }.sorted { left, right in
      if left.deliveries != right.deliveries { return left.deliveries < right.deliveries }
      if left.id == right.id { return left.stream.text < right.stream.text }
      return (left.id < right.id) == left.deliveries.isMultiple(of: 2)
    }
    return fresh.chunks(of: configuration.count) + often.chunks(of: 1)
  }

  private func work(on portion: ArraySlice<StreamEntry>) async throws {
    if let entry = portion.first, entry.deliveries > configuration.maximumDeliveries {
      let error = try await giveUp(entry)
      return try await transport.deadLetter(entry, group: configuration.group, error: error)
    }
    let done = Set(try await handle(Array(portion)))
    // Only what was handed over can be acknowledged.
    let acknowledged = portion.filter(done.contains)
    if !acknowledged.isEmpty { try await transport.acknowledge(acknowledged, group: configuration.group) }
  }
}
