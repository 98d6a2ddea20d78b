import Ingest
import Keystore
import Ledger
import Logging
import Payouts
import Streams
import Synchronization
import Tron
import Worker

/// A whole installation in one deterministic world: clients, all four workers, database, Redis, disks and chain.
///
/// The workers' code is the real one. What surrounds it is simulated: everything that happens is decided by the seed.
final class SimulatedWorld: Sendable {
  /// What came of a run.
  struct Outcome: Sendable {
    /// What was found wrong; empty in a good world.
    let violations: [String]
    /// How many inputs and outputs there were until the world had come to rest.
    let inputsAndOutputs: Int
    /// Each of them, in order, where recorded.
    let visited: [FaultGate.Visit]
    /// What went wrong on purpose.
    let injected: [Fault]
    /// What happened by itself.
    let accidents: [SlotAccident]
    /// How many jobs ran: equal in two runs of one schedule.
    let jobs: Int
    /// The virtual time it took, in milliseconds.
    let milliseconds: Int64
    /// The ends of payouts.
    let ends: [PayoutStatus: Int]
    /// How often what must be seen now and then came about: alarms, quarantines, what was put back and held.
    let seen: [String: Int]
    /// For people: what happened to each payout; empty in a good world that is not recorded.
    let story: [String]
  }

  /// When all worlds begin: a Thursday at 11:57 UTC.
  static let beginning: Int64 = 1_767_873_420_000
  static let network = Network.devnet
  static let token = Network.mainnet.usdtContract ?? .zero
  static let signerKey = String(repeating: "01", count: 32)
  static let strangerKeyText = String(repeating: "02", count: 32)
  static let sealKey = "test:" + String(repeating: "07", count: 32)

  let settings: WorldSettings
  let host: SimulationHost
  let gate: FaultGate
  let chain: SimulatedChain
  let oracle: Oracle
  let database: SimulatedDatabase
  let streams: MemoryStreams
  /// Redis's own process, which never dies.
  let redis: SimulatedProcess
  let key: HotWalletKey
  let strangerKey: HotWalletKey
  let sealer: Sealer
  let disks: SignerDisks
  let accidents: AccidentSource
  let clocks = MachineClocks()
  let desks = Mutex<[String: (SimulatedProcess, IngestDesk)]>([:])
  private let processes = Mutex<[String: SimulatedProcess]>([:])
  private let isRecording: Bool
  private let answered = Mutex(0)
  /// What was last found in the database about the world's rest, and after how many writes.
  private let rest = Mutex<(writes: Int, isAtRest: Bool)>((-1, false))
  /// Whether dead processes are left dead.
  private let isOver = Mutex(false)

  /// A world in which nothing has happened.
  /// - Throws: what the fixed keys cannot have.
  init(_ schedule: Schedule, isRecording: Bool = false) throws {
    settings = schedule.settings
    self.isRecording = isRecording
    host = SimulationHost(seed: schedule.seed, start: Self.beginning)
    gate = FaultGate(schedule.plan, seed: schedule.seed, host: host, isRecording: isRecording)
    accidents = AccidentSource(settings, listed: schedule.accidents, seed: schedule.seed)
    chain = SimulatedChain(now: Self.beginning, solidLag: settings.solidLag)
    oracle = Oracle(chain, settings)
    let (host, oracle) = (host, oracle)
    database = SimulatedDatabase(host) { oracle.changed($0, from: $1, to: $2) }
    redis = SimulatedProcess("redis", in: host)
    streams = MemoryStreams(now: { host.now }, sleep: { try await host.sleep(until: host.now + Int64($0)) })
    key = HotWalletKey(try PrivateKey(hex: Self.signerKey))
    sealer = try Sealer(Self.sealKey)
    let random = SimulatedRandom(host)
    strangerKey = HotWalletKey(try PrivateKey(hex: Self.strangerKeyText))
    disks = SignerDisks((0..<settings.replicas).map { _ in random.bytes(16) })
    try declare()
    database.backUp(disks.marks)
  }

  /// `payoutctl signer init`, once a Signer.
  private func declare() throws {
    let solid = chain.latest(.solid).block.header
    let begin = BlockPlace(number: solid.number, id: solid.id, time: solid.timestamp)
    for index in 0..<settings.replicas {
      guard let id = disks.present(index)?.id else { continue }
      let wallet = key.address
      try database.transaction(actor: "operator") { tables in
        _ = try tables.declare(wallet: wallet, signer: Self.signerName(index), journalID: id, begin: begin)
      }
    }
  }

  static func signerName(_ index: Int) -> String { "signer-\(index + 1)" }

  /// Runs the world until it has come to rest, and judges it.
  func run() -> Outcome {
    let outside = SimulatedProcess("outside", in: host)
    for index in 0..<settings.replicas {
      for kind in WorkerKind.allCases where kind != .operator || index == 0 { start(kind, index) }
    }
    outside.start { try? await self.rule() }
    if settings.batch > 0 { outside.start { try? await self.askForBatch() } }
    for number in settings.batch..<settings.payouts { outside.start { try? await self.ask(number) } }

    let end = Self.beginning + settings.calmAfter + settings.restMilliseconds
    let ending = host.run(until: end) { !isAtRest }
    if ending == .stuck { oracle.violated("nobody could do anything any more") }
    let (life, visited) = (gate.count, gate.visited)
    runOut()
    let tables = database.contents
    oracle.judge(tables)
    let violations = oracle.violations
    defer { host.unwind() }
    return Outcome(
      violations: violations, inputsAndOutputs: life, visited: visited, injected: gate.injected,
      accidents: accidents.happened, jobs: host.executedJobs, milliseconds: host.now - Self.beginning,
      ends: tables.payouts.values.reduce(into: [:]) { $0[$1.status, default: 0] += 1 }, seen: seen(tables),
      story: isRecording || !violations.isEmpty ? story(tables) : [])
  }

  /// What was sent may still pay: the workers go on for a while, and then the chain alone until all of it has expired.
  private func runOut() {
    let late = host.now + 60_000
    let isDrained = Mutex(false)
    if settings.endsWhenDrained {
      SimulatedProcess("drain", in: host).start { [host, streams] in
        do {
          repeat { try await host.sleep(until: host.now + 100) } while await streams.holdsWork || self.hasDead
          // Who was just started again looks at what it knows.
          try await host.sleep(until: host.now + 1_000)
        } catch { return }
        isDrained.withLock { $0 = true }
      }
    }
    _ = host.run(until: late) { host.now < late && !isDrained.withLock { $0 } }
    isOver.withLock { $0 = true }
    for process in processes.withLock({ $0.values.sorted { $0.name < $1.name } }) { process.kill() }
    let latest = late + 180_000
    _ = host.run(until: latest) { host.now < latest }
  }

  private var isAtRest: Bool {
    guard answered.withLock({ $0 }) == settings.payouts, host.now >= Self.beginning + settings.calmAfter else {
      return false
    }
    // Asked after every job: looked for anew only where something was written.
    let writes = database.writes
    return rest.withLock { rest in
      if rest.writes != writes { rest = (writes, hasNothingToDo) }
      return rest.isAtRest
    }
  }

  private var hasNothingToDo: Bool {
    database.reading(actor: "oracle") { tables in
      tables.isContinuous && tables.payouts.values.allSatisfy(\.status.isFinal)
        && !tables.webhooks.contains { $0.state == .pending }
    }
  }

  /// A client has what it wanted.
  func noteAnswered() { answered.withLock { $0 += 1 } }

  // MARK: Processes

  /// Starts a worker's process; after its death another one is started.
  func start(_ kind: WorkerKind, _ index: Int) {
    let name = "\(kind.rawValue)-\(index + 1)"
    let process = SimulatedProcess(name, in: host) { [weak self] in self?.bury(name, kind, index) }
    processes.withLock { $0[name] = process }
    process.start { await self.main(kind, index, process) }
  }

  private func bury(_ name: String, _ kind: WorkerKind, _ index: Int) {
    _ = desks.withLock { $0.removeValue(forKey: name) }
    guard !isOver.withLock({ $0 }) else { return }
    let undertaker = SimulatedProcess("undertaker", in: host)
    let pause = 200 + Int64(host.draw(below: 5_000))
    undertaker.start { [host, disks] in
      do {
        try await host.sleep(until: host.now + pause)
        if kind == .signer, disks.awayUntil(index) > host.now { try await host.sleep(until: disks.awayUntil(index)) }
      } catch {
        return
      }
      guard !self.isOver.withLock({ $0 }) else { return }
      self.start(kind, index)
    }
  }

  /// Whether one died and is not started again yet.
  private var hasDead: Bool { processes.withLock { $0.values.contains(where: \.isDead) } }

  /// The names of processes that live, in order.
  var livingProcesses: [String] { processes.withLock { $0.filter { !$0.value.isDead }.keys.sorted() } }

  /// Kills a process, where it lives.
  func kill(_ name: String) { processes.withLock { $0[name] }?.kill() }
}
