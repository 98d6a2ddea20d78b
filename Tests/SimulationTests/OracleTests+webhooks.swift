import Ledger
import Monitor
import Payouts
import Testing

@testable import Simulation

/// What the oracle finds wrong with webhooks.
extension OracleTests {
  @Test("a webhook that is signed with no secret of its owner is found, but for a restore that took that secret")
  func signatures() throws {
    var world = try rejected()
    #expect(judge(world) == [])
    let other = try WebhookSecret(bytes: [UInt8](repeating: 6, count: WebhookSecret.usualBytes))
    world.webhooks = [try webhook(.rejected, signedWith: other)]
    #expect(judge(world) == ["\(id): its webhook payout.rejected is signed with no secret of its owner"])
    let restored = judge(world) { $0.noteRestored(hasLost: false) }
    #expect(restored == [])
    world.tables.secretRows[Oracle.owner]?.append(LedgerTables.SecretRow(secret: other))
    #expect(judge(world) == [])
  }

  @Test("an end that is not told is found, and one that is told besides", arguments: [false, true])
  func endIsTold(isPaid: Bool) throws {
    var world = try isPaid ? paid() : rejected()
    #expect(judge(world) == [])
    let end = isPaid ? "confirmed" : "rejected"
    let own = world.webhooks
    world.webhooks = [try webhook(.queued), try webhook(.held)]
    #expect(judge(world) == ["\(id) is \(end), its webhooks told []"])
    world.webhooks = own + [try webhook(.expired)]
    let both = ["payout.\(end)", "payout.expired"].sorted()
    #expect(judge(world) == ["\(id) is \(end), its webhooks told \(both)"])
    // What was told of another payout is not told of this one.
    world.webhooks = [try webhook(isPaid ? .confirmed : .rejected, of: otherID)]
    #expect(judge(world) == ["\(id) is \(end), its webhooks told []"])
  }

  @Test("where a restore took an unpaid end another one may be told, but never payment and none, and the last one must")
  func endsAfterRestore() throws {
    func afterRestore(_ world: World, hasLost: Bool = true) -> [String] {
      judge(world) { $0.noteRestored(hasLost: hasLost) }
    }
    var world = try rejected()
    world.webhooks = [try webhook(.expired), try webhook(.rejected)]
    func found(_ told: String...) -> [String] { ["\(id) is rejected, its webhooks told \(told)"] }
    #expect(afterRestore(world) == [])
    #expect(afterRestore(world, hasLost: false) == found("payout.expired", "payout.rejected"))
    world.webhooks = [try webhook(.expired)]
    #expect(afterRestore(world) == found("payout.expired"))
    world.webhooks = [try webhook(.confirmed), try webhook(.rejected)]
    #expect(afterRestore(world) == found("payout.confirmed", "payout.rejected"))
    // The end of the payout that the restore took, under the same key.
    world.told = [otherID, id]
    world.webhooks = [try webhook(.rejected, of: otherID)]
    #expect(afterRestore(world) == found("payout.rejected"))
    world.webhooks.append(try webhook(.rejected))
    #expect(afterRestore(world) == [])
  }

  @Test("a webhook that tells of a payment and names another transaction than the one that paid, or none, is found")
  func transactions() throws {
    var world = try paid()
    #expect(judge(world) == [])
    let other = try payment(1).txid
    world.webhooks = [try webhook(.confirmed, naming: other)]
    #expect(judge(world) == ["\(id): its webhook names \(other), which paid nobody"])
    world.webhooks = [try webhook(.confirmed)]
    #expect(judge(world) == ["\(id): its webhook names no transaction, which paid nobody"])
  }

  @Test("a webhook that cannot be read is found when it comes")
  func unreadable() throws {
    let host = SimulationHost(seed: 7, start: Self.now)
    let process = SimulatedProcess("monitor-1", in: host)
    let gate = FaultGate(FaultPlan(), seed: 7, host: host)
    func violations(_ body: String) -> [String] {
      let receiver = SimulatedReceiver(oracle: oracle(), gate: gate, process: process)
      let headers = [
        (name: "webhook-id", value: "webhook-1"), (name: "webhook-timestamp", value: "1"),
        (name: "webhook-signature", value: "v1,"),
      ]
      let request = OutgoingRequest(url: "https://client.example/hooks", headers: headers, body: [UInt8](body.utf8))
      process.start { _ = try? await receiver.post(request) }
      _ = host.run(until: host.now + 20_000)
      return receiver.oracle.violations
    }
    let readable = violations(#"{"type":"payout.queued","data":{"payout_id":"\#(id)"}}"#)
    #expect(readable == [])
    let unreadable = violations("{}")
    #expect(unreadable.count == 1)
    #expect(unreadable.first?.hasPrefix("a webhook cannot be read: ") == true)
  }
}
