import Foundation
import Payouts
import TestSupport
import Testing
import Tron
import Worker

@testable import Payoutctl

/// `payoutctl signer init --journal-lost`, by the command's own way.
struct InitializeSignerOnNewDisk {
  let scene: PayingScene
  let folder: String
  let signer: String

  func run() async throws {
    let initialize = InitializeSigner(
      ledger: scene.ledger, node: scene.node, wallet: scene.wallet, signer: signer, directory: folder,
      newJournalID: SystemRandomSource().bytes(16), isJournalLost: true)
    let done = try await initialize.run()
    #expect(done.waitsForQuarantine)
  }
}
