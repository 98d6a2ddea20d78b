import Foundation

/// A Redis server of the tests' own: on 127.0.0.1, on a free port, with its data in a temporary folder, AOF on and
/// nothing evicted, as in production.
///
/// Nothing of it outlives the test process, however that one ends: a small shell process watches the test process, and
/// when it is gone kills the server by its pid and removes the folder.
public actor PrivateRedis {
  /// The port it listens on, the same after a restart.
  public nonisolated let port: Int
  /// The port for TLS; nil where the arguments ask for none.
  public nonisolated let tlsPort: Int?
  /// Its folder: data, logs, pid file.
  public nonisolated let folder: String
  /// Where clients connect, without user, password and database.
  public nonisolated var url: String { "redis://127.0.0.1:\(port)" }

  private let arguments: [String]
  private var server: SpawnedProcess?
  private var starts = 0

  /// The longest that a start or an end may take, in milliseconds: two cores shared by everything may be slow.
  static let patienceMilliseconds = 60_000
  /// How many ports are tried: another process may take a free one before the server does.
  static let portAttempts = 5

  /// One server that all tests of the process share; each takes a database or a key prefix of its own.
  public static func shared() async throws -> PrivateRedis {
    try await sharedServer.value
  }

  /// Owned by the process: it ends when the server is up, and everybody awaits it.
  private static let sharedServer = Task { try await start() }

  /// A server of the caller's own, for tests that stop it, kill it or fill it. It is up when this returns.
  ///
  /// - Parameter arguments: Options added to the command line, such as `["--requirepass", "secret"]`; `{tls-port}` stands
  ///   for another free port.
  public static func start(arguments: [String] = []) async throws -> PrivateRedis {
    var attempt = 1
    while true {
      let redis = try PrivateRedis(arguments: arguments)
      do {
        try await redis.launch()
        return redis
      } catch {
        await redis.stop()
        guard attempt < portAttempts else { throw error }
        attempt += 1
      }
    }
  }

  private init(arguments: [String]) throws {
    port = try FreePort.choose()
    let folder = NSTemporaryDirectory() + "/private-redis-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    self.folder = folder
    let tlsPort = arguments.contains("{tls-port}") ? try FreePort.choose() : nil
    self.tlsPort = tlsPort
    self.arguments = arguments.map { $0 == "{tls-port}" ? "\(tlsPort ?? 0)" : $0 }
    _ = try SpawnedProcess("/bin/sh", ["-c", Self.watcher, "sh", "\(getpid())", folder, "\(port)"])
  }

  /// Ends the server as an operator would, and starts it again on its data.
  public func restart() async throws {
    try await end(by: SIGTERM)
    try await launch()
  }

  /// Ends the server at once, as a power cut of the process would. ``restart()`` brings it back.
  public func kill() async throws {
    try await end(by: SIGKILL)
  }

  /// Freezes the server: its sockets stay open and nothing is answered.
  public func pause() {
    server?.signal(SIGSTOP)
  }

  /// Thaws a frozen server.
  public func resume() {
    server?.signal(SIGCONT)
  }

  /// Ends the server and removes its folder.
  public func stop() async {
    // A cancelled test cannot wait here: then the end of the process ends the server.
    try? await end(by: SIGKILL)
    try? FileManager.default.removeItem(atPath: folder)
  }

  private func launch() async throws {
    starts += 1
    let log = "\(folder)/redis-\(starts).log"
    let server = try SpawnedProcess(
      "/usr/bin/env",
      [
        "redis-server", "--port", "\(port)", "--bind", "127.0.0.1", "--dir", folder, "--logfile",
        log,
      ]
        + ["--pidfile", "\(folder)/server.pid", "--appendonly", "yes", "--save", "", "--databases", "4096"]
        + ["--maxmemory-policy", "noeviction"] + arguments)
    self.server = server
    try await Self.poll("redis-server is ready") {
      if !server.isRunning { throw PrivateRedisError(message: "redis-server ended: \(Self.text(of: log))") }
      return Self.text(of: log).contains("Ready to accept connections")
    }
  }

  private func end(by signal: Int32) async throws {
    guard let server else { return }
    server.signal(signal)
    try await Self.poll("redis-server has ended") { !server.isRunning }
    self.server = nil
  }

  /// What watches the test process. A process that has ended and was not yet reaped counts as gone. The pid is only
  /// killed where it still is this server: its title carries the port.
  private static let watcher = """
    alive() { kill -0 "$1" 2>/dev/null && ! grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null; }
    while alive "$1" && [ -d "$2" ]; do sleep 0.2; done
    if [ -d "$2" ]; then
      server=$(cat "$2/server.pid" 2>/dev/null)
      if [ -n "$server" ] && tr '\\0' ' ' <"/proc/$server/cmdline" | grep -q "redis-server.*:$3 "; then
        kill -KILL "$server"
      fi
      rm -rf "$2"
    fi
    """

  private static func text(of file: String) -> String {
    (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
  }

  private static func poll(_ what: String, _ condition: () throws -> Bool) async throws {
    let end = ContinuousClock.now + .milliseconds(patienceMilliseconds)
    while try !condition() {
      guard ContinuousClock.now < end else {
        throw PrivateRedisError(message: "waited \(patienceMilliseconds) ms in vain until \(what)")
      }
      try await Task.sleep(for: .milliseconds(10))
    }
  }
}

/// Why a private Redis server could not be started.
public struct PrivateRedisError: Error, CustomStringConvertible {
  /// What happened.
  public let message: String
  /// What happened.
  public var description: String { message }
}
