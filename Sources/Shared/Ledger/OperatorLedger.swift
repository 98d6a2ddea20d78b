public import Payouts

/// What the operator's command line asks of the ledger.
public protocol OperatorLedger: Sendable {
  /// The wallet declared under this installation, if any.
  func watch() async throws -> ChainWatch?
  /// The wallet and journal that stand under a Signer's name, if any.
  func declaredJournal(of signer: String) async throws -> DeclaredJournal?
  /// Declares a wallet and the journal of one of its Signers (DESIGN.md §3 "Continuity", `payoutctl signer init`).
  ///
  /// - Returns: what came of it; committed.
  func declare(wallet: Address, signer: String, journalID: [UInt8], begin: BlockPlace) async throws -> WalletDeclaration
}

/// What came of a declaration.
public enum WalletDeclaration: Sendable, Hashable {
  /// The wallet, its begin block and this Signer's journal are declared.
  case declared
  /// This journal was declared under this name before.
  case alreadyDeclared
  /// Another journal stands under this name: the old one is lost, which takes a quarantine.
  case anotherJournal
  /// The wallet has signed before, so that a new journal would not know all: that takes a quarantine.
  case walletHasPast
}
