import Ledger
import Payouts
import Testing

@testable import Simulation

/// Questions that workers and operators ask, whole answers of both sides.
extension ModelWalk {
  mutating func question() async throws {
    switch roll(4) {
    case 0: try await askAboutPayout()
    case 1: try await askAboutChain()
    case 2: try await askWhatWaits()
    default: try await askAboutIntents()
    }
  }

  private mutating func somePayout() -> (id: PayoutID, reference: Reference) {
    let rows = model.payouts(in: Set(PayoutStatus.allCases)).map(\.terms)
    guard !rows.isEmpty, roll(10) > 0 else { return (Sample.payoutID(first + 90), Sample.reference(first + 90)) }
    let terms = rows[roll(rows.count)]
    return (terms.id, terms.reference)
  }

  private mutating func askAboutPayout() async throws {
    let (id, reference) = somePayout()
    switch roll(4) {
    case 0:
      try await compare("accepted-under \(reference)") {
        let request = try await $0.accepted(under: reference)
        return "\(Self.text(request?.record)) \(String(describing: request?.fingerprint))"
      } _: {
        let request = $0.accepted(under: reference)
        return "\(Self.text(request?.record)) \(String(describing: request?.fingerprint))"
      }
    case 1:
      try await compare("payout \(id)") {
        Self.text(try await $0.payout(id))
      } _: {
        Self.text($0.payouts[id]?.record)
      }
    case 2:
      try await compare("history of \(id)") {
        try await $0.history(of: id).map(Self.text).joined(separator: "; ")
      } _: {
        ($0.events[id] ?? []).map(Self.text).joined(separator: "; ")
      }
    default:
      try await compare("attempts of \(id)") {
        "\(try await $0.attempts(of: id))"
      } _: {
        "\($0.attemptRecords(of: id))"
      }
    }
  }

  /// Notes are written for people, and the model says less.
  static func text(_ record: PayoutRecord?) -> String {
    guard let row = record else { return "none" }
    return "\(row.terms) \(row.particulars) \(row.acceptedStatus) \(row.status) \(row.statusSince) "
      + "\(String(describing: row.heldFrom)) \(row.holdReason ?? "-") \(String(describing: row.settlementBatch)) "
      + "\(row.windowEnd) \(String(describing: row.notBefore)) \(String(describing: row.notBeforeReason))"
  }

  private static func text(_ event: PayoutEvent) -> String {
    "\(event.at) \(String(describing: event.from)) \(event.to) \(event.actor)"
  }

  private mutating func askAboutChain() async throws {
    switch roll(7) {
    case 0:
      try await compare("watch") {
        let watch = try await $0.watch()
        return Self.text(watch)
      } _: {
        Self.text($0.watch())
      }
    case 1:
      let view: CursorView = [.head, .solid][roll(2)]
      try await compare("cursor of \(view)") {
        "\(String(describing: try await $0.cursor(view)))"
      } _: {
        "\(String(describing: $0.cursors[view]))"
      }
    case 2:
      let count = 1 + roll(6)
      try await compare("recent-blocks \(count)") {
        "\(try await $0.recentBlocks(atMost: count))"
      } _: {
        "\($0.recentBlocks(atMost: count))"
      }
    case 3:
      let txids =
        model.transactions.keys.sorted().filter { _ in roll(2) == 0 }
        + [Sample.txid(Sample.reference(1), attempt: 9)]
      try await compare("known of \(txids.count)") {
        "\(try await $0.known(txids))"
      } _: {
        "\($0.known(txids))"
      }
    case 4:
      let number = (model.cursors[.head]?.number ?? 0) + 1 - Int64(roll(6))
      try await compare("head-block \(number)") {
        "\(String(describing: try await $0.headBlock(number)))"
      } _: {
        "\(String(describing: $0.headBlock(number)))"
      }
    case 5:
      try await compare("wallets") {
        "\(try await $0.wallets())"
      } _: {
        "\($0.wallets.keys.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) })"
      }
    default:
      try await compare("solid-time") {
        "\(String(describing: try await $0.solidTime()))"
      } _: {
        "\(String(describing: $0.cursors[.solid]?.time))"
      }
    }
  }

  private static func text(_ watch: ChainWatch?) -> String {
    watch.map { watch in
      "\(watch.wallets.map { Hex.text($0.bytes) }.sorted()) \(watch.begin.number) "
        + String(describing: watch.headReset)
    } ?? "none"
  }

  private mutating func askWhatWaits() async throws {
    switch roll(3) {
    case 0:
      try await compare("waiting-orders") {
        "\(try await $0.waitingOrders())"
      } _: {
        "\($0.waitingOrders())"
      }
    case 1:
      let failures = model.unblamedFailures(atMost: 1_000)
      let last = failures.isEmpty || roll(2) == 0 ? nil : failures[roll(failures.count)]
      let count = 1 + roll(5)
      try await compare("unblamed") {
        "\(try await $0.unblamedFailures(after: last, atMost: count))"
      } _: {
        "\($0.unblamedFailures(after: last, atMost: count))"
      }
    default:
      try await compare("webhook-depth") {
        "\(try await $0.webhookDepth())"
      } _: {
        "\($0.webhookDepth())"
      }
    }
  }

  private mutating func askAboutIntents() async throws {
    guard roll(2) == 0 else {
      return try await compare("checkpoint") {
        "\(try await $0.intentCheckpoint())"
      } _: {
        "\($0.intentCheckpoint())"
      }
    }
    let (lastID, life) = ("\(1 + roll(5))-0", someLife())
    try await compare("move-checkpoint to \(lastID)") {
      "\(try await $0.moveIntentCheckpoint(to: lastID, under: life))"
    } _: {
      "\($0.moveIntentCheckpoint(to: lastID, under: life))"
    }
  }
}
