import Foundation

/// The time of day that one process sees, set from outside while it runs, by Debian's libfaketime: what the process waits by,
/// the monotonic clock, is not touched, as where an operator or NTP sets a machine's clock.
public struct FakedClock: Sendable {
  /// How soon a change is seen, in seconds.
  private static let cacheSeconds = 1

  private let file: String
  private let library: String

  /// A clock that is right.
  ///
  /// - Parameter file: a path of its own, which is made.
  /// - Throws: where libfaketime is not installed.
  public init(file: String) throws {
    guard let library = Self.library else {
      throw ChildProcess.Failure(command: "libfaketime", reason: "it is not installed: run ops/setup --tests")
    }
    self.library = library
    self.file = file
    try set(secondsAhead: 0)
  }

  /// The variables of the process that sees it.
  public var environment: [String: String] {
    [
      "LD_PRELOAD": library, "FAKETIME_TIMESTAMP_FILE": file, "FAKETIME_CACHE_DURATION": "\(Self.cacheSeconds)",
      "FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1",
    ]
  }

  /// Sets it: so many seconds ahead of the real one, or behind.
  public func set(secondsAhead seconds: Int) throws {
    // Renamed into its place, so that no half of it is ever read.
    try Data("\(seconds < 0 ? "" : "+")\(seconds)\n".utf8).write(to: URL(fileURLWithPath: file), options: .atomic)
  }

  /// Removes what a killed process with this id left of libfaketime's in shared memory.
  public static func forget(_ pid: Int32) {
    for name in ["faketime_shm_\(pid)", "sem.faketime_sem_\(pid)"] {
      try? FileManager.default.removeItem(atPath: "/dev/shm/\(name)")
    }
  }

  private static var library: String? {
    let root = "/usr/lib"
    return ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []).sorted()
      .map { "\(root)/\($0)/faketime/libfaketimeMT.so.1" }.first { FileManager.default.fileExists(atPath: $0) }
  }
}
