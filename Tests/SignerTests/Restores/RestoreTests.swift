import Foundation
import Ledger
import Payouts
import Postgres
import TestSupport
import Testing

@testable import Payoutctl

/// Databases and disks that go back in time (DESIGN.md §3 "Continuity"), each with payouts flowing, some signed and in
/// no block, some accepted and some ended unpaid since the copy. Clients submit every key again before and after. Each
/// time: one transfer a key, nothing signed and nothing ended unpaid while the history is not vouched for, findings
/// listed and matched, operation goes on. What is told between the copy and the end stands in `RestoreStory`.
///
/// Where a journal is lost with the history, operators are quick in some: then nothing but the quarantine keeps what is
/// under way from being signed again.
@Suite(.serialized, .timeLimit(.minutes(10))) struct RestoreTests {
  private typealias Disaster = @Sendable (PrivatePostgres, RestoreScene) async throws -> Void

  private let story = RestoreStory()

  private func withServer(_ body: (PrivatePostgres) async throws -> Void) async throws {
    let server = try await PrivatePostgres.start()
    let result: Result<Void, any Error>
    do { result = .success(try await body(server)) } catch { result = .failure(error) }
    try await server.stop()
    try result.get()
  }

  private func withScene(
    names: [String] = ["signer-1"], isDevelopment: Bool = true, _ body: Disaster
  ) async throws {
    try await withServer { server in
      try await RestoreScene.run(names: names, isDevelopment: isDevelopment, on: server) { try await body(server, $0) }
    }
  }

  /// A copy of the database that can be put back into the same server.
  enum Copy: String, Sendable {
    case baseBackup = "base backup"
    case dump = "dump into the running server"
  }

  /// A copy is made in the middle of the story, and put back when more has happened.
  ///
  /// - Parameters:
  ///   - name: the Signer that signs after the copy.
  ///   - besides: what else is done when the copy is made.
  private func takeBack(
    _ copy: Copy, _ story: RestoreStory, _ server: PrivatePostgres, _ restore: RestoreScene,
    signer name: String = "signer-1", besides: () async throws -> Void = {}
  ) async throws {
    try await story.beforeTheCopy(restore)
    switch copy {
    case .baseBackup: try await server.takeBaseBackup()
    case .dump: try await server.dump(restore.database)
    }
    try await besides()
    try await story.afterTheCopy(restore, signer: name)
    switch copy {
    case .baseBackup: try await server.restoreBaseBackup()
    case .dump: try await restore.loadDumpInPlace()
    }
  }

  @Test func `(i) a base backup is restored, without recovery signal`() async throws {
    // "It is false after every start of the server": such a backup keeps identifier and timeline.
    try await withScene { server, restore in
      try await takeBack(.baseBackup, story, server, restore)
      try await restore.wakeUp()
      try await story.recover(restore, "(i) base backup")
    }
  }

  @Test func `(ii) a file copy is put back, and others write past the old end of the log`() async throws {
    // "One that compares the server's … start time": the log's position says nothing.
    try await withScene { server, restore in
      try await story.beforeTheCopy(restore)
      try await server.copyData()
      try await restore.wakeUp()
      await restore.vouch("signer-1")
      let life = try await restore.scene.ledger.vouchingState(signer: "signer-1").life
      try await story.afterTheCopy(restore)
      let position = try await restore.logPosition()
      try await server.putBackData()
      try await restore.wakeUp()
      try await restore.write(beyond: position, submitting: story.all)
      let now = try await restore.scene.ledger.vouchingState(signer: "signer-1").life
      #expect((now.systemIdentifier, now.timeline) == (life.systemIdentifier, life.timeline))
      try await story.recover(restore, "(ii) file copy")
    }
  }

  @Test func `(iii) a standby that lags by a hundred commits is promoted while Signers run`() async throws {
    // "Or a standby promoted that lacked the last commits": it started before they were made; its timeline is another.
    try await withServer { server in
      let port = try FreePort.choose()
      try await RestoreScene.run(sparePort: port, on: server) { restore in
        let standby = try await server.startStandby(port: port)
        try await story.beforeTheCopy(restore)
        try await eventually("the standby has caught up") {
          try await server.query(
            "SELECT count(*) FROM pg_stat_replication WHERE replay_lsn >= pg_current_wal_lsn()"
          ).hasPrefix("1")
        }
        try await standby.stopReceiving()
        try await eventually("the standby receives no more") {
          try await server.query("SELECT count(*) FROM pg_stat_replication").hasPrefix("0")
        }
        try await story.afterTheCopy(restore)
        for _ in 0..<100 { try await restore.scene.pool.executeScript("SELECT raise_alarm('a', 'commit', 'more')") }
        let commits = "SELECT coalesce(sum(count), 0) FROM alarms WHERE kind = 'a'"
        #expect(try await restore.scene.count(commits) == 100)
        let sent = await restore.scene.node.broadcasts.count
        try await server.stopServer(mode: .immediate)
        try await restore.goRound { try await standby.promote() }
        try await restore.wakeUp()
        #expect(try await restore.scene.count(commits) == 0)
        #expect(await restore.scene.node.broadcasts.count == sent)
        try await story.recover(restore, "(iii) standby promoted")
        try await standby.stop()
      }
      try await server.startServer()
    }
  }

  @Test func `(iv) a dump is loaded into a new server`() async throws {
    // Another identifier.
    try await withServer { server in
      try await withServer { spare in
        try await RestoreScene.run(spare: spare, on: server) { restore in
          try await story.beforeTheCopy(restore)
          try await server.dump(restore.database)
          try await story.afterTheCopy(restore)
          try await server.stopServer(mode: .fast)
          try await spare.load(dumpOf: server, as: restore.database)
          try await restore.wakeUp()
          try await story.recover(restore, "(iv) dump into a new server")
        }
        try await server.startServer()
      }
    }
  }

  @Test(arguments: [true, false])
  func `(v) a Signer's disk is lost together with the end of the history`(takesTime: Bool) async throws {
    // "Another id under a known name is a lost journal"; "by then all that was signed in the lost history is on the
    // solid chain or dead"; the old disk reappears: "what a late journal still brings goes in with its verdict".
    let story = RestoreStory(takesTime: takesTime)
    try await withScene { server, restore in
      try await takeBack(.baseBackup, story, server, restore)
      try await restore.loseDisk(of: "signer-1")
      try await restore.wakeUp()
      try await restore.replaceJournal(of: "signer-1")
      try await restore.start("signer-1")
      try await story.recover(
        restore, "(v) disk lost\(takesTime ? "" : ", operators quick")",
        from: .historyAndJournal(life: RestoreScene.maximumExpiration))
      try await restore.bringOldDisk(of: "signer-1")
      try await expectNothingNew(story, restore)
    }
  }

  @Test func `(v) a Signer's disk is lost and the database is whole`() async throws {
    // Nothing of the history is lost: payouts end as they do at all times, and only signing waits.
    try await withScene { server, restore in
      try await story.beforeTheCopy(restore)
      try await story.afterTheCopy(restore)
      try await restore.loseDisk(of: "signer-1")
      try await restore.replaceJournal(of: "signer-1")
      try await restore.start("signer-1")
      let lostAt = restore.scene.clock.now()
      try await restore.submit(story.all, areKnown: true)
      try await restore.pass(RestoreStory.untrustedSlots)
      #expect(try await restore.scene.ledger.conditions().quarantine?.until != nil)
      #expect(try await restore.transactions(of: story.accepted).isEmpty)
      try await restore.submit(story.next)
      try await restore.pass(until: "all is at rest") { try await $0.isAtRest() }
      let waited = restore.scene.clock.now().milliseconds(since: lostAt)
      print("restore (v) disk lost, database whole: all at rest after \(waited / 1_000) s of chain time")
      #expect(try await restore.reconcile().transactions.isEmpty)
      try await restore.submit(story.all, areKnown: true)
      try await story.expectEnds(restore)
    }
  }

  @Test(
    arguments: zip(
      ["stays away", "has a new volume", "stays away, the other has a new volume", "stays away"],
      [true, true, true, false]))
  func `(vi) of two Signers one`(what: String, takesTime: Bool) async throws {
    // "All names in any list must vouch"; "Quarantine replaces a vouching that cannot be had (a Signer away …)".
    let story = RestoreStory(takesTime: takesTime)
    try await withScene(names: ["signer-1", "signer-2"]) { server, restore in
      try await takeBack(.baseBackup, story, server, restore, signer: "signer-2")
      let isAway = what.hasPrefix("stays away")
      let withNewVolume = what.hasSuffix("new volume") ? isAway ? "signer-1" : "signer-2" : nil
      if isAway { await restore.stop("signer-2") }
      if let withNewVolume { try await restore.loseDisk(of: withNewVolume) }
      try await restore.wakeUp()
      try await story.recover(
        restore, "(vi) one Signer \(what)\(takesTime ? "" : ", operators quick")",
        from: .historyAndJournal(life: RestoreScene.maximumExpiration)
      ) { restore in
        // The other one alone is not enough.
        try await restore.pass(10)
        #expect(try await restore.isContinuous() == false)
        if isAway {
          let answer = try await restore.scene.ledger.requestQuarantine(
            QuarantineRequest(signer: "signer-2", cause: .signerAway, reason: "its machine burnt"))
          #expect(answer == .requested)
        }
        if let withNewVolume {
          try await restore.replaceJournal(of: withNewVolume)
          try await restore.start(withNewVolume)
        }
      }
      // It comes back: what it knew goes in, and none of it is paid again.
      if isAway { try await restore.start("signer-2") }
      if let withNewVolume { try await restore.bringOldDisk(of: withNewVolume) }
      try await expectNothingNew(story, restore)
      if isAway {
        #expect(try await restore.scene.ledger.vouchingState(signer: "signer-2").hasVouched)
        try await restore.expectEndsOfJournal(of: "signer-2")
      }
    }
  }

  @Test func `(vii) a dump is loaded into the running server`() async throws {
    // "The oid and file node of transactions (a dump loaded into a running server changes these)."
    try await withScene { server, restore in
      try await takeBack(.dump, story, server, restore)
      try await restore.wakeUp()
      try await story.recover(restore, "(vii) dump into the running server")
    }
  }

  @Test(arguments: zip([Copy.baseBackup, .dump, .baseBackup], [true, true, false]))
  func `(viii) journal and database are taken back together`(copy: Copy, takesTime: Bool) async throws {
    // "Where Signer and server have both started since the last vouching, one snapshot may have taken both back:
    // outside dev, the same wait with the configured expiration." A dump needs no start of the server for that.
    let story = RestoreStory(takesTime: takesTime)
    try await withScene(isDevelopment: false) { server, restore in
      try await takeBack(copy, story, server, restore) { try await restore.copyJournal(of: "signer-1") }
      try await restore.putBackJournal(of: "signer-1")
      try await restore.start("signer-1")
      try await restore.wakeUp()
      try await story.recover(
        restore, "(viii) journal and \(copy.rawValue)\(takesTime ? "" : ", operators quick")",
        from: .historyAndJournal(life: RestoreScene.expiration))
      #expect(
        try await restore.scene.ledger.quarantines(atMost: 10).map { [$0.cause.rawValue, $0.outcome?.rawValue] }
          == [["both_started", "waited"]])
    }
  }

  @Test func `(ix) a second restore in the middle of a quarantine`() async throws {
    // "Begun anew at every server start."
    try await withScene { server, restore in
      try await takeBack(.baseBackup, story, server, restore)
      try await restore.loseDisk(of: "signer-1")
      try await restore.wakeUp()
      try await restore.replaceJournal(of: "signer-1")
      try await restore.start("signer-1")
      try await restore.pass(until: "a wait has begun") { try await $0.presentWait() != nil }
      let first = try await restore.presentWait()
      try await restore.submit(story.all)
      try await restore.pass(20)
      // The copy knows nothing of the quarantine: the Signer with the new journal asks for it again.
      try await server.restoreBaseBackup()
      try await restore.wakeUp()
      try await restore.pass(2)
      let second = try await restore.presentWait()
      #expect(try #require(second) > #require(first))
      try await story.recover(
        restore, "(ix) restored again in a quarantine", from: .historyAndJournal(life: RestoreScene.maximumExpiration)
      ) { restore in
        // And where the server merely starts again, the same one begins anew.
        try await server.restart(mode: .immediate)
        try await restore.wakeUp()
        try await restore.pass(2)
        let third = try await restore.presentWait()
        #expect(try #require(third) > #require(second))
      }
    }
  }

  @Test(arguments: ["commit and journal", "journal and broadcast"])
  func `(x) a Signer is killed, and the database goes back, between`(what: String) async throws {
    // "Bytes read or committed under an earlier start and not yet journaled are thrown away": nobody has heard of them.
    // Operators are quick here: what Signers put back is still in time to be sent.
    let interrupted = 801...820
    let story = RestoreStory(interrupted: Array(interrupted), takesTime: false)
    try await withScene { server, restore in
      try await story.beforeTheCopy(restore)
      try await server.takeBaseBackup()
      try await story.afterTheCopy(restore)
      let before = await restore.scene.node.broadcasts.count
      if what == "commit and journal" {
        try await restore.start("signer-1") { ledger in
          WatchedLedger(
            ledger: ledger,
            afterSign: { outcome in if case .done(let signed, _, _) = outcome, signed > 0 { throw Crash() } })
        }
        await restore.vouch("signer-1")
      }
      try await restore.sign(interrupted, by: "signer-1")
      let signed = Set(try await restore.transactions(of: interrupted).values)
      #expect(signed.count == interrupted.count)
      await restore.stop("signer-1")
      #expect(await restore.scene.node.broadcasts.count == before)
      try await server.restoreBaseBackup()
      try await restore.wakeUp()
      try await restore.start("signer-1")
      try await story.recover(restore, "(x) killed between \(what)")
      let sent = Set(await restore.scene.node.broadcasts).intersection(signed)
      #expect(sent == (what == "commit and journal" ? [] : signed))
    }
  }

  /// What comes to light after all was at rest changes nothing of it.
  private func expectNothingNew(_ story: RestoreStory, _ restore: RestoreScene) async throws {
    try await restore.pass(40)
    #expect(try await restore.scene.count("SELECT count(*) FROM transactions WHERE status IN ('signed', 'sent')") == 0)
    #expect(try await restore.isAtRest())
    try await story.expectEnds(restore)
  }
}
