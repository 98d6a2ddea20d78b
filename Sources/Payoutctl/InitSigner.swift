import ArgumentParser
import Ledger
import Nodes
import Payouts
import Tron
import Worker

/// `payoutctl signer init`: declares a Signer, its wallet and its journal in the ledger. Once for each Signer; running
/// it again changes nothing.
///
/// It reads Signer's own settings, see `SignerInitConfiguration`.
struct InitSigner: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "init", abstract: "Declares this Signer, its wallet and its journal; once, before its first start.",
    discussion: """
      Reads Signer's own settings. Makes the journal in SIGNER_STATE_DIR, prepares the database, and notes the block \
      from which the chain is watched. A wallet that has ever signed anything waits one quarantine before anything of it \
      is signed: what it signed may still be under way, and nobody here would know.
      """)

  @Flag(
    name: .long,
    help: "The journal declared under this name is lost for good: another one takes its place after a quarantine.")
  var journalLost = false

  func run() async throws {
    let configuration = try Settings.read(SignerInitConfiguration.self)
    let wallet = try await configuration.wallet.address()
    let connection = try configuration.nodes.connection(
      genesis: configuration.tron.genesisBlockID, now: { SystemClock().now() })
    let ledger = Payoutctl.ledger(at: configuration.databaseURL)
    let outcome: Result<InitializedSigner, any Error>
    do {
      try await ledger.prepare(configuration.tron.installation(stage: configuration.stage))
      let initialize = InitializeSigner(
        ledger: ledger, node: connection.nodes, wallet: wallet, signer: configuration.signer,
        directory: configuration.stateDirectory, newJournalID: SystemRandomSource().bytes(16),
        isJournalLost: journalLost)
      outcome = .success(try await initialize.run())
    } catch {
      outcome = .failure(error)
    }
    try await connection.close()
    for line in try outcome.get().lines { print(line) }
  }
}
