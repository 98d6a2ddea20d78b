import Keystore
import Ledger
import Payouts
import Streams
import Synchronization
import Testing
import Tron

@testable import Simulation

/// What takes effect only after its caller has gone on.
@Suite struct LateEffectTests {
  private static let start = SimulatedWorld.beginning
  private static let seed: UInt64 = 7

  private let host = SimulationHost(seed: LateEffectTests.seed, start: LateEffectTests.start)
  private let database: SimulatedDatabase

  init() { database = SimulatedDatabase(host) }

  private func gate(_ faults: [Fault] = []) -> FaultGate {
    FaultGate(FaultPlan(listed: faults), seed: Self.seed, host: host)
  }

  private func fault(_ site: String, _ channel: Channel, _ happening: Happening) -> Fault {
    Fault(place: FaultPlace(process: "worker-1", site: site, ordinal: 1), channel: channel, happening: happening)
  }

  /// Runs something in a process until nobody does anything any more.
  private func run(
    _ process: SimulatedProcess? = nil, _ body: @escaping @Sendable () async throws -> Void
  ) {
    (process ?? SimulatedProcess("worker-1", in: host)).start { try? await body() }
    _ = host.run(until: Self.start + 1_000_000)
  }

  // MARK: COMMIT

  @Test("a late COMMIT is seen by nobody until it lands, and holds its rows until then: others wait for it")
  func commitHoldsItsRows() throws {
    let late = fault("pause", .ledgerWrite, .landsLate)
    let moment = late.lateness(Self.seed)
    let (database, host) = (database, host)
    let ledger = SimulatedLedger(
      database: database, gate: gate([late]), process: SimulatedProcess("worker-1", in: host))
    let told = Mutex<[String]>([])
    run {
      do { try await ledger.write("pause") { $0.pauseReason = "late" } } catch let error as LedgerError {
        told.withLock { $0.append("\(error.code) \(database.contents.pauseReason ?? "nothing")") }
      }
      let asked = host.now
      // Another row: nobody holds it.
      try await ledger.write("retire") { $0.retiredJournals[[1]] = "signer-1" }
      #expect(host.now - asked < 10 && database.contents.retiredJournals.count == 1)
      // The same one: it comes after the late one, or fails in good time.
      do {
        try await ledger.write("pause again") { $0.pauseReason = "\($0.pauseReason ?? "nothing"), again" }
      } catch let error as LedgerError { told.withLock { $0.append("\(error.code)") } }
    }
    let expected =
      moment < FaultGate.timeOutMilliseconds - 100
      ? ["outcomeUnknown nothing"] : ["outcomeUnknown nothing", "unavailable"]
    #expect(told.withLock { $0 } == expected)
    #expect(database.contents.pauseReason == (expected.count == 1 ? "late, again" : "late"))
    #expect(database.contents.retiredJournals.count == 1)
  }

  @Test("who would wait for a late COMMIT longer than a caller does is told that nothing was done")
  func waitsAreLimited() throws {
    let (database, host) = (database, host)
    let outcome = Mutex<[String]>([])
    run {
      let land = try await database.commitLate(
        "pause", actor: "a", landsAt: host.now + 15_000
      ) { $0.pauseReason = "late" }
      let asked = host.now
      do { try await database.transaction("pause", actor: "b") { $0.pauseReason = "early" } } catch let error
        as LedgerError
      { outcome.withLock { $0.append("\(error.code) after \(host.now - asked)") } }
      await land()
      try await database.transaction("pause", actor: "b") { $0.pauseReason = "\($0.pauseReason ?? ""), then another" }
    }
    #expect(outcome.withLock { $0 } == ["unavailable after 10000"])
    #expect(database.contents.pauseReason == "late, then another")
  }

  @Test("a server that starts again, and one that is restored, rolls late COMMITs back", arguments: [false, true])
  func stopsWithTheServer(isRestored: Bool) throws {
    let (database, host) = (database, host)
    database.backUp([])
    run {
      let land = try await database.commitLate(
        "pause", actor: "a", landsAt: host.now + 5_000
      ) { $0.pauseReason = "late" }
      if isRestored { _ = database.goBack(slots: 0, losesAcceptances: true, by: .fileCopy) } else { database.restart() }
      // Whom it would have kept waiting goes on at once.
      let asked = host.now
      try await database.transaction("pause", actor: "b") { $0.pauseReason = "early" }
      #expect(host.now == asked)
      await land()
    }
    #expect(database.contents.pauseReason == "early")
  }

  @Test("what skips locked rows passes by those of a late COMMIT, and its other rows land beside what others wrote")
  func skipsLockedRows() throws {
    let (database, host) = (database, host)
    let seen = Mutex<[Set<String>]>([])
    run {
      try await database.transaction("serve", actor: "a") { $0.servers = ["x": .init(), "y": .init()] }
      let land = try await database.commitLate(
        "claim", actor: "a", landsAt: host.now + 5_000
      ) { $0.servers["x"]?.claims = 1 }
      try await database.transaction("claim", actor: "b") { tables in
        let locked = tables.beside.servers
        seen.withLock { $0.append(locked) }
        tables.servers["y"]?.claims = 2
      }
      #expect(database.contents.servers["x"]?.claims == 0)
      await land()
      try await database.transaction("claim", actor: "b") { tables in
        let locked = tables.beside.servers
        seen.withLock { $0.append(locked) }
      }
    }
    #expect(seen.withLock { $0 } == [["x"], []])
    #expect(database.contents.servers["x"]?.claims == 1 && database.contents.servers["y"]?.claims == 2)
  }

  @Test("a late COMMIT knows all that the tables hold, but for what belongs to one transaction")
  func knowsAllTables() {
    let ofOneTransaction: Set = ["now", "life", "beside", "actor", "emergencySweep", "beingPutBack"]
    let names = Mirror(reflecting: database.contents).children.compactMap(\.label).filter {
      !ofOneTransaction.contains($0)
    }
    #expect(names.count > 30)
    #expect(LateCommit.partNames.sorted() == names.sorted())
  }

  @Test("the oracle is told what a late COMMIT decided when it did, and what it made true when it landed")
  func oracleIsTold() throws {
    let told = Mutex<[String]>([])
    let host = host
    let database = SimulatedDatabase(host) { stage, before, after in
      told.withLock { $0.append("\(stage) \(before.pauseReason ?? "") \(after.pauseReason ?? "")") }
    }
    run {
      let land = try await database.commitLate("pause", actor: "a", landsAt: host.now + 9) { $0.pauseReason = "late" }
      try await database.transaction("retire", actor: "b") { $0.retiredJournals[[1]] = "x" }
      await land()
    }
    #expect(told.withLock { $0 } == ["made  late", "done  ", "landed  late"])
  }

  // MARK: Nodes and Redis

  @Test(
    "a transaction that is late comes to the node when its sender has long gone on, or died", arguments: [false, true])
  func broadcastIsLate(dies: Bool) throws {
    let key = HotWalletKey(try PrivateKey(hex: SimulatedWorld.signerKey))
    let chain = SimulatedChain(now: Self.start, solidLag: 3)
    let oracle = Oracle(chain, WorldSettings())
    let late = fault("broadcast", .broadcast, dies ? .crashesAndLandsLate : .landsLate)
    let process = SimulatedProcess("worker-1", in: host)
    let node = SimulatedNode(chain: chain, host: host, gate: gate([late]), process: process, oracle: oracle)
    let transaction = try UnsignedTransaction.tokenTransfer(
      owner: key.address, token: SimulatedWorld.token,
      to: try Address(bytes: [0x41] + [UInt8](repeating: 9, count: 20)),
      amount: try Amount(microUSDT: 1), referenceBlock: chain.latest(.solid).block.header.id,
      expiration: Timestamp(milliseconds: Self.start + 500_000), timestamp: Timestamp(milliseconds: Self.start),
      feeLimit: Sun(1)
    ).signed(by: key)
    let isAnswered = Atomic(false)
    process.start {
      do { _ = try await node.broadcast(transaction.bytes) } catch {
        isAnswered.store((error as? TronNodeError)?.isUnknownOutcome == true, ordering: .sequentiallyConsistent)
      }
    }
    _ = host.run(until: Self.start + 500)
    #expect(isAnswered.load(ordering: .sequentiallyConsistent) == !dies && process.isDead == dies)
    // It may pay from the moment at which it left its sender.
    #expect(chain.broadcasts == [transaction] && chain.pending.isEmpty)
    _ = host.run(until: Self.start + late.lateness(Self.seed) + 10)
    #expect(chain.pending == [transaction.txid])
  }

  @Test("a Redis command that is late is carried out when its sender has gone on")
  func commandIsLate() async throws {
    let late = fault("append", .stream, .landsLate)
    let host = host
    let streams = MemoryStreams(now: { host.now }, sleep: { try await host.sleep(until: host.now + Int64($0)) })
    let process = SimulatedProcess("worker-1", in: host)
    let transport = SimulatedStreams(
      streams: streams, server: SimulatedProcess("redis", in: host), gate: gate([late]), process: process)
    let lengths = Mutex<[Int]>([])
    run(process) {
      do { try await transport.append([["a": "b"]], to: .batchesReady) } catch {
        let length = try await transport.length(of: .batchesReady)
        lengths.withLock { $0.append(length) }
      }
      try await host.sleep(until: host.now + late.lateness(Self.seed) + 10)
      let length = try await transport.length(of: .batchesReady)
      lengths.withLock { $0.append(length) }
    }
    #expect(lengths.withLock { $0 } == [0, 1])
  }

  @Test("how late something is depends on its place alone, so that it stays when other faults are left out")
  func latenessIsOfThePlace() {
    let moments = (1...50).map { ordinal in
      Fault(
        place: FaultPlace(process: "signer-1", site: "broadcast", ordinal: ordinal), channel: .broadcast,
        happening: .landsLate
      ).lateness(Self.seed)
    }
    #expect(Set(moments).count > 40 && moments.allSatisfy(Channel.broadcast.lateness.contains))
    #expect(
      moments[0]
        == Fault(
          place: FaultPlace(process: "signer-1", site: "broadcast", ordinal: 1), channel: .broadcast,
          happening: .crashesAndLandsLate
        ).lateness(Self.seed))
  }
}
