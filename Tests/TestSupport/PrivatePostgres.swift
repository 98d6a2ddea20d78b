import Foundation

/// A PostgreSQL server of our own for tests: real, on a free loopback port, in a temporary folder, with
/// fsync on, and gone when the test process is.
///
/// Each test takes a database of its own (``createDatabase(template:)``), so that tests can run side by side.
/// Tests that stop or restart the server take a server of their own (``start(settings:)``).
public actor PrivatePostgres {
  /// How ``restart(mode:)`` stops the server.
  public enum StopMode: String, Sendable {
    /// Sessions are ended and all is written out.
    case fast
    /// As in a crash: recovery at the next start.
    case immediate
  }

  /// The superuser; everyone may log in as it, over loopback only.
  public static let user = "postgres"

  /// The port on 127.0.0.1; the Unix socket in ``folder`` has the same number.
  public nonisolated let port: Int
  /// Holds the data (`data`), the socket and the log (`log`).
  public nonisolated let folder: String
  private let programs: PostgresPrograms
  private var databaseCounter = 0

  private init(port: Int, folder: String, programs: PostgresPrograms) {
    self.port = port
    self.folder = folder
    self.programs = programs
  }

  /// The server that all tests of this process share, started when it is first asked for.
  ///
  /// The task that starts it is kept for the life of the process, on purpose: so is the server.
  private static let sharedServer = Task { try await start() }

  /// The server that all tests of this process share.
  public static func shared() async throws -> PrivatePostgres {
    try await sharedServer.value
  }

  /// Starts a server of its own.
  ///
  /// - Parameters:
  ///   - settings: further lines for `postgresql.conf`, such as `wal_level=logical`.
  ///   - ownerProcessID: with the end of this process the server ends too; nil for the present process.
  ///   - parent: the folder that holds the server's; nil for memory where that is possible.
  public static func start(
    settings: [String: String] = [:], ownerProcessID: Int32? = nil, in parent: String? = nil
  ) async throws -> PrivatePostgres {
    let programs = try PostgresPrograms.find()
    let folder = try await programs.makeFolder(in: parent)
    do {
      try await programs.run(
        "initdb",
        [
          "--pgdata", "\(folder)/data", "--username", user, "--auth", "trust", "--encoding", "UTF8",
          "--locale", "C.UTF-8", "--no-sync",
        ])
      var lines = [
        "listen_addresses": "'127.0.0.1'", "unix_socket_directories": "'\(folder)'", "fsync": "on",
        "synchronous_commit": "on", "max_connections": "900", "shared_buffers": "64MB",
        "max_prepared_transactions": "10",
        // A hundred tests at once each set up a whole schema, in one transaction.
        "max_locks_per_transaction": "256",
      ]
      lines.merge(settings) { _, new in new }
      try await programs.append(lines.map { "\($0.key) = \($0.value)" }, to: "\(folder)/data/postgresql.conf")
      return try await startOnFreePort(
        folder: folder, programs: programs, ownerProcessID: ownerProcessID ?? getpid())
    } catch {
      try await programs.removeFolder(folder)
      throw error
    }
  }

  /// Another program may take a port between its choice and its use: then the next one is tried.
  private static func startOnFreePort(
    folder: String, programs: PostgresPrograms, ownerProcessID: Int32
  ) async throws -> PrivatePostgres {
    let attemptsMax = 5
    var attempt = 0
    while true {
      attempt += 1
      let port = try FreePort.choose()
      let server = PrivatePostgres(port: port, folder: folder, programs: programs)
      try await programs.append(["port = \(port)"], to: "\(folder)/data/postgresql.conf")
      do {
        try await server.startServer()
        try await programs.watch(folder: folder, ownerProcessID: ownerProcessID)
        return server
      } catch  where attempt < attemptsMax {
        continue
      }
    }
  }

  /// The connection URL of a database.
  public nonisolated func url(database: String) -> String {
    "postgresql://\(Self.user)@127.0.0.1:\(port)/\(database)"
  }

  /// Makes a fresh database.
  ///
  /// - Parameter template: the name of the database to copy, which nobody may be connected to; nil for an
  ///   empty one.
  /// - Returns: its connection URL; its name is the last path component.
  public func createDatabase(template: String? = nil) async throws -> String {
    databaseCounter += 1
    let name = "test_\(databaseCounter)"
    try await query("CREATE DATABASE \(name)" + (template.map { " TEMPLATE \($0)" } ?? ""))
    return url(database: name)
  }

  /// Carries out SQL by the server's own client, as superuser, apart from the code under test.
  ///
  /// - Returns: the rows, one a line, columns separated by `|`.
  @discardableResult
  public nonisolated func query(_ sql: String, database: String = "postgres") async throws -> String {
    try await programs.runUnprivileged(
      "psql",
      [
        "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1", "--command", sql,
        url(database: database),
      ])
  }

  /// Stops the server and starts it again, on the same port and data.
  public func restart(mode: StopMode) async throws {
    try await stopServer(mode: mode)
    try await startServer()
  }

  /// Stops the server, keeping its data; nothing listens on the port then.
  public func stopServer(mode: StopMode) async throws {
    try await programs.run(
      "pg_ctl", ["stop", "--pgdata", "\(folder)/data", "--mode", mode.rawValue, "--wait", "--timeout", "60"])
  }

  /// Starts a stopped server and waits until it takes connections.
  public func startServer() async throws {
    try await programs.run(
      "pg_ctl",
      ["start", "--pgdata", "\(folder)/data", "--log", "\(folder)/log", "--wait", "--timeout", "60", "--silent"])
  }

  /// Whether the server runs, by its own word.
  public func isRunning() async -> Bool {
    (try? await programs.run("pg_ctl", ["status", "--pgdata", "\(folder)/data"])) != nil
  }

  /// Sends a signal to every process of the server: with SIGSTOP it hangs, its sockets open.
  public func signalAll(_ signal: Int32) async throws {
    let file = try String(contentsOfFile: "\(folder)/data/postmaster.pid", encoding: .utf8)
    guard let line = file.split(separator: "\n").first, let postmaster = Int32(line) else { return }
    let children = try String(contentsOfFile: "/proc/\(postmaster)/task/\(postmaster)/children", encoding: .utf8)
    for pid in [postmaster] + children.split(separator: " ").compactMap({ Int32($0) }) { kill(pid, signal) }
  }

  /// Copies all of the server's files, as they lie on disk while it is stopped; it runs again afterwards.
  public func copyData() async throws {
    try await stopServer(mode: .fast)
    try await programs.copyFolder("\(folder)/data", to: "\(folder)/copy")
    try await startServer()
  }

  /// Puts the copy in the place of the server's files: what was committed since is lost.
  public func putBackData() async throws {
    try await stopServer(mode: .immediate)
    try await programs.removeFolder("\(folder)/data")
    try await programs.copyFolder("\(folder)/copy", to: "\(folder)/data")
    try await startServer()
  }

  /// Takes a base backup while the server runs, as `pg_basebackup` does.
  public func takeBaseBackup() async throws {
    try await programs.run(
      "pg_basebackup",
      [
        "--pgdata", "\(folder)/base", "--host", "127.0.0.1", "--port", "\(port)", "--username", Self.user,
        "--checkpoint=fast",
      ])
  }

  /// Puts the base backup in the place of the server's files and starts it, without `recovery.signal`: what was committed
  /// since is lost.
  public func restoreBaseBackup() async throws {
    try await stopServer(mode: .immediate)
    try await programs.removeFolder("\(folder)/data")
    try await programs.copyFolder("\(folder)/base", to: "\(folder)/data")
    try await startServer()
  }

  /// Starts a standby of this server that streams its log, on a port that was chosen before.
  public func startStandby(port: Int) async throws -> PrivatePostgres {
    let other = try await programs.makeFolder()
    try await programs.run(
      "pg_basebackup",
      [
        "--pgdata", "\(other)/data", "--host", "127.0.0.1", "--port", "\(self.port)", "--username", Self.user,
        "--checkpoint=fast", "--write-recovery-conf",
      ])
    try await programs.append(
      ["port = \(port)", "unix_socket_directories = '\(other)'"], to: "\(other)/data/postgresql.conf")
    let standby = PrivatePostgres(port: port, folder: other, programs: programs)
    try await standby.startServer()
    try await programs.watch(folder: other, ownerProcessID: getpid())
    return standby
  }

  /// Lets a standby receive nothing more, while it runs on.
  public func stopReceiving() async throws {
    try await query("ALTER SYSTEM SET primary_conninfo = ''")
    try await query("SELECT pg_reload_conf()")
  }

  /// Makes a standby the primary, without a restart.
  public func promote() async throws {
    try await programs.run(
      "pg_ctl", ["promote", "--pgdata", "\(folder)/data", "--wait", "--timeout", "60", "--silent"])
  }

  /// Writes a database to a file, as `pg_dump` does.
  public func dump(_ database: String) async throws {
    try await programs.run(
      "pg_dump", ["--format=custom", "--file", "\(folder)/dump", "--dbname", url(database: database)])
  }

  /// Loads the dump that another server, or this one, has written into a new database of this server.
  public func load(dumpOf other: PrivatePostgres, as database: String) async throws {
    try await query("CREATE DATABASE \(database)")
    try await programs.run(
      "pg_restore", ["--exit-on-error", "--dbname", url(database: database), "\(other.folder)/dump"])
  }

  /// Stops the server and removes its folder. (Without it, that happens when this process ends.)
  public func stop() async throws {
    try await stopServer(mode: .immediate)
    try await programs.removeFolder(folder)
  }
}
