import Foundation
import NIOSSL
import TestSupport
import Testing

@testable import Monitor

/// TLS goes by the name in the URL although the connection goes to an address that was checked.
@Suite struct WebhookTLSTests {
  @Test func `the certificate must be the name's, whatever address it has`() async throws {
    // Two names of one address, one certificate: only the name that stands in it is told anything.
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("tls-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    // A temporary folder that stays behind harms nothing.
    defer { try? FileManager.default.removeItem(at: folder) }
    let (key, certificate) = (folder.path + "/key.pem", folder.path + "/certificate.pem")
    let made = try await TestProcess.run(
      "/usr/bin/env",
      [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
        key,
        "-out", certificate, "-days", "30", "-subj", "/CN=hooks.example", "-addext", "subjectAltName=DNS:hooks.example",
      ], within: .seconds(60))
    try #require(made.exitCode == 0, "\(made.errors)")
    let shown = try NIOSSLCertificate.fromPEMFile(certificate)
    let server = try NIOSSLContext(
      configuration: .makeServerConfiguration(
        certificateChain: shown.map { .certificate($0) },
        privateKey: .privateKey(NIOSSLPrivateKey(file: key, format: .pem))))
    var trust = TLSConfiguration.makeClientConfiguration()
    trust.trustRoots = .certificates(shown)

    try await WebhookReceiver.run(tls: server) { receiver in
      let dns = ScriptedDNS(["hooks.example": [["127.0.0.1"]], "other.example": [["127.0.0.1"]]])
      let callable = CallableAddresses(allowed: [try IPNetwork("127.0.0.0/8")])
      let out = PinnedHTTPOut(resolver: dns, callable: callable, secondsMax: 60, trust: trust)
      func request(_ host: String) -> OutgoingRequest {
        OutgoingRequest(url: "https://\(host):\(receiver.port)/in", headers: [], body: [])
      }
      #expect(try await out.post(request("hooks.example")) == 204)
      await #expect(throws: HTTPOutError.self) { try await out.post(request("other.example")) }
      let strangers = PinnedHTTPOut(resolver: dns, callable: callable, secondsMax: 60)
      await #expect(throws: HTTPOutError.self) { try await strangers.post(request("hooks.example")) }
      #expect(receiver.received.count == 1)
    }
  }
}
