import Glibc

/// What a process that holds a key forbids itself.
public enum ProcessHardening {
  /// No core dump of this process any more, neither to a file nor to a handler, and no tracing by other processes of the
  /// same user. Call it before the key is opened.
  ///
  /// - Throws: `KeystoreError.system` where the kernel did not do it; then the key must not be opened.
  public static func forbidCoreDumps() throws(KeystoreError) {
    var limit = rlimit(rlim_cur: 0, rlim_max: 0)
    guard setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &limit) == 0 else {
      throw KeystoreError(.system, "the kernel refused to set the limit of core dumps (errno \(errno))")
    }
    // A limit of zero does not bind a handler that core_pattern pipes to; the dumpable flag does (man 5 core, man 2
    // prctl).
    guard let control = processControl() else {
      throw KeystoreError(.system, "the C library has no prctl")
    }
    guard control(setDumpable, 0, 0, 0, 0) == 0, control(getDumpable, 0, 0, 0, 0) == 0 else {
      throw KeystoreError(.system, "the kernel refused to clear the dumpable flag (errno \(errno))")
    }
  }

  /// `prctl` with the five integers it takes. Swift does not import C functions with variable arguments; on x86-64 and
  /// arm64 Linux such a function finds integers in the same registers as any other, and the flag is read back.
  private typealias ProcessControl =
    @convention(c) (CInt, CUnsignedLong, CUnsignedLong, CUnsignedLong, CUnsignedLong) -> CInt

  private static let setDumpable: CInt = 4
  private static let getDumpable: CInt = 3

  private static func processControl() -> ProcessControl? {
    dlsym(nil, "prctl").map { unsafeBitCast($0, to: ProcessControl.self) }
  }
}
