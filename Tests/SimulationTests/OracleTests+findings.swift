import Ledger
import Payouts
import Testing
import Tron

@testable import Simulation

/// What the oracle finds wrong, in the end, with the fence, the breaker and the history's vouching.
extension OracleTests {
  @Test(
    "a theft that the fence does not find, or calls nobody about, is found, and a finding that is none",
    arguments: Stranger.allCases)
  func findings(kind: Stranger) throws {
    let txid = try strange()
    pass(slots: 10)
    var tables = emptyTables()
    func violations(_ tables: LedgerTables) -> [String] {
      let oracle = Oracle(chain, WorldSettings())
      oracle.saw(kind, txid)
      oracle.judge(tables)
      return oracle.violations
    }
    // The fence may still come to it.
    #expect(violations(tables) == [])
    tables.cursors[.solid] = solid
    let unfound = "the fence has not found \(kind.rawValue) \(txid)"
    let untold = "nobody was called about \(kind.rawValue) \(txid)"
    let harmless = ["the fence has found \(txid), which is no finding"]
    #expect(violations(tables) == (kind.isTheft ? [unfound, untold] : []))
    tables.findings = [finding(txid, isJudged: false)]
    #expect(violations(tables) == (kind.isTheft ? [unfound, untold] : harmless))
    tables.findings = [finding(txid)]
    #expect(violations(tables) == (kind.isTheft ? [untold] : harmless))
    tables.raiseAlarm("unknown_transaction", "transaction \(txid)", "it was signed by no Signer of ours")
    #expect(violations(tables) == (kind.isTheft ? [] : harmless))
  }

  @Test("a finding of what a Signer has sent is found, but for a restore that took it")
  func findingOfOurs() throws {
    var world = try paid()
    #expect(judge(world) == [])
    let txid = try #require(world.tables.transactions.keys.first)
    world.tables.findings = [finding(txid)]
    #expect(judge(world) == ["the fence has found \(txid), which is no finding"])
    let restored = judge(world) { $0.noteRestored(hasLost: false) }
    #expect(restored == [])
  }

  @Test(
    "an alarm that must not be is found",
    arguments: ["paid_twice", "paid_after_end", "broken_seal", "anomalous_transaction", "contradicted_journal"])
  func alarm(kind: String) throws {
    var world = try rejected()
    world.tables.raiseAlarm("signer_limit", "signer", "its own limit")
    #expect(judge(world) == [])
    world.tables.raiseAlarm(kind, "payout \(id)", "why")
    #expect(judge(world) == ["the alarm \(kind): payout \(id), why"])
  }

  @Test("a history that is not vouched for in the end is found")
  func unvouched() throws {
    var world = try rejected()
    #expect(judge(world) == [])
    world.tables.vouchedLife = nil
    #expect(judge(world) == ["the history is still not vouched for"])
  }
}
