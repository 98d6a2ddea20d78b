import Keystore
import Ledger
import Logging
import Nodes
import Payouts
import Queues
import ServiceLifecycle
import Streams
import Tron
import Worker

/// Signer: the only holder of the key. Checks seals and its own limits, builds, signs, journals, then broadcasts.
///
/// Its steps go round beside one another: vouch for the history, sign released batches, broadcast what is signed, prove
/// earlier attempts, sweep, compare the log of intents. Each may die at any line.
public enum SignerService {
  /// The process.
  public static func main() async -> Never {
    await WorkerProgram.main("signer", configuration: SignerConfiguration.self) { configuration, context in
      try await start(configuration, context)
    }
  }

  private static func start(
    _ configuration: SignerConfiguration, _ context: WorkerContext
  ) async throws -> [any Service] {
    do throws(KeystoreError) { try ProcessHardening.forbidCoreDumps() } catch {
      throw WorkerError(.configuration, "core dumps cannot be forbidden: \(error)")
    }
    let key = try await configuration.key.open()
    let journal = try openJournal(configuration, wallet: key.address)
    let ledger = configuration.stores.databaseURL.withText {
      Ledger(url: $0, actor: "signer/\(configuration.name)", logger: context.logger)
    }
    do {
      try await ledger.prepare(configuration.tron.installation(stage: context.configuration.stage))
    } catch let error as LedgerError where error.code == .misconfigured {
      throw WorkerError(.configuration, error.message)
    }
    let streams = try configuration.stores.redisURL.withText { try RedisStreams(url: $0, logger: context.logger) }
    let connection = try configuration.nodes.connection(
      genesis: configuration.tron.genesisBlockID, now: { context.clock.now() })
    let parts = SignerParts(
      ledger: ledger, streams: streams, intents: streams, node: connection.nodes, key: key, journal: journal,
      clock: context.clock, runID: context.random.bytes(16))
    let steps = try SignerSteps(
      parts, policy: try SignerPolicy(configuration), metrics: SignerMetrics(context.instruments),
      logger: context.logger)
    let watching = WatchNodes(connection.nodes, context)
    let measuring = MeasureQueues.step(ledger, streams, context.instruments)
    return [ledger.connections] + streams.connections
      + [connection, context.loop(steps.all + [watching.step, measuring])]
  }

  private static func openJournal(_ configuration: SignerConfiguration, wallet: Address) throws -> FileJournal {
    do {
      let journal = try FileJournal.open(directory: configuration.stateDirectory, signer: configuration.name)
      guard journal.wallet == wallet else {
        throw WorkerError(
          .configuration, "the journal belongs to the wallet \(journal.wallet), the key to \(wallet)")
      }
      return journal
    } catch let error as JournalError {
      throw WorkerError(.configuration, "\(error)")
    }
  }
}
