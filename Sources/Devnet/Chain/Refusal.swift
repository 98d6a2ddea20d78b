/// Why a transaction is not taken; names and numbers of api.proto, `Return.response_code`.
enum ResponseCode: Int, Sendable, CaseIterable {
  case success = 0
  case sigError = 1
  case contractValidateError = 2
  case contractExeError = 3
  case bandwidthError = 4
  case dupTransactionError = 5
  case taposError = 6
  case tooBigTransactionError = 7
  case transactionExpirationError = 8
  case serverBusy = 9
  case noConnection = 10
  case notEnoughEffectiveConnection = 11
  case blockUnsolidified = 12
  case otherError = 20

  /// The name a node prints. `BANDWITH_ERROR` is the protocol's spelling.
  var name: String {
    switch self {
    case .success: "SUCCESS"
    case .sigError: "SIGERROR"
    case .contractValidateError: "CONTRACT_VALIDATE_ERROR"
    case .contractExeError: "CONTRACT_EXE_ERROR"
    case .bandwidthError: "BANDWITH_ERROR"
    case .dupTransactionError: "DUP_TRANSACTION_ERROR"
    case .taposError: "TAPOS_ERROR"
    case .tooBigTransactionError: "TOO_BIG_TRANSACTION_ERROR"
    case .transactionExpirationError: "TRANSACTION_EXPIRATION_ERROR"
    case .serverBusy: "SERVER_BUSY"
    case .noConnection: "NO_CONNECTION"
    case .notEnoughEffectiveConnection: "NOT_ENOUGH_EFFECTIVE_CONNECTION"
    case .blockUnsolidified: "BLOCK_UNSOLIDIFIED"
    case .otherError: "OTHER_ERROR"
    }
  }
}

/// A node's refusal of a transaction: the code and the message, as the node words it (tron-protocol.md §4.3).
struct Refusal: Error, Equatable, Sendable {
  let code: ResponseCode
  let message: String

  static let serverBusy = Refusal(code: .serverBusy, message: "Server busy.")
  static let expired = Refusal(code: .transactionExpirationError, message: "Transaction expired")
  static let tapos = Refusal(code: .taposError, message: "Tapos check error.")
  static let duplicate = Refusal(code: .dupTransactionError, message: "Dup transaction.")
  static let alreadyExists = Refusal(code: .dupTransactionError, message: "Transaction already exists.")
  static let resources = Refusal(code: .bandwidthError, message: "Account resource insufficient error.")

  /// A failure of signatures or permissions.
  static func signature(_ text: String) -> Refusal {
    Refusal(code: .sigError, message: "Validate signature error: \(text)")
  }

  /// A contract that the state, or its own fields, do not allow.
  static func contract(_ text: String) -> Refusal {
    Refusal(code: .contractValidateError, message: "Contract validate error : \(text)")
  }

  /// A contract that turned out impossible only when it was carried out.
  static func execution(_ text: String) -> Refusal {
    Refusal(code: .contractExeError, message: "Contract execute error : \(text)")
  }
}
