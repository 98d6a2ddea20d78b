/// How the execution of a contract ended, as a block (`ret[0].contractRet`) or a receipt (`receipt.result`) says it
/// (reference §1.2 and §5.6, java-tron Transaction.Result.contractResult).
///
/// Nodes print it by name and leave the default out, so "absent" is an optional around this type.
public enum ContractResult: Sendable, Hashable {
  /// 0; never printed by a node, so seeing it is as odd as an unknown name.
  case defaultResult
  /// 1: executed; what moved stands in the logs.
  case success
  /// 2: a `require` of the contract refused; only what was used until then is paid.
  case revert
  /// 3
  case badJumpDestination
  /// 4
  case outOfMemory
  /// 5
  case precompiledContract
  /// 6
  case stackTooSmall
  /// 7
  case stackTooLarge
  /// 8: also an assert of an old compiler.
  case illegalOperation
  /// 9
  case stackOverflow
  /// 10: the fee limit or the wallet's TRX was too small; the whole limit is gone.
  case outOfEnergy
  /// 11: the producer's machine was too slow, also on a healthy transfer; the whole limit is gone.
  case outOfTime
  /// 12
  case jvmStackOverflow
  /// 13: the node itself does not know.
  case unknown
  /// 14: an internal transfer of TRX or TRC-10 failed.
  case transferFailed
  /// 15
  case invalidCode
  /// A name this program does not know; kept as the node wrote it.
  case unrecognized(String)

  /// Whether this is a *named* failure, one that proves that nothing moved once its block is solid
  /// (DESIGN.md §3 point 5, reference §5.6).
  ///
  /// DEFAULT, UNKNOWN and names nobody has told us prove nothing, SUCCESS proves the opposite.
  public var isNamedFailure: Bool {
    switch self {
    case .defaultResult, .success, .unknown, .unrecognized: false
    case .revert, .badJumpDestination, .outOfMemory, .precompiledContract, .stackTooSmall, .stackTooLarge,
      .illegalOperation, .stackOverflow, .outOfEnergy, .outOfTime, .jvmStackOverflow, .transferFailed, .invalidCode:
      true
    }
  }

  /// Every result that the protocol names, by its number on the wire.
  static let numbered: [ContractResult] = [
    .defaultResult, .success, .revert, .badJumpDestination, .outOfMemory, .precompiledContract, .stackTooSmall,
    .stackTooLarge, .illegalOperation, .stackOverflow, .outOfEnergy, .outOfTime, .jvmStackOverflow, .unknown,
    .transferFailed, .invalidCode,
  ]

  /// The number on the wire; nil for a name that the protocol does not have.
  var number: Int? { ContractResult.numbered.firstIndex(of: self) }
}

extension ContractResult: CustomStringConvertible {
  /// The protocol's own name, as nodes print it.
  public var description: String {
    switch self {
    case .defaultResult: "DEFAULT"
    case .success: "SUCCESS"
    case .revert: "REVERT"
    case .badJumpDestination: "BAD_JUMP_DESTINATION"
    case .outOfMemory: "OUT_OF_MEMORY"
    case .precompiledContract: "PRECOMPILED_CONTRACT"
    case .stackTooSmall: "STACK_TOO_SMALL"
    case .stackTooLarge: "STACK_TOO_LARGE"
    case .illegalOperation: "ILLEGAL_OPERATION"
    case .stackOverflow: "STACK_OVERFLOW"
    case .outOfEnergy: "OUT_OF_ENERGY"
    case .outOfTime: "OUT_OF_TIME"
    case .jvmStackOverflow: "JVM_STACK_OVER_FLOW"
    case .unknown: "UNKNOWN"
    case .transferFailed: "TRANSFER_FAILED"
    case .invalidCode: "INVALID_CODE"
    case .unrecognized(let name): name
    }
  }

  /// Reads the name that a node printed; every text has a value.
  public init(name: String) {
    self = ContractResult.numbered.first { $0.description == name } ?? .unrecognized(name)
  }
}
