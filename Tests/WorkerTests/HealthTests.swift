import AsyncHTTPClient
import Foundation
import Logging
import NIOCore
import Payouts
import ServiceLifecycle
import Testing

@testable import Worker

struct HealthTests {
  private let clock = VirtualClock(startingAt: 1_764_000_000_000)

  /// Proves that a state's date is when it began, by the injected clock, and the detail always the newest.
  @Test func `a component keeps the date of its last change`() {
    let health = HealthRegistry(service: "signer", clock: clock)
    health.declare("postgresql")
    #expect(health.component("postgresql")?.state == .starting)
    clock.advance(milliseconds: 1_000)
    health.report("postgresql", .degraded, detail: "slow")
    clock.advance(milliseconds: 1_000)
    health.report("postgresql", .degraded, detail: "slower")
    #expect(
      health.component("postgresql")
        == .init(state: .degraded, since: Timestamp(milliseconds: 1_764_000_001_000), detail: "slower"))
    health.declare("postgresql")
    #expect(health.component("postgresql")?.state == .degraded)
    #expect(health.report().uptimeSeconds == 2)
  }

  /// Proves what each state of one part means for the whole worker.
  @Test(arguments: [
    (HealthState.ok, HealthReport.Status.healthy, true, true), (.degraded, .degraded, true, false),
    (.starting, .degraded, false, false), (.failed, .unhealthy, false, false),
  ])
  func `the worst part decides`(
    _ state: HealthState, _ status: HealthReport.Status, _ isReady: Bool, _ isReadyStrictly: Bool
  ) {
    let health = HealthRegistry(service: "signer", clock: clock)
    health.report("redis", .ok)
    health.report("tron", state, detail: "why")
    let report = health.report()
    #expect(report.status == status)
    #expect(report.reasonsNotReady().isEmpty == isReady)
    #expect(report.reasonsNotReady(isStrict: true).isEmpty == isReadyStrictly)
    #expect(isReadyStrictly || report.reasonsNotReady(isStrict: true) == ["tron: why"])
    health.beginDraining()
    #expect(health.report().reasonsNotReady().first == "draining")
    #expect(health.report().status == status)
  }

  /// Runs a real server on a free port, and shuts it down gracefully.
  private func withServer(
    _ health: HealthRegistry, _ metrics: PrometheusRegistry, _ body: (String) async throws -> Void
  ) async throws {
    let (ports, tell) = AsyncStream.makeStream(of: Int.self)
    var logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    logger.logLevel = .critical
    let server = HealthServer(
      host: "127.0.0.1", port: 0, health: health, metrics: metrics, logger: logger, onListening: { tell.yield($0) })
    let group = ServiceGroup(configuration: .init(services: [server], logger: logger))
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      tasks.addTask { try await group.run() }
      let port = try #require(await ports.first { _ in true })
      try await body("http://127.0.0.1:\(port)")
      await group.triggerGracefulShutdown()
      try await tasks.waitForAll()
    }
  }

  private func get(_ url: String) async throws -> (status: UInt, type: String?, body: String) {
    let response = try await HTTPClient.shared.execute(HTTPClientRequest(url: url), timeout: .seconds(20))
    let body = try await response.body.collect(upTo: 1 << 20)
    return (response.status.code, response.headers.first(name: "content-type"), String(buffer: body))
  }

  private func object(_ text: String) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
  }

  /// Proves the endpoints over real HTTP, through a worker's life: starting, well, failed, draining; and that the server
  /// ends although a client keeps its connection open.
  @Test func `the endpoints answer over HTTP`() async throws {
    let health = HealthRegistry(service: "signer", clock: clock)
    let metrics = PrometheusRegistry()
    Instruments(worker: "signer", registry: metrics).counter("signed_total", help: "How many?").increment(by: 3)
    health.declare("postgresql")
    try await withServer(health, metrics) { base in
      var answer = try await get("\(base)/ready")
      #expect(answer.status == 503)
      #expect(try object(answer.body)["reasons"] as? [String] == ["postgresql: not tried yet"])

      health.report("postgresql", .ok)
      health.report("redis", .degraded, detail: "connection \"refused\"")
      clock.advance(milliseconds: 61_999)
      answer = try await get("\(base)/health")
      #expect(answer.status == 200)
      #expect(answer.type == "application/json")
      let fields = try object(answer.body)
      #expect(fields["status"] as? String == "degraded")
      #expect(fields["service"] as? String == "signer")
      #expect(fields["uptime_seconds"] as? Int == 61)
      #expect(fields["draining"] as? Bool == false)
      #expect(fields["timestamp"] as? String == "2025-11-24T16:01:01.999Z")
      let redis = try #require((fields["dependencies"] as? [String: [String: String]])?["redis"])
      #expect(
        redis == ["state": "degraded", "since": "2025-11-24T16:00:00.000Z", "detail": "connection \"refused\""])
      #expect(try await get("\(base)/ready").status == 200)
      #expect(try await get("\(base)/ready?strict=true").status == 503)

      health.report("postgresql", .failed, detail: "gone")
      #expect(try await get("\(base)/health").status == 503)
      #expect(try await get("\(base)/live").status == 200)
      health.report("postgresql", .ok)
      health.beginDraining()
      answer = try await get("\(base)/ready")
      #expect(answer.status == 503)
      #expect(try object(answer.body)["reasons"] as? [String] == ["draining"])
      #expect(try await get("\(base)/live").body == "{\"live\":true}")

      answer = try await get("\(base)/metrics")
      #expect(answer.status == 200)
      #expect(answer.type == "text/plain; version=0.0.4; charset=utf-8")
      #expect(try PrometheusReader(answer.body).value("payouts_signer_signed_total") == 3)
      #expect(try await get("\(base)/other").status == 404)
    }
  }

  /// Proves that a taken port is one clear sentence with the names of the settings.
  @Test func `a taken port is named`() async throws {
    let health = HealthRegistry(service: "signer", clock: clock)
    try await withServer(health, PrometheusRegistry()) { base in
      let port = try #require(Int(base.split(separator: ":").last ?? ""))
      let second = HealthServer(
        host: "127.0.0.1", port: port, health: health, metrics: PrometheusRegistry(),
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
      let error = try await #require(throws: WorkerError.self) { try await second.run() }
      #expect(error.code == .cannotListen)
      #expect(error.text.contains("port \(port)") && error.text.contains("METRICS_PORT"))
    }
  }
}
