import Foundation
import Logging
import Streams
import TestSupport
import Testing

@testable import Ingest

/// The document and the running server, held against each other by a tool that others wrote: requests made from the
/// document, right and wrong ones, and chains of them; each answer is judged by the document.
///
/// `SCHEMATHESIS_CASES=200` asks for so many cases a call; else a few are sent.
struct SchemathesisTests {
  private static let cases = ProcessInfo.processInfo.environment["SCHEMATHESIS_CASES"].flatMap { Int($0) } ?? 2

  @Test
  func `requests that another tool makes from the document are answered as it says, and never by an error of ours`()
    async throws
  {
    let scene = try await IngestScene()
    let redis = try await PrivateRedis.start()
    let streams = try RedisStreams(
      url: redis.url, logger: Logger(label: "tests", factory: { _ in SwiftLogNoOpLogHandler() }))
    try await withThrowingTaskGroup(of: Void.self) { group in
      for connection in streams.connections { group.addTask { try await connection.run() } }
      try await scene.serving(queues: streams) { ingest async throws in try await Self.test(ingest) }
      group.cancelAll()
    }
  }

  private static func test(_ ingest: RunningIngest) async throws {
    let document = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("ops/openapi.yaml").path
    let token = ingest.token("root", role: "admin", expiresIn: 86_400)
    let told = try await PythonScript.run(
      script, packages: ["schemathesis==4.32.5"],
      lines: ["\(document) http://127.0.0.1:\(ingest.port) \(token) \(cases)"], within: .seconds(5_000))
    let report = try ReadJSON.value(of: Array(try #require(told.first).utf8))
    let output = report["output"]?.textValue ?? ""
    print(output.suffix(1_500))
    #expect(report["code"] == .number("0"), "\(output.suffix(12_000))")
    let generated = output.firstMatch(of: /(\d+) generated/).flatMap { Int($0.1) }
    #expect((generated ?? 0) > 1_000)
  }

  /// Business refusals are 400 by api.md, and state conflicts 409: a request that the document allows may meet both. Who
  /// withdrew a payout still reads it, and asks for it again under its key. A probe that says 503 has not failed.
  private static let script = """
    import json, os, subprocess, sys, tempfile

    CONFIGURATION = '''
    [checks.positive_data_acceptance]
    expected-statuses = ["2xx", 400, 401, 403, 404, 409, 422, 429, 503]
    [[operations]]
    include-path = "/ready"
    checks.not_a_server_error.enabled = false
    [[operations]]
    include-path = "/health"
    checks.not_a_server_error.enabled = false
    '''

    for line in sys.stdin:
        document, url, token, cases = line.split()
        folder = tempfile.mkdtemp()
        configuration = os.path.join(folder, "schemathesis.toml")
        with open(configuration, "w") as file:
            file.write(CONFIGURATION)
        run = subprocess.run(
            [sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()",
             "--config-file", configuration, "run", document, "--url", url, "-H", "Authorization: Bearer " + token,
             "--max-examples", cases, "--checks", "all", "--exclude-checks", "use_after_free", "--no-color",
             "--continue-on-failure", "--workers", "1", "--request-timeout", "60",
             "--max-response-time", "60"],
            cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        print(json.dumps({"code": run.returncode, "output": run.stdout}))
    """
}
