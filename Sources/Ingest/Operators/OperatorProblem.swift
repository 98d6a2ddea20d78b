import Ledger

/// What an operator is told of errors.
enum OperatorProblem {
  /// What was asked for stands, but how all of it stands cannot be told.
  static let doneAndUnseen = Problem(
    .outcomeUnknown, "It was done, but how it stands cannot be read just now. Look before you ask again.",
    retryAfterSeconds: 2)

  /// Of a call that changes something.
  static func ofChange(_ error: any Error) -> Problem {
    guard let error = error as? LedgerError else { return ReadPayout.problem(error) }
    switch error.code {
    case .outcomeUnknown:
      return Problem(
        .outcomeUnknown, "The database did not say whether it was done. Look how it stands before you ask again.",
        retryAfterSeconds: 2
      ).because(error)
    case .historyNotTrusted: return CancelPayout.historyNotTrusted.because(error)
    case .illegalChange, .unavailable, .refused, .misconfigured, .livesTooLong, .corrupt:
      return ReadPayout.problem(error)
    }
  }
}
