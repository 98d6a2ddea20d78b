import Foundation
import Synchronization

/// A child of this process; its id is used only while it belongs to it.
///
/// Not Foundation's `Process`. On Linux that takes a program for running as long as anything it started keeps a certain
/// descriptor open, and so never sees the end of one that leaves a server behind. And its `run()` looks for this process's
/// highest descriptor by copying whole entries of /proc/self/fd out of `readdir`'s buffer, beyond that buffer's end: with
/// some 1,300 descriptors open, as many tests side by side have, that may be a segmentation fault.
final class SpawnedProcess: Sendable {
  /// Its id.
  let processIdentifier: pid_t
  /// The exit code, or minus the number of the signal that ended it; nil before its end was seen. Its id belongs to it until
  /// then.
  private let status = Mutex<Int32?>(nil)

  private typealias CloseFrom =
    @convention(c) (UnsafeMutablePointer<posix_spawn_file_actions_t>, Int32) -> Int32

  /// `posix_spawn_file_actions_addclosefrom_np`, which glibc's headers show to GNU sources only. Where it is missing, a child
  /// has those of our descriptors that are not marked to be closed; no lock of a test may be among them.
  private static let closeFrom: CloseFrom? = dlsym(nil, "posix_spawn_file_actions_addclosefrom_np").map {
    unsafeBitCast($0, to: CloseFrom.self)
  }

  /// Starts a program in a process group of its own, so that a terminal's Ctrl-C reaches only the tests, with no other
  /// descriptors than these.
  ///
  /// - Parameters:
  ///   - path: the program.
  ///   - environment: all its variables; nil for those of this process.
  ///   - currentDirectory: where it runs; nil for the folder of this process.
  ///   - output: the file for standard output, made anew; nil for none.
  ///   - errors: the file for standard error, made anew; nil for none.
  /// - Throws: `ChildProcess.Failure`.
  init(
    _ path: String, _ arguments: [String], environment: [String: String]? = nil, currentDirectory: String? = nil,
    output: String? = nil, errors: String? = nil
  ) throws {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    for (descriptor, file) in [(1, output), (2, errors)] as [(Int32, String?)] {
      posix_spawn_file_actions_addopen(&actions, descriptor, file ?? "/dev/null", O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    }
    _ = Self.closeFrom?(&actions, 3)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    posix_spawnattr_setpgroup(&attributes, 0)
    // Foundation and the runtime may have blocked signals in this thread; a program starts with none blocked.
    var noSignals = sigset_t()
    sigemptyset(&noSignals)
    posix_spawnattr_setsigmask(&attributes, &noSignals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))

    // Only a shell can change the folder between fork and exec in a way that every C library offers.
    let changingFolder = currentDirectory.map { ["/bin/sh", "-c", "cd \"$0\" && exec \"$@\"", $0] } ?? []
    let command = changingFolder + [path] + arguments
    let words = command.map { strdup($0) } + [nil]
    let variables =
      (environment ?? ProcessInfo.processInfo.environment).map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for text in words + variables { free(text) } }
    var id: pid_t = 0
    let problem = posix_spawn(&id, command[0], &actions, &attributes, words, variables)
    guard problem == 0 else {
      throw ChildProcess.Failure(
        command: command.joined(separator: " "), reason: "cannot be started: \(String(cString: strerror(problem)))")
    }
    processIdentifier = id
  }

  /// Whether it has not ended yet.
  var isRunning: Bool { outcome == nil }

  /// The exit code, or minus the number of the signal that ended it; nil while it runs.
  var outcome: Int32? { status.withLock { take(&$0, WNOHANG) } }

  /// Sends a signal, if it runs.
  func signal(_ number: Int32) {
    status.withLock { status in
      if status == nil { _ = kill(processIdentifier, number) }
    }
  }

  /// Blocks until it has ended.
  ///
  /// - Returns: as ``outcome``.
  func waitForEnd() -> Int32 {
    // Wait without taking its id away, which another process could get; then take it away under the lock.
    var information = siginfo_t()
    while waitid(P_PID, id_t(processIdentifier), &information, WEXITED | WNOWAIT) != 0 && errno == EINTR {}
    return status.withLock { take(&$0, 0) } ?? 0
  }

  /// Takes the end of the process, where it has ended, and its id with it.
  private func take(_ status: inout Int32?, _ options: Int32) -> Int32? {
    if status != nil { return status }
    var word: Int32 = 0
    var id: pid_t
    repeat { id = waitpid(processIdentifier, &word, options) } while id < 0 && errno == EINTR
    guard id == processIdentifier else { return nil }
    let signal = word & 0x7F
    status = signal == 0 ? (word >> 8) & 0xFF : -signal
    return status
  }
}
