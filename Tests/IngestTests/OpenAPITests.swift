import FoundationEssentials
import Ledger
import Payouts
import TestSupport
import Testing

@testable import Ingest

/// `ops/openapi.yaml` and the server say the same, in both directions.
struct OpenAPITests {
  private static let packages = ["PyYAML==6.0.2", "openapi-spec-validator==0.7.1"]

  private static let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("ops/openapi.yaml")

  /// The operations of the served document, by their ids.
  private func operations() throws -> [String: (method: String, path: String, item: JSONValue)] {
    let paths = try #require(ServeHTTP.document["paths"])
    return try Dictionary(
      uniqueKeysWithValues: paths.membersOfObject.flatMap { path, item in
        try item.membersOfObject.filter { $0.name != "parameters" }.map { method, operation in
          (try #require(operation["operationId"]?.textValue), (method.uppercased(), path, operation))
        }
      })
  }

  // Proves by a validator that others wrote that the document is OpenAPI 3.0, and that the program has the one that is in
  // ops: read by another reader, to the last member.
  @Test func `the document is valid, and the one that the program has in it`() async throws {
    let script = """
      import json, sys, yaml
      from openapi_spec_validator import OpenAPIV30SpecValidator, validate
      for line in sys.stdin:
          path, served = line.rstrip("\\n").split("\\t", 1)
          document = yaml.safe_load(open(path, encoding="utf-8"))
          validate(document, cls=OpenAPIV30SpecValidator)
          print("same" if json.loads(served) == document else "another: run ops/generate-openapi")
      """
    let told = try await PythonScript.run(
      script, packages: Self.packages, lines: ["\(Self.file.path)\t\(OpenAPIDocument.json)"])
    #expect(told == ["same"])
  }

  // Proves that no call is missing on either side, and that both take it for open to all, or not.
  @Test func `the document names the calls that are served, each with its method, path and security`() throws {
    let documented = try operations()
    #expect(Set(documented.keys) == Set(Operation.allCases.map(\.rawValue)))
    for operation in Operation.allCases {
      let there = try #require(documented[operation.rawValue])
      #expect(there.method == operation.place.method.rawValue && there.path == operation.place.template)
      #expect((there.item["security"] != nil) == operation.isOpen, "\(operation)")
      if let permission = operation.permission {
        let text = try #require(there.item["description"]?.textValue)
        #expect(text.contains("`\(permission.rawValue)`"), "\(operation)")
      }
    }
  }

  // Proves for statuses what the test above does for calls.
  @Test func `the document names the statuses that each call may answer, and no others`() throws {
    for operation in Operation.allCases {
      let told = try #require(try operations()[operation.rawValue]?.item["responses"]).membersOfObject.map(\.name)
      #expect(Set(told) == Set(operation.statuses.map(String.init)), "\(operation)")
    }
  }

  // Proves that each kind of problem is documented, and each documented one exists.
  @Test func `the document names every kind of problem`() throws {
    let schema = ServeHTTP.document["components"]?["schemas"]?["Problem"]?["properties"]?["type"]
    let documented = schema?["enum"]?.items.compactMap(\.textValue)
    #expect(try Set(#require(documented)) == Set(Problem.Kind.allCases.map(\.type)))
  }

  // Proves that no word of a closed set is missing on either side.
  @Test func `the document names every word of every enumeration`() throws {
    let schemas = ServeHTTP.document.member("components").member("schemas")
    func words(_ path: String...) -> Set<String> {
      let schema = path.reduce(schemas) { $0.member($1) }
      return Set(schema.items("enum").compactMap(\.plainText))
    }
    #expect(words("PayoutStatus") == Set(PayoutStatus.allCases.map(\.rawValue)))
    #expect(words("PayoutEvent", "properties", "from") == Set(PayoutStatus.allCases.map(\.rawValue)))
    #expect(words("PayoutReason") == Set(PayoutReason.allCases.map(\.rawValue)))
    #expect(words("Priority") == Set(Priority.allCases.map(\.rawValue)))
    #expect(words("PayoutRequest", "properties", "priority") == Set(Priority.allCases.map(\.rawValue)))
    #expect(words("BatchType") == Set(BatchType.allCases.map(\.rawValue)))
    #expect(words("RouterType") == Set(RouterType.allCases.map(\.rawValue)))
    #expect(words("WebhookEvent") == Set(WebhookEvent.allCases.map(\.rawValue)))
    #expect(words("WebhookState") == Set(WebhookState.allCases.map(\.rawValue)))
    #expect(words("ComplianceLevel") == Set(ComplianceLevel.allCases.map(\.rawValue)))
    #expect(words("KYCStatus") == Set(KYCStatus.allCases.map(\.rawValue)))
    #expect(words("Problem", "properties", "failed_check") == Set(ComplianceCheck.allCases.map(\.rawValue)))
    #expect(words("CallerRole") == Set(CallerRole.allCases.map(\.rawValue)))
    #expect(words("CallerPermission") == Set(CallerPermission.allCases.map(\.rawValue)))
    #expect(words("BatchStatus") == Set(BatchStatus.allCases.map(\.rawValue)))
    #expect(words("WaitingFor", "properties", "what") == Set(PayoutWaiting.Cause.allCases.map(\.rawValue)))
  }

  // Proves that the document's own examples are what it says, by our reader of schemas and by another one, and that both find
  // what is wrong with each of them once something is changed.
  @Test func `each example fits its schema, and does not once a member is taken away or has another type`() async throws
  {
    let document = ServeHTTP.document
    var samples: [(value: JSONValue, schema: JSONValue)] = []
    for (_, item) in document.members("paths") {
      for (method, call) in item.members where method != "parameters" {
        let bodies = [call.member("requestBody")] + call.members("responses").map { document.resolved($0.value) }
        for (_, content) in bodies.flatMap({ $0.members("content") }) {
          let named = content.members("examples").map { document.resolved($0.value).member("value") }
          let values = named + [content.member("example")].filter { $0 != .null }
          samples += values.map { ($0, content.member("schema")) }
        }
      }
    }
    #expect(samples.count > 40)
    var lines: [String] = []
    var expected: [String] = []
    for (value, schema) in samples {
      for changed in [value] + value.spoilt {
        let isGood = DocumentedAnswer.complaints(changed, schema, "example").isEmpty
        #expect(isGood || changed != value, "\(DocumentedAnswer.complaints(changed, schema, "example"))")
        let line = JSONValue.object([.init("value", changed), .init("schema", schema)])
        lines.append(String(decoding: line.utf8, as: UTF8.self))
        expected.append(isGood ? "good" : "bad")
      }
    }
    #expect(expected.count { $0 == "bad" } > 100)
    let script = """
      import json, sys, yaml
      from openapi_schema_validator import OAS30Validator
      document = yaml.safe_load(open(sys.stdin.readline().strip(), encoding="utf-8"))
      print("read")
      for line in sys.stdin:
          sample = json.loads(line)
          validator = OAS30Validator(dict(sample["schema"], components=document["components"]))
          print("good" if validator.is_valid(sample["value"]) else "bad")
      """
    let told = try await PythonScript.run(script, packages: Self.packages, lines: [Self.file.path] + lines)
    try #require(told.count == expected.count + 1)
    for (index, word) in expected.enumerated() { #expect(told[index + 1] == word, "\(lines[index])") }
  }

  // Proves that a request's fields are those of the document, by what the readers ask for of an empty request.
  @Test func `the document names the fields and parameters that are read, and no others`() throws {
    let schemas = try #require(ServeHTTP.document["components"]?["schemas"])
    func properties(_ name: String) -> Set<String> {
      Set(schemas[name]?["properties"]?.membersOfObject.map(\.name) ?? [])
    }
    var payout = RequestFields([])
    let limits = PayoutLimits(v0Max: PayoutLimits.amountMax, kycMax: PayoutLimits.amountMax)
    let forbidden = ForbiddenRecipients(token: try Address(IngestScene.token), routers: [], wallets: [])
    _ = ParsePayoutRequest(limits: limits).read(
      &payout, now: Timestamp(milliseconds: 0), forbidden: forbidden.table)
    // What belongs to the kyc router is refused by name until there is one.
    #expect(properties("PayoutRequest").union(["kyc_hash", "compliance_signature"]) == payout.asked)
    #expect(properties("BulkRequest") == ["payout_ids"])
    var batch = RequestFields([])
    _ = ParseBatchRequest(payouts: ParsePayoutRequest(limits: limits)).read(
      &batch, now: Timestamp(milliseconds: 0), forbidden: forbidden.table)
    #expect(properties("BatchRequest") == batch.asked)
    // What the others read of an empty request.
    let bodies: [(String, (inout RequestFields) -> Void)] = [
      ("ReasonRequest", { _ = ParseOperatorRequest.readReason(&$0) }),
      ("ReleaseRequest", { _ = ParseOperatorRequest.readRelease(&$0) }),
      ("SettleRequest", { _ = ParseOperatorRequest.readSettlement(&$0) }),
      ("CloseRequest", { _ = ParseOperatorRequest.readClosing(&$0) }),
      ("WebhookRequest", { _ = WebhookRequest.read(&$0) }),
      ("NodeRequest", { _ = ParseKYCRequest.readNode(&$0, forbidden: forbidden.table) }),
      ("VerifyNodeRequest", { _ = ParseKYCRequest.readSignature(&$0) }),
      ("ComplianceSignature", { _ = ComplianceSignature.read(&$0) }),
      ("APIKeyRequest", { _ = APIKeyRequest.read(&$0, now: Timestamp(milliseconds: 0)) }),
    ]
    for (name, read) in bodies {
      var fields = RequestFields([])
      read(&fields)
      #expect(properties(name) == fields.asked, "\(name)")
    }
    let queries: [Operation: (inout RequestFields) -> Void] = [
      .listPayouts: { _ = ParseListRequest.read(&$0) }, .listHeld: { _ = ParseListRequest.limit(&$0) },
      .listFindings: { _ = ParseListRequest.limit(&$0) },
      .listWebhooks: { _ = WebhookListRequest(reading: &$0) },
      .listWebhookDeliveries: { _ = WebhookDeliveryListRequest(reading: &$0) },
      .listDeadLetters: { _ = ParseOperatorRequest.readDeadLetters(&$0) },
      .listAPIKeys: { _ = ParseOperatorRequest.readKeys(&$0) }, .listAudits: { _ = AuditListRequest(reading: &$0) },
    ]
    for operation in Operation.allCases where operation.readsQuery {
      var fields = RequestFields([])
      let read = try #require(queries[operation])
      read(&fields)
      let parameters = try #require(try operations()[operation.rawValue]?.item).items("parameters")
        .map { ServeHTTP.document.resolved($0) }.filter { $0.member("in") == .text("query") }
      #expect(Set(parameters.map { $0.string("name") }) == fields.asked, "\(operation)")
    }
  }

  // Proves that the page for people needs no credentials and nothing from elsewhere, and names every call and schema.
  @Test func `the page for people fetches nothing and tells everything`() async throws {
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      let page = try await ingest.ask("GET", "/docs", token: nil)
      #expect(page.status == 200)
      #expect(page.headers.first(name: "Content-Type") == "text/html; charset=utf-8")
      let policy = try #require(page.headers.first(name: "Content-Security-Policy"))
      #expect(policy.hasPrefix("default-src 'none'; style-src 'sha256-"))
      let html = String(decoding: page.bytes, as: UTF8.self)
      #expect(!html.contains("<script") && !html.contains("src=") && !html.contains("<link"))
      #expect(html.matches(of: /href="(?!#)/).isEmpty)
      for operation in Operation.allCases { #expect(html.contains("id=\"\(operation.rawValue)\"")) }
      let schemas = ServeHTTP.document["components"]?["schemas"]?.membersOfObject ?? []
      #expect(schemas.count > 10)
      for (name, _) in schemas { #expect(html.contains("<h3 id=\"\(name)\">")) }
      #expect(try await ingest.ask("GET", "/openapi.json", token: nil).status == 401)
      #expect(try await ingest.get("/openapi.json").json == ServeHTTP.document)
    }
  }
}

extension JSONValue {
  /// The same with one thing changed that a schema tells: a member taken away, added, or of another type.
  fileprivate var spoilt: [JSONValue] {
    guard case .object(let members) = self else { return [] }
    let changed = members.indices.flatMap { index -> [JSONValue] in
      var (without, other) = (members, members)
      without.remove(at: index)
      other[index] = Member(members[index].name, members[index].value == .flag(true) ? .number("7") : .flag(true))
      return [.object(without), .object(other)]
    }
    return changed + [.object(members + [Member("surplus", .null)])]
  }

  var membersOfObject: [(name: String, value: JSONValue)] {
    guard case .object(let members) = self else { return [] }
    return members.map { ($0.name, $0.value) }
  }
}
