/// What a path names. Every path stands at the root, behind a gateway that strips its prefix, and under
/// `/api/payment`.
enum Route: Sendable, Hashable {
  /// /health, /ready, /live.
  case health
  /// /payouts
  case payouts
  /// /payouts/{id}; whether the text is an id is asked later.
  case payout(String)
  /// /payouts/{id}/transaction
  case transaction(String)

  /// The prefix of the gateway.
  static let prefix = "/api/payment"

  /// The route of a path without its query; nil where there is none.
  init?(path: String) {
    let path =
      path == Route.prefix || path.hasPrefix(Route.prefix + "/") ? path.dropFirst(Route.prefix.count) : path[...]
    let segments = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
    switch segments.count {
    case 1 where segments.first == "health" || segments.first == "ready" || segments.first == "live": self = .health
    case 1 where segments.first == "payouts": self = .payouts
    case 2 where segments.first == "payouts": self = .payout(String(segments[2]))
    case 3 where segments.first == "payouts" && segments[3] == "transaction": self = .transaction(String(segments[2]))
    default: return nil
    }
  }

  /// The methods that it answers.
  var methods: [String] {
    switch self {
    case .health, .payout, .transaction: ["GET", "HEAD"]
    case .payouts: ["POST"]
    }
  }

  /// Its name in logs and metrics: never an id.
  var name: String {
    switch self {
    case .health: "health"
    case .payouts: "payouts"
    case .payout: "payouts/{id}"
    case .transaction: "payouts/{id}/transaction"
    }
  }

  /// All names, with the one for paths that name nothing.
  static let names = ["health", "payouts", "payouts/{id}", "payouts/{id}/transaction", unknownName]
  /// The name for paths that name nothing.
  static let unknownName = "unknown"
}
