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

  /// Signs one order, commits, and journals it; it is broadcast like payouts, from the ledger.
  /// - Returns: whether something was signed or refused.
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
    let outcome: SigningOutcome
    do {
      outcome = try await batches.ledger.signTreasuryOrder(signing) { [decide = batches.decide, allowed] order in
        let decision = try decide.decide(order, allowed: allowed, outlook: look, now: now)
        made.withLock { if case .sign(let signed) = decision { $0 = signed } else { $0 = nil } }
        return decision
      }
    } catch {
      // Whatever of it was committed after all: it is journaled before it is sent, from the ledger.
      state.recordSigned(headNumber: look.head.number)
      throw error
    }
    guard case .done(let signed, let refused, _) = outcome else { return false }
    if signed == 1, let transfer = made.withLock({ $0 }) {
      state.recordSigned(headNumber: look.head.number)
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
    return signed + refused > 0
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
