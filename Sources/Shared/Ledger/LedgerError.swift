import Payouts
public import Postgres

/// What went wrong in the ledger. Callers branch on `code`, never on text.
public struct LedgerError: Error, Sendable, CustomStringConvertible {
  /// What a caller can do about it.
  public enum Code: Sendable, Hashable {
    /// The database refused the change: it is not in the table of states, or touches what may not change.
    case illegalChange
    /// Nothing is signed and nothing ends unpaid now: the history is not vouched for, or a finding is open.
    case historyNotTrusted
    /// It may have happened or not. Read again after a later write whose COMMIT came back clean.
    case outcomeUnknown
    /// It did not happen; the database cannot be reached or is too busy. Try again later.
    case unavailable
    /// It did not happen; the database refused the statement for another reason.
    case refused
    /// The database belongs to another installation, is set up so that it may lose commits, or lacks a table or right.
    case misconfigured
    /// It did not happen; the transaction would live longer than the ledger allows by its own clock: a clock is wrong, or
    /// the expiration is set too far.
    case livesTooLong
    /// A row does not hold what it must; somebody wrote in the database.
    case corrupt

    /// Whether the ledger refused because of the rows themselves, so that trying again cannot help; all else passes.
    public var blamesTheRows: Bool {
      switch self {
      case .illegalChange, .refused, .corrupt: true
      case .historyNotTrusted, .outcomeUnknown, .unavailable, .misconfigured, .livesTooLong: false
      }
    }
  }

  /// What a caller can do about it.
  public let code: Code
  /// What happened and what to do, without values of rows.
  public let message: String
  /// The unique or check constraint that refused, where one did.
  public let constraint: String?

  /// Whether the database refused what was asked, so that asking it for less may succeed.
  var isRefusal: Bool { code == .refused || code == .illegalChange }

  /// An error of the ledger's own finding.
  public init(_ code: Code, _ message: String, constraint: String? = nil) {
    self.code = code
    self.message = message
    self.constraint = constraint
  }

  /// What PostgreSQL's answer means to the ledger. The `TP` states are raised by the guards (`M004Guards`).
  public init(_ error: PostgresError) {
    let code: Code =
      switch (error.code, error.sqlState) {
      case (.commitUnknown, _): .outcomeUnknown
      case (_, "TP003"): .historyNotTrusted
      case (_, "TP006"): .livesTooLong
      case (_, let state?) where state.hasPrefix("TP"): .illegalChange
      case (.decoding, _): .corrupt
      case (.configuration, _): .misconfigured
      case (.invalidParameter, _): .refused
      case (.server, let state?), (.transactionRolledBack, let state?):
        if error.isRetriable || LedgerError.isServersOwnTrouble(state) {
          .unavailable
        } else {
          // Class 42: no such table, no right to it.
          state.hasPrefix("42") ? .misconfigured : .refused
        }
      default: .unavailable
      }
    self.init(code, error.description, constraint: error.constraint)
  }

  /// Classes of SQLSTATE that say nothing of the statement: connection, read-only server, resources, operator, system.
  private static func isServersOwnTrouble(_ state: String) -> Bool {
    ["08", "25", "40", "53", "55", "57", "58", "F0", "XX"].contains(state.prefix(2))
  }

  /// Code and message.
  public var description: String { "ledger: \(code): \(message)" }
}
