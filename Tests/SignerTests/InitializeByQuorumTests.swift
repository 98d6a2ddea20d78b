import Foundation
import Ledger
import Payouts
import TestSupport
import Testing
import Tron

@testable import Payoutctl

/// `payoutctl signer init` believes no single node of several that a wallet has no past (DESIGN.md §3 "Continuity").
@Suite struct InitializeByQuorumTests {
  private func initialize(
    _ scene: PayingScene, _ node: any TronNode, journalID: UInt8? = nil, isJournalLost: Bool = false
  ) async throws -> InitializedSigner {
    let folder = FileManager.default.temporaryDirectory.appending(path: "init-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    return try await InitializeSigner(
      ledger: scene.ledger, node: node, wallet: scene.wallet, signer: PayingScene.signerName, directory: folder.path,
      newJournalID: journalID.map { [UInt8](repeating: $0, count: 16) } ?? scene.journal.id,
      isJournalLost: isJournalLost
    ).run()
  }

  @Test func `a past that one node hides is found, and one that one node invents only costs a wait`() async throws {
    // What the wallet signed before may be under way still, and nobody here knows of it: without the wait a payout of that
    // time would be signed anew.
    let past = AccountState(exists: true, balance: Sun(1), latestOperation: PayingScene.noon)
    for (isHidden, has) in [(true, past), (false, AccountState.absent)] {
      try await PayingScene.run(isDeclared: false) { scene in
        await scene.node.setAccount(has, of: scene.wallet)
        let nodes = (0..<3).map { _ in ReplicaNode(of: scene.node) }
        await nodes[0].setAccountLie { _ in isHidden ? .absent : past }
        let group = NodeGroup(nodes, genesis: scene.node.genesis, now: { [clock = scene.clock] in clock.now() })
        let done = try await initialize(scene, group)
        #expect(done.waitsForQuarantine)
      }
    }
  }

  @Test func `without a quorum that knows of the wallet nothing is declared`() async throws {
    try await PayingScene.run(isDeclared: false) { scene in
      let nodes = (0..<3).map { _ in ReplicaNode(of: scene.node) }
      let group = NodeGroup(nodes, genesis: scene.node.genesis, now: { [clock = scene.clock] in clock.now() })
      for node in nodes.dropFirst() {
        await node.setFault { call in
          if case .account = call { TronNodeError(.unreachable, call: "account", reason: "away") } else { nil }
        }
      }
      await #expect(throws: ChainReadError.self) { try await initialize(scene, group) }
      let declared = try await scene.count("SELECT count(*) FROM journals")
      #expect(declared == 0)
      for node in nodes { await node.setFault(nil) }
      let done = try await initialize(scene, group)
      #expect(!done.waitsForQuarantine)
    }
  }

  @Test func `a lost journal's successor waits its quarantine without a word of any node`() async throws {
    // Neither the wallet's past nor a block to begin from is asked for: in the middle of a disaster nodes may be away too.
    try await PayingScene.run { scene in
      let nodes = (0..<3).map { _ in ReplicaNode(of: scene.node) }
      for node in nodes { await node.setAway(true) }
      let group = NodeGroup(nodes, genesis: scene.node.genesis, now: { [clock = scene.clock] in clock.now() })
      let done = try await initialize(scene, group, journalID: 0x77, isJournalLost: true)
      #expect(done.waitsForQuarantine && done.begin == nil)
      let waiting = try #require(try await scene.ledger.quarantines(atMost: 1).first)
      #expect(waiting.cause == .journalLost && waiting.journalID == [UInt8](repeating: 0x77, count: 16))
      for node in nodes { #expect(await node.takeCalls().isEmpty) }
    }
  }
}
