import Payouts
import Testing

@testable import Ledger

/// `payoutctl signer init`, as the ledger sees it.
@Suite struct DeclareTests {
  // Proves each answer: declared once, told again, another journal, another wallet, a wallet with a past.
  @Test func `a wallet and a journal are declared once`() async throws {
    try await withLedger { test async throws in
      let other = [UInt8](repeating: 0x4b, count: 16)
      func declare(_ signer: String, _ journal: [UInt8], wallet: Address = Sample.wallet) async throws
        -> WalletDeclaration
      {
        try await test.ledger.declare(wallet: wallet, signer: signer, journalID: journal, begin: test.place(7))
      }
      #expect(try await declare(TestLedger.signer, TestLedger.journalID) == .alreadyDeclared)
      #expect(try await declare(TestLedger.signer, other) == .anotherJournal)
      #expect(
        try await declare(TestLedger.signer, TestLedger.journalID, wallet: Sample.recipient(1)) == .anotherJournal)
      #expect(try await declare("signer-2", other) == .declared)
      // One journal stands for one name.
      #expect(try await ledgerError { _ = try await declare("signer-3", other) }.code == .refused)
      // The begin of a wallet stays where it was first declared; another wallet has its own, and the earliest counts.
      #expect(try await test.ledger.watch()?.begin.number == 100)
      let third = [UInt8](repeating: 0x4c, count: 16)
      #expect(try await declare("signer-4", third, wallet: Sample.recipient(1)) == .declared)
      let watch = try #require(try await test.ledger.watch())
      #expect(watch == ChainWatch(wallets: [Sample.wallet, Sample.recipient(1)], begin: test.place(7)))
      #expect(try await test.ledger.wallets() == [Sample.wallet, Sample.recipient(1)])
      try await test.vouchForAll()
      try await test.signed(1)
      #expect(try await declare("signer-5", [UInt8](repeating: 1, count: 16)) == .walletHasPast)
      #expect(try await declare(TestLedger.signer, TestLedger.journalID) == .alreadyDeclared)
    }
  }
}

extension TestLedger {
  /// Everybody who is declared vouches with an empty journal.
  func vouchForAll() async throws {
    for row in try await pool.execute("SELECT signer, journal_id FROM journals ORDER BY signer").rows {
      let signer = try row.text("signer")
      let life = try await ledger.vouchingState(signer: signer).life
      _ = try await ledger.vouch(
        Self.vouching(life, signer: signer, names: [signer], journalID: try row.bytes("journal_id")), journal: [])
    }
  }
}
