import Ledger
import Payouts

/// Webhooks in a test's ledger.
extension TestLedger {
  /// How long a server is held, in milliseconds.
  static let lease: Int64 = 30_000

  /// Accepts payouts that are told to a URL.
  func acceptTold(_ numbers: ClosedRange<Int>, to url: String? = "https://hooks.example/in?key=1") async throws {
    try await accept(try numbers.map { try Self.told($0, to: url) })
  }

  /// A payout that is told to a URL.
  static func told(_ number: Int, to url: String?) throws -> NewPayout {
    let plain = try Sample.payout(number)
    return NewPayout(
      terms: plain.terms, seal: plain.seal,
      particulars: PayoutParticulars(
        priority: .normal, reason: .custom, externalID: "invoice \(number)", webhookURL: url,
        requestID: plain.particulars.requestID),
      fingerprint: plain.fingerprint)
  }

  /// The next server with something due; nil where there is none.
  func claim(after origin: String? = nil, atMost count: Int = 20) async throws -> WebhookLot? {
    switch try await ledger.claimWebhooks(after: origin, leaseMilliseconds: Self.lease, atMost: count) {
    case .lot(let lot): lot
    case .nothing: nil
    }
  }

  /// Gives a server back that answered.
  func release(_ lot: WebhookLot) async throws {
    _ = try await ledger.release(lot, restMilliseconds: nil, lifetimeMilliseconds: 259_200_000)
  }

  /// A failed try that is to be repeated after so many milliseconds.
  @discardableResult
  func fail(_ delivery: WebhookDelivery, delay: Int64 = 5_000) async throws -> WebhookState? {
    try await ledger.record(
      .failed("HTTP 500", delayMilliseconds: delay, lifetimeMilliseconds: 259_200_000), of: delivery)
  }

  /// Moves the ledger's clock to so long after the real one.
  func moveClock(toMilliseconds offset: Int64) async throws {
    try await run("UPDATE ledger_settings SET clock_offset_ms = \(offset)")
  }

  /// All that is told of a payout, in order.
  func events(_ payout: Int) async throws -> [String] {
    try await rows(
      "SELECT event, state FROM webhook_deliveries WHERE payout_id = \(Sample.sql(Sample.payoutID(payout))) ORDER BY number"
    )
  }
}
