import CoreMetrics
public import Tron
public import Worker

/// Looks at every node now and then, and shows how each does: in /health as `tron.1`, `tron.2` …, and in metrics by the
/// label `node`. A node has its place in `TRON_RPC_URL` for a name: a URL may hold a key.
///
/// A node in trouble is `degraded`: the worker goes on with the others. That none answers shows at the steps that ask.
public struct WatchNodes: Sendable {
  /// How often, in milliseconds: a node is told to be behind after some ten blocks, and each look costs it two requests.
  public static let pauseMilliseconds: Int64 = 10_000

  private let nodes: NodeGroup
  private let health: HealthRegistry
  private let metrics: [NodeMetrics]

  /// - Parameter context: where health and metrics are shown.
  public init(_ nodes: NodeGroup, _ context: WorkerContext) {
    self.init(nodes, health: context.health, instruments: context.instruments)
  }

  /// - Parameters:
  ///   - health: where each node is reported.
  ///   - instruments: makes the worker's metrics.
  public init(_ nodes: NodeGroup, health: HealthRegistry, instruments: Instruments) {
    self.nodes = nodes
    self.health = health
    metrics = nodes.reports.map { NodeMetrics(instruments, node: $0.number) }
  }

  /// The step, for a run loop or a simulator. It never fails.
  public var step: Step {
    Step("watch_nodes") {
      await nodes.look()
      for (report, metrics) in zip(nodes.reports, metrics) {
        health.report(
          "tron.\(report.number)", report.isWell ? .ok : .degraded, detail: report.text)
        metrics.show(report)
      }
      return .idle(milliseconds: WatchNodes.pauseMilliseconds)
    }
  }
}

/// What is shown of one node.
struct NodeMetrics: Sendable {
  private let isWell: Meter
  private let failures: Meter
  private let head: Meter
  private let solid: Meter

  init(_ instruments: Instruments, node number: Int) {
    let labels = [("node", "\(number)")]
    isWell = instruments.gauge(
      "node_well", help: "Does this node serve (1), or is it left alone or too far behind (0)?", labels: labels)
    failures = instruments.gauge(
      "node_failures_in_row", help: "How often did this node fail since it last went well?", labels: labels)
    head = instruments.gauge("node_head_block_number", help: "How far is this node's head?", labels: labels)
    solid = instruments.gauge("node_solid_block_number", help: "How far is this node's solid chain?", labels: labels)
  }

  func show(_ report: NodeReport) {
    isWell.set(report.isWell ? 1 : 0)
    failures.set(Int64(report.health.failures))
    if let number = report.health.head?.number { head.set(number) }
    if let number = report.health.solid?.number { solid.set(number) }
  }
}
