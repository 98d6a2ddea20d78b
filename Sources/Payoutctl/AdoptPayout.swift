import ArgumentParser
import Ledger
import Payouts
import Tron

/// `payoutctl adopt`: a held payout's anomalous attempt has paid it.
///
/// ## Configuration keys
/// - those of `Reconcile`, and `REDIS_URL` and `REQUIRED_CONFIRMATIONS` as for `release`.
struct AdoptPayout: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "adopt", abstract: "Takes a held payout's anomalous attempt for its payment.",
    discussion: """
      An anomalous transaction is in a solid block, and proves neither payment nor failure: its logs are not exactly the \
      transfer that was signed, such as where the token takes a fee. Only where the solid receipt shows that the token moved \
      from the wallet to the recipient, and with REQUIRED_CONFIRMATIONS. There is no way back. Where it did not pay, pay \
      another way and 'settle'.
      """)

  @OptionGroup var target: PayoutArgument
  @OptionGroup var why: ReasonOption

  @Option(name: .long, help: "The transaction.", transform: Reconcile.txid)
  var txid: TxID

  func run() async throws {
    let moved = try await ChainSettings.with { ledger, find in
      guard let record = try await ledger.payout(target.payout) else {
        throw Refusal(text: "there is no payout \(target.payout) in this ledger")
      }
      let attempts = try await ledger.attempts(of: target.payout)
      guard let block = attempts.first(where: { $0.txid == txid })?.block, let watch = try await ledger.watch() else {
        throw Refusal(text: "transaction \(txid) is in no block as an attempt of payout \(target.payout)")
      }
      for wallet in watch.wallets {
        if let moved = try await find.moved(by: txid, from: wallet, to: record.terms.recipient, inBlock: block.number) {
          return moved
        }
      }
      throw Refusal(
        text: "the solid receipt of \(txid) does not show that the token moved from the wallet to "
          + "\(record.terms.recipient); nothing was changed")
    }
    print("on the solid chain \(txid) moved \(moved) USDT to the recipient")
    try await DecideHeld.run(target.payout, .adopt(txid), reason: why.reason)
  }
}
