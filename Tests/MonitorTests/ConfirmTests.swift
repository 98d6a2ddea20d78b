import Payouts
import TestSupport
import Testing

@testable import Monitor

/// Confirming what is paid and deep enough.
@Suite struct ConfirmTests {
  private func block(_ number: UInt8) -> BlockID { BlockID(exactly: [UInt8](repeating: number, count: 32)) }

  @Test func `what waits for blocks is looked through once for each of them, and now and then`() {
    // Both sides of the rest, a move of either view, and a clock that was set back.
    let looks = VainLooks()
    let now = Timestamp(milliseconds: 1_777_445_307_000)
    #expect(looks.areDue(head: block(1), solid: nil, at: now))
    looks.wasVain(head: block(1), solid: block(2), at: now)
    #expect(!looks.areDue(head: block(1), solid: block(2), at: now))
    #expect(!looks.areDue(head: block(1), solid: block(2), at: now.advanced(byMilliseconds: 4_999)))
    #expect(looks.areDue(head: block(1), solid: block(2), at: now.advanced(byMilliseconds: 5_000)))
    #expect(looks.areDue(head: block(3), solid: block(2), at: now))
    #expect(looks.areDue(head: block(1), solid: block(3), at: now))
    #expect(looks.areDue(head: block(1), solid: nil, at: now))
    #expect(looks.areDue(head: block(1), solid: block(2), at: now.advanced(byMilliseconds: -1)))
  }

  @Test func `a payout is confirmed with the block that makes it deep enough, however often nothing was due before`()
    async throws
  {
    try await PayingScene.run { scene in
      let monitor = try scene.monitor(out: ScriptedOut { _ in 204 })
      let signer = try scene.signer()
      try await scene.read(monitor)
      try await scene.run(signer.vouch)
      try await scene.schedule(numbers: 1...1)
      try await scene.run(signer.sign)
      try await scene.run(signer.broadcast)
      var isConfirmed = false
      for _ in 0..<30 where !isConfirmed {
        try await scene.live(1, monitor)
        for _ in 0..<3 { try await scene.run(monitor.confirm) }
        isConfirmed = try await scene.status(1) == .confirmed
      }
      #expect(isConfirmed)
    }
  }
}
