/// What Ingest signs with the key of its seals besides payouts: one of a closed set of kinds, and its fields.
///
/// The bytes are laid out as those of a payout's seal (DESIGN.md §7 "Encoding"): the tag of the kind and a zero byte,
/// then each field with its length, the name of the key first.
///
/// No message is ever a payout's, nor one of another kind: no tag holds a zero byte, so that what stands before the
/// first zero byte of any signed bytes says what they are. A payout's are `tron-payouts/seal/v1`, those here are other
/// texts, and none of them comes from outside.
public struct SealedMessage: Sendable, Hashable {
  /// What it is about; the raw value is the tag.
  public enum Kind: String, CaseIterable, Sendable {
    /// The terms of an API key.
    case apiKey = "tron-payouts/api-key/v1"
  }

  /// One field.
  public enum Field: Sendable, Hashable {
    /// Bytes as they are.
    case bytes([UInt8])
    /// UTF-8.
    case text(String)
    /// One field that holds each text with its own length: other texts, or another order, are other bytes.
    case texts([String])
    /// Unix milliseconds in 8 bytes; nil: absent.
    case time(Timestamp?)
  }

  private let kind: Kind
  private let fields: [Field]

  /// A message of its fields, in their order, which belongs to the kind.
  public init(_ kind: Kind, _ fields: [Field]) {
    self.kind = kind
    self.fields = fields
  }

  /// The bytes that are signed.
  func encoding(keyID: String) -> [UInt8] {
    var encoding = CanonicalEncoding(tag: kind.rawValue)
    encoding.append(keyID)
    for field in fields {
      switch field {
      case .bytes(let bytes): encoding.append(bytes)
      case .text(let text): encoding.append(text)
      case .texts(let texts): encoding.append(list: texts)
      case .time(let time): encoding.append(time?.milliseconds)
      }
    }
    return encoding.bytes
  }
}
