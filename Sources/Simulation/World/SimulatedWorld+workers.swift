import Ingest
import Keystore
import Ledger
import Logging
import Monitor
import Payouts
import Scheduler
import Signer
import Streams
import Tron
import Worker

/// The workers of a world, and the operator.
enum WorkerKind: String, Sendable, CaseIterable {
  case ingest, scheduler, signer, monitor
  case `operator`
}

extension SimulatedWorld {
  /// What a worker's process does until it dies: the same steps in the same run loop as the real one.
  func main(_ kind: WorkerKind, _ index: Int, _ process: SimulatedProcess) async {
    do {
      switch kind {
      case .ingest: try await runIngest(process)
      case .scheduler: try await loop(schedulerSteps(process), process)
      case .signer: try await loop(signerSteps(index, process), process)
      case .monitor: try await loop(monitorSteps(process), process)
      case .operator: await operate(process)
      }
    } catch {
      // A step that cannot go on ends its process, as it does in production; a supervisor starts it again.
    }
    process.kill()
  }

  static let logger = Logger(label: "simulation") { _ in SwiftLogNoOpLogHandler() }

  private func loop(_ steps: [Step], _ process: SimulatedProcess) async throws {
    let clock = self.clock(process)
    try await StepLoop(
      steps, clock: clock, random: SimulatedRandom(host), health: HealthRegistry(service: process.name, clock: clock),
      logger: Self.logger
    ).run(until: StopSignal())
  }

  func clock(_ process: SimulatedProcess) -> SimulatedClock {
    SimulatedClock(host, clocks, of: process.name)
  }

  func ledger(_ process: SimulatedProcess) -> SimulatedLedger {
    SimulatedLedger(database: database, gate: gate, process: process)
  }

  func transport(_ process: SimulatedProcess) -> SimulatedStreams {
    SimulatedStreams(streams: streams, server: redis, gate: gate, process: process) { [oracle, host] in
      oracle.logged($0, at: host.now)
    }
  }

  /// Several nodes are one group in each process; the first of them lies.
  ///
  /// - Parameter disk: of the Signer whose process it is.
  func node(_ process: SimulatedProcess, disk: SimulatedDisk? = nil) -> any TronNode {
    func one(isLying: Bool) -> SimulatedNode {
      SimulatedNode(
        chain: chain, host: host, gate: gate, process: process, oracle: oracle, disk: disk, isLying: isLying,
        hasFalseBranches: settings.hasFalseBranches)
    }
    guard settings.nodes > 1 else { return one(isLying: false) }
    let nodes = (0..<settings.nodes).map { one(isLying: $0 == 0) }
    return NodeGroup(nodes, genesis: chain.genesis, now: { [host] in Timestamp(milliseconds: host.now) })
  }

  private func runIngest(_ process: SimulatedProcess) async throws {
    let clock = self.clock(process)
    let desk = IngestDesk(
      ledger: ledger(process), streams: transport(process), intents: transport(process), clock: clock,
      random: SimulatedRandom(host), sealer: sealer, network: Self.network, token: Self.token, wallets: [key.address],
      limits: settings.limits, health: HealthRegistry(service: process.name, clock: clock),
      logger: Self.logger)
    desks.withLock { $0[process.name] = (process, desk) }
    try await desk.run(until: StopSignal())
  }

  private func schedulerSteps(_ process: SimulatedProcess) throws -> [Step] {
    try SchedulerSteps(
      ledger: ledger(process), streams: transport(process), intents: transport(process),
      consumer: ConsumerName(process.name), clock: clock(process), random: SimulatedRandom(host), metrics: nil,
      logger: Self.logger
    ).all
  }

  private func signerSteps(_ index: Int, _ process: SimulatedProcess) throws -> [Step] {
    guard let disk = disks.present(index) else { throw JournalError.missing(path: "simulated") }
    let journal = SimulatedJournal(disk, wallet: key.address, host: host, gate: gate, process: process)
    return try SignerSteps(
      SignerParts(
        ledger: ledger(process), streams: transport(process), intents: transport(process),
        node: node(process, disk: disk), key: key, journal: journal, clock: clock(process),
        runID: SimulatedRandom(host).bytes(16)),
      policy: SignerPolicy(
        name: Self.signerName(index), names: (0..<settings.replicas).map(Self.signerName), network: Self.network,
        token: Self.token, seals: SealVerifier(sealer.publicKeyText),
        hourlyLimit: .limit(settings.signerHourlyLimit), dailyLimit: nil,
        expirationMilliseconds: settings.expirationMilliseconds, isDevelopment: settings.isDevelopment),
      metrics: nil, logger: Self.logger
    ).all
  }

  private func monitorSteps(_ process: SimulatedProcess) throws -> [Step] {
    try MonitorSteps(
      MonitorParts(
        ledger: ledger(process), streams: transport(process), intents: transport(process), node: node(process),
        clock: clock(process), random: SimulatedRandom(host),
        out: SimulatedReceiver(oracle: oracle, gate: gate, process: process)),
      policy: MonitorPolicy(
        name: process.name, token: Self.token, requiredConfirmations: settings.solidLag + 1,
        retryDelayMilliseconds: 5_000,
        maximumOwnFailures: 3, webhookWorkers: 1, knownProducers: chain.producers),
      metrics: nil, logger: Self.logger
    ).all
  }
}
