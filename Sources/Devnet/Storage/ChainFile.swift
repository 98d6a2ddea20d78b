#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The file that keeps a chain over restarts: entries that are only ever appended, each synced before anybody sees what
/// it tells. The pending pool is not in it: a node loses that too (tron-protocol.md §3.5).
///
/// Entry: length of the payload (4 bytes, big endian), first 8 bytes of its SHA-256, payload. Only the last entry can be
/// torn, by a death in mid-write; it was never seen, and is cut off. Every call blocks; the owner runs on a queue of its
/// own.
struct ChainFile: ~Copyable, Sendable {
  private let descriptor: Int32
  private let path: String
  /// The file's length: where the next entry goes.
  private var end: Int

  private static let lengthSize = 4
  private static let checksumSize = 8

  /// Opens or makes the file, takes its lock, which ends with the process, and reads what it holds.
  init(_ path: String) throws(ChainFileError) {
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw Self.failure(path, "open") }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      close(descriptor)
      throw ChainFileError(path, "is used by another devnet; give each a file of its own")
    }
    self.descriptor = descriptor
    self.path = path
    end = 0
  }

  deinit { close(descriptor) }

  /// All whole entries. What a process wrote and did not sync before it died is synced first.
  mutating func read() throws(ChainFileError) -> [ChainRecord] {
    guard fsync(descriptor) == 0 else { throw Self.failure(path, "sync") }
    try syncFolder()
    let bytes = try contents()
    var records: [ChainRecord] = []
    end = 0
    while let payload = Self.payload(at: end, of: bytes) {
      do {
        records.append(try ChainRecord(decoding: payload))
      } catch {
        throw ChainFileError(path, "holds \(error.reason); it was written by another version: remove it")
      }
      end += Self.lengthSize + Self.checksumSize + payload.count
    }
    guard end < bytes.count else { return records }
    guard Self.isTorn(bytes[end...]) else {
      throw ChainFileError(path, "is damaged at byte \(end) of \(bytes.count); restore or remove it")
    }
    guard ftruncate(descriptor, off_t(end)) == 0, fsync(descriptor) == 0 else { throw Self.failure(path, "truncate") }
    return records
  }

  /// Appends an entry and returns when it is on disk. After an error the file may hold half of it.
  mutating func append(_ record: ChainRecord) throws(ChainFileError) {
    let payload = record.encoded
    let length = withUnsafeBytes(of: UInt32(payload.count).bigEndian) { Bytes($0) }
    let entry = length + Hash32.sha256(payload).bytes.prefix(Self.checksumSize) + payload
    var written = 0
    while written < entry.count {
      let count = entry[written...].withUnsafeBytes {
        pwrite(descriptor, $0.baseAddress, $0.count, off_t(end + written))
      }
      guard count > 0 else { throw Self.failure(path, "write") }
      written += count
    }
    guard fsync(descriptor) == 0 else { throw Self.failure(path, "sync") }
    end += entry.count
  }

  /// The payload of the entry at `start`, nil where there is no whole one.
  private static func payload(at start: Int, of bytes: Bytes) -> Bytes? {
    let header = start + lengthSize + checksumSize
    guard header <= bytes.count else { return nil }
    let length = bytes[start..<start + lengthSize].reduce(0) { $0 << 8 | Int($1) }
    guard length > 0, header + length <= bytes.count else { return nil }
    let payload = Bytes(bytes[header..<header + length])
    return Hash32.sha256(payload).bytes.prefix(checksumSize).elementsEqual(bytes[start + lengthSize..<header])
      ? payload : nil
  }

  /// Whether a rest is an entry that ends at or beyond the file's end, or bytes that never came to the disk.
  private static func isTorn(_ rest: ArraySlice<UInt8>) -> Bool {
    guard rest.count >= lengthSize + checksumSize, rest.contains(where: { $0 != 0 }) else { return true }
    return lengthSize + checksumSize + rest.prefix(lengthSize).reduce(0) { $0 << 8 | Int($1) } >= rest.count
  }

  private func contents() throws(ChainFileError) -> Bytes {
    let size = lseek(descriptor, 0, SEEK_END)
    guard size >= 0 else { throw Self.failure(path, "seek") }
    var bytes = Bytes(repeating: 0, count: Int(size))
    var count = 0
    while count < bytes.count {
      let read = bytes[count...].withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, $0.count, off_t(count)) }
      guard read > 0 else { throw Self.failure(path, "read") }
      count += read
    }
    return bytes
  }

  /// The file's name is on disk only when its folder is.
  private func syncFolder() throws(ChainFileError) {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false).dropLast()
    let folder = parts.joined(separator: "/")
    let directory = open(parts.isEmpty ? "." : folder.isEmpty ? "/" : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard directory >= 0 else { throw Self.failure(path, "open the folder") }
    defer { close(directory) }
    guard fsync(directory) == 0 else { throw Self.failure(path, "sync the folder") }
  }

  private static func failure(_ path: String, _ operation: String) -> ChainFileError {
    ChainFileError(path, "cannot be used: \(operation): \(String(cString: strerror(errno)))")
  }
}
