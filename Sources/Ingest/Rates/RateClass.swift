import HTTPTypes
import Streams
import Worker

/// Calls that share an allowance of their caller's.
enum RateClass: String, CaseIterable, Sendable {
  /// Up to a hundred payouts in one request.
  case batch
  /// What may change something.
  case writes
  /// What only tells.
  case reads

  /// The class of what is no call at all: its refusal costs an answer, too.
  init(of method: HTTPRequest.Method) {
    self = method == .get || method == .head ? .reads : .writes
  }
}

/// How many requests of each class a caller may make in a minute.
///
/// ## Configuration keys
/// - `RATE_LIMIT_BATCH_PER_MINUTE` (default 60), `RATE_LIMIT_WRITES_PER_MINUTE` (600), `RATE_LIMIT_READS_PER_MINUTE` (1200):
///   0 to 1000000; 0: without a limit.
struct RateLimits: SettingsReadable, Sendable {
  private let limits: [RateClass: RateLimit]

  /// Reads every key.
  init(from settings: inout Settings) {
    let range = 0...Int64(RateLimit.countMax)
    let counts: [RateClass: Int64] = [
      .batch: settings.integer("RATE_LIMIT_BATCH_PER_MINUTE", default: 60, in: range),
      .writes: settings.integer("RATE_LIMIT_WRITES_PER_MINUTE", default: 600, in: range),
      .reads: settings.integer("RATE_LIMIT_READS_PER_MINUTE", default: 1_200, in: range),
    ]
    limits = counts.filter { $0.value > 0 }.mapValues { RateLimit(count: Int($0)) }
  }

  /// Whether no class has a limit.
  var areNone: Bool { limits.isEmpty }

  /// The limit of a class; nil where it has none.
  subscript(rateClass: RateClass) -> RateLimit? { limits[rateClass] }
}
