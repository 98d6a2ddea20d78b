import Payouts
import Streams
import TestSupport
import Testing

@testable import Ingest

/// The rate limits of one process alone.
struct LocalRatesTests {
  private let clock = VirtualClock(Timestamp(milliseconds: 1_700_000_000_000))
  private let limit = RateLimit(count: 6)

  @Test func `what is used up comes anew as time goes by, each caller for itself`() {
    // Proves the limit by the injected clock, and that one caller's use is not another's.
    let rates = LocalRates(clock: clock)
    for left in (0..<6).reversed() { #expect(rates.take("a", of: limit).remaining == left) }
    #expect(!rates.take("a", of: limit).isTaken && rates.take("b", of: limit).isTaken)
    clock.advance(byMilliseconds: 9_999)
    #expect(!rates.take("a", of: limit).isTaken)
    clock.advance(byMilliseconds: 1)
    #expect(rates.take("a", of: limit).isTaken && !rates.take("a", of: limit).isTaken)
    clock.advance(byMilliseconds: -3_600_000)
    #expect(rates.take("a", of: limit).retryAfterSeconds == 10)
    clock.advance(byMilliseconds: 10_000)
    #expect(rates.take("a", of: limit).isTaken)
  }

  @Test func `what was decided elsewhere counts here`() {
    // Proves that nobody gets a full allowance anew when this one takes over.
    let rates = LocalRates(clock: clock)
    rates.note(
      "a", limit.verdict(fullAt: clock.now().milliseconds * 1_000 + 40_000_000, now: clock.now().milliseconds * 1_000))
    #expect(rates.take("a", of: limit).isTaken && !rates.take("a", of: limit).isTaken)
  }

  @Test func `no more allowances are remembered than there is room for`() {
    // Proves the bound, that full ones go first, and that of the others those are kept that were used the most.
    let rates = LocalRates(clock: clock, allowancesMax: 16)
    for number in 0..<10 { _ = rates.take("early-\(number)", of: limit) }
    clock.advance(byMilliseconds: 10_000)
    for _ in 0..<6 { _ = rates.take("greedy", of: limit) }
    for number in 0..<1_000 {
      _ = rates.take("caller-\(number)", of: limit)
      #expect(rates.count <= 16)
    }
    #expect(!rates.take("greedy", of: limit).isTaken)
  }
}
