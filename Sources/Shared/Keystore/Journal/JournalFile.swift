import Glibc
import Payouts

/// The open, locked file of a journal. Every call blocks; its owner runs on a thread of its own.
struct JournalFile: ~Copyable {
  private let descriptor: Int32
  private let path: String
  /// Whether an append failed in such a way that only opening the file anew can tell what it holds.
  private var isBroken = false

  /// Opens the file and takes its lock, which ends with the process.
  init(_ path: String) throws(JournalError) {
    let descriptor = open(path, O_RDWR | O_APPEND | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw errno == ENOENT ? .missing(path: path) : .io(operation: "open", path: path, errno: errno)
    }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let reason = errno
      close(descriptor)
      throw reason == EWOULDBLOCK ? .locked(path: path) : .io(operation: "lock", path: path, errno: reason)
    }
    self.descriptor = descriptor
    self.path = path
  }

  deinit { close(descriptor) }

  /// Makes the file with its first line, readable by its owner alone, and syncs both it and the folder's entry.
  static func create(_ path: String, header: [UInt8]) throws(JournalError) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw errno == EEXIST ? .exists(path: path) : .io(operation: "create", path: path, errno: errno)
    }
    defer { close(descriptor) }
    try write(header, to: descriptor, path: path)
    try sync(descriptor, path: path)
    let folder = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
    let folderDescriptor = open(folder.isEmpty ? "/" : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folderDescriptor >= 0 else { throw .io(operation: "open the folder", path: path, errno: errno) }
    defer { close(folderDescriptor) }
    try sync(folderDescriptor, path: path)
  }

  /// Appends whole lines and returns when they are on disk.
  ///
  /// - Throws: what the system refused. Where the file then is not what it was before, and synced so, `isBroken` is set:
  ///   a half line followed by whole ones would be damage, and after a failed fsync nobody knows what is on disk.
  mutating func append(_ bytes: [UInt8]) throws(JournalError) {
    guard !isBroken else { throw .unusable(path: path) }
    let length = lseek(descriptor, 0, SEEK_END)
    guard length >= 0 else { throw .io(operation: "seek", path: path, errno: errno) }
    isBroken = true
    do throws(JournalError) {
      try JournalFile.write(bytes, to: descriptor, path: path)
    } catch {
      if ftruncate(descriptor, length) == 0, fsync(descriptor) == 0 { isBroken = false }
      throw error
    }
    try JournalFile.sync(descriptor, path: path)
    isBroken = false
  }

  /// Reads everything and cuts off an unfinished last line.
  func read() throws -> (header: JournalHeader, entries: [JournalEntry]) {
    guard !isBroken else { throw JournalError.unusable(path: path) }
    let bytes = try contents()
    var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    // What follows the last newline is empty, or a write that a crash cut short.
    let unfinished = lines.popLast().map(\.count) ?? 0
    guard let first = lines.first, let header = JournalLine.parseHeader(first) else {
      throw JournalError.damaged(path: path, line: 1)
    }
    var entries: [JournalEntry] = []
    var valid = bytes.count - unfinished
    for (number, line) in lines.enumerated().dropFirst() {
      if let entry = JournalLine.parseEntry(line) {
        entries.append(entry)
      } else if number == lines.count - 1 {
        valid -= line.count + 1
      } else {
        throw JournalError.damaged(path: path, line: number + 1)
      }
    }
    if valid < bytes.count {
      guard ftruncate(descriptor, off_t(valid)) == 0 else {
        throw JournalError.io(operation: "truncate", path: path, errno: errno)
      }
      try JournalFile.sync(descriptor, path: path)
    }
    return (header, entries)
  }

  private func contents() throws(JournalError) -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = pread(descriptor, &buffer, buffer.count, off_t(bytes.count))
      if count == 0 { return bytes }
      if count > 0 {
        bytes += buffer[..<count]
      } else if errno != EINTR {
        throw .io(operation: "read", path: path, errno: errno)
      }
    }
  }

  private static func write(_ bytes: [UInt8], to descriptor: Int32, path: String) throws(JournalError) {
    var written = 0
    while written < bytes.count {
      let count = bytes[written...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count >= 0 {
        written += count
      } else if errno != EINTR {
        throw .io(operation: "write", path: path, errno: errno)
      }
    }
  }

  /// After a failed fsync the kernel may have dropped the pages: the caller must not go on with this file.
  private static func sync(_ descriptor: Int32, path: String) throws(JournalError) {
    while fsync(descriptor) != 0 {
      guard errno == EINTR else { throw .io(operation: "fsync", path: path, errno: errno) }
    }
  }
}
