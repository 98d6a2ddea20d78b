import Payouts
import Testing

@testable import Ingest
@testable import Ledger

/// The bodies of the two reading calls.
struct AnswerTests {
  private func view(_ record: PayoutRecord, _ attempts: [AttemptRecord] = [], head: Int64? = 120) -> PayoutView {
    PayoutView(record: record, history: [], attempts: attempts, conditions: .good(headNumber: head))
  }

  private let answer = AnswerTransaction(network: .nile, requiredConfirmations: 19)

  @Test func `a payout without a transaction is pending and everything else is null`() throws {
    // Proves the shape before anything is signed.
    let body = answer.current(view(try .some(.queued)))
    #expect(body["status"] == .text("pending") && body["confirmations"] == .number("0"))
    #expect(body["required_confirmations"] == .number("19"))
    for name in ["txid", "block_number", "block_timestamp", "energy_used", "bandwidth_used", "fee_trx", "explorer_url"]
    {
      #expect(body[name] == .null, "\(name)")
    }
    #expect(body["estimated_completion"]?.textValue != nil)
  }

  @Test func `a confirming transaction tells its block and confirmations from heights`() throws {
    // Proves head − block + 1 and the explorer of the network.
    let live = try AttemptRecord.some(.included, block: 110)
    let body = answer.current(view(try .some(.confirming), [live]))
    #expect(body["confirmations"] == .number("11") && body["block_number"] == .number("110"))
    #expect(body["block_timestamp"] == .text("2027-01-15T08:00:03.000Z"))
    #expect(body["estimated_completion"] == .text("2027-01-15T08:00:57.000Z"))
    #expect(body["explorer_url"] == .text("https://nile.tronscan.org/#/transaction/\(live.txid)"))
    #expect(body["fee_trx"] == .null)
  }

  @Test func `a confirmed transaction tells what it cost, exactly`() throws {
    // Proves the fee as decimal text, to the last sun.
    let cost = TransactionCost(fee: Sun(13_847_401), energyUsed: 64_285, bandwidthUsed: 345)
    let paid = try AttemptRecord.some(.solid, outcome: .paid, block: 90, cost: cost)
    let body = answer.current(view(try .some(.confirmed), [paid]))
    #expect(body["status"] == .text("confirmed") && body["fee_trx"] == .text("13.847401"))
    #expect(body["energy_used"] == .number("64285") && body["bandwidth_used"] == .number("345"))
    #expect(body["estimated_completion"] == .null)
  }

  @Test func `the transaction that is told is the one that paid, else the live one, else of an ended payout the last`()
    throws
  {
    // Proves the choice among several attempts; one that waits for its next attempt has none that could pay it.
    let failed = try AttemptRecord.some(.failedOnChain, outcome: .failedOnChain, number: 1)
    let dead = try AttemptRecord.some(.dead, outcome: .dead, number: 2)
    let live = try AttemptRecord.some(.sent, number: 3)
    let paid = try AttemptRecord.some(.solid, outcome: .paid, number: 4, block: 90)
    #expect(view(try .some(.broadcast), [failed, dead, live]).attempt == live)
    #expect(view(try .some(.confirming), [failed, paid]).attempt == paid)
    #expect(view(try .some(.scheduled), [failed, dead]).attempt == nil)
    #expect(view(try .some(.failed), [failed, dead]).attempt == dead)
    #expect(answer.current(view(try .some(.scheduled), [failed, dead]))["status"] == .text("pending"))
    #expect(answer.current(view(try .some(.failed), [failed, dead]))["status"] == .text("failed"))
  }

  @Test func `every state has a message, an estimate where it goes on by itself, and its waiting`() throws {
    // Proves the members that hang on the state, for all of them.
    for status in PayoutStatus.allCases {
      let body = AnswerPayout(requiredConfirmations: 19).current(view(try .some(status)))
      #expect(body["message"]?.textValue?.isEmpty == false)
      #expect((body["waiting_for"] == .null) == status.isFinal, "\(status)")
      let goesOn = [.queued, .scheduled, .signed, .broadcast, .confirming].contains(status)
      #expect((body["estimated_confirmation"] != .null) == goesOn, "\(status)")
      #expect((body["hold_reason"] != .null) == (status == .held))
      #expect(body["history"] == .array([]))
    }
  }

  @Test func `the history tells each change with its time`() throws {
    // Proves the events' shape.
    let time = Timestamp(milliseconds: 1_800_000_000_000)
    let events = [
      PayoutEvent(at: time, from: nil, to: .queued, actor: "ingest", note: nil),
      PayoutEvent(at: time, from: .queued, to: .scheduled, actor: "scheduler", note: "n"),
    ]
    let view = PayoutView(record: try .some(.scheduled), history: events, attempts: [], conditions: .good())
    let history = AnswerPayout(requiredConfirmations: 19).current(view)["history"]?.items
    #expect(history?.count == 2)
    #expect(history?[0]["status"] == .text("queued") && history?[0]["from"] == .null)
    #expect(history?[1]["from"] == .text("queued") && history?[1]["note"] == .text("n"))
    #expect(history?[1]["at"] == .text(time.description))
  }
}
