import Keystore
import Ledger
import Payouts
import Tron

/// Decides on each locked payout of a batch, and builds and signs those that may be paid (DESIGN.md §3 points 1 and 7).
///
/// Pure but for the key: no I/O, no clock. It runs inside the ledger's transaction, between the locks and the stores.
struct DecideOnPayouts<Signer: TransactionSigner>: Sendable {
  /// What a first transfer to a new holder of USDT takes, observed, penalty included (reference §5.3).
  static var energyOfOneTransfer: Int64 { 130_285 }
  /// The margin on it, in percent: the energy factor may rise before inclusion.
  static var energyMarginPercent: Int64 { 20 }
  /// The most that TRON lets a transaction's energy cost (reference §5.1, getMaxFeeLimit): 15,000 TRX.
  static var feeLimitMaximum: Sun { Sun(15_000_000_000) }
  /// How long a payout waits that finds no room in Signer's own limits, in milliseconds: operators may raise them at any
  /// time, and a new window begins.
  static var limitPauseMilliseconds: Int64 { 60_000 }
  /// A transaction must still be valid for so long when it is signed, or it is not worth its risk.
  static var shortestLifeMilliseconds: Int64 { 15_000 }

  /// The hot wallet.
  let signer: Signer
  /// Which payouts are this Signer's at all.
  let network: Network
  /// The one token it pays.
  let token: Address
  /// Ingest's public keys.
  let seals: SealVerifier
  /// Its own limits; nil is none.
  let hourlyLimit: Amount?
  let dailyLimit: Amount?
  /// How long a transaction may live.
  let expirationMilliseconds: Int64
  /// Its own memory.
  let journal: any Journal
  let earlierAttempts: EarlierAttempts

  /// - Parameters:
  ///   - batch: locked payouts.
  ///   - outlook: the chain.
  ///   - now: Signer's own clock.
  func decide(
    _ batch: SigningBatch, outlook: ChainOutlook.Outlook, now: Timestamp
  ) throws -> [SigningDecision] {
    // One broken seal says that somebody writes in the database: nothing at all is signed then.
    let broken = batch.candidates.filter { !seals.isIntact($0.payout.seal, on: $0.payout.terms) }
    guard broken.isEmpty else {
      return broken.map {
        .hold(
          $0.payout.id, .brokenSeal, note: "the seal does not fit the row: somebody changed what was accepted",
          opensBreaker: true)
      }
    }
    var limits = OwnLimits(
      hourly: hourlyLimit, daily: dailyLimit, batch: batch, journal: journal, unpaid: earlierAttempts.unpaid)
    var decisions: [SigningDecision] = []
    var room = batch.capacity
    for candidate in batch.candidates {
      // The rest waits: it is looked at when there is room again.
      guard room > 0 else { break }
      if let hold = hold(candidate) {
        decisions.append(hold)
      } else if !limits.couldEverSign(candidate.payout.terms.amount) {
        decisions.append(
          .hold(candidate.payout.id, .signerLimit, note: "it exceeds Signer's own limit", opensBreaker: false))
      } else if try earlierAttempts.areProvenUnpaid(
        journal.attempts(of: candidate.payout.terms.reference), of: candidate.payout.terms.reference),
        let expiration = expiration(
          of: candidate.payout.terms.reference, notAfter: candidate.payout.terms.expiresAt, outlook: outlook)
      {
        if let full = try limits.reserve(candidate.payout.terms.amount) {
          decisions.append(
            .postpone(
              candidate.payout.id, milliseconds: Self.limitPauseMilliseconds, note: "\(full) has no room for it"))
          continue
        }
        let transfer = WantedTransfer(candidate)
        decisions.append(
          .sign(
            try sign(
              transfer, expiration: expiration, now: now, secondsLater: batch.secondsLater, outlook: outlook)))
        room -= 1
      }
    }
    return decisions
  }

  private func hold(_ candidate: SigningCandidate) -> SigningDecision? {
    let terms = candidate.payout.terms
    func hold(_ reason: HoldReason, _ note: String) -> SigningDecision {
      .hold(terms.id, reason, note: note, opensBreaker: false)
    }
    if terms.network != network || terms.token != token || terms.asset != PayoutTerms.usdt {
      return hold(.foreignTerms, "it is for another network or token than this Signer's")
    }
    if terms.recipient == signer.address || terms.recipient == token || terms.recipient == .zero {
      return hold(.forbiddenRecipient, "the wallet, the token and nobody cannot be paid")
    }
    if let end = candidate.lostEnd {
      return hold(.endWasLost, "the log of intents says that it was \(end.rawValue) before a restore took that end")
    }
    if candidate.isReferenceInUse {
      return hold(.referenceInUse, "its reference has a live or paid attempt: it may be paid already")
    }
    if candidate.unclaimedReferenceBits.contains(where: { $0 == nil || $0 == terms.reference.topTenBits }) {
      return hold(.unclaimedTransfer, "a transfer that nobody claims has its recipient, amount and reference bits")
    }
    return nil
  }

  /// The largest time at or below head time + `TRANSACTION_EXPIRATION_SECONDS` and the payout's own end whose low ten
  /// bits are the reference's top ten (DESIGN.md §7); nil where too little life is left.
  func expiration(
    of reference: Reference, notAfter end: Timestamp?, outlook: ChainOutlook.Outlook
  ) -> Timestamp? {
    var limit = outlook.head.time.milliseconds + expirationMilliseconds
    if let end { limit = min(limit, end.milliseconds) }
    var expiration = limit & ~0x3ff | reference.topTenBits
    if expiration > limit { expiration -= 0x400 }
    guard expiration - outlook.head.time.milliseconds >= Self.shortestLifeMilliseconds else { return nil }
    return Timestamp(milliseconds: expiration)
  }

  /// What the energy of one transfer may cost, with a margin.
  /// - Throws: `ImpossibleEnergyPrice` for a price that is not above zero or would allow a fortune.
  func feeLimit(at price: Sun) throws -> Sun {
    let energy = Self.energyOfOneTransfer * (100 + Self.energyMarginPercent) / 100
    guard price > Sun(0), price.count <= Self.feeLimitMaximum.count / energy else {
      throw ImpossibleEnergyPrice(price: price)
    }
    return Sun(price.count * energy)
  }

  /// Builds and signs a transfer whose times carry its reference (DESIGN.md §3 point 1).
  ///
  /// - Parameter secondsLater: how many seconds later than `now` its timestamp is, to get out of a collision.
  func sign(
    _ wanted: WantedTransfer, expiration: Timestamp, now: Timestamp, secondsLater: Int64 = 0,
    outlook: ChainOutlook.Outlook
  ) throws -> SignedPayout {
    let second = now.milliseconds / 1_000 + secondsLater
    let timestamp = Timestamp(milliseconds: second * 1_000 + wanted.reference.milliseconds)
    let feeLimit = try feeLimit(at: outlook.energyPrice)
    let unsigned = try UnsignedTransaction.tokenTransfer(
      owner: signer.address, token: token, to: wanted.recipient, amount: wanted.amount,
      referenceBlock: outlook.solid.id, expiration: expiration, timestamp: timestamp, feeLimit: feeLimit)
    let signed = try unsigned.signed(by: signer)
    return SignedPayout(
      payout: wanted.id, reference: wanted.reference, attemptNumber: wanted.attemptNumber, txid: signed.txid,
      signedBytes: signed.bytes, referenceBlockNumber: outlook.solid.number, headTime: outlook.head.time,
      expiration: expiration, feeLimit: feeLimit,
      transfer: ExpectedTransfer(token: token, from: signer.address, to: wanted.recipient, amount: wanted.amount))
  }
}

/// A transfer that is to be signed: a payout's, or a treasury order's.
struct WantedTransfer {
  let id: PayoutID
  let reference: Reference
  let attemptNumber: Int
  let recipient: Address
  let amount: Amount
}

extension WantedTransfer {
  init(_ candidate: SigningCandidate) {
    let terms = candidate.payout.terms
    self.init(
      id: terms.id, reference: terms.reference, attemptNumber: candidate.attemptNumber, recipient: terms.recipient,
      amount: terms.amount)
  }

  /// An order is signed once.
  init(_ order: TreasuryOrder) {
    self.init(
      id: order.id, reference: order.reference, attemptNumber: 1, recipient: order.recipient, amount: order.amount)
  }
}

/// The node names a price at which no transfer could be paid: it is wrong, or lies to burn our TRX.
struct ImpossibleEnergyPrice: Error, CustomStringConvertible {
  let price: Sun

  var description: String {
    "the node says that a unit of energy costs \(price): no fee limit that TRON allows would pay a transfer"
  }
}

/// Signer's own limits: counted in the ledger and in its journal, whichever says more, since a database may forget. What
/// this process has itself proven to have moved nothing does not count in the journal either.
struct OwnLimits {
  private let hourly: Amount?
  private let daily: Amount?
  private var usedThisHour: Amount
  private var usedThisDay: Amount

  init(hourly: Amount?, daily: Amount?, batch: SigningBatch, journal: any Journal, unpaid: Set<TxID>) {
    self.hourly = hourly
    self.daily = daily
    func start(_ span: LimitSpan) -> Timestamp {
      Timestamp(milliseconds: batch.now.milliseconds / span.milliseconds * span.milliseconds)
    }
    usedThisHour = max(batch.signedThisHour, journal.amountSigned(since: start(.hour), except: unpaid))
    usedThisDay = max(batch.signedThisDay, journal.amountSigned(since: start(.day), except: unpaid))
  }

  /// False for an amount that no empty window could take: a person must decide.
  func couldEverSign(_ amount: Amount) -> Bool {
    hourly.map { amount <= $0 } ?? true && daily.map { amount <= $0 } ?? true
  }

  /// Takes the amount where both windows have room.
  /// - Returns: which limit has none, in words; nil where it was taken.
  mutating func reserve(_ amount: Amount) throws -> String? {
    let hour = try usedThisHour.adding(amount)
    let day = try usedThisDay.adding(amount)
    if let hourly, hour > hourly { return "Signer's own limit of \(hourly) USDT an hour" }
    if let daily, day > daily { return "Signer's own limit of \(daily) USDT a day" }
    usedThisHour = hour
    usedThisDay = day
    return nil
  }
}
