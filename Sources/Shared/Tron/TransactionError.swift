/// Why bytes are no transaction of ours, or a transaction cannot be built from such fields.
public enum TransactionError: Error, Sendable, Hashable {
  /// The bytes do not decode, or not to the same bytes again; a node would compute another txid (reference §1.3).
  case malformed(String)
  /// A field is outside of what the protocol accepts.
  case invalidField(String)
  /// Decodes, but is neither a TRX nor a TRC-20 transfer with exactly one signature.
  case unsupported(String)
}

extension TransactionError: CustomStringConvertible {
  /// What was expected and found.
  public var description: String {
    switch self {
    case .malformed(let reason): "malformed transaction: \(reason)"
    case .invalidField(let reason): "invalid field of a transaction: \(reason)"
    case .unsupported(let reason): "unsupported transaction: \(reason)"
    }
  }
}
