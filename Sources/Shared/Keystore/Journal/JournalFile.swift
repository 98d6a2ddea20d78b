import Glibc
import Payouts

/// The open, locked file of a journal. Every call blocks; its owner runs on a thread of its own.
struct JournalFile: ~Copyable {
  /// Asks the disk; a test may stand in between. Returns 0, or another number with `errno` set.
  typealias Sync = @Sendable (Int32) -> Int32

  private let descriptor: Int32
  private let path: String
  private let fsync: Sync
  /// Whether an append failed in such a way that only opening the file anew can tell what it holds.
  private var isBroken = false

  /// Opens the file and takes its lock, which ends with the process.
  init(_ path: String, fsync: @escaping Sync = { Glibc.fsync($0) }) throws(JournalError) {
    let descriptor = open(path, O_RDWR | O_CLOEXEC)
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
    self.fsync = fsync
  }

  deinit { close(descriptor) }

  /// Writes over the whole file with what it holds, and syncs it: to be done once before what it holds is trusted.
  ///
  /// What is read is not yet on disk: a process killed between write and fsync leaves its lines in the kernel's memory
  /// alone, and after a failed fsync the kernel takes its pages for clean, so that a second fsync proves nothing. The same
  /// bytes in the same place make them dirty again, and harm nothing if this is cut short.
  func harden() throws(JournalError) {
    var offset = 0
    while let bytes = try chunk(at: offset) {
      try write(bytes, at: off_t(offset))
      offset += bytes.count
    }
    try sync()
  }

  /// Makes the file with its first line, readable by its owner alone, and syncs both it and the folder's entry. It gets
  /// its name when it is whole: a crash leaves no journal, or one that can be opened.
  static func create(_ path: String, header: [UInt8]) throws(JournalError) {
    let draft = "\(path).\(getpid()).new"
    let descriptor = open(draft, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw .io(operation: "create", path: draft, errno: errno) }
    defer {
      close(descriptor)
      unlink(draft)
    }
    try write(header, to: descriptor, at: 0, path: draft)
    guard Glibc.fsync(descriptor) == 0 else { throw .io(operation: "fsync", path: draft, errno: errno) }
    guard link(draft, path) == 0 else {
      throw errno == EEXIST ? .exists(path: path) : .io(operation: "create", path: path, errno: errno)
    }
    let folder = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
    let folderDescriptor = open(folder.isEmpty ? "/" : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folderDescriptor >= 0 else { throw .io(operation: "open the folder", path: path, errno: errno) }
    defer { close(folderDescriptor) }
    guard Glibc.fsync(folderDescriptor) == 0 else {
      throw .io(operation: "fsync of the folder", path: path, errno: errno)
    }
  }

  /// Appends whole lines and returns when they are on disk.
  ///
  /// - Returns: where the first one stands, in bytes from the file's beginning.
  /// - Throws: what the system refused. Where the file then is not what it was before, and synced so, `isBroken` is set:
  ///   a half line followed by whole ones would be damage, and after a failed fsync nobody knows what is on disk.
  mutating func append(_ bytes: [UInt8]) throws(JournalError) -> Int {
    guard !isBroken else { throw .unusable(path: path) }
    let length = lseek(descriptor, 0, SEEK_END)
    guard length >= 0 else { throw .io(operation: "seek", path: path, errno: errno) }
    isBroken = true
    do throws(JournalError) {
      try write(bytes, at: length)
    } catch {
      if ftruncate(descriptor, length) == 0, fsync(descriptor) == 0 { isBroken = false }
      throw error
    }
    try sync()
    isBroken = false
    return Int(length)
  }

  /// Reads entry after entry, and cuts off an unfinished last line.
  /// - Parameter take: gets each entry with its place.
  func read(_ take: (JournalEntry, JournalPlace) throws -> Void) throws -> JournalHeader {
    guard !isBroken else { throw JournalError.unusable(path: path) }
    var header: JournalHeader?
    var lineNumber = 0
    // A whole line that is not what was written: damage, unless it is the last one.
    var bad: (number: Int, offset: Int)?
    // What was read and is not yet a whole line, and where in the file it begins.
    var rest: [UInt8] = []
    var offset = 0
    while let bytes = try chunk(at: offset + rest.count) {
      rest += bytes
      var begin = 0
      while let end = rest[begin...].firstIndex(of: UInt8(ascii: "\n")) {
        lineNumber += 1
        if let bad { throw JournalError.damaged(path: path, line: bad.number) }
        if header == nil {
          header = JournalLine.parseHeader(rest[begin..<end])
          guard header != nil else { throw JournalError.damaged(path: path, line: 1) }
        } else if let entry = JournalLine.parseEntry(rest[begin..<end]) {
          try take(entry, JournalPlace(offset: offset + begin, length: end - begin))
        } else {
          bad = (lineNumber, offset + begin)
        }
        begin = end + 1
      }
      rest.removeFirst(begin)
      offset += begin
    }
    guard let header else { throw JournalError.damaged(path: path, line: 1) }
    // What follows the last newline is empty, or a write that a crash cut short.
    let valid = bad?.offset ?? offset
    if valid < offset + rest.count {
      guard ftruncate(descriptor, off_t(valid)) == 0 else {
        throw JournalError.io(operation: "truncate", path: path, errno: errno)
      }
      try sync()
    }
    return header
  }

  /// The next bytes from a place on, a mebibyte at most; nil at the end.
  private func chunk(at offset: Int) throws(JournalError) -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    while true {
      let count = pread(descriptor, &buffer, buffer.count, off_t(offset))
      if count == 0 { return nil }
      if count > 0 { return Array(buffer[..<count]) }
      guard errno == EINTR else { throw .io(operation: "read", path: path, errno: errno) }
    }
  }

  private func write(_ bytes: [UInt8], at start: off_t) throws(JournalError) {
    try JournalFile.write(bytes, to: descriptor, at: start, path: path)
  }

  private static func write(
    _ bytes: [UInt8], to descriptor: Int32, at start: off_t, path: String
  ) throws(JournalError) {
    var written = 0
    while written < bytes.count {
      let count = bytes[written...].withUnsafeBytes {
        pwrite(descriptor, $0.baseAddress, $0.count, start + off_t(written))
      }
      if count >= 0 {
        written += count
      } else if errno != EINTR {
        throw .io(operation: "write", path: path, errno: errno)
      }
    }
  }

  /// After a failed fsync the kernel may have dropped the pages: the caller must not go on with this file.
  private func sync() throws(JournalError) {
    while fsync(descriptor) != 0 {
      guard errno == EINTR else { throw .io(operation: "fsync", path: path, errno: errno) }
    }
  }
}
