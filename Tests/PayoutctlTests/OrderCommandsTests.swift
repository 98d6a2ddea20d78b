import Foundation
import Ledger
import Payouts
import TestSupport
import Testing
import Tron
import Worker

/// `payoutctl reconcile`, `adopt` and `treasury` as an operator calls them, on a real ledger and a real devnet.
struct OrderCommandsTests {
  private static let cold = Address(account: [UInt8](repeating: 0x77, count: 20))

  private func environment(_ scene: CommandLineScene, _ devnet: RunningDevnet?) -> [String: String] {
    [
      "DATABASE_URL": scene.url, "TRON_NETWORK": "devnet",
      "TRON_GENESIS_BLOCK_ID": devnet?.genesis ?? String(repeating: "0", count: 64),
    ].merging(devnet.map { ["TRON_RPC_URL": $0.url] } ?? [:]) { given, _ in given }
  }

  @Test func `reconcile tells what a stolen key did, and complains as long as it is not explained`() async throws {
    let scene = try await CommandLineScene.vouched()
    let devnet = try await RunningDevnet()
    let variables = environment(scene, devnet)
    let nothing = try await CommandLineScene.payoutctl(["reconcile"], variables)
    #expect(nothing.exitCode == 0, "\(nothing.errors)")
    #expect(nothing.output == "nothing that the fence found is unexplained\n")

    let (txid, number) = try await devnet.operateAndFind()
    try await scene.sql(
      """
      INSERT INTO unclaimed_transfers (txid, kind, wallet, block_number, block_id)
      VALUES ('\\x\(txid)', 'owned_transaction', '\\x\(Hex.text(devnet.key.address.bytes))', \(number), '\\x\(txid)')
      """)
    var look = try await CommandLineScene.payoutctl(["reconcile"], variables)
    let deadline = ContinuousClock.now + .seconds(60)
    while look.output.contains("not_solid"), ContinuousClock.now < deadline {
      look = try await CommandLineScene.payoutctl(["reconcile"], variables)
    }
    #expect(look.exitCode == 0 && look.output.contains("not_a_payout: no Signer of ours signs such"), "\(look)")
    #expect(look.output.hasSuffix("nothing was changed: this was only a look\n"))
    let applied = try await CommandLineScene.payoutctl(["reconcile", "--apply", "--reason", "r"], variables)
    #expect(applied.exitCode == 1 && applied.errors.contains("1 of 1 transactions are not explained"), "\(applied)")
    let other = try await CommandLineScene.payoutctl(
      ["reconcile", String(repeating: "ab", count: 32), "--json"], variables)
    #expect(other.exitCode == 0)
    let report: [String: Any] = try CommandLineScene.json(other)
    #expect((report["transactions"] as? [Any])?.isEmpty == true)
  }

  @Test func `orders that are called wrongly are told as such, and nothing is written`() async throws {
    let scene = try await CommandLineScene.vouched()
    let variables = environment(scene, nil)
    let wrong: [[String]] = [
      ["reconcile", "--apply"], ["reconcile", "abc"], ["reconcile", "--payout", "x=y"],
      ["treasury", "sweep", "--to", "\(Self.cold)", "--amount", "5"],
      ["treasury", "sweep", "--to", "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6u", "--amount", "5", "--reason", "r"],
      ["treasury", "sweep", "--to", "\(Self.cold)", "--amount", "0", "--reason", "r"],
      ["adopt", "x", "--txid", "y", "--reason", "r"],
    ]
    for call in wrong {
      let outcome = try await CommandLineScene.payoutctl(call, variables)
      #expect(outcome.exitCode == 64, "\(call): \(outcome)")
    }
    let unset = try await CommandLineScene.payoutctl(["reconcile"], ["DATABASE_URL": scene.url])
    #expect(unset.exitCode == 78 && unset.errors.contains("TRON_RPC_URL"), "\(unset)")
    let orders = "SELECT (SELECT count(*) FROM adoptions) + (SELECT count(*) FROM treasury_orders)"
    #expect(try await scene.sql(orders) == "0")
  }

  @Test func `a sweep is an order with who and why, and is listed with what came of it`() async throws {
    let scene = try await CommandLineScene.vouched()
    let variables = environment(scene, nil)
    #expect(try await scene.run("treasury").output == "nothing was ordered\n")
    let ordered = try await CommandLineScene.payoutctl(
      ["treasury", "sweep", "--to", "\(Self.cold)", "--amount", "1000.5", "--reason", "monthly"], variables)
    #expect(ordered.exitCode == 0 && ordered.output.contains("1000.5 USDT to \(Self.cold)"), "\(ordered)")
    _ = try await CommandLineScene.payoutctl(
      ["treasury", "sweep", "--to", "\(Self.cold)", "--amount", "3", "--reason", "stolen", "--despite-breaker"],
      variables)
    let rows: [[String: Any]] = try CommandLineScene.json(try await scene.run("treasury", "--json"))
    #expect(rows.map { $0["state"] as? String } == ["ordered", "ordered"])
    #expect(rows.map { $0["despite_breaker"] as? Bool } == [true, false])
    #expect(rows.last?["amount_usdt"] as? String == "1000.5" && rows.last?["reason"] as? String == "monthly")
    #expect((rows.last?["ordered_by"] as? String)?.hasPrefix("payoutctl:") == true)
    let acts = try await scene.sql("SELECT message FROM alarms WHERE kind = 'operator' ORDER BY id")
    #expect(acts.contains("ordered 1000.5 USDT to \(Self.cold): monthly"), "\(acts)")
    #expect(acts.contains("ordered 3 USDT to \(Self.cold), despite the breaker: stolen"), "\(acts)")
  }

  @Test func `a payout is adopted only with a transaction that is an attempt of it`() async throws {
    let scene = try await CommandLineScene.vouched()
    let devnet = try await RunningDevnet()
    let payout = try await scene.held()
    let txid = String(repeating: "ab", count: 32)
    let refused = try await CommandLineScene.payoutctl(
      ["adopt", "\(payout.id)", "--txid", txid, "--reason", "r"], environment(scene, devnet))
    #expect(refused.exitCode == 1)
    #expect(refused.errors.contains("is in no block as an attempt of payout \(payout.id)"), "\(refused)")
    #expect(try await scene.sql("SELECT status FROM payouts") == "held")
  }
}

extension RunningDevnet {
  /// A TRX transfer of the wallet, and the block that holds it.
  fileprivate func operateAndFind() async throws -> (txid: TxID, number: Int64) {
    try await operate()
    let connection = NodeConnection(
      [try HTTPTronNodeConfiguration(url: url)], genesis: try BlockID(hex: genesis), now: { SystemClock().now() })
    let outcome: Result<(txid: TxID, number: Int64), any Error>
    do { outcome = .success(try await find(connection.nodes)) } catch { outcome = .failure(error) }
    try await connection.close()
    return try outcome.get()
  }

  private func find(_ node: any TronNode) async throws -> (txid: TxID, number: Int64) {
    // The account shows it already while it is pending.
    let deadline = ContinuousClock.now + .seconds(60)
    var number: Int64 = 1
    while ContinuousClock.now < deadline {
      guard let block = try await node.block(number, .head) else {
        try await Task.sleep(for: .milliseconds(20))
        continue
      }
      if let transaction = block.transactions.first { return (transaction.txid, number) }
      number += 1
    }
    throw NoBlock()
  }
}

/// The transfer is in no block.
private struct NoBlock: Error {}
