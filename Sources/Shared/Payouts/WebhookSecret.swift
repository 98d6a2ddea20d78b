import Crypto

/// What an owner's webhooks are signed with (Standard Webhooks 1.0, "Signature scheme", symmetric).
///
/// - Shape: 24 to 64 random bytes; told to its owner as `whsec_` and their base64.
/// - A secret: prints as `<secret>`, and its text is asked for by name.
public struct WebhookSecret: Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible,
  CustomReflectable
{
  /// How many bytes a new one has.
  public static let usualBytes = 32
  /// How many bytes one may have, by the specification.
  public static let bytesRange = 24...64

  private let bytes: [UInt8]

  /// - Throws: `MalformedValue` unless there are 24 to 64 bytes.
  public init(bytes: [UInt8]) throws(MalformedValue) {
    guard WebhookSecret.bytesRange.contains(bytes.count) else {
      throw MalformedValue("webhook secret", "has \(bytes.count) bytes, expected 24 to 64")
    }
    self.bytes = bytes
  }

  /// Lends the bytes, to be stored; the closure must not let them escape into an error, a log or a description.
  public func withBytes<Result, Failure: Error>(_ body: ([UInt8]) throws(Failure) -> Result) throws(Failure) -> Result {
    try body(bytes)
  }

  /// `whsec_…`, for its owner's eyes.
  public var text: String { "whsec_" + Base64.text(bytes) }

  /// `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`.
  ///
  /// - Parameters:
  ///   - id: the header `webhook-id`.
  ///   - seconds: the header `webhook-timestamp`, Unix seconds.
  ///   - body: exactly the bytes that are sent.
  public func signature(id: String, seconds: Int64, body: [UInt8]) -> String {
    var code = HMAC<SHA256>(key: SymmetricKey(data: bytes))
    code.update(data: [UInt8]("\(id).\(seconds).".utf8))
    code.update(data: body)
    return "v1," + Base64.text([UInt8](code.finalize()))
  }

  /// Always `<secret>`.
  public var description: String { "<secret>" }
  /// Always `<secret>`.
  public var debugDescription: String { "<secret>" }
  /// A mirror without children, so that `dump` shows nothing either.
  public var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// Base64 with padding (RFC 4648 §4).
enum Base64 {
  private static let alphabet = [UInt8]("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  static func text(_ bytes: [UInt8]) -> String {
    var characters: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let group = bytes[start..<min(start + 3, bytes.count)]
      let bits = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
      for place in 0..<4 {
        characters.append(
          place <= group.count ? alphabet[bits >> (18 - 6 * place) & 0x3f] : UInt8(ascii: "="))
      }
    }
    return String(decoding: characters, as: UTF8.self)
  }
}
