/// What a ``StreamConsumer`` reads, as whom, and in which measure.
public struct StreamConsumerConfiguration: Sendable {
  /// The streams it reads, 1 to ``StreamLimits/maximumStreams``.
  public var streams: [StreamName]
  /// The group of its stage.
  public var group: ConsumerGroup
  /// Its own name in that group: the worker's instance.
  public var consumer: ConsumerName
  /// The most entries it asks for from each stream, and hands to the handler at once; 1 to ``StreamLimits/maximumCount``.
  public var count = 100
  /// How long a read waits for a first entry, in milliseconds; 0 to ``StreamLimits/maximumBlockMilliseconds``.
  public var blockMilliseconds = 1_000
  /// How long an entry must lie with a consumer before another takes it over, in milliseconds: longer than the longest
  /// handling, or two work on the same entry (harmless, but useless).
  public var claimIdleMilliseconds = 30_000
  /// The least time between two beginnings of a claim, in milliseconds.
  public var claimEveryMilliseconds = 5_000
  /// How often an entry is handed to the handler at most; delivered once more, it goes to the dead letters.
  public var maximumDeliveries = 8

  /// From this delivery on an entry is handed over alone, so that one which always fails does not take its neighbours
  /// with it.
  public static let aloneFromDelivery = 3
  /// The range of ``maximumDeliveries``. Its least value leaves each entry two deliveries alone.
  public static let deliveriesRange = (aloneFromDelivery + 1)...1000

  /// The defaults for these streams.
  public init(streams: [StreamName], group: ConsumerGroup, consumer: ConsumerName) {
    self.streams = streams
    self.group = group
    self.consumer = consumer
  }

  /// Checks every range; throws `invalidArgument`.
  func check() throws(StreamError) {
    try StreamLimits.check(streams: streams, count: count)
    try StreamLimits.check(blockMilliseconds: blockMilliseconds)
    try StreamLimits.check(idleMilliseconds: claimIdleMilliseconds)
    try StreamLimits.check(idleMilliseconds: claimEveryMilliseconds)
    guard Self.deliveriesRange.contains(maximumDeliveries) else {
      throw .invalidArgument(
        "an entry is delivered up to \(Self.deliveriesRange.lowerBound) to \(Self.deliveriesRange.upperBound) times, "
          + "not \(maximumDeliveries)")
    }
  }
}
