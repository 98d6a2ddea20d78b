import Ledger
import Payouts
import Testing

@testable import Simulation

/// What operators do by hand and are told; and what the workers call them for.
extension ModelWalk {
  mutating func steerByHand() async throws {
    switch roll(9) {
    case 0:
      try await compare("pause") {
        "\(try await $0.pause(reason: "reason"))"
      } _: {
        "\($0.pause(reason: "reason"))"
      }
    case 1...3:
      try await compare("resume") {
        "\(try await $0.resume(reason: "reason"))"
      } _: {
        "\($0.resume())"
      }
    case 4:
      let lengths = roll(2) == 0 ? .usual : WindowLengths(hourly: 60_000, daily: 7_200_000, weekly: 86_400_000)
      try await compare("windows of \(lengths.hourly)") {
        "\(try await $0.setWindows(lengths))"
      } _: {
        "\($0.setWindows(lengths))"
      }
    case 5: try await storeFindings()
    case 6: try await scheduleSome()
    case 7:
      let subject = "subject \(roll(3))"
      try await compare("open-breaker-by cause") {
        try await $0.openBreaker(cause: "unknown_transaction", subject: subject, message: "message")
        return "done"
      } _: {
        $0.openBreaker("unknown_transaction", subject, "message")
        return "done"
      }
    default: try await holdQueued()
    }
  }

  private mutating func storeFindings() async throws {
    let (findings, place) = ((0...roll(2)).map { _ in finding() }, Sample.place(Int64(1 + roll(200)), at: model.now))
    try await compare("store-findings \(findings.count)") {
      try await $0.store(findings: findings, in: place)
      return "done"
    } _: {
      $0.store(findings: findings, in: place, isSolid: true)
      return "done"
    }
  }

  private mutating func scheduleSome() async throws {
    let ids = model.payouts(in: [.queued, .scheduled]).map(\.terms.id).filter { _ in roll(2) == 0 }
    let (perBatch, number) = (1 + roll(4), takeBatchNumbers())
    try await compare("schedule-some of \(ids.count) by \(perBatch)") { ledger in
      let names = BatchNames(number)
      return "\(try await ledger.schedule(ids, maximumPerBatch: perBatch) { names.next() })"
    } _: { tables in
      let names = BatchNames(number)
      return "\(try tables.schedule(tables.due(of: ids), maximumPerBatch: perBatch) { names.next() })"
    }
  }

  private mutating func holdQueued() async throws {
    let rows = model.payouts(in: roll(4) == 0 ? [.scheduled, .held] : [.queued])
    let id = rows.isEmpty ? Sample.payoutID(first + 90) : rows[roll(rows.count)].terms.id
    try await compare("hold-queued \(id)") {
      "\(try await $0.holdQueued(id, note: "note"))"
    } _: {
      "\(try $0.holdQueued(id, note: "note"))"
    }
  }

  mutating func report() async throws {
    switch roll(10) {
    case 0...2: try await alarms()
    case 3: try await secrets()
    case 4:
      let count = 1 + roll(5)
      try await compare("held-payouts \(count)") {
        "\(try await $0.heldPayouts(atMost: count).map { "\($0.terms.id) \($0.holdReason ?? "-")" })"
      } _: {
        "\($0.heldPayouts(atMost: count).map { "\($0.terms.id) \($0.holdReason ?? "-")" })"
      }
    case 5:
      let maximum: Int64? = roll(2) == 0 ? nil : 3
      try await compare("stage-depths") {
        try await $0.stageDepths(countingAtMost: maximum).map {
          "\($0.status) \($0.count) \(String(describing: $0.oldestAgeMilliseconds))"
        }.joined(separator: ", ")
      } _: {
        $0.stageDepths(countingAtMost: maximum).map {
          "\($0.status) \($0.count) \(String(describing: $0.oldestAgeMilliseconds))"
        }.joined(separator: ", ")
      }
    case 6:
      let count = 1 + roll(5)
      try await compare("quarantine-list \(count)") {
        "\(try await $0.quarantines(atMost: count))"
      } _: {
        "\($0.quarantines(atMost: count))"
      }
    case 7:
      try await compare("treasury-list") {
        try await $0.treasuryOrders(atMost: 100).map(Self.text).sorted().joined(separator: ", ")
      } _: { tables in
        tables.treasury.map { Self.text($0, $0.txid.flatMap { txid in tables.transactions[txid]?.status }) }.sorted()
          .joined(separator: ", ")
      }
    case 8:
      try await compare("breaker-report") {
        Self.text(try await $0.breaker())
      } _: {
        Self.text($0)
      }
    default:
      let subject = "subject \(roll(3))"
      try await compare("raise-alarm \(subject)") {
        try await $0.raiseAlarm(kind: "no_node", subject: subject, message: "message")
        return "done"
      } _: {
        $0.raiseAlarm("no_node", subject, "message")
        return "done"
      }
    }
  }

  private static func text(_ record: TreasuryOrderRecord) -> String {
    switch record.state {
    case .ordered: "\(record.order.id) ordered \(record.orderedAt)"
    case .refused: "\(record.order.id) refused \(record.orderedAt)"
    case .signed(let txid, let status): "\(record.order.id) \(txid) \(status) \(record.orderedAt)"
    }
  }

  private static func text(_ row: LedgerTables.Treasury, _ status: TransactionStatus?) -> String {
    if row.isRefused { return "\(row.order.id) refused \(row.orderedAt)" }
    guard let txid = row.txid else { return "\(row.order.id) ordered \(row.orderedAt)" }
    return "\(row.order.id) \(txid) \(status ?? .signed) \(row.orderedAt)"
  }

  /// In which order two transactions at once number their findings is theirs to choose.
  private static func text(_ report: BreakerReport) -> String {
    "\(report.state) \(report.cause ?? "-") \(report.closesBy ?? "-") \(report.since) "
      + "\(String(describing: report.trialAt)) \(String(describing: report.trial)) \(report.failedTrials) "
      + "\(report.findings.map { "\($0.kind) \($0.txid) \($0.isJudged)" }.sorted())"
  }

  private static func text(_ tables: LedgerTables) -> String {
    let (breaker, isTrial) = (tables.breaker, tables.breaker.exit == .trial)
    let state = breaker.state == .closed ? "closed" : breaker.state == .open ? "open" : "half_open"
    let closesBy = breaker.exit.map { $0 == .trial ? "trial" : "operator" }
    return "\(state) \(breaker.cause ?? "-") \(closesBy ?? "-") \(breaker.since) "
      + "\(String(describing: breaker.state == .open && isTrial ? breaker.trialAt : nil)) "
      + "\(String(describing: breaker.state == .halfOpen ? breaker.trial : nil)) \(breaker.failedTrials) "
      + "\(tables.findings.filter(\.isOpen).map { "\($0.what.kind.rawValue) \($0.what.txid) \($0.isJudged)" }.sorted())"
  }

  // MARK: Alarms

  /// Both sides number their alarms by themselves: one is the same by kind and subject.
  private mutating func alarms() async throws {
    let (theirs, ours) = (Taken<[AlarmRecord]>(), Taken<[AlarmRecord]>())
    let takes = roll(2) == 0
    try await compare("alarms \(takes ? "taken" : "standing")") {
      let alarms = takes ? try await $0.takeAlarms(atMost: 1_000) : try await $0.standingAlarms(atMost: 1_000)
      theirs.put(alarms)
      return Self.text(alarms)
    } _: {
      let alarms = takes ? $0.takeAlarms(atMost: 1_000) : $0.standingAlarms(atMost: 1_000)
      ours.put(alarms)
      return Self.text(alarms)
    }
    guard let real = theirs.value, let modelled = ours.value, !real.isEmpty, roll(2) == 0 else { return }
    let chosen = modelled.sorted { ($0.kind, $0.subject) < ($1.kind, $1.subject) }[roll(modelled.count)]
    let id = try #require(real.first { ($0.kind, $0.subject) == (chosen.kind, chosen.subject) }).id
    if takes {
      try await compare("told \(chosen.kind)") {
        try await $0.recordTold(id)
        return "done"
      } _: {
        $0.recordTold(chosen.id)
        return "done"
      }
    } else {
      try await compare("acknowledge \(chosen.kind)") {
        Self.text([try await $0.acknowledgeAlarm(id, reason: "reason")].compactMap(\.self))
      } _: {
        Self.text([$0.acknowledgeAlarm(chosen.id)].compactMap(\.self))
      }
    }
  }

  private static func text(_ alarms: [AlarmRecord]) -> String {
    alarms.map { "\($0.kind) \($0.subject) \($0.raisedAt) \($0.lastAt) \($0.count)" }.sorted().joined(separator: "; ")
  }

  // MARK: Secrets

  private mutating func secrets() async throws {
    let owner = "owner-\(1 + roll(2))"
    let secret = try WebhookSecret(bytes: [UInt8](repeating: UInt8(roll(200)), count: 32))
    switch roll(3) {
    case 0:
      try await compare("secrets of \(owner)") {
        Self.text(try await $0.webhookSecrets(of: owner))
      } _: {
        Self.text($0.webhookSecrets(of: owner))
      }
    case 1:
      try await compare("make-secret of \(owner)") {
        Self.text(try await $0.makeWebhookSecret(of: owner, secret))
      } _: {
        Self.text($0.makeWebhookSecret(of: owner, secret))
      }
    default:
      let valid = Int64(roll(3)) * 60_000
      try await compare("rotate-secret of \(owner)") {
        Self.text(try await $0.rotateWebhookSecret(of: owner, to: secret, oldValidMilliseconds: valid))
      } _: {
        Self.text($0.rotateWebhookSecret(of: owner, to: secret, oldValidMilliseconds: valid))
      }
    }
  }

  private static func text(_ secrets: [WebhookSecret]) -> String { "\(secrets.map { $0.withBytes { Hex.text($0) } })" }
}
