import Foundation

/// A gateway of the tests' own: Debian's nginx on 127.0.0.1, on a free port, as `compose/gateway/render` configures it, with
/// a certificate for `localhost` that was made for it.
///
/// Its master and workers are one process group and end together, at the latest when the test process is gone, however that
/// one ends: a small shell process watches it. (Workers whose master is killed alone would go on listening.)
public final class PrivateNginx: Sendable {
  /// The port it listens on, by TLS.
  public let port: Int
  /// The file of its certificate: who trusts this one trusts nothing else.
  public let certificate: String
  private let folder: String
  private let server: SpawnedProcess

  /// How many ports are tried: another process may take a free one before the server does.
  private static let portAttempts = 5

  /// A gateway for the time of `body`.
  ///
  /// - Parameter settings: variables for `compose/gateway/render`, beyond those of port, certificate and folder.
  public static func run<Result: Sendable>(
    _ settings: [String: String], _ body: (PrivateNginx) async throws -> Result
  ) async throws -> Result {
    let gateway = try await start(settings)
    do {
      let result = try await body(gateway)
      await gateway.stop()
      return result
    } catch {
      await gateway.stop()
      throw error
    }
  }

  /// Runs `compose/gateway/render` with these variables and no others.
  public static func render(_ settings: [String: String], to file: String) async throws -> ChildProcess.Outcome {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    return try await ChildProcess.run(
      root.appendingPathComponent("compose/gateway/render").path, [file],
      environment: ["PATH": "/usr/bin:/bin"].merging(settings) { $1 })
  }

  /// Makes a key and a certificate for `localhost`, in files.
  public static func makeCertificate(_ certificate: String, key: String) async throws {
    try await ChildProcess.require(
      "openssl",
      [
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out",
        certificate, "-days", "30", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
      ])
  }

  /// What it has logged of requests: one JSON object a line.
  public var accessLog: String { Self.text(of: "\(folder)/access.log") }

  /// What it has complained of.
  public var errorLog: String { Self.text(of: "\(folder)/error.log") }

  private init(port: Int, folder: String, certificate: String, server: SpawnedProcess) {
    self.port = port
    self.folder = folder
    self.certificate = certificate
    self.server = server
  }

  deinit {
    end()
  }

  private static func start(_ settings: [String: String]) async throws -> PrivateNginx {
    var attempt = 1
    while true {
      let gateway = try await launch(settings)
      do {
        try await gateway.waitUntilListening()
        return gateway
      } catch {
        await gateway.stop()
        guard attempt < portAttempts else { throw error }
        attempt += 1
      }
    }
  }

  private static func launch(_ settings: [String: String]) async throws -> PrivateNginx {
    guard let program = ChildProcess.path(of: "nginx", also: ["/usr/sbin"]) else {
      throw PrivateNginxError(message: "there is no nginx: run ops/setup --tests")
    }
    let port = try FreePort.choose()
    let folder = NSTemporaryDirectory() + "/private-nginx-\(UUID().uuidString)"
    let (certificate, key, configuration) = ("\(folder)/certificate.pem", "\(folder)/key.pem", "\(folder)/nginx.conf")
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    do {
      try await makeCertificate(certificate, key: key)
      var environment = [
        "GATEWAY_SERVER_NAME": "localhost", "GATEWAY_TLS_CERTIFICATE": certificate, "GATEWAY_TLS_KEY": key,
        "GATEWAY_STATE_DIR": folder, "GATEWAY_LISTEN": "127.0.0.1:\(port)",
      ].merging(settings) { $1 }
      // Root's temporary folder may be closed to all others.
      if geteuid() == 0 { environment["GATEWAY_USER"] = "root" }
      let rendered = try await render(environment, to: configuration)
      guard rendered.status == 0 else { throw PrivateNginxError(message: rendered.standardError) }
      _ = try SpawnedProcess("/bin/sh", ["-c", watcher, "sh", "\(getpid())", folder])
      let server = try SpawnedProcess(
        program, ["-e", "stderr", "-c", configuration], output: "\(folder)/access.log", errors: "\(folder)/error.log")
      return PrivateNginx(port: port, folder: folder, certificate: certificate, server: server)
    } catch {
      remove(folder)
      throw error
    }
  }

  /// It writes its pid once it listens.
  private func waitUntilListening() async throws {
    try await eventually("nginx listens") { [server, folder] in
      guard server.isRunning else {
        throw PrivateNginxError(message: "nginx ended: \(Self.text(of: "\(folder)/error.log"))")
      }
      return !Self.text(of: "\(folder)/nginx.pid").isEmpty
    }
  }

  /// Ends it and removes its folder.
  private func stop() async {
    end()
    // A cancelled test cannot wait here: then the end of this object does.
    try? await eventually("nginx has ended") { [server] in !server.isRunning }
    Self.remove(folder)
  }

  /// Its pid is the group's, and nobody else's before its end was seen.
  private func end() {
    if server.isRunning { _ = kill(-server.processIdentifier, SIGKILL) }
  }

  private static func remove(_ folder: String) {
    // A temporary folder that stays behind harms nothing.
    try? FileManager.default.removeItem(atPath: folder)
  }

  private static func text(of file: String) -> String {
    (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
  }

  /// Ends the group when the test process is gone, where that pid still is this server: its title names the configuration.
  private static let watcher = """
    alive() { kill -0 "$1" 2>/dev/null && ! grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null; }
    while alive "$1" && [ -d "$2" ]; do sleep 0.2; done
    if [ -d "$2" ]; then
      server=$(cat "$2/nginx.pid" 2>/dev/null)
      if [ -n "$server" ] && tr '\\0' ' ' <"/proc/$server/cmdline" | grep -qF "$2/nginx.conf"; then
        kill -s KILL -- "-$server"
      fi
      rm -rf "$2"
    fi
    """
}

/// Why a private nginx could not be started.
public struct PrivateNginxError: Error, CustomStringConvertible {
  /// What happened.
  public let message: String
  /// What happened.
  public var description: String { message }
}
