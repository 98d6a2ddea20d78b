import Ledger
import Payouts

/// What operators order and a Signer carries out: adoptions, and the treasury's transfers.
extension LedgerTables {
  /// An adoption's row.
  struct Adoption: Equatable, Sendable {
    enum State: Sendable { case open, done, refused }

    let order: AdoptionOrder
    let reference: Reference
    let headTime: Timestamp
    let orderedBy: String
    var state = State.open
  }

  /// A treasury order's row.
  struct Treasury: Equatable, Sendable {
    let order: TreasuryOrder
    let orderedAt: Timestamp
    var txid: TxID?
    var isRefused = false

    var waits: Bool { txid == nil && !isRefused }
    /// Emergencies first, then the oldest.
    var turn: Int64 { orderedAt.microseconds - (order.isDespiteBreaker ? 1 << 61 : 0) }
  }

  // MARK: Adoptions

  /// `Ledger.order` of an adoption.
  mutating func order(_ adoption: AdoptionOrder) -> AdoptionRefusal? {
    guard let row = payouts[adoption.payout] else { return .unknownPayout }
    guard row.status.waitsForAttempt else { return .doesNotWait(row.status) }
    let transfer = adoption.transfer
    guard (row.terms.token, row.terms.recipient, row.terms.amount) == (transfer.token, transfer.to, transfer.amount)
    else { return .otherTerms }
    if let inUse = attemptInUse(of: row.terms.reference) { return .referenceInUse(inUse.txid) }
    guard findings.contains(where: { $0.what.txid == adoption.txid && !$0.isExplained }) else { return .noFinding }
    guard let solid = cursors[.solid], solid.number >= adoption.block.number else { return .notSolid }
    let stands = adoptions.contains {
      $0.order.txid == adoption.txid && $0.state != .refused
        || $0.reference == row.terms.reference && $0.state == .open
    }
    guard !stands else { return .alreadyOrdered }
    let earliest = adoption.expiration.advanced(byMilliseconds: -600_000)
    adoptions.append(
      Adoption(
        order: adoption, reference: row.terms.reference, headTime: max(adoption.timestamp, earliest), orderedBy: actor))
    return nil
  }

  /// `Ledger.waitingOrders`.
  func waitingOrders() -> WaitingOrders {
    WaitingOrders(
      hasAdoptions: adoptions.contains { $0.state == .open }, hasTreasury: treasury.contains(where: \.waits))
  }

  /// `Ledger.adoptionsToCarryOut`.
  mutating func adoptionsToCarryOut(wallet: Address, signer: String, atMost count: Int) -> BroadcastLot {
    for index in adoptions.indices where adoptions[index].state == .open && adoptions[index].order.wallet == wallet {
      let other = attemptInUse(of: adoptions[index].reference)
      let row = adoptions[index]
      let isInUse = other.map { $0.txid != row.order.txid } ?? false
      let life = row.order.expiration.milliseconds(since: row.headTime)
      let isTooLong =
        !(0...600_000).contains(life) || row.order.expiration.milliseconds > now.milliseconds + 60_000 + 600_000
      if isInUse || isTooLong || isOthers(row.order.txid, than: [row.reference]) { refuseAdoption(of: row.order.txid) }
    }
    let open = adoptions.filter { $0.state == .open && $0.order.wallet == wallet }.prefix(count)
    let entries = open.map { row in
      let order = row.order
      return JournalEntry(
        txid: order.txid, wallet: wallet, signer: signer, signedBytes: order.signedBytes,
        referenceBlockNumber: order.referenceBlockNumber, headTime: row.headTime, expiration: order.expiration,
        feeLimit: order.feeLimit, signedAt: order.timestamp,
        payouts: [
          JournalPayout(
            payout: order.payout, reference: row.reference,
            attemptNumber: ((attempts[row.reference] ?? []).map(\.number).max() ?? 0) + 1, token: order.transfer.token,
            recipient: order.transfer.to, amount: order.transfer.amount)
        ])
    }
    return BroadcastLot(life: life, isContinuous: isContinuous, transactions: entries)
  }

  /// Whether a transaction is an attempt of another reference.
  private func isOthers(_ txid: TxID, than own: [Reference]) -> Bool {
    references(of: txid).contains { !own.contains($0) }
  }

  /// `Ledger.adopt`.
  mutating func adopt(_ entry: JournalEntry, signer: String, journalID: [UInt8], life: ServerLife) throws -> Bool {
    guard let index = adoptions.firstIndex(where: { $0.order.txid == entry.txid && $0.state == .open }) else {
      return false
    }
    guard self.life == life else { return false }
    guard !isOthers(entry.txid, than: entry.payouts.map(\.reference)) else {
      refuseAdoption(of: entry.txid)
      return false
    }
    actor = adoptions[index].orderedBy
    let result = try putBack([entry], signer: signer)
    guard result.putBack == [entry.txid] else {
      refuseAdoption(of: entry.txid)
      return false
    }
    adoptions[index].state = .done
    closeExplainedFindings()
    return true
  }

  /// `Ledger.refuseAdoption`.
  mutating func refuseAdoption(of txid: TxID) {
    guard let index = adoptions.firstIndex(where: { $0.order.txid == txid && $0.state == .open }) else { return }
    adoptions[index].state = .refused
    raiseAlarm("adoption_refused", "transaction \(txid)", "it cannot be carried out")
  }

  // MARK: The treasury

  /// `Ledger.order` of a treasury order.
  mutating func order(_ sweep: TreasuryOrder) {
    guard !treasury.contains(where: { $0.order.id == sweep.id }) else { return }
    claims[sweep.reference] = Claim(payout: sweep.id, fingerprint: nil)
    treasury.append(Treasury(order: sweep, orderedAt: now))
  }

  /// Whether an attempt is the treasury's, which no limit counts.
  func isTreasury(_ id: PayoutID) -> Bool { treasury.contains { $0.order.id == id } }

  /// `Ledger.signTreasuryOrder`.
  mutating func signTreasuryOrder(
    _ signing: TreasurySigning, decide: (TreasuryOrder) throws -> TreasuryDecision
  ) throws -> SigningOutcome {
    for index in treasury.indices where treasury[index].waits {
      treasury[index].txid = attempts[treasury[index].order.reference]?.first?.txid
    }
    let isOneOut = treasury.contains { row in
      (attempts[row.order.reference] ?? []).contains { $0.isLive && transactions[$0.txid]?.status != .anomalous }
    }
    let inTurn = treasury.indices.filter { treasury[$0].waits && (treasury[$0].order.isDespiteBreaker || !isOneOut) }
      .sorted { (treasury[$0].turn, treasury[$0].order.id) < (treasury[$1].turn, treasury[$1].order.id) }
    for index in inTurn {
      if let outcome = try carryOut(index, signing, decide) { return outcome }
    }
    return .done(signed: 0, held: 0, waiting: inTurn.count)
  }

  /// - Returns: nil where the order waits.
  private mutating func carryOut(
    _ index: Int, _ signing: TreasurySigning, _ decide: (TreasuryOrder) throws -> TreasuryDecision
  ) throws -> SigningOutcome? {
    let order = treasury[index].order
    let asked = signing.order(named: order.id)
    let (isTrial, capacity) = room(asked)
    let usual = gate(asked, isTrial: isTrial, capacity: capacity) ?? (isTrial ? .breakerOpen : nil)
    if let block = order.isDespiteBreaker ? (isContinuous ? nil : .notContinuous) : usual { return .blocked(block) }
    switch try decide(order) {
    case .wait: return nil
    case .refuse(let why):
      treasury[index].isRefused = true
      raiseAlarm("treasury_refused", "treasury order \(order.id)", why)
      return .done(signed: 0, held: 1, waiting: 0)
    case .sign(let signed):
      treasury[index].txid = signed.txid
      emergencySweep = order.isDespiteBreaker ? signed.txid : nil
      defer { emergencySweep = nil }
      try storeTransaction(signed, asked)
      return .done(signed: 1, held: 0, waiting: 0)
    }
  }
}
