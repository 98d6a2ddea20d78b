import Ledger
import Logging
import Payouts
import Synchronization
import TestSupport
import Tron
import Worker

@testable import Monitor

/// Randomness without any: waits are exactly what the schedule says, and a secret is known.
struct NoRandomness: RandomSource {
  func bytes(_ count: Int) -> [UInt8] { [UInt8](repeating: 0x5e, count: count) }
  func uniform(below bound: UInt64) -> UInt64 { 0 }
}

/// The world outside, answered by a script; keeps what was sent.
final class ScriptedOut: HTTPOut {
  private let kept = Mutex<[OutgoingRequest]>([])
  private let answer: @Sendable (OutgoingRequest) throws(HTTPOutError) -> Int

  init(_ answer: @escaping @Sendable (OutgoingRequest) throws(HTTPOutError) -> Int) { self.answer = answer }

  /// What was sent so far, in order.
  var sent: [OutgoingRequest] { kept.withLock { $0 } }

  func post(_ request: OutgoingRequest) async throws(HTTPOutError) -> Int {
    kept.withLock { $0.append(request) }
    return try answer(request)
  }
}

/// DNS as a test says; each name as often as it is asked for, the last answer for ever.
final class ScriptedDNS: HostResolver {
  private let answers: Mutex<[String: [[String]]]>
  private let asked = Mutex(0)

  init(_ answers: [String: [[String]]]) { self.answers = Mutex(answers) }

  var count: Int { asked.withLock { $0 } }

  func addresses(of host: String) async throws -> [IPAddress] {
    asked.withLock { $0 += 1 }
    let texts = answers.withLock { answers -> [String]? in
      guard let list = answers[host], let first = list.first else { return nil }
      if list.count > 1 { answers[host]?.removeFirst() }
      return first
    }
    guard let texts else { throw HTTPOutError(.unresolved, "\(host): unknown") }
    return texts.compactMap { IPAddress($0) }
  }
}

extension OutgoingRequest {
  /// The value of a header.
  func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
  /// As text.
  var text: String { String(decoding: body, as: UTF8.self) }
}

extension PayingScene {
  /// A Monitor that sends webhooks.
  func monitor(_ name: String = "monitor-1", out: any HTTPOut, ledger: (any MonitorLedger)? = nil) throws
    -> MonitorSteps
  {
    try MonitorSteps(
      MonitorParts(
        ledger: ledger ?? self.ledger, streams: streams, intents: streams,
        node: CheckedNode(node, genesis: node.genesis), clock: clock, random: NoRandomness(), out: out),
      policy: MonitorPolicy(
        name: name, token: PayingScene.token, requiredConfirmations: 19,
        retryDelayMilliseconds: PayingScene.retryDelayMilliseconds),
      metrics: nil, logger: Logger(label: "monitor"))
  }

  /// Accepts payouts that are told to a URL.
  func accept(_ numbers: ClosedRange<Int>, toldTo url: String) async throws {
    let payouts = try numbers.map { try payout($0, webhookURL: url) }
    for outcome in try await ledger.accept(payouts, limits: AcceptanceLimits(hourly: nil, daily: nil)) {
      guard case .accepted = outcome else { throw SceneError("\(outcome)") }
    }
  }

  /// Holds a payout, as each stage may: its second event.
  func hold(_ number: Int) async throws {
    try await pool.executeScript(
      """
      UPDATE payouts SET status = 'held', held_from = status, hold_reason = 'operator'
      WHERE id = '\(PayingScene.payoutID(number))'
      """)
  }

  /// The states of all deliveries, each as `event state tries`, in the order of their making.
  func deliveries() async throws -> [String] {
    try await pool.execute(
      "SELECT event || ' ' || state || ' ' || tries AS line FROM webhook_deliveries ORDER BY number"
    ).rows.map { try $0.text("line") }
  }
}
