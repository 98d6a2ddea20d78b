import Payouts
import Testing

/// The checker of ``ChaosTests`` can fail: each forged world is named for what it is, and for nothing else.
@Suite struct JudgePaidWorldTests {
  private static let wallet = Address(account: [UInt8](repeating: 0x01, count: 20))

  private static func address(_ number: UInt8) -> Address { Address(account: [UInt8](repeating: number, count: 20)) }

  private static let way: [PaidWorld.Change] = [
    .init(from: nil, to: "queued"), .init(from: "queued", to: "scheduled"), .init(from: "scheduled", to: "signed"),
    .init(from: "signed", to: "broadcast"), .init(from: "broadcast", to: "confirming"),
    .init(from: "confirming", to: "broadcast"), .init(from: "broadcast", to: "confirming"),
    .init(from: "confirming", to: "confirmed"),
  ]

  /// Three payouts were paid, of which two are twins; one expired; one was held and rejected; one was refused.
  private static func honest() -> PaidWorld {
    var world = PaidWorld(
      wallet: wallet, balanceBefore: 1_000_000_000, balanceAfter: 1_000_000_000, orders: [], payouts: [:], payments: [],
      told: [:], hourlyLimit: .init(allowed: 9_500_000, until: 3_700_000), reserved: [0: 5_500_000], day: nil)
    func order(_ name: String, _ number: UInt8, _ amount: Int64, _ history: [PaidWorld.Change]) {
      let status = history.last?.to ?? ""
      var order = PaidWorld.Order(key: "key \(name)", recipient: address(number), microUSDT: amount)
      order.ids = [name]
      order.answeredAt = Int64(number) * 1_000
      world.orders.append(order)
      let isPaid = status == "confirmed"
      world.payouts[name] = PaidWorld.Payout(
        status: status, recipient: "\(address(number))", amount: "\((try? Amount(microUSDT: amount)) ?? .zero)",
        txid: isPaid ? "tx of \(name)" : nil, history: history, acceptedAt: Int64(number) * 1_000,
        endedAt: Int64(number) * 1_000 + 500)
      world.told[name] = ["payout.accepted", "payout.\(status)"]
      if isPaid { pay(&world, "tx of \(name)", number, amount) }
    }
    order("a", 10, 1_500_000, way)
    order("b", 11, 2_000_000, way)
    order("c", 11, 2_000_000, way)
    order("d", 12, 3_000_000, [.init(from: nil, to: "queued"), .init(from: "queued", to: "expired")])
    order(
      "e", 13, 4_000_000,
      Array(way.prefix(2)) + [.init(from: "scheduled", to: "held"), .init(from: "held", to: "rejected")])
    world.orders.append(.init(key: "key f", recipient: address(14), microUSDT: 5_000_000, isRefused: true))
    world.day = .init(used: 5_500_000, allowed: 5_500_000)
    return world
  }

  private static func pay(_ world: inout PaidWorld, _ txid: String, _ number: UInt8, _ amount: Int64) {
    world.payments.append(
      .init(txid: txid, transfer: .init(from: wallet, to: address(number), microUSDT: amount)))
    world.balanceAfter -= amount
  }

  private static func judge(_ forge: (inout PaidWorld) -> Void) -> Set<Violation> {
    var world = honest()
    forge(&world)
    return Set(JudgePaidWorld(world: world).violations())
  }

  @Test func `an honest world has no violation`() {
    #expect(Self.judge { _ in }.isEmpty)
  }

  @Test func `a payout that is paid twice is named, also one that had ended unpaid`() {
    let twice = Self.judge { Self.pay(&$0, "another", 10, 1_500_000) }
    #expect(
      twice == [
        .paidTooOften(recipient: Self.address(10), microUSDT: 1_500_000, times: 2, confirmed: 1),
        .wrongBalance(left: 7_000_000, confirmed: 5_500_000), .limitExceeded(used: 7_000_000, allowed: 5_500_000),
        .limitNotExact(used: 5_500_000, paid: 7_000_000),
      ])
    let unpaid = Self.judge { Self.pay(&$0, "another", 12, 3_000_000) }
    #expect(unpaid.contains(.paidTooOften(recipient: Self.address(12), microUSDT: 3_000_000, times: 1, confirmed: 0)))
    let refused = Self.judge { Self.pay(&$0, "another", 14, 5_000_000) }
    #expect(refused.contains(.paidTooOften(recipient: Self.address(14), microUSDT: 5_000_000, times: 1, confirmed: 0)))
  }

  @Test func `twins of which only one was paid are named`() {
    let found = Self.judge { world in
      world.payments.removeAll { $0.txid == "tx of c" }
      world.payouts["c"]?.txid = "tx of b"
      world.balanceAfter += 2_000_000
      world.day = nil
    }
    #expect(
      found == [
        .notPaid(recipient: Self.address(11), microUSDT: 2_000_000, times: 1, confirmed: 2), .wrongTransaction(id: "c"),
        .wrongBalance(left: 3_500_000, confirmed: 5_500_000),
      ])
  }

  @Test func `a confirmation that the chain does not show is named`() {
    let found = Self.judge { world in
      world.payments.removeAll { $0.txid == "tx of a" }
      world.balanceAfter += 1_500_000
      world.day = nil
    }
    #expect(
      found == [
        .notPaid(recipient: Self.address(10), microUSDT: 1_500_000, times: 0, confirmed: 1), .wrongTransaction(id: "a"),
        .wrongBalance(left: 4_000_000, confirmed: 5_500_000),
      ])
  }

  @Test func `a payment to a stranger, and one of another amount, are named`() {
    let stranger = Self.judge { world in
      Self.pay(&world, "another", 99, 1)
      world.day = nil
    }
    #expect(
      stranger == [
        .paidStranger(recipient: Self.address(99), microUSDT: 1), .wrongBalance(left: 5_500_001, confirmed: 5_500_000),
      ])
    let otherAmount = Self.judge { world in
      Self.pay(&world, "another", 10, 1_500_001)
      world.day = nil
    }
    #expect(otherAmount.contains(.paidStranger(recipient: Self.address(10), microUSDT: 1_500_001)))
  }

  @Test func `money that left without a Transfer is named`() {
    #expect(Self.judge { $0.balanceAfter -= 7 } == [.wrongBalance(left: 5_500_007, confirmed: 5_500_000)])
  }

  @Test func `a lost payout, an altered one and one without an end are named`() {
    #expect(Self.judge { $0.payouts["d"] = nil } == [.lost(id: "d")])
    #expect(Self.judge { $0.payouts["d"]?.amount = "3.1" } == [.altered(id: "d")])
    #expect(Self.judge { $0.payouts["d"]?.recipient = "\(Self.address(10))" } == [.altered(id: "d")])
    let stuck = Self.judge { world in
      world.payouts["d"]?.status = "queued"
      world.payouts["d"]?.history.removeLast()
      world.hourlyLimit = nil
      world.reserved = nil
    }
    #expect(stuck == [.unfinished(id: "d", status: "queued")])
  }

  @Test func `a retry with another id, and a client without an answer, are named`() {
    #expect(Self.judge { $0.orders[3].ids = ["d", "e"] }.contains(.severalPayouts(key: "key d", ids: ["d", "e"])))
    #expect(Self.judge { $0.orders[3].isRefused = true } == [.refusedAndAccepted(key: "key d")])
    #expect(Self.judge { $0.orders[5].isRefused = false } == [.neverAnswered(key: "key f")])
  }

  @Test func `two payouts that name one transaction are named`() {
    #expect(Self.judge { $0.payouts["c"]?.txid = "tx of b" } == [.wrongTransaction(id: "c")])
    #expect(Self.judge { $0.payouts["a"]?.txid = nil } == [.wrongTransaction(id: "a")])
  }

  @Test func `a missing webhook, and one that tells another end, are named`() {
    #expect(Self.judge { $0.told["a"] = ["payout.accepted"] } == [.notTold(id: "a", status: "confirmed")])
    #expect(Self.judge { $0.told["d"] = nil } == [.notTold(id: "d", status: "expired")])
    #expect(
      Self.judge { $0.told["a"]?.insert("payout.failed") }
        == [.toldOtherwise(id: "a", events: ["payout.confirmed", "payout.failed"])])
  }

  @Test(arguments: [
    // A final state is left.
    ("d", 2, PaidWorld.Change(from: "expired", to: "expired")),
    // A state is skipped.
    ("a", 1, PaidWorld.Change(from: "queued", to: "signed")),
    // Confirmed without having been in a block.
    ("a", 4, PaidWorld.Change(from: "broadcast", to: "confirmed")),
    // Rejected with a live attempt.
    ("a", 4, PaidWorld.Change(from: "broadcast", to: "rejected")),
    // Released to where it was not held from.
    ("e", 3, PaidWorld.Change(from: "held", to: "broadcast")),
    // It begins in the middle.
    ("d", 0, PaidWorld.Change(from: nil, to: "scheduled")),
  ])
  func `an illegal history is named`(id: String, index: Int, change: PaidWorld.Change) {
    let found = Self.judge { world in
      if let payout = world.payouts[id] {
        world.payouts[id]?.history = payout.history.prefix(index) + [change] + payout.history.dropFirst(index + 1)
      }
    }
    guard case .illegalChange(id, _)? = found.first, found.count == 1 else {
      Issue.record("\(found)")
      return
    }
  }

  @Test func `a limit that counts too little or too much is named`() {
    #expect(
      Self.judge { $0.day = .init(used: 5_499_999, allowed: 6_000_000) } == [
        .limitNotExact(used: 5_499_999, paid: 5_500_000)
      ])
    #expect(
      Self.judge { $0.day = .init(used: 5_500_000, allowed: 5_499_999) } == [
        .limitExceeded(used: 5_500_000, allowed: 5_499_999)
      ])
  }

  // "Limits were never exceeded": at no moment, also where it is all right in the end. Where d ends after e began it is so.
  @Test func `an hour in which more was accepted at once than its limit is named`() {
    let tight = Self.judge { $0.hourlyLimit?.allowed = 9_499_999 }
    #expect(tight == [.hourExceeded(hour: 0, used: 9_500_000, allowed: 9_499_999)])
    let late = Self.judge { $0.payouts["d"]?.endedAt = 14_000 }
    #expect(late == [.hourExceeded(hour: 0, used: 12_500_000, allowed: 9_500_000)])
    let later = Self.judge { world in
      world.payouts["d"]?.endedAt = 14_000
      world.payouts["e"]?.acceptedAt = 3_600_000
      world.payouts["e"]?.endedAt = 3_600_001
    }
    #expect(later.isEmpty)
    let afterwards = Self.judge { world in
      world.payouts["d"]?.endedAt = 14_000
      world.hourlyLimit?.until = 13_000
    }
    #expect(afterwards.isEmpty)
  }

  // An event has the time at which its transaction began. Where an Ingest stood still between BEGIN and its locks, room was
  // made and taken afterwards: what was answered later may have been reserved later.
  @Test func `an acceptance that stood still until there was room is no violation`() {
    func judge(answeredAt: Int64) -> Set<Violation> {
      Self.judge { world in
        world.payouts["d"]?.endedAt = 14_000
        world.payouts["e"]?.endedAt = 16_000
        world.orders[4].answeredAt = answeredAt
      }
    }
    #expect(judge(answeredAt: 15_000).isEmpty)
    #expect(judge(answeredAt: 13_999) == [.hourExceeded(hour: 0, used: 12_500_000, allowed: 9_500_000)])
    // What was over before it was answered need not have been there with anything else.
    #expect(judge(answeredAt: 17_000).isEmpty)
  }

  @Test func `a reservation that leaked, and one that is missing, are named in whichever hour`() {
    // As where d expired and its 3 USDT were not given back; the sum of what was paid is right all the same.
    #expect(
      Self.judge { $0.reserved = [0: 8_500_000] }
        == [.hourNotExact(hour: 0, reserved: 8_500_000, held: 5_500_000)])
    #expect(
      Self.judge { $0.reserved = [0: 5_499_999] }
        == [.hourNotExact(hour: 0, reserved: 5_499_999, held: 5_500_000)])
    #expect(Self.judge { $0.reserved = [:] } == [.hourNotExact(hour: 0, reserved: 0, held: 5_500_000)])
    #expect(
      Self.judge { $0.reserved?[7] = 1 } == [.hourNotExact(hour: 7, reserved: 1, held: 0)])
    let unused = Self.judge { $0.reserved?[7] = 0 }
    #expect(unused.isEmpty)
  }
}
