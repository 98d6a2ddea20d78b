import Glibc
import Payouts

/// The file of `JWT_JWKS_FILE`, as it was when the program started.
struct KeySetFile: Sendable {
  /// Where it lies.
  let path: String
  /// All of it.
  let contents: [UInt8]
  /// The keys in it that are for us, at least one.
  let keys: [PublicKey]

  /// Reads the file; for the start of the program, since a disk may be slow.
  ///
  /// A program that starts without any key would refuse every token that it is set up for. (Keys that are taken out of
  /// the file later are another matter: see `WatchKeySet`.)
  /// - Throws: `MalformedValue` that says what is wrong with it.
  init(path: String) throws(MalformedValue) {
    self.path = path
    contents = try KeySetFile.contents(of: path)
    keys = try ReadKeySet.keys(in: contents)
    guard !keys.isEmpty else {
      throw MalformedValue("key set", "it has no key that is read here: to verify by RS256, ES256 or EdDSA")
    }
  }

  /// The bytes of a file, which may be reached by a link, as secrets are in containers.
  /// - Throws: `MalformedValue` where it cannot be read, or is larger than a key set may be.
  static func contents(of path: String) throws(MalformedValue) -> [UInt8] {
    // Opening a pipe could wait for ever. What is opened is looked at, and not the path: that may name another file by
    // then.
    let file = Glibc.open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    guard file >= 0 else { throw MalformedValue("key set", reason(of: errno)) }
    defer { close(file) }
    var facts = stat()
    guard fstat(file, &facts) == 0 else { throw MalformedValue("key set", reason(of: errno)) }
    guard facts.st_mode & S_IFMT == S_IFREG else { throw MalformedValue("key set", "it is no regular file") }
    // By the one byte more a larger file is known, also where it grows meanwhile.
    var contents = [UInt8](repeating: 0, count: ReadKeySet.bytesMax + 1)
    var filled = 0
    while filled < contents.count {
      let count = contents.withUnsafeMutableBytes { buffer in
        Glibc.read(file, buffer.baseAddress?.advanced(by: filled), buffer.count - filled)
      }
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw MalformedValue("key set", reason(of: errno)) }
      if count == 0 { return [UInt8](contents.prefix(filled)) }
      filled += count
    }
    throw MalformedValue("key set", "it has more bytes than are read, at most \(ReadKeySet.bytesMax)")
  }

  private static func reason(of code: Int32) -> String {
    switch code {
    case ENOENT, ENOTDIR: "it does not exist"
    case EACCES, EPERM: "this program may not read it"
    default: "it cannot be read"
    }
  }
}
