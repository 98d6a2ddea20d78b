import Payouts
import Testing

@testable import Simulation

/// Worlds in which exactly one disaster happens, so that it is seen what comes of it.
@Suite struct DisasterWorldTests {
  /// The accidents of a world whose clients ask within half a minute.
  private func run(
    _ accidents: [(slot: Int64, accident: Accident)], seed: UInt64 = 5,
    _ change: (inout WorldSettings) -> Void = { _ in }
  ) throws -> SimulatedWorld.Outcome {
    var settings = WorldSettings()
    settings.solidLag = 7
    settings.calmAfter = 60_000
    change(&settings)
    return try Schedule(
      seed: seed, settings: settings, plan: FaultPlan(),
      accidents: accidents.map { SlotAccident(slot: $0.slot, accident: $0.accident) }
    ).run(isRecording: true)
  }

  private func tells(_ story: [String], _ text: String) -> Bool {
    story.contains { $0.contains(text) }
  }

  @Test("a Signer's disk lost together with what the database knew of its signings is waited out, and all is paid once")
  func diskLost() throws {
    let outcome = try run([(14, .diskLost(signer: 0)), (14, .restore(slots: 8, losesAcceptances: false))])
    #expect(outcome.violations == [])
    #expect(outcome.ends == [.confirmed: 4])
    #expect(tells(outcome.story, "quarantine ended by waiting"))
    #expect(outcome.milliseconds > 720_000)
  }

  @Test("journal and database taken back together are waited out")
  func takenBack() throws {
    let outcome = try run([(14, .snapshot(slots: 6))]) { $0.isDevelopment = false }
    #expect(outcome.violations == [])
    #expect(outcome.ends == [.confirmed: 4])
    #expect(tells(outcome.story, "quarantine ended by waiting"))
  }

  @Test("a lost transaction that a fork drops after it was found holds nobody up once it cannot be valid any more")
  func droppedByFork() throws {
    let outcome = try run([(13, .snapshot(slots: 3)), (16, .fork(depth: 6, pendsAgain: false))], seed: 400_304) {
      $0.isDevelopment = false
      $0.payouts = 5
      $0.calmAfter = 240_000
      $0.losesAcceptances = true
      $0.repetitions = 3
      $0.expiring = 3_000
    }
    #expect(outcome.violations == [])
    #expect(outcome.seen["finding acknowledged", default: 0] > 0)
    #expect(outcome.ends[.confirmed, default: 0] >= 3)
  }

  @Test("two lost attempts of one payout, both of which failed, are adopted one after the other by a person's choice")
  func bothFailed() throws {
    let accidents: [(Int64, Accident)] = [
      (48, .diskLost(signer: 1)), (48, .restore(slots: 20, losesAcceptances: true)), (48, .away(signer: 0, slots: 91)),
      (73, .diskLost(signer: 0)),
    ]
    let outcome = try run(accidents, seed: 837_900) {
      $0.payouts = 3
      $0.replicas = 2
      $0.refusedRecipients = 1
      $0.calmAfter = 240_000
      $0.losesAcceptances = true
      $0.repetitions = 3
    }
    #expect(outcome.violations == [])
  }

  @Test("journal and database taken back to before the first vouching are waited out")
  func takenBackToTheBeginning() throws {
    // What was signed lies in no block until the snapshot has taken all knowledge of it.
    let leftOut = (1...20).flatMap { slot in (0..<4).map { (Int64(slot), Accident.leftOut(sent: $0)) } }
    let outcome = try run(leftOut + [(6, .snapshot(slots: 6))], seed: 1) {
      $0.isDevelopment = false
      $0.losesAcceptances = true
      $0.repetitions = 2
    }
    #expect(outcome.violations == [])
    #expect(outcome.ends == [.confirmed: 4])
    #expect(tells(outcome.story, "quarantine ended by waiting"))
  }

  @Test("a lost disk that is found again brings what the database lacks")
  func diskFound() throws {
    let outcome = try run(
      [(14, .diskLost(signer: 0)), (14, .restore(slots: 8, losesAcceptances: false)), (500, .diskFound(signer: 0))]
    ) { $0.calmAfter = 1_800_000 }
    #expect(outcome.violations == [])
    #expect(outcome.ends == [.confirmed: 4])
  }

  @Test("a Signer that stays away is waited out by the other one")
  func away() throws {
    let outcome = try run([(10, .away(signer: 1, slots: 400)), (12, .restart)]) {
      $0.replicas = 2
      $0.calmAfter = 1_500_000
    }
    #expect(outcome.violations == [])
    #expect(outcome.ends == [.confirmed: 4])
    #expect(tells(outcome.story, "quarantine ended by waiting"))
  }

  @Test("a second restore in the middle of a quarantine begins it anew")
  func secondRestore() throws {
    let outcome = try run(
      [
        (14, .diskLost(signer: 0)), (14, .restore(slots: 8, losesAcceptances: false)),
        (150, .restore(slots: 3, losesAcceptances: false)),
      ]
    ) { $0.calmAfter = 600_000 }
    #expect(outcome.violations == [])
    #expect(outcome.ends == [.confirmed: 4])
    #expect(outcome.milliseconds > 720_000 + 400_000)
  }

  @Test("acceptances that a restore took are put back from the log of intents, and paid once")
  func acceptancesLost() throws {
    let outcome = try run([(14, .restore(slots: 13, losesAcceptances: true))]) { $0.repetitions = 2 }
    #expect(outcome.violations == [])
    #expect(outcome.ends == [.confirmed: 4])
    #expect(tells(outcome.story, "put back from the log of intents"))
  }

  @Test("what nobody knows any more is accepted again under its key, and the payment that the fence found is adopted")
  func acceptancesForgotten() throws {
    let outcome = try run(
      [(18, .flush), (18, .diskLost(signer: 0)), (18, .restore(slots: 17, losesAcceptances: true))]
    ) { $0.repetitions = 2 }
    #expect(outcome.violations == [])
    #expect(outcome.ends == [.confirmed: 4])
    let adoptions = outcome.seen["adoption done", default: 0]
    #expect(adoptions > 0)
    #expect(tells(outcome.story, "put back from the journal of"))
  }

  @Test(
    "a theft opens the breaker until the operator has acknowledged it",
    arguments: [Stranger.stolenTransfer, .stolenApproval])
  func theft(kind: Stranger) throws {
    let outcome = try run([(6, .strange(kind))])
    #expect(outcome.violations == [])
    #expect(outcome.ends == [.confirmed: 4])
    #expect(tells(outcome.story, "alarm unknown_transaction"))
  }

  @Test("what anybody can do on the chain is no finding", arguments: Stranger.allCases.filter { !$0.isTheft })
  func harmless(kind: Stranger) throws {
    let outcome = try run([(6, .strange(kind))])
    #expect(outcome.violations == [])
    #expect(!tells(outcome.story, "alarm"))
  }

  // MARK: A chain that stands still

  @Test(
    "while the solid block stands still for longer than a transaction lives, nothing is judged and all is paid once")
  func solidFrozen() throws {
    let outcome = try run([(1, .frozen(slots: 220))]) { $0.calmAfter = 750_000 }
    #expect(outcome.violations == [])
    #expect(outcome.ends == [.confirmed: 4])
    #expect(outcome.seen["alarm solid_stalled", default: 0] == 1)
  }

  @Test("a chain that stands still for minutes pays what was sent when it goes on, or signs it again")
  func halted() throws {
    let outcome = try run([(6, .halted(slots: 80))]) { $0.calmAfter = 300_000 }
    #expect(outcome.violations == [])
    #expect(outcome.ends == [.confirmed: 4])
    #expect(outcome.seen["alarm head_stalled", default: 0] == 1)
  }

  @Test(
    "a fork that undoes forty blocks, none of them solid, is told of, and all is paid once", arguments: [false, true])
  func deepFork(pendsAgain: Bool) throws {
    let outcome = try run([(1, .frozen(slots: 60)), (45, .fork(depth: 40, pendsAgain: pendsAgain))]) {
      $0.calmAfter = 240_000
    }
    #expect(outcome.violations == [])
    #expect(outcome.ends == [.confirmed: 4])
    #expect(outcome.seen["alarm deep_reorganisation", default: 0] == 1)
  }

  @Test(
    "a node of three that makes up branches of its own, from far below the solid block too, stops nobody for good",
    arguments: [UInt64(2), 3, 4])
  func falseBranches(seed: UInt64) throws {
    var settings = WorldSettings()
    (settings.nodes, settings.payouts, settings.solidLag, settings.calmAfter) = (3, 3, 7, 900_000)
    settings.hasFalseBranches = true
    let outcome = try Schedule(
      seed: seed, settings: settings, plan: FaultPlan(liesPerTenThousand: 3_000), accidents: []
    ).run()
    #expect(outcome.violations == [])
    #expect(outcome.ends == [.confirmed: 3])
    #expect(outcome.injected.contains { $0.happening == .branches })
  }

  @Test("an hour's limit refuses what does not fit, and takes it in the next hour")
  func hourlyLimit() throws {
    let outcome = try run([]) { $0.hourlyLimit = 2_500_000 }
    #expect(outcome.violations == [])
    #expect(outcome.ends == [.confirmed: 4])
  }

  @Test("a day's limit refuses for good what does not fit")
  func dailyLimit() throws {
    let outcome = try run([]) { $0.routerDailyLimit = 2_500_000 }
    #expect(outcome.violations == [])
    #expect(outcome.ends == [.confirmed: 2])
  }

  @Test("what is larger than Signers' own limit is held, released in vain, and rejected")
  func largePayout() throws {
    let outcome = try run([]) {
      $0.signerHourlyLimit = 4_200_000
      $0.largePayouts = 1
    }
    #expect(outcome.violations == [])
    #expect(outcome.ends == [.confirmed: 3, .rejected: 1])
    #expect(tells(outcome.story, "signer_limit"))
  }

  @Test("payouts whose own end passes before they are signed expire, unpaid")
  func expiry() throws {
    // In the first hour, which ends after three minutes, Signers have room for one.
    let outcome = try run([]) {
      $0.signerHourlyLimit = 1_100_000
      $0.expiring = 10_000
    }
    #expect(outcome.violations == [])
    #expect(outcome.ends == [.confirmed: 1, .expired: 3])
  }
}
