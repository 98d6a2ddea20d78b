import ArgumentParser
import Ledger
import Nodes
import Payouts
import Tron
import Worker

/// `payoutctl reconcile`: what the fence found, and which payouts it has paid.
///
/// ## Configuration keys
/// - `LUCID_ENV`, `DATABASE_URL` (PostgreSQL URL, required, secret).
/// - those of `TronConfiguration` and `NodeConfiguration`: the transactions are read from the solid chain.
struct Reconcile: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reconcile", abstract: "Matches what the fence found to payouts, and adopts it for them.",
    discussion: """
      For payments that a disaster took from both the ledger and a Signer's journal. Each transaction is matched to a \
      waiting payout by recipient, amount and the bits of the payout's reference in its times; with --apply a Signer is \
      ordered to journal it and to put it back, and the payout is confirmed by what the solid chain says of it. It moves \
      nothing. What fits no payout is a stolen key's, or its client has not submitted its payout again yet.
      """)

  @Argument(help: "Only these transactions.", transform: Reconcile.txid)
  var transactions: [TxID] = []

  @Option(
    name: .long, help: "TXID=PAYOUT: which payout a transaction pays, where several fit. Can be repeated.",
    transform: Reconcile.choice)
  var payout: [Choice] = []

  @Flag(name: .long, help: "Order it; without this it is only a look.")
  var apply = false

  @Option(
    name: .long, help: "Why, in a few words; required with --apply, stands in the history.",
    transform: ReasonOption.line)
  var reason: String?

  @Flag(name: .long, help: "As JSON, for programs.")
  var json = false

  /// What a person chose.
  struct Choice: Sendable {
    let txid: TxID
    let payout: PayoutID
  }

  func validate() throws {
    guard !apply || reason != nil else { throw ValidationError("--apply needs --reason") }
    guard Set(payout.map(\.txid)).count == payout.count else {
      throw ValidationError("--payout names a transaction twice")
    }
  }

  func run() async throws {
    let report = try await ChainSettings.with { ledger, find in
      try await ReconcileFindings(
        ledger: ledger, find: find, wanted: Set(transactions),
        chosen: Dictionary(payout.map { ($0.txid, $0.payout) }) { first, _ in first }, reason: apply ? reason : nil
      ).run()
    }
    print(json ? try report.json() : report.lines.map(\.withoutControls).joined(separator: "\n"))
    if let complaint = report.complaint { throw Refusal(text: complaint) }
  }

  static func txid(_ text: String) throws -> TxID {
    do { return try TxID(hex: text) } catch { throw ValidationError(error.reason) }
  }

  private static func choice(_ text: String) throws -> Choice {
    let parts = text.split(separator: "=", omittingEmptySubsequences: false)
    guard parts.count == 2, let txid = try? TxID(hex: String(parts[0])), let payout = try? PayoutID(parts[1]) else {
      throw ValidationError("expected TXID=PAYOUT, 64 hexadecimal digits and the payout's id")
    }
    return Choice(txid: txid, payout: payout)
  }
}

/// What commands read that look at the chain besides the ledger.
enum ChainSettings {
  /// Lends ledger and nodes, and closes the connection whatever happens.
  static func with<Outcome: Sendable>(
    _ body: (any OperatorLedger, FindTransaction) async throws -> Outcome
  ) async throws -> Outcome {
    let (database, tron, nodes) = try Settings.read { settings in
      _ = settings.deploymentStage()
      return (
        settings.url("DATABASE_URL", .postgres), TronConfiguration(from: &settings), NodeConfiguration(from: &settings)
      )
    }
    let connection = try nodes.connection(genesis: tron.genesisBlockID, now: { SystemClock().now() })
    let outcome: Result<Outcome, any Error>
    do {
      let find = FindTransaction(node: connection.nodes, token: tron.usdtContract)
      outcome = .success(try await body(Payoutctl.ledger(at: database), find))
    } catch {
      outcome = .failure(error)
    }
    try await connection.close()
    return try outcome.get()
  }
}
