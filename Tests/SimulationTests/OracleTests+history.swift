import Ledger
import Payouts
import Testing

@testable import Simulation

/// What the oracle finds wrong with the way that a payout has gone (DESIGN.md §2).
extension OracleTests {
  private static let legalWays: [[PayoutStatus]] = [
    [.queued, .scheduled, .signed, .broadcast, .confirming, .confirmed],
    // Seen in a block first, undone by a fork, freed.
    [.queued, .scheduled, .signed, .confirming, .broadcast, .scheduled, .signed, .scheduled, .failed],
    [.queued, .scheduled, .signed, .broadcast, .confirming, .scheduled, .expired],
    [.kycPending, .queued, .kycPending, .rejected],
    [.compliancePending, .queued, .scheduled, .kycPending, .expired],
    [.compliancePending, .cancelled],
    [.kycPending, .held, .kycPending, .held, .settledExternally],
    [.queued, .held, .queued, .held, .confirmed],
    [.queued, .scheduled, .held, .scheduled, .cancelled],
    // Released while its attempt lived on, and after that had ended.
    [.queued, .scheduled, .signed, .held, .signed, .broadcast, .held, .broadcast, .confirming, .confirmed],
    [.queued, .scheduled, .signed, .confirming, .held, .confirming, .confirmed],
    [.queued, .scheduled, .signed, .held, .scheduled, .rejected],
    [.queued, .scheduled, .signed, .broadcast, .held, .scheduled, .rejected],
    [.queued, .scheduled, .signed, .confirming, .held, .scheduled, .rejected],
  ]

  private static let illegalWays: [([PayoutStatus], String)] = [
    ([.scheduled, .rejected], "it began as scheduled"),
    ([.signed, .broadcast, .confirming, .confirmed], "it began as signed"),
    ([.held, .rejected], "it began as held"),
    ([.expired], "it began as expired"),
    // A state is skipped.
    ([.kycPending, .scheduled, .rejected], "kycPending became scheduled"),
    ([.queued, .compliancePending, .rejected], "queued became compliancePending"),
    ([.queued, .broadcast, .confirming, .confirmed], "queued became broadcast"),
    ([.queued, .scheduled, .confirming, .confirmed], "scheduled became confirming"),
    ([.queued, .scheduled, .signed, .broadcast, .confirmed], "broadcast became confirmed"),
    ([.queued, .scheduled, .queued, .rejected], "scheduled became queued"),
    // An unpaid end that is none there.
    ([.queued, .failed], "queued became failed"),
    ([.queued, .settledExternally], "queued became settledExternally"),
    ([.queued, .scheduled, .signed, .rejected], "signed became rejected"),
    ([.queued, .scheduled, .signed, .broadcast, .expired], "broadcast became expired"),
    ([.queued, .scheduled, .signed, .broadcast, .confirming, .failed], "confirming became failed"),
    ([.queued, .held, .expired], "held from queued became expired"),
    ([.queued, .held, .cancelled], "held from queued became cancelled"),
    ([.queued, .scheduled, .held, .failed], "held from scheduled became failed"),
    // Released to where it was not held from.
    ([.queued, .held, .scheduled, .rejected], "held from queued became scheduled"),
    ([.queued, .held, .kycPending, .rejected], "held from queued became kycPending"),
    ([.queued, .scheduled, .held, .broadcast, .confirming, .confirmed], "held from scheduled became broadcast"),
    ([.queued, .scheduled, .signed, .held, .confirming, .confirmed], "held from signed became confirming"),
    // A final state is left.
    ([.queued, .expired, .queued, .rejected], "expired became queued"),
    ([.queued, .rejected, .rejected], "rejected became rejected"),
    (
      [.queued, .scheduled, .signed, .broadcast, .confirming, .confirmed, .broadcast, .confirming, .confirmed],
      "confirmed became broadcast"
    ),
  ]

  /// Only a Signer that puts a transaction back makes them so.
  private static let waysOfPutBacks: [([PayoutStatus], String)] = [
    ([.kycPending, .signed, .broadcast, .confirming, .confirmed], "kycPending became signed"),
    ([.compliancePending, .signed, .confirming, .confirmed], "compliancePending became signed"),
    ([.queued, .signed, .broadcast, .confirming, .confirmed], "queued became signed"),
    ([.queued, .held, .signed, .confirming, .confirmed], "held from queued became signed"),
    ([.queued, .scheduled, .held, .signed, .broadcast, .confirming, .confirmed], "held from scheduled became signed"),
    (
      [.queued, .scheduled, .signed, .broadcast, .held, .signed, .broadcast, .confirming, .confirmed],
      "held from broadcast became signed"
    ),
  ]

  private func event(_ from: PayoutStatus?, _ to: PayoutStatus, _ note: String? = nil) -> PayoutEvent {
    PayoutEvent(
      at: Self.moment, from: from, to: to, actor: "worker-1",
      note: note ?? (to == .held ? "\(HoldReason.signerLimit.rawValue): its own limit" : nil))
  }

  /// A world whose payout has gone this way; what was paid and told fits its end.
  private func world(_ way: [PayoutStatus]) throws -> World {
    let end = try #require(way.last)
    var world = try end == .confirmed ? paid() : rejected()
    if end != .confirmed { world.webhooks = [try webhook(end)] }
    world.tables.payouts[id]?.status = end
    world.tables.events[id] = way.indices.map { event($0 == 0 ? nil : way[$0 - 1], way[$0]) }
    world.settings.signerHourlyLimit = 1_000_000
    return world
  }

  @Test("a way that the table of states has is no violation", arguments: legalWays)
  func legalWay(way: [PayoutStatus]) throws {
    let world = try world(way)
    #expect(judge(world) == [])
  }

  @Test("a change that the table of states does not have is found", arguments: illegalWays)
  func illegalWay(way: [PayoutStatus], fault: String) throws {
    let world = try world(way)
    #expect(judge(world) == ["\(id): \(fault)"])
  }

  @Test("what only a put-back makes legal is found where none was, or an earlier one", arguments: waysOfPutBacks)
  func wayOfPutBack(way: [PayoutStatus], fault: String) throws {
    var world = try world(way)
    #expect(judge(world) == ["\(id): \(fault)"])
    let txid = try #require(world.tables.transactions.keys.first)
    let other = try payment(1).txid
    world.tables.putBacks = [txid: Self.moment.advanced(byMilliseconds: -1), other: Self.moment]
    #expect(judge(world) == ["\(id): \(fault)"])
    world.tables.putBacks = [txid: Self.moment]
    #expect(judge(world) == [])
  }

  @Test("the oracle's table of states and the workers' have the same changes")
  func sameTable() {
    let waiting = PayoutStatus.allCases.filter { !$0.isFinal && $0 != .held }
    for status in PayoutStatus.allCases {
      let legal = PayoutStatus.allCases.filter { next in
        waiting.contains { heldFrom in
          LegalChanges.allow(status, to: next, heldFrom: heldFrom, isPutBack: false)
            || LegalChanges.allow(status, to: next, heldFrom: heldFrom, isPutBack: true)
        }
      }
      #expect(Set(legal) == status.successors, "from \(status)")
    }
  }

  @Test("a gap in a history is found")
  func gap() throws {
    var world = try world([.queued, .scheduled, .signed, .confirming, .confirmed])
    #expect(judge(world) == [])
    world.tables.events[id]?[2] = event(.queued, .signed)
    let (told, stood): (PayoutStatus?, PayoutStatus?) = (.queued, .scheduled)
    let found = "\(id): its history goes from \(String(describing: told)) after \(String(describing: stood))"
    #expect(judge(world) == [found])
  }

  @Test("a history that ends elsewhere than its payout stands is found, and one that is not there")
  func lastState() throws {
    var world = try world([.queued, .rejected])
    #expect(judge(world) == [])
    world.tables.events[id]?.removeLast()
    #expect(judge(world) == ["\(id) is rejected, its history ends with queued"])
    world.tables.events[id] = nil
    #expect(judge(world) == ["\(id) is rejected, its history ends with nothing"])
  }

  @Test("a hold that nothing of its world explains is found", arguments: HoldReason.allCases)
  func hold(reason: HoldReason) throws {
    let isOfRestores = [.unclaimedTransfer, .referenceInUse, .historyUnproven].contains(reason)
    var world = try world([.queued, .held, .rejected])
    world.settings.signerHourlyLimit = 0
    world.tables.events[id]?[1] = event(.queued, .held, "\(reason.rawValue): why")
    let found = ["\(id) was held: \(reason.rawValue): why"]
    #expect(judge(world) == found)
    let restored = judge(world) { $0.noteRestored(hasLost: false) }
    #expect(restored == (isOfRestores ? [] : found))
    let lost = judge(world) { $0.noteRestored(hasLost: true) }
    #expect(lost == (isOfRestores || reason == .endWasLost ? [] : found))
    world.settings.signerHourlyLimit = 1
    let limited = judge(world)
    #expect(limited == (reason == .signerLimit ? [] : found))
  }
}
