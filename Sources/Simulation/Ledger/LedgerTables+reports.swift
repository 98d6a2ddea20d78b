import Ledger
import Payouts

/// Alarms and how they are told, the pause, and what is reported to people.
extension LedgerTables {
  /// `Ledger.takeAlarms`.
  mutating func takeAlarms(atMost count: Int) -> [AlarmRecord] {
    let due = alarms.indices.filter { index in
      !alarms[index].isTold && !alarms[index].isAcknowledged && alarms[index].tellAt <= now
    }.sorted { (alarms[$0].tellAt, alarms[$0].id) < (alarms[$1].tellAt, alarms[$1].id) }.prefix(count)
    for index in due {
      let seconds = min(Int64(30) << min(alarms[index].tellCount, 30), 900)
      alarms[index].tellAt = now.advanced(byMilliseconds: seconds * 1_000)
      alarms[index].tellCount += 1
    }
    return due.sorted().map { record(of: alarms[$0]) }
  }

  /// `Ledger.recordTold`.
  mutating func recordTold(_ alarm: Int64) {
    if let index = alarms.firstIndex(where: { $0.id == alarm }) { alarms[index].isTold = true }
  }

  /// `Ledger.standingAlarms`.
  func standingAlarms(atMost count: Int) -> [AlarmRecord] {
    alarms.filter { !$0.isAcknowledged }.sorted { ($0.raisedAt, $0.id) < ($1.raisedAt, $1.id) }.prefix(count)
      .map(record)
  }

  /// `Ledger.acknowledgeAlarm`.
  mutating func acknowledgeAlarm(_ id: Int64) -> AlarmRecord? {
    guard let index = alarms.firstIndex(where: { $0.id == id && !$0.isAcknowledged }) else { return nil }
    alarms[index].isAcknowledged = true
    return record(of: alarms[index])
  }

  private func record(of row: Alarm) -> AlarmRecord {
    AlarmRecord(
      id: row.id, kind: row.kind, subject: row.subject, message: row.message, raisedAt: row.raisedAt,
      lastAt: row.lastAt, count: row.count)
  }

  /// `Ledger.pause`.
  mutating func pause(reason: String) -> Bool {
    guard pauseReason == nil else { return false }
    (pauseReason, pausedSince) = (reason, now)
    return true
  }

  /// `Ledger.resume`.
  mutating func resume() -> Bool {
    guard pauseReason != nil else { return false }
    (pauseReason, pausedSince) = (nil, nil)
    return true
  }

  /// `Ledger.setWindows`.
  mutating func setWindows(_ lengths: WindowLengths) -> Bool {
    defer { windows = lengths }
    return windows != lengths
  }

  /// `Ledger.record(_:of:)` of a standstill.
  mutating func record(_ standstill: Standstill, of signer: String) {
    let last = standstills[signer]
    let goesOn = last.map { $0.reason == standstill && $0.seenAt > now.advanced(byMilliseconds: -15_000) } ?? false
    standstills[signer] = StandstillRow(
      reason: standstill, since: goesOn ? last?.since ?? now : now, seenAt: now)
  }

  /// `Ledger.recentBlocks`.
  func recentBlocks(atMost count: Int) -> [BlockPlace] { Array(blocks.reversed().prefix(count)) }

  /// `Ledger.headBlock`.
  func headBlock(_ number: Int64) -> BlockPlace? { blocks.first { $0.number == number } }

  /// `Ledger.heldPayouts`.
  func heldPayouts(atMost count: Int) -> [PayoutRecord] {
    payouts(in: [.held]).sorted { ($0.statusSince, $0.terms.id) < ($1.statusSince, $1.terms.id) }.prefix(count)
      .map(\.record)
  }

  /// `Ledger.stageDepths`.
  func stageDepths(
    countingAtMost maximum: Int64?
  ) -> [(status: PayoutStatus, count: Int64, oldestAgeMilliseconds: Int64?)] {
    Ledger.stages.map { stage in
      let rows = payouts(in: [stage])
      let since =
        stage == .queued
        ? rows.map(\.windowEnd).filter { $0 <= now }.min() : rows.map(\.statusSince).min()
      return (stage, min(Int64(rows.count), maximum ?? .max), since.map { max(0, now.milliseconds(since: $0)) })
    }
  }

  /// `Ledger.quarantines`.
  func quarantines(atMost count: Int) -> [QuarantineRecord] {
    func isBefore(_ one: QuarantineRecord, _ other: QuarantineRecord) -> Bool {
      let ended = (one.endedAt != nil ? 1 : 0, other.endedAt != nil ? 1 : 0)
      let moments = (one.endedAt ?? one.declaredAt, other.endedAt ?? other.declaredAt)
      return (ended.0, moments.1, other.id) < (ended.1, moments.0, one.id)
    }
    return Array(quarantineRecords.sorted(by: isBefore).prefix(count))
  }
}
