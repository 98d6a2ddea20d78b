import Glibc
import Payouts

/// Reads single entries of a journal whose places are known, for whoever asks from wherever, at the same time.
///
/// A line of some hundred bytes that was written by this process or read by it at its start comes from the kernel's memory,
/// and is asked for only where a reference is signed again: no thread waits for a disk here.
final class JournalReader: Sendable {
  private let descriptor: Int32
  private let path: String

  /// Opens the file once more. It has no lock of its own: the journal's owner holds it.
  init(_ path: String) throws(JournalError) {
    descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .io(operation: "open", path: path, errno: errno) }
    self.path = path
  }

  deinit { close(descriptor) }

  /// The entry that stands at a place.
  /// - Throws: `JournalError.io` where it cannot be read, `.unusable` where it is not there any more.
  func entry(at place: JournalPlace) throws(JournalError) -> JournalEntry {
    var line = [UInt8](repeating: 0, count: place.length)
    var read = 0
    while read < line.count {
      let count = line[read...].withUnsafeMutableBytes {
        pread(descriptor, $0.baseAddress, $0.count, off_t(place.offset + read))
      }
      if count > 0 {
        read += count
      } else if count == 0 {
        throw .unusable(path: path)
      } else if errno != EINTR {
        throw .io(operation: "read", path: path, errno: errno)
      }
    }
    guard let entry = JournalLine.parseEntry(line[...]) else { throw .unusable(path: path) }
    return entry
  }
}
