import Payouts

/// How one of several nodes does, for operators. It is named by its place: its URL may hold a key.
public struct NodeReport: Sendable, Hashable {
  /// Its place in `TRON_RPC_URL`, from 1.
  public let number: Int
  /// What was found out about it.
  public let health: NodeHealth
  /// How long it is still left alone, in milliseconds; 0 where it is not.
  public let pauseLeftMilliseconds: Int64
  /// Whether another one is so much further that this one is asked after it.
  public let isBehind: Bool

  /// Whether it serves when it is its turn.
  public var isWell: Bool { pauseLeftMilliseconds == 0 && !isBehind }

  /// In words: how far it is, and what is wrong with it.
  public var text: String {
    let seen =
      health.head.map { "head block \($0.number) of \($0.time)" } ?? "no block of it was seen yet"
    if pauseLeftMilliseconds > 0 {
      let seconds = (pauseLeftMilliseconds + 999) / 1_000
      let reason = health.trouble.map { ": \($0)" } ?? ""
      return "\(seen); left alone for \(seconds) s after \(health.failures) failures in a row\(reason)"
    }
    return isBehind ? "\(seen); more than \(NodeHealth.lagBlocksMaximum) blocks behind another node" : seen
  }
}
