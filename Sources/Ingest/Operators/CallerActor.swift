import Crypto
import Payouts

extension Caller {
  /// The most bytes that the server keeps of a name, ASCII only.
  private static let actorBytesMax = 63

  /// How the ledger names whoever acts over HTTP, beside what processes and `payoutctl` do in their own names. An id that is
  /// too long for it, or holds other characters, is cut, and told apart from others by the beginning of its SHA-256.
  var actor: String {
    let key = if case .apiKey(let id) = proof { "/key-\(id)" } else { "" }
    let room = Self.actorBytesMax - "api/".utf8.count - key.utf8.count
    // What a cut name, or a key's use, looks like is none: else somebody could be called so.
    let isPlain =
      id.utf8.count <= room && id.utf8.allSatisfy { (0x20...0x7e).contains($0) } && !id.contains("~")
      && !id.contains("/key-")
    if isPlain { return "api/\(id)\(key)" }
    let digest = "~" + Hex.text(Array(SHA256.hash(data: Array(id.utf8))).prefix(6).map { $0 })
    let shown = id.unicodeScalars.prefix(room - digest.utf8.count).map { (0x20...0x7e).contains($0.value) ? $0 : "?" }
    return "api/\(String(String.UnicodeScalarView(shown)))\(digest)\(key)"
  }
}
