import ArgumentParser
import Glibc
import Ledger
import Logging
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
    commandName: "payoutctl", abstract: "Sets up and looks into an installation of tron-payouts.",
    discussion: "Settings come from the environment, as for the workers; each KEY also as KEY_FILE.",
    subcommands: [KeystoreCommands.self, SignerCommands.self, ShowPayout.self])

  /// How long one try waits for the database, in milliseconds: a person waits for the answer. The ledger tries a few
  /// times.
  static let databaseWaitMilliseconds = 3_000

  /// The ledger, silent: what goes wrong is thrown and told once.
  static func ledger(at url: ServiceURL) -> Ledger {
    url.withText {
      Ledger(
        url: $0, actor: "payoutctl", logger: Logger(label: "payoutctl", factory: { _ in SwiftLogNoOpLogHandler() }),
        acquireTimeoutMilliseconds: databaseWaitMilliseconds)
    }
  }
}

/// Commands about the file that holds the hot wallet's key.
struct KeystoreCommands: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keystore", abstract: "The file that holds the hot wallet's key.", subcommands: [CreateKeystore.self])
}

/// Commands about a Signer.
struct SignerCommands: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "signer", abstract: "A Signer, its journal and its wallet.", subcommands: [InitSigner.self])
}
