import Nodes
import Payouts
import TestSupport
import Testing
import Tron
import Worker

/// What operators see of each node: /health and metrics.
@Suite struct WatchNodesTests {
  @Test func `each node is shown by its place, with what is wrong with it, and the worker stays ready`() async throws {
    let clock = VirtualClock(Timestamp(milliseconds: 2_000_000_000_000))
    let chain = ScriptedNode(headTime: clock.now())
    let nodes = (0..<3).map { _ in ReplicaNode(of: chain) }
    let group = NodeGroup(nodes, genesis: chain.genesis, now: { clock.now() })
    let health = HealthRegistry(service: "monitor", clock: clock)
    let registry = PrometheusRegistry()
    let step = WatchNodes(group, health: health, instruments: Instruments(worker: "monitor", registry: registry)).step
    await nodes[1].setAway(true)
    await nodes[2].setLag(11)
    #expect(try await step.run() == .idle(milliseconds: 10_000))

    let report = health.report()
    #expect(report.components.keys.sorted() == ["tron.1", "tron.2", "tron.3"])
    #expect(["tron.1", "tron.2", "tron.3"].map { report.components[$0]?.state } == [.ok, .degraded, .degraded])
    #expect(report.components["tron.1"]?.detail?.contains("head block 40 of 2033-05-18") == true, "\(report)")
    #expect(report.components["tron.2"]?.detail?.contains("left alone for 1 s after 1 failures in a row: ") == true)
    #expect(report.components["tron.3"]?.detail?.contains("more than 10 blocks behind another node") == true)
    #expect(report.status == .degraded && report.reasonsNotReady().isEmpty)

    let lines = Set(registry.text().split(separator: "\n").map(String.init))
    #expect(
      lines.isSuperset(of: [
        "payouts_monitor_node_well{node=\"1\"} 1", "payouts_monitor_node_well{node=\"2\"} 0",
        "payouts_monitor_node_well{node=\"3\"} 0", "payouts_monitor_node_failures_in_row{node=\"2\"} 1",
        "payouts_monitor_node_head_block_number{node=\"3\"} 29",
        "payouts_monitor_node_solid_block_number{node=\"1\"} 22",
      ]), "\(lines.sorted())")

    await nodes[1].setAway(false)
    await nodes[2].setLag(0)
    clock.advance(byMilliseconds: 10_000)
    _ = try await step.run()
    #expect(health.report().status == .healthy, "\(health.report())")
  }

  @Test func `neither a node's URL nor its key is shown`() async throws {
    // Providers hand out URLs with the key in their path.
    let clock = SystemClock()
    let configuration = try Settings.read(
      NodeConfiguration.self,
      environment: ["TRON_RPC_URL": "http://127.0.0.1:1/s3cret", "TRONGRID_API_KEY": "s3cret-too"])
    let connection = try configuration.connection(
      genesis: BlockID(exactly: [UInt8](repeating: 1, count: 32)), now: { clock.now() })
    let health = HealthRegistry(service: "signer", clock: clock)
    let registry = PrometheusRegistry()
    let watching = WatchNodes(
      connection.nodes, health: health, instruments: Instruments(worker: "signer", registry: registry))
    _ = try await watching.step.run()
    try await connection.close()
    let shown = health.report().healthJSON + registry.text()
    #expect(shown.contains("unreachable") && !shown.contains("s3cret") && !shown.contains("127.0.0.1"), "\(shown)")
  }
}
