import Foundation

/// The programs of an installed PostgreSQL, run as a user that its server accepts: never root.
struct PostgresPrograms: Sendable {
  /// Why no server can be started.
  struct Unavailable: Error, CustomStringConvertible {
    let description: String
  }

  /// Where `initdb`, `pg_ctl` and `psql` are.
  private let folder: String
  /// What stands before each command where this process is root: the server refuses to run as root.
  private let prefix: [String]

  /// Finds the programs: in PATH, else the newest in `/usr/lib/postgresql/<version>/bin`, as Debian has them.
  static func find() throws -> PostgresPrograms {
    let root = "/usr/lib/postgresql"
    let versions = ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? [])
      .sorted { (Int($0) ?? 0) > (Int($1) ?? 0) }
    guard let initdb = ChildProcess.path(of: "initdb", also: versions.map { "\(root)/\($0)/bin" }) else {
      throw Unavailable(description: "initdb is neither in PATH nor in \(root)/*/bin: install PostgreSQL's server")
    }
    let prefix = geteuid() == 0 ? ["runuser", "-u", "postgres", "--"] : []
    // PATH may hold single links into the installation: the other programs stand beside the real file.
    let installed = URL(fileURLWithPath: initdb).resolvingSymlinksInPath().deletingLastPathComponent().path
    guard FileManager.default.isExecutableFile(atPath: "\(installed)/psql") else {
      throw Unavailable(description: "\(installed) has initdb but no psql: install PostgreSQL's client too")
    }
    return PostgresPrograms(folder: installed, prefix: prefix)
  }

  /// Runs one of PostgreSQL's programs.
  @discardableResult
  func run(_ program: String, _ arguments: [String]) async throws -> String {
    try await command(["\(folder)/\(program)"] + arguments)
  }

  /// Runs one of PostgreSQL's client programs, which need no other user.
  func runUnprivileged(_ program: String, _ arguments: [String]) async throws -> String {
    try await ChildProcess.require("\(folder)/\(program)", arguments, currentDirectory: "/")
  }

  /// Makes the server's folder, in memory where no other parent is given and that is possible: with fsync on, nothing else is
  /// as fast.
  func makeFolder(in given: String? = nil) async throws -> String {
    if let given { return try await command(["mktemp", "--directory", "\(given)/private-postgres.XXXXXXXX"]) }
    var isDirectory: ObjCBool = false
    let hasMemoryFolder = FileManager.default.fileExists(atPath: "/dev/shm", isDirectory: &isDirectory)
    let parent = hasMemoryFolder && isDirectory.boolValue && access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"
    return try await command(["mktemp", "--directory", "\(parent)/private-postgres.XXXXXXXX"])
  }

  /// Appends lines to a file of the server.
  func append(_ lines: [String], to path: String) async throws {
    let text = lines.map { $0 + "\n" }.joined()
    try await command(["sh", "-c", "printf '%s' \"$1\" >> \"$2\"", "append", text, path])
  }

  /// Copies a folder of the server to where nothing is yet.
  func copyFolder(_ path: String, to copy: String) async throws {
    try await command(["cp", "-a", path, copy])
  }

  /// Removes a folder of the server.
  func removeFolder(_ path: String) async throws {
    try await command(["rm", "-rf", path])
  }

  /// Starts a small process that stops the server and removes its folder once the owner is gone, however it
  /// ended; or that ends where the folder is gone already. It has a session of its own, so that a terminal's
  /// Ctrl-C does not end it before its work is done, and it keeps none of our descriptors.
  func watch(folder: String, ownerProcessID: Int32) async throws {
    let script = """
      trap '' HUP INT TERM
      while kill -0 "$1" 2>/dev/null && [ -d "$2" ]; do sleep 1; done
      server=$(head -n 1 "$2/data/postmaster.pid" 2>/dev/null)
      if [ -n "$server" ]; then
        kill -QUIT "$server" 2>/dev/null
        tries=0
        while kill -0 "$server" 2>/dev/null && [ $tries -lt 100 ]; do sleep 0.1; tries=$((tries + 1)); done
      fi
      rm -rf "$2"
      """
    // As root it runs as root: it must be able to see this process and to stop a server of another user.
    try await ChildProcess.require(
      "sh",
      [
        "-c", "setsid sh -c \"$1\" watcher \"$2\" \"$3\" </dev/null >/dev/null 2>&1 &", "starter", script,
        "\(ownerProcessID)", folder,
      ], currentDirectory: "/")
  }

  @discardableResult
  private func command(_ words: [String]) async throws -> String {
    let words = prefix + words
    return try await ChildProcess.require(words[0], Array(words.dropFirst()), currentDirectory: "/")
  }
}

/// Ports that nobody listens on.
public enum FreePort {
  /// A TCP port on 127.0.0.1 that nobody listens on at this moment, below those that outgoing connections get: one of these
  /// could take it while a server restarts.
  public static func choose() throws -> Int {
    for _ in 0..<1_000 {
      let port = Int.random(in: 20_000..<32_000)
      let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      guard descriptor >= 0 else { throw POSIXError(.EMFILE) }
      defer { close(descriptor) }
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = UInt16(port).bigEndian
      address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
      let isFree = withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
          bind(descriptor, generic, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
        }
      }
      if isFree { return port }
    }
    throw POSIXError(.EADDRNOTAVAIL)
  }
}
