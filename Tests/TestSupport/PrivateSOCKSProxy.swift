import Foundation
import NIOCore
import NIOPosix

/// A SOCKS5 server of the tests' own: Debian's microsocks on 127.0.0.1, which knows some names that nobody else knows.
///
/// Debian's nss_wrapper gives this one process its own list of hosts, in place of /etc/hosts and the name servers: a client
/// that resolved such a name by itself could not reach anything. Ended with this object, or when the test process is gone.
public final class PrivateSOCKSProxy: Sendable {
  /// The port it listens on.
  public let port: Int
  private let server: TestProcess
  private let watcher: TestProcess
  private let hosts: String

  private static let patience = Duration.seconds(60)

  /// It listens when this returns.
  ///
  /// - Parameter names: what it resolves to 127.0.0.1.
  public init(knowing names: [String]) async throws {
    let port = try FreePort.choose()
    self.port = port
    hosts = NSTemporaryDirectory() + "/socks-hosts-\(UUID().uuidString)"
    try names.map { "127.0.0.1 \($0)\n" }.joined().write(toFile: hosts, atomically: true, encoding: .utf8)
    server = try TestProcess(
      "/usr/bin/env", ["microsocks", "-i", "127.0.0.1", "-p", "\(port)"],
      environment: ["PATH": "/usr/bin:/bin", "LD_PRELOAD": "libnss_wrapper.so", "NSS_WRAPPER_HOSTS": hosts])
    watcher = try TestProcess(
      "/bin/sh", ["-c", Self.watch, "sh", "\(getpid())", "\(server.processIdentifier)", hosts])
    try await Self.waitUntilListening(port)
  }

  private static func waitUntilListening(_ port: Int) async throws {
    let deadline = ContinuousClock.now + patience
    while true {
      do {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
          .connect(host: "127.0.0.1", port: port).get()
        try await channel.close()
        return
      } catch {
        guard ContinuousClock.now < deadline else { throw error }
        try await Task.sleep(for: .milliseconds(10))
      }
    }
  }

  deinit {
    // A temporary file that stays behind harms nothing.
    try? FileManager.default.removeItem(atPath: hosts)
  }

  /// What it says of its connections: `client[N] ADDRESS: connected to NAME:PORT`, with the name that the client gave it.
  public var log: String { server.errors }

  /// Ends it at once.
  public func kill() async throws {
    server.signal(SIGKILL)
    _ = try await server.waitForExit(within: Self.patience)
  }

  /// Ends the server when the test process is gone, however that ended.
  private static let watch = """
    while kill -0 "$1" 2>/dev/null; do sleep 0.5; done
    tr '\\0' '\\n' <"/proc/$2/environ" 2>/dev/null | grep -q "$3" && kill -KILL "$2"
    rm -f "$3"
    """
}
