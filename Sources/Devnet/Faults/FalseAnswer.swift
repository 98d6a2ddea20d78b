/// The texts of answers that come instead of a node's (tron-protocol.md §4.1, §4.5).
enum FalseAnswer {
  /// The HTTP statuses that can be asked for.
  static let statuses = [403, 404, 429, 500, 502, 503]
  /// A node that limits its own rate.
  static let overloaded = "class java.lang.IllegalAccessException : lack of computing resources"
  /// A light node, asked for history; bare text with status 200.
  static let lightNode = "this API is closed because this node is a lite fullnode"

  /// The body that comes with a status; nil where none does.
  static func body(of status: Int) -> JSON? {
    switch status {
    case 403, 429, 503:
      .object([
        "Error": .string("The key exceeds the frequency limit(15), and the query server is suspended for 30s")
      ])
    case 404: .object(["Error": .string("this API is unavailable due to config")])
    default: nil
    }
  }

  /// The message that a node gives with a code.
  ///
  /// - `isAccepted`: the transaction is pending nonetheless.
  static func message(of code: ResponseCode, isAccepted: Bool) -> String {
    switch code {
    case .success: ""
    case .sigError: "Validate signature error: sig error"
    case .contractValidateError:
      "Contract validate error : Validate TransferContract error, balance is not sufficient."
    case .contractExeError: "Contract execute error : Unknown"
    case .bandwidthError: Refusal.resources.message
    case .dupTransactionError: Refusal.duplicate.message
    case .taposError: Refusal.tapos.message
    case .tooBigTransactionError: "Too big transaction"
    case .transactionExpirationError: Refusal.expired.message
    case .serverBusy: Refusal.serverBusy.message
    case .noConnection: "No connection."
    case .notEnoughEffectiveConnection:
      isAccepted ? "P2P broadcast failed." : "Effective connection:0 lt minEffectiveConnection:1"
    case .blockUnsolidified: "Block unsolidified."
    case .otherError: "Error: other error"
    }
  }
}
