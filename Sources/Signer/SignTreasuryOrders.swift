import Keystore
import Ledger
import Logging
import Payouts
import Synchronization
import Tron
import Worker

/// Signs treasury orders: the wallet's own money, only ever to addresses of this Signer's own configuration
/// (`TREASURY_ADDRESSES`). Whoever can write the database can order that, and nothing else.
///
/// Paying twice is no danger here: a second order moves the wallet's money to the same owner. So nothing is signed again by
/// itself: one that failed or is dead is ordered anew.
struct SignTreasuryOrders<Signer: TransactionSigner>: Sendable {
  let batches: SignBatches<Signer>
  /// Where money may be sent to.
  let allowed: Set<Address>

  /// Signs one order, commits, and journals it; it is broadcast like payouts, from the ledger. One that cannot be decided on
  /// waits, and keeps none behind it waiting.
  ///
  /// - Returns: whether something was signed or refused.
  /// - Throws: also where an order could not be decided on, after another one was signed.
  func run() async throws -> Bool {
    let state = batches.state
    guard let life = state.vouchedLife else { return false }
    let look = try await batches.trustedLook()
    guard state.allowance(atMost: 1, headNumber: look.head.number) > 0 else { return false }
    let now = batches.clock.now()
    let signing = TreasurySigning(
      wallet: batches.decide.signer.address, signer: batches.signerName, head: look.head,
      maximumInFlight: batches.maximumInFlight, fenceLagBlocks: SignBatches<Signer>.fenceLagBlocks)
    let made = Mutex<SignedPayout?>(nil)
    let undecided = Mutex<[PayoutID: any Error]>([:])
    let outcome: SigningOutcome
    do {
      outcome = try await batches.ledger.signTreasuryOrder(signing) { [decide = batches.decide, allowed] order in
        made.withLock { $0 = nil }
        do {
          let decision = try decide.decide(order, allowed: allowed, outlook: look, now: now)
          if case .sign(let signed) = decision { made.withLock { $0 = signed } }
          undecided.withLock { $0[order.id] = nil }
          return decision
        } catch {
          undecided.withLock { $0[order.id] = error }
          return .wait
        }
      }
    } catch {
      // Whatever of it was committed after all: it is journaled before it is sent, from the ledger.
      state.recordSigned(headNumber: look.head.number)
      throw error
    }
    var isDone = false
    if case .done(let signed, let refused, _) = outcome {
      await take(signed: signed == 1 ? made.withLock { $0 } : nil, refused: refused, look, under: life, at: now)
      isDone = signed + refused > 0
    }
    if let error = undecided.withLock({ $0.min { $0.key < $1.key }?.value }) { throw error }
    return isDone
  }

  /// What came of it, committed: journaled before it is sent.
  private func take(
    signed transfer: SignedPayout?, refused: Int, _ look: ChainOutlook.Outlook, under life: ServerLife,
    at now: Timestamp
  ) async {
    if let transfer {
      batches.state.recordSigned(headNumber: look.head.number)
      let entry = batches.entry(of: transfer, at: now, for: .treasury)
      batches.remember([entry])
      await batches.write([entry], under: life)
      batches.logger.warning(
        "Signed a treasury order",
        metadata: [
          LogKey.txID: "\(transfer.txid)", "order": "\(transfer.payout)", "recipient": "\(transfer.transfer.to)",
        ])
    }
    if refused > 0 { batches.logger.critical("Refused a treasury order; see the alarms") }
  }
}

extension DecideOnPayouts {
  /// Decides on a locked treasury order. Pure but for the key, as for payouts.
  func decide(
    _ order: TreasuryOrder, allowed: Set<Address>, outlook: ChainOutlook.Outlook, now: Timestamp
  ) throws -> TreasuryDecision {
    guard order.token == token else { return .refuse("it is for another token than this Signer's") }
    guard allowed.contains(order.recipient) else {
      return .refuse("TREASURY_ADDRESSES of this Signer does not name \(order.recipient)")
    }
    guard order.recipient != signer.address, order.recipient != token, order.recipient != .zero else {
      return .refuse("the wallet, the token and nobody cannot be paid")
    }
    // A journal that knows it while the ledger does not: somebody wrote in the database, or its putting back is due.
    guard try journal.attempts(of: order.reference).isEmpty,
      let expiration = expiration(of: order.reference, notAfter: nil, outlook: outlook)
    else { return .wait }
    return .sign(try sign(WantedTransfer(order), expiration: expiration, now: now, outlook: outlook))
  }
}
