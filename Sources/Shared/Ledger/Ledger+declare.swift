public import Payouts
import Postgres

extension Ledger: OperatorLedger {
  /// See `OperatorLedger.declaredJournal`.
  public func declaredJournal(of signer: String) async throws -> DeclaredJournal? {
    let result = try await read("SELECT wallet, journal_id FROM journals WHERE signer = $1", [.text(signer)])
    return try result.rows.first.map {
      try DeclaredJournal(wallet: Address(bytes: $0.bytes("wallet")), journalID: $0.bytes("journal_id"))
    }
  }

  /// See `OperatorLedger.declare`.
  public func declare(
    wallet: Address, signer: String, journalID: [UInt8], begin: BlockPlace, waits: Bool
  ) async throws -> WalletDeclaration {
    try await transaction { connection in
      // No quarantine begins or ends meanwhile.
      try await Ledger.lockVouching(on: connection)
      _ = try await connection.execute("LOCK TABLE wallets, journals IN SHARE ROW EXCLUSIVE MODE", [])
      let known = try await connection.execute(
        "SELECT wallet, journal_id FROM journals WHERE signer = $1", [.text(signer)])
      if let row = known.rows.first {
        let isSame = try row.bytes("journal_id") == journalID && row.bytes("wallet") == wallet.bytes
        return isSame ? .alreadyDeclared : .anotherJournal
      }
      try await Ledger.refuseUsed(journalID, on: connection)
      if !waits, try await Ledger.hasPast(wallet, on: connection) { return .walletHasPast }
      _ = try await connection.pipeline([
        (
          """
          INSERT INTO wallets (address, network, begin_block_number, begin_block_id, begin_block_time_ms)
          SELECT $1, network, $2, $3, $4 FROM ledger_settings ON CONFLICT DO NOTHING
          """,
          [.bytes(wallet.bytes), .int8(begin.number), .bytes(begin.id.bytes), .int8(begin.time.milliseconds)]
        ),
        (
          "INSERT INTO journals (signer, wallet, journal_id) VALUES ($1, $2, $3)",
          [.text(signer), .bytes(wallet.bytes), .bytes(journalID)]
        ),
      ])
      if waits {
        _ = try await Ledger.store(
          QuarantineRequest(signer: signer, cause: .walletPast, reason: "the wallet had signed before"), on: connection)
      }
      return .declared
    }
  }

  /// A journal that was retired, or that waits to take the place of a lost one, is no new Signer's: the quarantine could not
  /// end, and with it no vouching.
  private static func refuseUsed(_ journalID: [UInt8], on connection: PostgresConnection) async throws {
    let used = try await connection.execute(
      """
      SELECT EXISTS (SELECT FROM retired_journals WHERE journal_id = $1)
        OR EXISTS (SELECT FROM quarantines WHERE journal_id = $1 AND ended_at IS NULL) AS is_used
      """, [.bytes(journalID)]
    ).single().bool("is_used")
    guard !used else {
      throw LedgerError(
        .refused,
        "the journal was retired ('payoutctl signer bring-journal' brings what it holds), or waits to take the place of a lost "
          + "one: declare a new one, and keep this one")
    }
  }

  private static func hasPast(_ wallet: Address, on connection: PostgresConnection) async throws -> Bool {
    try await connection.execute(
      "SELECT EXISTS (SELECT FROM transactions WHERE wallet = $1) AS has_past", [.bytes(wallet.bytes)]
    ).single().bool("has_past")
  }
}
