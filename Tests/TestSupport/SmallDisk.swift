import Foundation

/// A file system of a few hundred MiB, in memory, for a server whose disk is to get full.
///
/// It takes the right to mount: root in a namespace of its own will do. Nothing of it outlives the test process: a small shell
/// process waits until that is gone and the disk is empty, and unmounts it.
public actor SmallDisk {
  /// Where it is mounted.
  public nonisolated let folder: String

  private nonisolated var filler: String { "\(folder)/filler" }

  private init(folder: String) { self.folder = folder }

  /// Mounts one; nil where this process may not.
  public static func mount(megabytes: Int) async throws -> SmallDisk? {
    guard geteuid() == 0 else { return nil }
    let folder = try await ChildProcess.require("mktemp", ["--directory", "/tmp/small-disk.XXXXXXXX"])
    let mounted = try await ChildProcess.run(
      "mount", ["-t", "tmpfs", "-o", "size=\(megabytes)m,mode=1777", "small-disk", folder])
    guard mounted.status == 0 else {
      try FileManager.default.removeItem(atPath: folder)
      return nil
    }
    // A server on it is ended, and its folder removed, by a watcher of its own: first that, then this.
    let script = """
      trap '' HUP INT TERM
      while kill -0 "$1" 2>/dev/null && mountpoint -q "$2"; do sleep 1; done
      mountpoint -q "$2" || exit 0
      rm -f "$2/filler"
      tries=0
      while [ -n "$(ls -A "$2")" ] && [ $tries -lt 60 ]; do sleep 1; tries=$((tries + 1)); done
      umount -l "$2" && rmdir "$2"
      """
    try await ChildProcess.require(
      "sh",
      [
        "-c", "setsid sh -c \"$1\" watcher \"$2\" \"$3\" </dev/null >/dev/null 2>&1 &", "starter", script,
        "\(getpid())", folder,
      ], currentDirectory: "/")
    return SmallDisk(folder: folder)
  }

  /// Fills it to the last byte: the next write of anybody fails with ENOSPC.
  public func fill() async throws {
    // It ends by the very error that is wanted.
    _ = try await ChildProcess.run("dd", ["if=/dev/zero", "of=\(filler)", "bs=64K", "oflag=append", "conv=notrunc"])
  }

  /// Gives back what `fill` took.
  public func clear() async throws {
    try await ChildProcess.require("rm", ["-f", filler])
  }

  /// Unmounts it. Nobody may use it any more.
  public func unmount() async throws {
    try await ChildProcess.require("umount", ["-l", folder])
    try await ChildProcess.require("rmdir", [folder])
  }
}
