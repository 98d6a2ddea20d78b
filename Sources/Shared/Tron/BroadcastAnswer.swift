public import Payouts

/// What a node said about a transaction it was given (reference §2.5).
///
/// No answer ends an attempt, and none proves inclusion: see the table there.
public struct BroadcastAnswer: Sendable, Hashable {
  /// The closed code.
  public let code: BroadcastCode
  /// The node's own words; some codes are told apart only by them.
  public let message: String
  /// The txid that the node computed, where it named one.
  public let txid: TxID?

  /// An answer as a node or a test gives it.
  public init(code: BroadcastCode, message: String, txid: TxID?) {
    self.code = code
    self.message = message
    self.txid = txid
  }

  /// The words of a node that has the transaction in its pool but told no peer, because none is connected or all know it
  /// already: the normal answer to a repeated broadcast (§2.4).
  public static let peersKnowAlready = "P2P broadcast failed."

  /// Whether the node is known to have taken the transaction: SUCCESS, DUP, or "P2P broadcast failed." (DESIGN.md §7).
  public var isTaken: Bool {
    switch code {
    case .success, .duplicateTransaction: true
    case .notEnoughEffectiveConnection: message == BroadcastAnswer.peersKnowAlready
    case .signatureError, .contractValidateError, .contractExecutionError, .bandwidthError, .taposError,
      .tooBigTransaction, .transactionExpired, .serverBusy, .noConnection, .blockUnsolidified, .otherError,
      .unrecognized:
      false
    }
  }
}

/// java-tron's Return.response_code (reference §2.5). What each means and allows stands in the table there.
public enum BroadcastCode: Sendable, Hashable {
  /// SUCCESS: in this node's pool for now; no promise of inclusion.
  case success
  /// SIGERROR
  case signatureError
  /// CONTRACT_VALIDATE_ERROR
  case contractValidateError
  /// CONTRACT_EXE_ERROR
  case contractExecutionError
  /// BANDWITH_ERROR, spelled so.
  case bandwidthError
  /// DUP_TRANSACTION_ERROR: two meanings, told apart by the message (§2.6).
  case duplicateTransaction
  /// TAPOS_ERROR
  case taposError
  /// TOO_BIG_TRANSACTION_ERROR
  case tooBigTransaction
  /// TRANSACTION_EXPIRATION_ERROR: for this node; it may already be in a block.
  case transactionExpired
  /// SERVER_BUSY
  case serverBusy
  /// NO_CONNECTION
  case noConnection
  /// NOT_ENOUGH_EFFECTIVE_CONNECTION: taken or not, by the message.
  case notEnoughEffectiveConnection
  /// BLOCK_UNSOLIDIFIED
  case blockUnsolidified
  /// OTHER_ERROR
  case otherError
  /// A code this program does not know; kept as the node wrote it.
  case unrecognized(String)

  private static let known: [BroadcastCode] = [
    .success, .signatureError, .contractValidateError, .contractExecutionError, .bandwidthError,
    .duplicateTransaction, .taposError, .tooBigTransaction, .transactionExpired, .serverBusy, .noConnection,
    .notEnoughEffectiveConnection, .blockUnsolidified, .otherError,
  ]

  /// Reads the name that a node printed; every text has a value.
  public init(name: String) {
    self = BroadcastCode.known.first { $0.description == name } ?? .unrecognized(name)
  }
}

extension BroadcastCode: CustomStringConvertible {
  /// The protocol's own name.
  public var description: String {
    switch self {
    case .success: "SUCCESS"
    case .signatureError: "SIGERROR"
    case .contractValidateError: "CONTRACT_VALIDATE_ERROR"
    case .contractExecutionError: "CONTRACT_EXE_ERROR"
    case .bandwidthError: "BANDWITH_ERROR"
    case .duplicateTransaction: "DUP_TRANSACTION_ERROR"
    case .taposError: "TAPOS_ERROR"
    case .tooBigTransaction: "TOO_BIG_TRANSACTION_ERROR"
    case .transactionExpired: "TRANSACTION_EXPIRATION_ERROR"
    case .serverBusy: "SERVER_BUSY"
    case .noConnection: "NO_CONNECTION"
    case .notEnoughEffectiveConnection: "NOT_ENOUGH_EFFECTIVE_CONNECTION"
    case .blockUnsolidified: "BLOCK_UNSOLIDIFIED"
    case .otherError: "OTHER_ERROR"
    case .unrecognized(let name): name
    }
  }
}
