import Ledger
import Payouts
import TestSupport
import Testing
import Worker

/// "PostgreSQL is the truth, Redis Streams the transport" (DESIGN.md §1): an hour without it, in virtual time.
@Suite struct TransportLossTests {
  private static func recipient(_ number: Int) -> Address {
    Address(account: [UInt8](repeating: 0x68, count: 19) + [UInt8(number)])
  }

  @Test func `payouts accepted during an hour without Redis are paid once when it is back, without an operator`()
    async throws
  {
    let system = try await OneProcess()
    try await system.run {
      _ = try await system.ledger.setWindows(WindowLengths(hourly: 600_000, daily: 1_200_000, weekly: 1_800_000))
      await system.streams.setFault { _ in .notDone }
      var ids: [PayoutID] = []
      for number in 1...12 {
        let type: BatchType = number.isMultiple(of: 4) ? .hourly : .immediate
        ids.append(try await system.pay(Self.recipient(number), "1.\(number)", key: "\(number)", batchType: type))
        // Five minutes.
        for _ in 0..<100 {
          system.clock.advance(byMilliseconds: ScriptedNode.slotMilliseconds)
          await system.node.produce(at: system.clock.now())
        }
        _ = try await system.settleAsFarAsPossible()
      }
      // Nothing was signed: the Signer is told of batches by the streams alone. Nothing is lost or ended either.
      let waiting: Set<PayoutStatus?> = [.queued, .scheduled]
      #expect(Set(try await system.statuses(ids)).isSubset(of: waiting))
      #expect(try await system.txids(of: ids).isEmpty)

      // It is back, and as empty as after a loss of its data.
      await system.streams.setFault(nil)
      var slots = 0
      while try await system.statuses(ids).contains(where: { $0 != .confirmed }), slots < 2_400 {
        slots += 1
        try await system.pass(slots: 1)
      }
      #expect(try await system.statuses(ids) == [PayoutStatus](repeating: .confirmed, count: 12))
      for number in 1...12 {
        #expect(await system.node.payments(to: Self.recipient(number)).count == 1, "payout \(number)")
      }
    }
  }
}
