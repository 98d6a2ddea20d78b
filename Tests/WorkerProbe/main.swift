import FoundationEssentials
import Logging
import ServiceLifecycle
import Worker

/// What the probe is told to do, so that a test can watch a real worker process in each of its ends.
struct ProbeConfiguration: SettingsReadable, Sendable {
  enum Behaviour: String, CaseIterable { case idle, refuse, misconfigured, surprise, fatal, patient, early, ticking }

  let behaviour: Behaviour
  let store: StoreConfiguration
  let token: Secret
  /// A patient round goes on until this file is there.
  let gateFile: String?

  init(from settings: inout Settings) {
    behaviour = settings.choice("PROBE_BEHAVIOUR")
    store = StoreConfiguration(from: &settings)
    token = settings.secret("PROBE_TOKEN", minimumBytes: 8)
    gateFile = settings.optionalText("PROBE_GATE")
  }
}

struct Surprise: Error, CustomStringConvertible {
  let description = "the moon is in the wrong house\nand a second line"
}

/// Ends although nobody told it to.
struct EarlyService: Service {
  func run() async throws {}
}

await WorkerProgram.main("probe", configuration: ProbeConfiguration.self) { configuration, context in
  let step: Step
  switch configuration.behaviour {
  case .idle:
    context.logger.info("Probe", metadata: ["probe.token": "\(configuration.token)"])
    step = Step("idle") { .idle(milliseconds: 60_000) }
  case .refuse: throw WorkerError(.dependency, "PostgreSQL refused the connection: check DATABASE_URL")
  case .misconfigured: throw WorkerError(.configuration, "the keystore has another network")
  case .surprise: throw Surprise()
  case .fatal: step = Step("fatal") { throw FatalStepError("the journal cannot be written", underlying: Surprise()) }
  case .patient:
    step = Step("patient") {
      // Finishes its round whatever happens, as a step does that has bytes to write.
      context.logger.info("Round began")
      while !FileManager.default.fileExists(atPath: configuration.gateFile ?? "/") { await Task.yield() }
      context.logger.info("Round finished")
      return .worked
    }
  case .ticking:
    step = Step("tick") {
      context.logger.info("Tick")
      return .idle(milliseconds: 300)
    }
  case .early: return [EarlyService()]
  }
  return [context.loop([step])]
}
