import Keystore
import Ledger
import Payouts
import Streams
import Tron
import Worker

/// What the program says and returns when an error ends it. Nil for errors of the argument parser, which speaks for
/// itself.
struct Farewell {
  /// One a problem, without stack traces and secrets.
  let lines: [String]
  /// As in the table of `Payoutctl`.
  let exitCode: Int32

  private static let failure: Int32 = 1
  /// EX_CONFIG of sysexits.h.
  private static let configuration: Int32 = 78

  init?(_ error: any Error) {
    guard let (texts, exitCode) = Farewell.told(error) else { return nil }
    // libpq's texts have several lines.
    lines = texts.map { $0.split(whereSeparator: \.isWhitespace).joined(separator: " ") }
    self.exitCode = exitCode
  }

  private static func told(_ error: any Error) -> (texts: [String], exitCode: Int32)? {
    switch error {
    case let error as ConfigurationError: (error.problems.map(\.description), configuration)
    case let error as WorkerError: ([error.text], error.exitCode)
    case let error as Refusal: ([error.text], failure)
    case let error as LedgerError: told(error)
    case let error as StreamError: (["Redis cannot be asked: \(error.message)"], failure)
    case let error as TronNodeError:
      (["the node's answer cannot be used: \(error)"], error.code == .wrongNetwork ? configuration : failure)
    case let error as KeystoreError: (["keystore: \(error)"], failure)
    case let error as JournalError: (["\(error)"], failure)
    case let error as MalformedValue: (["\(error)"], configuration)
    case is CancellationError: (["cancelled"], failure)
    default: nil
    }
  }

  private static func told(_ error: LedgerError) -> (texts: [String], exitCode: Int32) {
    switch error.code {
    case .misconfigured:
      (
        [
          error.message,
          "is DATABASE_URL this installation's, and has a worker or 'payoutctl signer init' run on it once?",
        ], configuration
      )
    case .unavailable: (["the database cannot be asked, try again later: \(error.message)"], failure)
    case .refused: (["the database refused: \(error.message)"], failure)
    case .illegalChange, .historyNotTrusted, .outcomeUnknown, .livesTooLong, .corrupt: (["\(error)"], failure)
    }
  }
}

/// A command that must not be carried out as things are: nothing was changed.
struct Refusal: Error, Equatable {
  /// What stands against it and what to do.
  let text: String
}
