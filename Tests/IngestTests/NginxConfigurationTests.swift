import Foundation
import TestSupport
import Testing

/// What compose/gateway/render makes of its environment, and what it refuses.
struct NginxConfigurationTests {
  private static let token = GatewayCaller.token

  /// A folder with a certificate, and an environment that is good in every variable.
  private func inFolder(_ body: (_ folder: String, _ good: [String: String]) async throws -> Void) async throws {
    let folder = NSTemporaryDirectory() + "/gateway-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    // A temporary folder that stays behind harms nothing.
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let (certificate, key) = ("\(folder)/certificate.pem", "\(folder)/key.pem")
    try await PrivateNginx.makeCertificate(certificate, key: key)
    try await body(
      folder,
      [
        "API_GATEWAY_TOKEN": Self.token, "GATEWAY_SERVER_NAME": "a.example", "GATEWAY_TLS_CERTIFICATE": certificate,
        "GATEWAY_TLS_KEY": key, "GATEWAY_STATE_DIR": folder,
      ])
  }

  private func text(_ file: String) throws -> String { try String(contentsOfFile: file, encoding: .utf8) }

  @Test func `the configuration is readable to its owner alone, and holds what the environment says`() async throws {
    // Proves the mode, also where the file was there and open to all, that the token is told nowhere else, by variable
    // and by file, and that no placeholder is left.
    try await inFolder { folder, good in
      let file = "\(folder)/nginx.conf"
      try "old".write(toFile: file, atomically: false, encoding: .utf8)
      try FileManager.default.setAttributes([.posixPermissions: 0o666], ofItemAtPath: file)
      let settings = good.merging([
        "GATEWAY_LISTEN": "192.0.2.1:443,[2001:db8::1]:8443,9443", "INGEST_UPSTREAM": "ingest-1:8090,[2001:db8::2]:80",
        "GATEWAY_SERVER_NAME": "a.example,b.example", "GATEWAY_INTERNAL_NETWORKS": "10.1.0.0/16,2001:db8::/32",
      ]) { $1 }
      let made = try await PrivateNginx.render(settings, to: file)
      #expect(made.status == 0 && made.standardOutput.isEmpty && made.standardError.isEmpty, "\(made)")
      let attributes = try FileManager.default.attributesOfItem(atPath: file)
      #expect(attributes[.posixPermissions] as? Int == 0o600)
      let lines = try text(file).split(separator: "\n").map { $0.drop { $0 == " " } }
      for line in [
        "listen 192.0.2.1:443 ssl http2;", "listen [2001:db8::1]:8443 ssl http2;", "listen 9443 ssl http2;",
        "server ingest-1:8090 max_fails=2 fail_timeout=5s;", "server [2001:db8::2]:80 max_fails=2 fail_timeout=5s;",
        "server_name a.example b.example;", "10.1.0.0/16 1;", "2001:db8::/32 1;",
        "proxy_set_header X-Gateway-Token \"\(Self.token)\";", "proxy_set_header Authorization $http_authorization;",
      ] { #expect(lines.contains(line[...]), "\(line)") }
      #expect(try !text(file).contains("${"))

      let kept = "\(folder)/token"
      try "\(Self.token)\n".write(toFile: kept, atomically: false, encoding: .utf8)
      var byFile = settings
      byFile["API_GATEWAY_TOKEN"] = nil
      byFile["API_GATEWAY_TOKEN_FILE"] = kept
      let again = "\(folder)/again.conf"
      #expect(try await PrivateNginx.render(byFile, to: again).status == 0)
      #expect(try text(again) == text(file))
    }
  }

  @Test func `what could mean anything else in nginx's language is refused, and the token never told`() async throws {
    // Proves each variable's bounds: nothing is written, and the complaint names the variable, not a secret.
    try await inFolder { folder, good in
      let file = "\(folder)/nginx.conf"
      let wrong: [(String, [String])] = [
        (
          "API_GATEWAY_TOKEN",
          [
            "", "short", "\(Self.token)\"", "\(Self.token)'", "\(Self.token);", "\(Self.token)\n", "\(Self.token) x",
            "\(Self.token)$host", "\(Self.token){", "\(Self.token)\\", "\(Self.token)é", "\(Self.token)#",
            String(repeating: "x", count: 1_025),
          ]
        ),
        ("GATEWAY_SERVER_NAME", ["", "a b", "a;", "a,", "*", "a.example\n", "~.*", "_"]),
        ("GATEWAY_TLS_CERTIFICATE", ["", "certificate.pem", "/nowhere.pem", "/a b", "/a;"]),
        ("GATEWAY_TLS_KEY", ["", "/nowhere.pem", "data:x"]), ("GATEWAY_STATE_DIR", ["", "here", "/a;b", "/a$b"]),
        ("GATEWAY_LISTEN", ["443 ssl", "443;", "a:b", "unix:/x", ","]),
        ("INGEST_UPSTREAM", ["ingest", "ingest:80;", "ingest:80 down", "http://ingest:80", ",", "a:1,"]),
        ("GATEWAY_INTERNAL_NETWORKS", ["all", "10.0.0.0/8 1;", "10.0.0.0/8,", "default"]),
        ("GATEWAY_VERIFIER", ["https://a:1/", "http://a:1", "http://a:1/;", "http://a:1/$x", "a:1/", "http://u@a:1/"]),
        ("GATEWAY_READS_PER_MINUTE", ["0", "-1", "1.5", "x", "600001", "08", "99999999999999999999"]),
        ("GATEWAY_WRITES_PER_MINUTE", ["0"]), ("GATEWAY_BATCHES_PER_MINUTE", ["1;"]),
        ("GATEWAY_CONNECTIONS_PER_ADDRESS", ["0", "65536"]), ("GATEWAY_CLIENT_SECONDS", ["0", "1m"]),
        ("GATEWAY_ACCESS_LOG", ["on", "log", "/a b"]), ("GATEWAY_USER", ["a b", "a;", "0"]),
      ]
      for (name, values) in wrong {
        for value in values {
          let outcome = try await PrivateNginx.render(good.merging([name: value]) { $1 }, to: file)
          #expect(outcome.status == 1, "\(name)=\(value)")
          #expect(outcome.standardError.hasPrefix("render: \(name) "), "\(name)=\(value): \(outcome.standardError)")
          #expect(!(outcome.standardError + outcome.standardOutput).contains(Self.token), "\(value)")
        }
      }
      let kept = "\(folder)/token"
      for text in ["", "\(Self.token)\n\n", "\(Self.token)\0", "\(Self.token)\r\n"] {
        try text.write(toFile: kept, atomically: false, encoding: .utf8)
        let settings = good.merging(["API_GATEWAY_TOKEN": "", "API_GATEWAY_TOKEN_FILE": kept]) { $1 }
        #expect(try await PrivateNginx.render(settings, to: file).status == 1, "\(text.suffix(3).debugDescription)")
      }
      let twice = good.merging(["API_GATEWAY_TOKEN_FILE": kept]) { $1 }
      #expect(try await PrivateNginx.render(twice, to: file).standardError.contains("given twice"))
      let left = try FileManager.default.contentsOfDirectory(atPath: folder)
      #expect(Set(left) == ["certificate.pem", "key.pem", "token"])
    }
  }
}
