import Payouts
import Synchronization
import TestSupport
import Testing
import Worker

@testable import Monitor

/// Where webhooks may not go, and that they do not (api.md "Webhooks").
@Suite struct WebhookAddressTests {
  @Test(arguments: [
    "0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.1",
    "127.255.255.255", "169.254.0.0", "169.254.169.254", "172.16.0.0", "172.31.255.255", "192.0.0.8", "192.0.2.1",
    "192.168.0.0", "192.168.255.255", "198.18.0.1", "198.19.255.255", "224.0.0.1", "239.255.255.255", "240.0.0.1",
    "255.255.255.255", "::", "::1", "::ffff:127.0.0.1", "::ffff:10.1.2.3", "::127.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b:1::1", "100::1", "fc00::1", "fdff:ffff::1", "fe80::1", "febf::1", "ff02::1", "2001::1", "2001:db8::1",
    "2002:7f00:1::1", "3fff::1", "4000::1",
  ])
  func `an address that is not public is refused`(text: String) throws {
    #expect(CallableAddresses().refusal(of: try #require(IPAddress(text))) != nil)
  }

  @Test(arguments: [
    "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
    "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0",
    "198.17.255.255", "198.20.0.0", "223.255.255.255", "2001:200::1", "2606:4700::1111", "2a00::1", "3ffe::1",
    "::ffff:1.1.1.1",
  ])
  func `an address of the public internet may be called`(text: String) throws {
    #expect(CallableAddresses().refusal(of: try #require(IPAddress(text))) == nil)
  }

  @Test func `what the operator names may be called, and nothing beside it`() throws {
    let allowed = CallableAddresses(allowed: [try IPNetwork("10.1.0.0/16"), try IPNetwork("fd00::7")])
    for text in ["10.1.0.0", "10.1.255.255", "::ffff:10.1.2.3", "fd00::7"] {
      #expect(allowed.refusal(of: try #require(IPAddress(text))) == nil, "\(text)")
    }
    for text in ["10.0.255.255", "10.2.0.0", "fd00::8", "::10.1.0.0"] {
      #expect(allowed.refusal(of: try #require(IPAddress(text))) != nil, "\(text)")
    }
    let all = CallableAddresses(allowed: [try IPNetwork("0.0.0.0/0")])
    #expect(all.refusal(of: try #require(IPAddress("127.0.0.1"))) == nil)
    #expect(all.refusal(of: try #require(IPAddress("::1"))) != nil)
  }

  @Test(arguments: [
    "", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/", "10.0.0.1/8", "10/8", "fd00::/129", "host/8",
    "fd00::1%eth0/64", "1.2.3.4/8/9",
  ])
  func `what is no network is refused with a reason`(text: String) {
    #expect(throws: MalformedValue.self) { try IPNetwork(text) }
  }

  @Test func `an allowed network that is none is named at start`() throws {
    var environment = [
      "LUCID_ENV": "dev", "DATABASE_URL": "postgresql://localhost/x", "REDIS_URL": "redis://localhost",
      "TRON_NETWORK": "nile", "TRON_RPC_URL": "http://localhost:1",
      "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8, fd00::/8",
    ]
    let configuration = try Settings.read(MonitorConfiguration.self, environment: environment)
    #expect(configuration.webhookAllowedNetworks == [try IPNetwork("127.0.0.0/8"), try IPNetwork("fd00::/8")])
    environment["WEBHOOK_ALLOWED_NETWORKS"] = "127.0.0.0/8,10.0.0.1/8"
    let error = #expect(throws: ConfigurationError.self) {
      try Settings.read(MonitorConfiguration.self, environment: environment)
    }
    #expect(error?.problems.map(\.description).joined().contains("10.0.0.1/8") == true)
  }
}

/// The real sender on real sockets.
@Suite struct PinnedHTTPOutTests {
  private func loopbackOut(
    _ dns: any HostResolver = SystemHostResolver(), secondsMax: Int64 = 60
  ) throws -> PinnedHTTPOut {
    PinnedHTTPOut(
      resolver: dns, callable: CallableAddresses(allowed: [try IPNetwork("127.0.0.0/8")]), secondsMax: secondsMax)
  }

  private func request(_ url: String) -> OutgoingRequest {
    OutgoingRequest(url: url, headers: [("webhook-id", "1")], body: [UInt8]("{}".utf8))
  }

  /// Why a request is not answered.
  private func failure(_ out: PinnedHTTPOut, _ url: String) async throws -> HTTPOutError {
    do {
      let status = try await out.post(request(url))
      throw SceneFailure(text: "\(url) answered \(status)")
    } catch let error as HTTPOutError { return error }
  }

  private struct SceneFailure: Error { let text: String }

  @Test(arguments: [
    "127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433", "0x7f000001", "127.1",
    "0177.0.0.1",
  ])
  func `a loopback address is refused in every spelling, and nothing is sent`(host: String) async throws {
    try await WebhookReceiver.run { receiver in
      let out = PinnedHTTPOut(resolver: SystemHostResolver(), callable: CallableAddresses())
      let error = try await failure(out, receiver.url(host: host, "/secret?key=hidden"))
      #expect(error.code == .refusedAddress, "\(error)")
      #expect(!error.message.contains("hidden") && !error.message.contains("/secret"))
      #expect(receiver.received.isEmpty)
    }
  }

  @Test(arguments: [
    ["10.0.0.1"], ["1.1.1.1", "169.254.169.254"], ["fd00::1"], ["::ffff:192.168.1.1"], ["64:ff9b::a00:1"],
  ])
  func `a name that leads to an address that is not public is refused`(addresses: [String]) async throws {
    let out = PinnedHTTPOut(resolver: ScriptedDNS(["hooks.example": [addresses]]), callable: CallableAddresses())
    let error = try await failure(out, "http://hooks.example/")
    #expect(error.code == .refusedAddress && error.message.contains("hooks.example is "), "\(error)")
  }

  @Test func `the connection goes to the address that was checked, under the name's Host`() async throws {
    // A name whose next answer would be another address: it is asked once, and the checked one is called.
    try await WebhookReceiver.run { receiver in
      let dns = ScriptedDNS(["hooks.example": [["127.0.0.1"], ["10.0.0.1"]]])
      let out = try loopbackOut(dns)
      #expect(try await out.post(request(receiver.url(host: "hooks.example"))) == 204)
      #expect(dns.count == 1)
      let received = try #require(receiver.received.first)
      #expect(received.headers["host"] == ["hooks.example:\(receiver.port)"] && received.path == "/in")
      #expect(received.body == [UInt8]("{}".utf8) && received.headers["webhook-id"] == ["1"])
    }
  }

  @Test func `a redirect is an answer and is not followed`() async throws {
    try await WebhookReceiver.run { target in
      let location = target.url("/internal")
      try await WebhookReceiver.run(answering: { _ in .status(302, headers: ["location": location]) }) { receiver in
        let out = try loopbackOut()
        #expect(try await out.post(request(receiver.url())) == 302)
        #expect(receiver.received.count == 1 && target.received.isEmpty)
      }
    }
  }

  @Test func `through a proxy the name is resolved there, and an address in the URL is checked here`() async throws {
    // By a real SOCKS server that knows a name which nobody else does (RFC 2606), and a resolver that is never asked.
    let name = "hook.behind-the-proxy.invalid"
    let proxy = try await PrivateSOCKSProxy(knowing: [name])
    let dns = ScriptedDNS([:])
    let out = PinnedHTTPOut(
      resolver: dns, callable: CallableAddresses(), proxy: try ProxyServer("127.0.0.1:\(proxy.port)"),
      secondsMax: 60)
    try await WebhookReceiver.run { receiver in
      let url = receiver.url(host: name)
      #expect(try await out.post(request(url)) == 204)
      #expect(receiver.received.count == 1)
      #expect(proxy.log.contains("connected to \(name):\(receiver.port)"), "\(proxy.log)")
      let refused = try await failure(out, receiver.url(host: "127.0.0.1"))
      #expect(refused.code == .refusedAddress)
      try await proxy.kill()
      let closed = try await failure(out, url)
      #expect(closed.code == .unreachable, "\(closed)")
      #expect(receiver.received.count == 1 && dns.count == 0)
    }
  }

  @Test func `an address that does not accept is passed for the next one`() async throws {
    try await WebhookReceiver.run { receiver in
      let dns = ScriptedDNS(["hooks.example": [["127.0.0.2", "127.0.0.1"]]])
      let out = try loopbackOut(dns)
      #expect(try await out.post(request(receiver.url(host: "hooks.example"))) == 204)
      let port = receiver.port
      let nowhere = ScriptedDNS(["hooks.example": [["127.0.0.2"]]])
      let error = try await failure(try loopbackOut(nowhere), "http://hooks.example:\(port)/")
      #expect(error.code == .unreachable, "\(error)")
    }
  }

  @Test func `silence is a time-out, a closed connection a lost one, and a body without end harms nothing`()
    async throws
  {
    try await WebhookReceiver.run(answering: { request in
      switch request.path {
      case "/silence": .silence
      case "/hang-up": .hangUp
      default: .trickle
      }
    }) { receiver in
      let (hasty, patient) = (try loopbackOut(secondsMax: 1), try loopbackOut())
      #expect(try await failure(hasty, receiver.url("/silence")).code == .timeout)
      #expect(try await failure(patient, receiver.url("/hang-up")).code == .connectionLost)
      #expect(try await patient.post(request(receiver.url("/trickle"))) == 200)
    }
  }

  @Test(arguments: ["nonsense", "ftp://hooks.example/", "http://user:word@hooks.example/", "http:///path", "/path"])
  func `what is no http URL is not called`(url: String) async throws {
    let out = PinnedHTTPOut(resolver: ScriptedDNS(["hooks.example": [["1.1.1.1"]]]), callable: CallableAddresses())
    #expect(try await failure(out, url).code == .malformedURL)
  }

  @Test func `a name without an address is told so`() async throws {
    let out = PinnedHTTPOut(resolver: ScriptedDNS([:]), callable: CallableAddresses())
    #expect(try await failure(out, "http://hooks.example/").code == .unresolved)
    // A label is longer than any name's may be, so that the system's resolver knows without asking anybody.
    let system = PinnedHTTPOut(resolver: SystemHostResolver(), callable: CallableAddresses())
    let name = String(repeating: "x", count: 64) + ".invalid"
    #expect(try await failure(system, "http://\(name)/").code == .unresolved)
  }
}
