import Keystore
import Ledger
import Logging
import Payouts
import Signer
import Streams
import TestSupport
import Tron
import Worker

extension PayingScene {
  /// A Signer in this scene; a second one is a second process.
  func signer(
    name: String = PayingScene.signerName, names: [String] = [PayingScene.signerName], run: UInt8 = 1,
    ledger: (any SignerLedger)? = nil, journal: (any Journal)? = nil, hourlyLimit: Int64? = nil,
    dailyLimit: Int64? = nil, expirationMilliseconds: Int64 = 120_000, maximumInFlight: Int = 1_000,
    isDevelopment: Bool = true, node: (any TronNode)? = nil, intents: (any IntentLog)? = nil,
    treasury: Set<Address> = []
  ) throws -> SignerSteps {
    let policy = SignerPolicy(
      name: name, names: names, network: .devnet, token: PayingScene.token,
      seals: try SealVerifier(sealer.publicKeyText), hourlyLimit: try hourlyLimit.map { try Amount(microUSDT: $0) },
      dailyLimit: try dailyLimit.map { try Amount(microUSDT: $0) }, expirationMilliseconds: expirationMilliseconds,
      maximumInFlight: maximumInFlight, isDevelopment: isDevelopment, treasury: treasury)
    let parts = SignerParts(
      ledger: ledger ?? self.ledger, streams: streams, intents: intents ?? streams,
      node: node ?? CheckedNode(self.node, genesis: self.node.genesis), key: key, journal: journal ?? self.journal,
      clock: clock, runID: [UInt8](repeating: run, count: 16))
    return try SignerSteps(parts, policy: policy, metrics: nil, logger: Logger(label: "signer"))
  }

  /// A Signer that has vouched, with Monitor's cursors at the present head and solid block.
  func vouchedSigner(
    hourlyLimit: Int64? = nil, dailyLimit: Int64? = nil, expirationMilliseconds: Int64 = 120_000,
    maximumInFlight: Int = 1_000
  ) async throws -> SignerSteps {
    try await follow()
    let steps = try signer(
      hourlyLimit: hourlyLimit, dailyLimit: dailyLimit, expirationMilliseconds: expirationMilliseconds,
      maximumInFlight: maximumInFlight)
    try await run(steps.vouch)
    return steps
  }

  /// Moves Monitor's head cursor to the present head, so that the fence is fresh; nothing of ours is in those blocks.
  func follow() async throws {
    let head = await node.headPlace
    let previous = try await ledger.cursor(.head)
    guard previous != head else { return }
    _ = try await ledger.apply(
      head: HeadBlock(place: head, transactions: [], suspects: [], keepAbove: head.number - 30), after: previous)
  }

  /// Goes round until the step has nothing more to do.
  func run(_ step: Step) async throws {
    for _ in 0..<200 {
      if case .idle = try await step.run() { return }
    }
    throw SceneError("\(step.name) does not come to rest")
  }

  /// The error with which a step ends.
  func failure(of step: Step) async throws -> any Error {
    do { try await run(step) } catch { return error }
    throw SceneError("\(step.name) did not fail")
  }

  /// Marks payout `number`'s transaction as ended unpaid and frees it, as only somebody with SQL can.
  func freeByForce(_ number: Int) async throws {
    let txid = PayingScene.sql(try await txid(number).bytes)
    try await force(
      """
      UPDATE transactions SET status = 'dead' WHERE txid = \(txid);
      UPDATE attempts SET outcome = 'dead', blame = 'expired', ended_at = ledger_now() WHERE txid = \(txid);
      UPDATE payouts SET status = 'scheduled', held_from = NULL, hold_reason = NULL, not_before = NULL
        WHERE id = '\(PayingScene.payoutID(number))';
      """)
  }

  /// A journal entry of another reference, for an amount, signed now.
  func foreignEntry(amount: Int64, signedAt: Timestamp? = nil) throws -> JournalEntry {
    JournalEntry(
      txid: TxID(exactly: [UInt8](repeating: 0xcd, count: 32)), wallet: wallet, signer: PayingScene.signerName,
      signedBytes: [UInt8](repeating: 1, count: 250), referenceBlockNumber: 1, headTime: clock.now(),
      expiration: clock.now().advanced(byMilliseconds: 60_000), feeLimit: Sun(1), signedAt: signedAt ?? clock.now(),
      payouts: [
        JournalPayout(
          payout: PayingScene.payoutID(999), reference: Reference(exactly: [UInt8](repeating: 0xcd, count: 32)),
          attemptNumber: 1, token: PayingScene.token, recipient: PayingScene.recipient(999),
          amount: try Amount(microUSDT: amount))
      ])
  }
}
