import ArgumentParser
import Glibc
import Ledger
import Logging
import Streams
import Worker

/// The operator's command line, as a program.
///
/// | exit code | meaning |
/// | --- | --- |
/// | 0 | done |
/// | 1 | not done; the text says why and what to do |
/// | 64 | the command was called wrongly |
/// | 78 | a setting is missing or wrong; every one is named |
///
/// Results go to standard output, everything else to standard error. No text holds a key, a passphrase or a URL's
/// password.
public enum PayoutctlProgram {
  /// Runs the command that the process was called with, and ends the process.
  public static func main() async -> Never {
    do {
      var command = try Payoutctl.parseAsRoot()
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
      exit(0)
    } catch {
      guard let farewell = Farewell(error) else { Payoutctl.exit(withError: error) }
      for line in farewell.lines { Terminal.complain("payoutctl: \(line)") }
      exit(farewell.exitCode)
    }
  }
}

/// The root of all commands.
struct Payoutctl: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "payoutctl", abstract: "Sets up, looks into and steers an installation of tron-payouts.",
    discussion: "Settings come from the environment, as for the workers; each KEY also as KEY_FILE.",
    subcommands: [
      KeystoreCommands.self, SignerCommands.self, ShowPayout.self, ListHeld.self, ReleasePayout.self, RejectPayout.self,
      SettlePayout.self, AdoptPayout.self, Reconcile.self, TreasuryCommands.self, BreakerCommands.self,
      PausePayments.self, ResumePayments.self, AlarmCommands.self, ShowQueues.self, DeadLetterCommands.self,
      ShowWebhookSecret.self, IntentCommands.self, QuarantineCommands.self, HeadCommands.self, AuditCommands.self,
    ])

  /// How long one try waits for the database, in milliseconds: a person waits for the answer. The ledger tries a few
  /// times.
  static let databaseWaitMilliseconds = 3_000

  /// The ledger that `DATABASE_URL` names.
  static func ledger() throws -> Ledger { ledger(at: try Settings.read { $0.url("DATABASE_URL", .postgres) }) }

  /// The ledger, silent: what goes wrong is thrown and told once.
  static func ledger(at url: ServiceURL) -> Ledger {
    url.withText {
      Ledger(
        url: $0, actor: Operator.actor, logger: silent,
        acquireTimeoutMilliseconds: databaseWaitMilliseconds)
    }
  }

  /// The streams, silent too. Nothing is connected yet.
  static func streams(at url: ServiceURL) throws -> RedisStreams {
    do {
      return try url.withText { try RedisStreams(url: $0, logger: silent) }
    } catch {
      throw WorkerError(.configuration, "REDIS_URL: is no URL that can be used: \(error)")
    }
  }

  /// A writer of the log of intents, silent too.
  static func recorder(at url: ServiceURL) throws -> IntentRecorder {
    IntentRecorder(try streams(at: url), logger: silent)
  }

  private static let silent = Logger(label: "payoutctl", factory: { _ in SwiftLogNoOpLogHandler() })
}

/// Commands about the file that holds the hot wallet's key.
struct KeystoreCommands: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keystore", abstract: "The file that holds the hot wallet's key.", subcommands: [CreateKeystore.self])
}

/// Commands about a Signer.
struct SignerCommands: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "signer", abstract: "A Signer, its journal and its wallet.",
    subcommands: [InitSigner.self, BringJournal.self])
}

/// Commands about the breaker.
struct BreakerCommands: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "breaker", abstract: "The breaker that stops all signing, and what the fence found.",
    subcommands: [ShowBreaker.self, OpenBreaker.self, CloseBreaker.self], defaultSubcommand: ShowBreaker.self)
}

/// Commands about alarms.
struct AlarmCommands: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "alarms", abstract: "The alarms that nobody has acknowledged.",
    subcommands: [ListAlarms.self, AcknowledgeAlarm.self], defaultSubcommand: ListAlarms.self)
}

/// Commands about the log of what was accepted and what ended.
struct IntentCommands: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "intents", abstract: "The log of intents, which remembers what a restore took from the database.",
    subcommands: [ReplayCommand.self])
}

/// Commands about stream entries that were given up.
struct DeadLetterCommands: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dead-letters", abstract: "Stream entries that were delivered in vain too often.",
    subcommands: [ListDeadLetters.self, RetryDeadLetter.self], defaultSubcommand: ListDeadLetters.self)
}
