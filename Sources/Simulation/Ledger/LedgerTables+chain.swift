import Ledger
import Payouts

/// What Monitor asks for: the head's branch, and the fence.
extension LedgerTables {
  /// `Ledger.watch`.
  func watch() -> ChainWatch? {
    guard let begin = wallets.values.min(by: { $0.number < $1.number }) else { return nil }
    return ChainWatch(wallets: Set(wallets.keys), begin: begin, headReset: openHeadReset)
  }

  /// `Ledger.known`.
  func known(_ txids: [TxID]) -> [KnownTransaction] {
    Set(txids).sorted().compactMap { known($0) }
  }

  private func known(_ txid: TxID) -> KnownTransaction? {
    guard let transaction = transactions[txid] else { return nil }
    let transfers = references(of: txid).compactMap { reference in
      attempts[reference]?.first { $0.txid == txid }
    }.map {
      ExpectedTransfer(token: $0.token, from: transaction.entry.wallet, to: $0.recipient, amount: $0.amount)
    }
    return transfers.isEmpty
      ? nil : KnownTransaction(txid: txid, status: transaction.status, transfers: transfers)
  }

  /// Compare-and-set of a cursor.
  private mutating func move(_ view: CursorView, to place: BlockPlace, after previous: BlockPlace?) -> Bool {
    guard
      cursors[view].map({ ($0.number, $0.id) }) ?? (-1, place.id) == previous.map({ ($0.number, $0.id) }) ?? (
        -1, place.id
      )
    else { return false }
    cursors[view] = place
    if view == .head { headMovedAt = now }
    return true
  }

  /// `Ledger.apply(head:after:)`.
  mutating func apply(head block: HeadBlock, after previous: BlockPlace?) throws -> Bool {
    guard move(.head, to: block.place, after: previous) else { return false }
    blocks.append(block.place)
    blocks.removeAll { $0.number <= block.keepAbove }
    for txid in Set(block.transactions).sorted() {
      guard var row = transactions[txid], row.status == .signed || row.status == .sent else { continue }
      row.status = .included
      row.block = block.place
      transactions[txid] = row
    }
    for txid in Set(block.transactions).sorted() {
      for reference in references(of: txid) {
        guard attempts[reference]?.contains(where: { $0.txid == txid && $0.isLive }) == true,
          let row = payout(of: reference), row.status == .signed || row.status == .broadcast
        else { continue }
        try move(row.terms.id, to: .confirming, note: "in block \(block.place.number)")
      }
    }
    store(findings: block.suspects, in: block.place, isSolid: false)
    return true
  }

  /// `Ledger.store(findings:in:)`, and what `Ledger.apply(head:after:)` stores.
  mutating func store(findings suspects: [ChainFinding], in place: BlockPlace, isSolid: Bool) {
    for (index, suspect) in suspects.enumerated() where transactions[suspect.txid] == nil {
      // Told twice by one reading, the first word counts.
      if suspects[..<index].contains(where: { Self.isSame($0, suspect) }) { continue }
      let stored = findings.firstIndex { Self.isSame($0.what, suspect) }
      guard let stored else {
        findings.append(Finding(what: suspect, place: place, foundAt: now, isSolid: isSolid))
        continue
      }
      // One that a fork moved to another block is the same finding, there; one in a solid block stays there.
      guard isSolid || !findings[stored].isSolid else { continue }
      findings[stored].place = place
      findings[stored].isSolid = isSolid
      if isSolid { findings[stored].what = suspect }
    }
  }

  private static func isSame(_ one: ChainFinding, _ other: ChainFinding) -> Bool {
    (one.txid, one.kind, one.logIndex) == (other.txid, other.kind, other.logIndex)
  }

  /// `Ledger.undoHead`.
  mutating func undoHead(above number: Int64, from head: BlockPlace) throws -> [PayoutID]? {
    guard cursors[.head] == head, number <= head.number else { return nil }
    let holdsSolid = cursors[.solid].map { solid in
      solid.number > number && blocks.contains { ($0.number, $0.id) == (solid.number, solid.id) }
    }
    if holdsSolid == true { return nil }
    blocks.removeAll { $0.number > number }
    guard let place = blocks.first(where: { $0.number == number }) else {
      throw LedgerError(.illegalChange, "block \(number) is not kept: a fork below it cannot be undone")
    }
    cursors[.head] = place
    headMovedAt = now
    return try forgetInclusions(above: number, note: "a fork undid its block")
  }

  /// `Ledger.forgetInclusions`.
  mutating func forgetInclusions(above number: Int64, note: String) throws -> [PayoutID] {
    var undone: [PayoutID] = []
    let above = transactions.values.filter { $0.status == .included && ($0.block?.number ?? 0) > number }
    for transaction in above.map(\.entry.txid).sorted() {
      transactions[transaction]?.status = .sent
      transactions[transaction]?.block = nil
      transactions[transaction]?.nextBroadcastAt = now
      for reference in references(of: transaction) {
        guard
          attempts[reference]?.contains(where: { $0.txid == transaction && $0.isLive && !$0.isLate }) == true,
          let row = payout(of: reference), row.status == .confirming
        else { continue }
        try move(row.terms.id, to: .broadcast, note: note)
        undone.append(row.terms.id)
      }
    }
    return undone
  }

  /// `Ledger.judgeFindings`.
  mutating func judgeFindings() -> Int {
    closeExplainedFindings()
    guard isContinuous else { return 0 }
    var judged = 0
    for index in findings.indices where findings[index].isOpen && !findings[index].isJudged {
      findings[index].isJudged = true
      judged += 1
      openBreaker(
        "unknown_transaction", "transaction \(findings[index].what.txid)", "it was signed by no Signer of ours")
    }
    return judged
  }

  // MARK: Solid blocks

  /// `Ledger.apply(solid:after:verdicts:retryDelayMilliseconds:)`.
  mutating func apply(
    solid block: BlockPlace, after previous: BlockPlace?, verdicts: [TxID: TransactionVerdict],
    retryDelayMilliseconds: Int64
  ) throws -> Bool {
    guard move(.solid, to: block, after: previous) else { return false }
    try settle(verdicts, retryDelayMilliseconds: retryDelayMilliseconds)
    return true
  }

  /// `Ledger.unjudged`.
  func unjudged(atMost count: Int) -> [UnjudgedTransaction] {
    guard let solid = cursors[.solid] else { return [] }
    let waiting = transactions.values.filter {
      [.signed, .sent, .included, .anomalous].contains($0.status) && $0.entry.expiration <= solid.time
        && $0.entry.referenceBlockNumber < solid.number
    }.sorted {
      ($0.status == .anomalous ? 1 : 0, $0.entry.expiration, $0.entry.txid)
        < ($1.status == .anomalous ? 1 : 0, $1.entry.expiration, $1.entry.txid)
    }.prefix(count)
    return waiting.sorted { $0.entry.txid < $1.entry.txid }.compactMap { row in
      known(row.entry.txid).map {
        UnjudgedTransaction(
          transaction: $0, referenceBlockNumber: row.entry.referenceBlockNumber, expiration: row.entry.expiration,
          signedBytes: row.entry.signedBytes)
      }
    }
  }

  /// `Ledger.confirm`.
  mutating func confirm(headNumber: Int64, requiredConfirmations: Int64, atMost count: Int) throws -> [PayoutID] {
    let due = payouts(in: [.confirming]).filter { row in
      guard !beside.payouts.contains(row.terms.id),
        let paid = attempts[row.terms.reference]?.first(where: { $0.outcome == .paid }),
        let transaction = transactions[paid.txid], transaction.status == .solid, let block = transaction.block
      else { return false }
      return headNumber - block.number + 1 >= requiredConfirmations
    }.prefix(count).map(\.terms.id)
    for id in due { try move(id, to: .confirmed, note: nil) }
    return due
  }
}
