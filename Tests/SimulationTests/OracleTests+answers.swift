import Ledger
import Payouts
import Testing

@testable import Simulation

/// What the oracle finds wrong with what a client was told.
extension OracleTests {
  @Test("another payout of the same key is found, but for a restore that took the first")
  func otherPayout() {
    let (twice, again, restored) = (oracle(), oracle(), oracle())
    twice.told(request.key, id)
    twice.told(request.key, otherID)
    #expect(twice.violations == ["the client of key-1 was told \(otherID) after \(id): one key, two payouts"])
    again.told(request.key, id)
    again.told(request.key, id)
    #expect(again.violations == [])
    restored.noteRestored(hasLost: true)
    restored.told(request.key, id)
    restored.told(request.key, otherID)
    #expect(restored.violations == [])
  }

  @Test("a refusal after an acceptance is found, and none that came before, or after a restore that took it")
  func refusedAfterwards() {
    func limited() -> Oracle { oracle { $0.hourlyLimit = 1 } }
    let (afterwards, before, restored) = (limited(), limited(), limited())
    afterwards.told(request.key, id)
    afterwards.refused(request.key, "limitExceeded")
    #expect(
      afterwards.violations == ["the client of key-1 was refused after it was told of \([id]): limitExceeded"])
    before.refused(request.key, "limitExceeded")
    before.told(request.key, id)
    #expect(before.violations == [])
    restored.told(request.key, id)
    restored.noteRestored(hasLost: true)
    restored.refused(request.key, "limitExceeded")
    #expect(restored.violations == [])
  }

  @Test(
    "a refusal is found that neither a limit nor an end of its own explains",
    arguments: [
      ("limitExceeded", true, false, true), ("limitExceeded", false, true, false),
      ("invalidRequest", false, true, true), ("invalidRequest", true, false, false), ("forbidden", true, true, false),
    ])
  func refusal(reason: String, hasLimit: Bool, isExpiring: Bool, isAllowed: Bool) {
    let oracle = oracle {
      $0.routerDailyLimit = hasLimit ? 1 : 0
      $0.expiring = isExpiring ? 1 : 0
    }
    oracle.refused(request.key, reason)
    #expect(oracle.violations == (isAllowed ? [] : ["the client of key-1 was refused: \(reason)"]))
  }

  @Test("a client that never had an answer is found")
  func neverAnswered() {
    var world = World(tables: emptyTables(), told: [], webhooks: [])
    #expect(judge(world) == ["the client of key-1 never had an answer"])
    world.settings.hourlyLimit = 1
    let refused = judge(world) { $0.refused(request.key, "limitExceeded") }
    #expect(refused == [])
  }

  @Test("a payout whose client was always refused is found, but where an answer was missing")
  func alwaysRefused() throws {
    var world = try rejected()
    world.told = []
    world.settings.hourlyLimit = 1_000_000
    let refused = judge(world) { $0.refused(request.key, "limitExceeded") }
    #expect(refused == ["the client of key-1 was always refused, and \(id) stands"])
    let unanswered = judge(world) { oracle in
      oracle.refused(request.key, "limitExceeded")
      oracle.wasNotAnswered(request.key)
    }
    #expect(unanswered == [])
    world.told = [id]
    let accepted = judge(world) { $0.refused(request.key, "limitExceeded") }
    #expect(accepted == [])
  }

  @Test("a payout that is not the one that its client was told of is found, but for a restore that took that one")
  func toldOfAnother() throws {
    var world = try rejected()
    world.told = [otherID]
    #expect(judge(world) == ["the client of key-1 was told \([otherID]), and \(id) stands"])
    let restored = judge(world) { $0.noteRestored(hasLost: true) }
    #expect(restored == [])
  }

  @Test("an accepted payout that is gone is found")
  func gone() throws {
    let world = World(tables: emptyTables(), told: [id], webhooks: [])
    #expect(judge(world) == ["\([id]) of key-1 was accepted and is gone"])
    let whole = try rejected()
    #expect(judge(whole) == [])
  }

  @Test(
    "an accepted payout with an end of its own may be gone where a restore took it and Redis lost its log, too",
    arguments: [(true, true, true), (false, true, true), (true, false, true), (true, true, false)])
  func goneForGood(isExpiring: Bool, hasLostHistory: Bool, hasLostLog: Bool) {
    var request = request
    if isExpiring { (request.expiresAt, request.refusal) = (Self.moment, "invalidRequest") }
    let oracle = Oracle(chain, WorldSettings())
    oracle.expects(request)
    oracle.told(request.key, id)
    oracle.noteRestored(hasLost: hasLostHistory)
    if hasLostLog { oracle.forgotLog() }
    oracle.judge(emptyTables())
    let mayBeGone = isExpiring && hasLostHistory && hasLostLog
    #expect(oracle.violations == (mayBeGone ? [] : ["\([id]) of key-1 was accepted and is gone"]))
  }
}
