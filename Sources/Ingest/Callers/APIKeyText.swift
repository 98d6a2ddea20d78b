import Crypto
import Ledger
import Worker

/// An API key as its owner keeps it: `tpk_<id>_<secret>`.
///
/// - Shape: the id as 16 lower-case hexadecimal digits, the secret's 32 random bytes as 43 characters of base64url: 64
///   characters in all. Each key has one spelling.
/// - A secret: prints as its id alone, and its text is asked for by name.
struct APIKeyText: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// What every key begins with, so that one that got lost is recognized by whoever finds it.
  static let prefix = "tpk_"
  /// How many bytes a secret has.
  static let secretBytes = 32

  /// The name of the key.
  let id: APIKeyID
  private let secret: [UInt8]

  /// A new key under a new name.
  init(random: any RandomSource) {
    let bytes = random.bytes(APIKeyID.byteCount)
    guard let id = try? APIKeyID(bytes: bytes) else { preconditionFailure("a source gives the bytes it is asked for") }
    self.id = id
    secret = random.bytes(Self.secretBytes)
  }

  /// Reads the text of a key; nil for any other one.
  init?(_ text: String) {
    guard text.hasPrefix(Self.prefix) else { return nil }
    let rest = text.dropFirst(Self.prefix.count)
    let digits = rest.prefix(2 * APIKeyID.byteCount)
    let secret = rest.dropFirst(digits.count)
    guard secret.first == "_", let id = try? APIKeyID(hex: digits),
      let bytes = Base64URL.bytes(secret.dropFirst().utf8), bytes.count == Self.secretBytes
    else { return nil }
    self.id = id
    self.secret = bytes
  }

  /// What the ledger keeps of the secret: its SHA-256, 32 bytes.
  var secretDigest: [UInt8] { [UInt8](SHA256.hash(data: secret)) }

  /// `tpk_…`, for its owner's eyes.
  var text: String { "\(Self.prefix)\(id)_\(Base64URL.text(secret))" }

  /// The id alone.
  var description: String { "API key \(id)" }
  /// The id alone.
  var debugDescription: String { description }
  /// A mirror without the secret, so that `dump` does not show it either.
  var customMirror: Mirror { Mirror(self, children: ["id": id]) }
}
