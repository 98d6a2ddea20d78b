import Ledger
import Payouts
import Testing
import Tron

@testable import Simulation

/// What the oracle finds wrong, in the end, between what the chain paid and how payouts stand.
extension OracleTests {
  @Test("two payments of one key are found")
  func paidTwice() throws {
    let world = try paid()
    #expect(judge(world) == [])
    pay(try payment(1))
    #expect(judge(world) == ["key-1 was paid 2 times"])
  }

  @Test("a payment of what ended unpaid is found, also one that comes after the end")
  func paidAfterEnd() throws {
    let world = try rejected()
    #expect(judge(world) == [])
    pay(try payment())
    #expect(judge(world) == ["\(id) is rejected and was paid"])
  }

  @Test("a confirmed payout that nobody was paid for is found, and one whose transaction failed")
  func paidNobody() throws {
    let transaction = try payment()
    let txid = transaction.txid
    let world = World(
      tables: try tables(confirmed: transaction), told: [id], webhooks: [try webhook(.confirmed, naming: txid)])
    let found = [
      "\(id) is confirmed and nobody was paid", "\(id): its webhook names \(txid), which paid nobody",
    ]
    #expect(judge(world) == found)
    chain.setResult(.outOfEnergy, of: txid)
    pay(transaction)
    #expect(judge(world) == found)
  }

  @Test("a payment that nobody asked for is found")
  func paidStranger() throws {
    let world = try paid()
    #expect(judge(world) == [])
    let txid = try #require(world.tables.transactions.keys.first)
    let nobodys = Oracle(chain, WorldSettings())
    nobodys.judge(emptyTables())
    #expect(nobodys.violations == ["\(txid) paid \(request.recipient), which nobody asked for"])
  }

  @Test("a payment is found of which there is no payout")
  func paidWithoutPayout() throws {
    var world = World(tables: emptyTables(), told: [], webhooks: [])
    world.settings.hourlyLimit = 1
    let unpaid = judge(world) { $0.refused(request.key, "limitExceeded") }
    #expect(unpaid == [])
    pay(try payment())
    let paid = judge(world) { $0.refused(request.key, "limitExceeded") }
    #expect(paid == ["key-1 was paid, and there is no payout of it"])
  }

  @Test("a payout that has not ended is found")
  func endless() throws {
    let world = World(tables: try tables(), told: [id], webhooks: [try webhook(.queued)])
    #expect(judge(world) == ["\(id) of key-1 is still queued: "])
    let ended = try rejected()
    #expect(judge(ended) == [])
  }

  @Test("a payout with another recipient or amount than its client asked for is found")
  func altered() throws {
    var world = try rejected()
    #expect(judge(world) == [])
    let recipient = try Address(bytes: [0x41] + [UInt8](repeating: 8, count: 20))
    let amount = try Amount(microUSDT: request.amount.microUSDT + 1)
    for altered in [payout(recipient: recipient), payout(amount: amount)] {
      world.tables = try tables(altered)
      try world.tables.move(id, to: .rejected, note: nil)
      #expect(judge(world) == ["\(id) is not what the client of key-1 asked for"])
    }
  }
}

extension OracleTests {
  @Test("a payment of what its client was told is cancelled is found, and another end of it")
  func withdrawn() throws {
    var world = try rejected()
    #expect(judge(world) == [])
    let other = judge(world) { $0.withdrew(request.key) }
    #expect(other == ["the client of key-1 was told that it is cancelled, and \(id) is rejected"])
    world.tables = try tables()
    try world.tables.move(id, to: .cancelled, note: nil)
    world.webhooks = [try webhook(.cancelled)]
    let unpaid = judge(world) { $0.withdrew(request.key) }
    #expect(unpaid == [])
    pay(try payment())
    let paid = judge(world) { $0.withdrew(request.key) }
    #expect(paid.contains("key-1 was cancelled, and was paid"))
  }
}
