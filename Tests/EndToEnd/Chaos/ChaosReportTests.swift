import Payouts
import Testing

/// A chaos run that met nothing proves nothing, and its report says so.
@Suite struct ChaosReportTests {
  private static func report(
    seconds: Int, _ verdicts: ChaosVerdicts, met: [String: Int] = ["claim": 1]
  ) -> ChaosReport {
    let wallet = Address(account: [UInt8](repeating: 0x01, count: 20))
    let paid = PaidWorld.Payout(status: "confirmed", recipient: "\(wallet)", amount: "1", txid: "tx", history: [])
    let world = PaidWorld(
      wallet: wallet, balanceBefore: 0, balanceAfter: 0, orders: [], payouts: ["a": paid], payments: [], told: [:],
      hourlyLimit: nil, reserved: nil, day: nil)
    return ChaosReport(
      seed: 1, seconds: seconds, minutes: 9, world: world,
      faults: Dictionary(uniqueKeysWithValues: ChaosFault.allCases.map { ($0, 1) }), falsified: met,
      refusalsOfFullDisk: 1, deathsOfPostgres: 0, restarts: [9: 1], decisions: [:], refusals: 1, longestWait: .zero,
      unverified: 0, jumpsSeen: 1, verdicts: verdicts, askedAgain: 1, violations: [])
  }

  @Test func `a long run must have met a death that was followed by a payment, and lies that stood`() {
    let both = ["omit": 2, "claim": 2]
    #expect(
      Self.report(seconds: 300, .unknown, met: both).unmet == [
        "no payout was paid by an attempt after one that died", "no lie stood until a verdict was due: claim",
        "no lie stood until a verdict was due: omit",
      ])
    let known = ChaosVerdicts(dead: 3, paidAfterDeath: 1, lies: ["omit": 1, "claim": 1])
    #expect(Self.report(seconds: 300, known, met: both).unmet.isEmpty)
    #expect(Self.report(seconds: 300, known).unmet == ["no worker was given a lie: omit"])
  }

  @Test func `a short run need only have given a lie to a worker`() {
    #expect(Self.report(seconds: 299, .unknown).unmet.isEmpty)
    #expect(Self.report(seconds: 299, .unknown, met: [:]).unmet.count == 2)
  }
}
