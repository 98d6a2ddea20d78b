import Glibc
import Payouts

/// The file on disk. Every call blocks.
enum KeystoreFile {
  /// A keystore has some 500 bytes.
  static let sizeMax = 65_536

  static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  static func refusal(_ path: String) -> KeystoreError {
    KeystoreError(.alreadyExists, "\(path) exists: it may hold the only copy of a key; choose another name")
  }

  /// Writes a new file with mode 0600, all of it or nothing, and never over another one: the bytes go to a file beside
  /// it, are synced, and get their name by `link`, which fails where the name is taken.
  static func create(_ path: String, contents: [UInt8]) throws(KeystoreError) {
    let draft = "\(path).\(Hex.text(Randomness.bytes(8))).draft"
    let file = Glibc.open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw failure("create", draft) }
    defer {
      close(file)
      unlink(draft)
    }
    // The process' mask may have taken bits away; more than these are never there.
    guard fchmod(file, 0o600) == 0 else { throw failure("set the mode of", draft) }
    try write(contents, to: file, draft)
    guard fsync(file) == 0 else { throw failure("sync", draft) }
    guard link(draft, path) == 0 else {
      if errno == EEXIST { throw refusal(path) }
      throw failure("name", path)
    }
    try syncFolder(of: path)
  }

  /// - Throws: `KeystoreError.notFound`, `.malformed` for a file too large to be a keystore, `.fileSystem`.
  static func read(_ path: String) throws(KeystoreError) -> [UInt8] {
    let file = Glibc.open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else {
      if errno == ENOENT { throw KeystoreError(.notFound, "there is no file \(path)") }
      throw failure("open", path)
    }
    defer { close(file) }
    var contents = [UInt8](repeating: 0, count: sizeMax + 1)
    var filled = 0
    while filled < contents.count {
      let count = contents.withUnsafeMutableBytes { buffer in
        Glibc.read(file, buffer.baseAddress?.advanced(by: filled), buffer.count - filled)
      }
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw failure("read", path) }
      if count == 0 { return [UInt8](contents.prefix(filled)) }
      filled += count
    }
    throw KeystoreError(.malformed, "\(path) has more than \(sizeMax) bytes: not a keystore")
  }

  private static func write(_ contents: [UInt8], to file: Int32, _ name: String) throws(KeystoreError) {
    var written = 0
    while written < contents.count {
      let count = contents.withUnsafeBytes { buffer in
        Glibc.write(file, buffer.baseAddress?.advanced(by: written), buffer.count - written)
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw failure("write", name) }
      written += count
    }
  }

  private static func syncFolder(of path: String) throws(KeystoreError) {
    let slash = path.lastIndex(of: "/")
    let folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    let handle = Glibc.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard handle >= 0 else { throw failure("open", folder) }
    defer { close(handle) }
    guard fsync(handle) == 0 else { throw failure("sync", folder) }
  }

  private static func failure(_ verb: String, _ path: String) -> KeystoreError {
    let number = errno
    return KeystoreError(.fileSystem, "cannot \(verb) \(path): \(String(cString: strerror(number)))")
  }
}
