import COpenSSL
import Glibc

/// A few secret bytes on pages of their own: never swapped, never in a core dump, empty in a forked child, read-only
/// once filled, wiped before they are given back.
///
/// `@unchecked Sendable`: the pages are written once, inside `filled`, and the kernel itself then refuses every write
/// (`mprotect`); reading from many threads at once is safe.
struct LockedMemory: ~Copyable, @unchecked Sendable {
  private let pages: UnsafeMutableRawPointer
  private let pagesSize: Int
  /// How many of the bytes are in use, from the first.
  let count: Int

  private init(pages: UnsafeMutableRawPointer, pagesSize: Int, count: Int) {
    self.pages = pages
    self.pagesSize = pagesSize
    self.count = count
  }

  /// New memory with content.
  ///
  /// - Parameters:
  ///   - count: bytes, 0 or more.
  ///   - fill: writes them; they are zero before.
  /// - Throws: `KeystoreError.memory` where the process may not lock memory, or what `fill` throws.
  static func filled(
    count: Int, by fill: (UnsafeMutableRawBufferPointer) throws(KeystoreError) -> Void
  ) throws(KeystoreError) -> LockedMemory {
    let pageSize = sysconf(Int32(_SC_PAGESIZE))
    let size = (max(count, 1) + pageSize - 1) / pageSize * pageSize
    guard let pages = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), pages != MAP_FAILED
    else { throw KeystoreError(.memory, "no memory for a secret (errno \(errno))") }
    // Owns the pages from here on, also where this throws.
    let memory = LockedMemory(pages: pages, pagesSize: size, count: count)
    guard mlock(pages, size) == 0 else {
      throw KeystoreError(
        .memory, "the kernel refused to lock memory (errno \(errno)): raise the limit on locked memory (ulimit -l)")
    }
    guard madvise(pages, size, Int32(MADV_DONTDUMP)) == 0, madvise(pages, size, Int32(MADV_WIPEONFORK)) == 0 else {
      throw KeystoreError(.memory, "the kernel refused to keep memory out of core dumps (errno \(errno))")
    }
    try fill(UnsafeMutableRawBufferPointer(start: pages, count: count))
    guard mprotect(pages, size, PROT_READ) == 0 else {
      throw KeystoreError(.memory, "the kernel refused to protect memory (errno \(errno))")
    }
    return memory
  }

  deinit {
    // A failure here would leave the pages read-only and the wipe would trap, which is better than an unwiped key.
    mprotect(pages, pagesSize, PROT_READ | PROT_WRITE)
    OPENSSL_cleanse(pages, pagesSize)
    munlock(pages, pagesSize)
    munmap(pages, pagesSize)
  }

  /// Lends the bytes for the time of a call.
  borrowing func withBytes<Result, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try body(UnsafeRawBufferPointer(start: pages, count: count))
  }
}
