import ArgumentParser
import Keystore
import Ledger
import Payouts
import Worker

/// `payoutctl signer bring-journal`: puts back what a journal holds that was believed lost and is there again.
///
/// ## Configuration keys
/// - `DATABASE_URL` (PostgreSQL URL, required, secret).
struct BringJournal: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bring-journal", abstract: "Puts back what a journal holds that had been lost and is there again.",
    discussion: """
      A quarantine has let another journal take its place. What this one holds and the ledger lacks goes in, and Monitor \
      reads its end from the chain; nothing of it is signed again, and findings of the fence that it explains are closed. \
      Calling this again changes nothing more.
      """)

  @Argument(help: "The folder that the journal lies in.")
  var folder: String

  @Option(name: .long, help: "The name of the Signer whose journal it is.")
  var signer: String

  func run() async throws {
    let ledger = try Payoutctl.ledger()
    let journal = try FileJournal.open(directory: folder, signer: signer)
    switch try await ledger.bring(journal.entries(), of: journal.id) {
    case .brought(let putBack, let deferred, let contradicted):
      for txid in putBack { print("put back \(txid)") }
      print("\(putBack.count) transactions that the ledger had not known")
      let later = deferred.count + contradicted.count
      if later > 0 {
        throw Refusal(
          text: "\(later) more belong to payouts with another transaction, whose end must be known first: call again "
            + "later")
      }
    case .notRetired:
      throw Refusal(
        text: "the journal \(Hex.text(journal.id)) is not one whose place another took: the declared one vouches when "
          + "its Signer is started with it, and a foreign one brings nothing")
    }
  }
}
