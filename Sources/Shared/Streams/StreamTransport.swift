/// The seam between two stages: named streams of entries, read by groups of consumers, at least once.
///
/// PostgreSQL is the truth and this is only the transport: an entry is a wake-up that carries ids. Duplicate, forged or
/// lost entries change nothing, since consumers re-read the row and a sweeper sends again what was lost.
///
/// What every implementation promises, and one conformance suite checks:
/// - *At least once.* An entry that was read stays pending for its consumer until it is acknowledged or dead-lettered;
///   what was appended before a group existed is delivered to it too.
/// - *No doubles among the living.* An entry is delivered to one consumer of a group; to another one only by a claim,
///   after it lay idle.
/// - *Order.* The entries of a stream are delivered first in the order they were appended.
/// - *Self-healing.* Missing streams and groups are made by the calls themselves, also where the server lost everything
///   between two calls.
/// - *Limits.* What breaks ``StreamLimits`` throws ``StreamError`` with `invalidArgument` and does nothing.
///
/// Errors are ``StreamError``, or `CancellationError` where the calling task was cancelled.
public protocol StreamTransport: Sendable {
  /// Appends entries in order, in one round trip a thousand.
  ///
  /// On an error with the outcome `unknown` some of them, a prefix or all, may be in the stream.
  func append(_ entries: [[String: String]], to stream: StreamName) async throws

  /// Reads entries that no consumer of the group has got yet: up to `count` *from each stream*, each a first delivery.
  ///
  /// Waits up to `blockMilliseconds` for the first one where there is none (0: not at all), then returns none. Makes
  /// missing streams and groups, from the beginning of the stream. A cancelled read may have taken entries whose reply
  /// nobody saw: they stay pending for this consumer, see ``readPending(_:after:group:consumer:count:)``.
  func read(
    _ streams: [StreamName], group: ConsumerGroup, consumer: ConsumerName, count: Int, blockMilliseconds: Int
  ) async throws -> [StreamEntry]

  /// Reads again what was delivered to this very consumer and not acknowledged: up to `count` from each stream, with ids
  /// above `after[stream]` (absent: from the first), in id order. Each is one more delivery. Never waits.
  ///
  /// For the start of a worker whose earlier life held entries, and after a read that failed on the way.
  func readPending(
    _ streams: [StreamName], after: [StreamName: StreamEntryID], group: ConsumerGroup, consumer: ConsumerName,
    count: Int
  ) async throws -> [StreamEntry]

  /// Takes over entries that any consumer of the group, this one included, got at least `idleMilliseconds` ago and did
  /// not acknowledge: what a dead consumer held. Up to `count` from each stream; each is one more delivery. Never waits.
  func claim(
    _ streams: [StreamName], group: ConsumerGroup, consumer: ConsumerName, idleMilliseconds: Int, count: Int
  ) async throws -> [StreamEntry]

  /// Ends the entries' life: no longer pending, and removed from the stream. Called after the caller's commit.
  ///
  /// Doing it twice is harmless, and so is an entry that is no longer there.
  func acknowledge(_ entries: [StreamEntry], group: ConsumerGroup) async throws

  /// Moves an entry into `<stream>.dead` with its error and origin (``DeadLetterField``) and ends its life, in one
  /// atomic step.
  ///
  /// Does nothing where the group exists and the entry is no longer pending in it: then somebody else has dealt with it.
  /// So doing it twice leaves one letter. Where the group is gone (the server lost its data) the letter is written.
  func deadLetter(_ entry: StreamEntry, group: ConsumerGroup, error: String) async throws

  /// How many entries the stream holds: those that wait and those that are pending. 0 for a missing stream.
  func length(of stream: StreamName) async throws -> Int

  /// What the stream holds: its oldest entries, those that wait and those that are pending, in order, up to `count`, with 0
  /// deliveries each, since that is not asked. Changes nothing.
  func contents(of stream: StreamName, atMost count: Int) async throws -> [StreamEntry]
}
