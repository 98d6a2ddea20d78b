import Ledger
import Payouts
import Testing
import Tron

@testable import Ingest

/// Nodes whose identity is known, over HTTP on the real ledger: registered, verified by real signatures, suspended.
struct KYCOverHTTPTests {
  private typealias Reply = RunningIngest.Reply

  private static let authorityKey = [UInt8](repeating: 1, count: 32)
  private static let wallet = Address(account: [UInt8](repeating: 0x61, count: 20))
  private static let kycHash = [UInt8](repeating: 0xab, count: 32)

  private static func address(of key: [UInt8]) throws -> Address { try Secp256k1.address(ofKey: key.span.bytes) }

  private static func settings() throws -> [String: String] {
    ["COMPLIANCE_AUTHORITY_ADDRESS": try address(of: authorityKey).description]
  }

  private static func registration(_ node: String = "node-1", _ changes: [String: String?] = [:]) -> String {
    body(
      [
        "node_id": "\"\(node)\"", "wallet_address": "\"\(wallet)\"", "kyc_hash": "\"\(Hex.text(kycHash))\"",
        "compliance_level": "\"enhanced\"",
      ], changes)
  }

  private static func body(_ members: [String: String], _ changes: [String: String?]) -> String {
    var members = members
    for (name, value) in changes { members[name] = value }
    return "{" + members.sorted { $0.key < $1.key }.map { "\"\($0.key)\":\($0.value)" }.joined(separator: ",") + "}"
  }

  /// A signature as a request brings it: good for `node-1` but for what is changed.
  private struct Signed {
    var node = "node-1"
    var kycHash = KYCOverHTTPTests.kycHash
    var wallet = KYCOverHTTPTests.wallet
    var amount = Amount.zero
    var reason = "kyc_verification"
    var nonce = [UInt8](repeating: 1, count: 32)
    /// From now.
    var validSeconds: Int64 = 3_600
    var key = KYCOverHTTPTests.authorityKey
    /// What is sent, once signed.
    var spoil: @Sendable ([UInt8]) -> [UInt8] = { $0 }
    var changes: [String: String?] = [:]

    func body(at now: Timestamp) throws -> String {
      let until = now.milliseconds / 1_000 + validSeconds
      let statement = try ComplianceStatement(
        node: node, kycHash: kycHash, recipient: wallet, amount: amount, reason: reason, nonce: nonce,
        validUntilSeconds: until)
      let signature = try Secp256k1.sign(TxID(exactly: statement.digest), key: key.span.bytes)
      let signed = KYCOverHTTPTests.body(
        [
          "signature": "\"\(Hex.text(spoil(signature)))\"",
          "signed_by": "\"\(try KYCOverHTTPTests.address(of: KYCOverHTTPTests.authorityKey))\"",
          "nonce": "\"\(Hex.text(nonce))\"",
          "signature_timestamp": "\"\(Timestamp(milliseconds: (until - 1_000_000) * 1_000))\"",
          "signature_valid_until": "\"\(Timestamp(milliseconds: until * 1_000))\"", "compliance_level": "\"enhanced\"",
        ], changes)
      return "{\"compliance_signature\":\(signed)}"
    }
  }

  private func post(_ ingest: RunningIngest, _ path: String, _ body: String) async throws -> Reply {
    try await ingest.post(body, token: ingest.token("root", role: "admin"), path: path)
  }

  private func verify(_ ingest: RunningIngest, _ signed: Signed, node: String = "node-1") async throws -> Reply {
    try await post(ingest, "/kyc/\(node)/verify", signed.body(at: ingest.clock.now()))
  }

  private func get(_ ingest: RunningIngest, _ node: String) async throws -> Reply {
    try await ingest.get("/kyc/\(node)", token: ingest.token("root", role: "admin"))
  }

  @Test func `a node is registered, verified by the authority's signature, and suspended`() async throws {
    // Proves the way through all calls, what asking again answers, and the audit record and event of each.
    let scene = try await IngestScene()
    try await scene.serving(Self.settings()) { ingest async throws in
      let made = try await post(ingest, "/kyc", Self.registration())
      #expect(try made.status == 201 && made.text("status") == "pending" && made.member("verification") == .null)
      #expect(try made.text("wallet_address") == "\(Self.wallet)" && made.text("registered_by") == "root")
      let until = try Timestamp(rfc3339: #require(try made.text("expires_at")))
      let from = try Timestamp(rfc3339: #require(try made.text("registered_at")))
      #expect(until.milliseconds(since: from) == 365 * 86_400_000)
      let again = try await post(ingest, "/kyc", Self.registration())
      #expect(again.status == 200 && again.bytes == made.bytes)
      for change in [
        ["wallet_address": "\"\(IngestScene.recipient)\""], ["compliance_level": "\"basic\""],
        ["kyc_hash": "\"\(String(repeating: "00", count: 32))\""],
      ] {
        let reply = try await post(ingest, "/kyc", Self.registration("node-1", change))
        #expect(reply.status == 409 && reply.problem == "kyc-conflict", "\(change)")
      }
      let verified = try await verify(ingest, Signed())
      #expect(try verified.status == 200 && verified.text("status") == "verified")
      let proof = try #require(try verified.member("verification"))
      #expect(proof["nonce"]?.textValue == String(repeating: "01", count: 32))
      #expect(try await get(ingest, "node-1").bytes == verified.bytes)
      let twice = try await verify(ingest, Signed(nonce: [UInt8](repeating: 2, count: 32)))
      #expect(twice.status == 409 && twice.problem == "kyc-conflict")
      let suspended = try await post(ingest, "/kyc/node-1/suspend", #"{"reason":"asked for"}"#)
      #expect(try suspended.status == 200 && suspended.text("suspended_reason") == "asked for")
      #expect(try await post(ingest, "/kyc/node-1/suspend", #"{"reason":"else"}"#).bytes == suspended.bytes)
      #expect(
        try await scene.sql("SELECT string_agg(to_status || ' ' || actor, ', ' ORDER BY id) FROM kyc_events")
          == "pending api/root, verified api/root, suspended api/root")
      #expect(
        try await scene.sql(
          "SELECT count(*) FROM audit_records WHERE operation = 'verifyNode' AND outcome = 'done' AND detail = 'node node-1'"
        ) == "1")
    }
  }

  @Test func `a signature counts once, also for a node that is registered anew`() async throws {
    let scene = try await IngestScene()
    try await scene.serving(Self.settings()) { ingest async throws in
      _ = try await post(ingest, "/kyc", Self.registration())
      #expect(try await verify(ingest, Signed()).status == 200)
      #expect(try await post(ingest, "/kyc/node-1/suspend", #"{"reason":"r"}"#).status == 200)
      let anew = try await post(ingest, "/kyc", Self.registration())
      #expect(try anew.status == 201 && anew.text("status") == "pending" && anew.member("suspended_at") == .null)
      let replayed = try await verify(ingest, Signed())
      #expect(replayed.status == 409 && replayed.problem == "nonce-used")
      _ = try await post(ingest, "/kyc", Self.registration("node-2"))
      let elsewhere = try await verify(ingest, Signed(node: "node-2"), node: "node-2")
      #expect(elsewhere.status == 409 && elsewhere.problem == "nonce-used")
      #expect(try await verify(ingest, Signed(nonce: [UInt8](repeating: 2, count: 32))).status == 200)
    }
  }

  @Test func `each wrong signature is refused by the check that it fails, and uses no nonce`() async throws {
    // Proves that every field is signed, and that the time is judged by the ledger's clock.
    let scene = try await IngestScene()
    try await scene.serving(Self.settings()) { ingest async throws in
      _ = try await post(ingest, "/kyc", Self.registration())
      let stranger = [UInt8](repeating: 2, count: 32)
      let wrong: [(String, Signed)] = [
        ("signer", Signed(node: "node-2")), ("signer", Signed(kycHash: stranger)),
        ("signer", Signed(wallet: IngestScene.recipient)), ("signer", Signed(amount: try Amount(microUSDT: 1))),
        ("signer", Signed(reason: "custom")), ("signer", Signed(key: stranger)),
        ("signer", Signed(changes: ["nonce": "\"\(Hex.text(stranger))\""])),
        ("signed_by", Signed(changes: ["signed_by": "\"\(try Self.address(of: stranger))\""])),
        ("compliance_level", Signed(changes: ["compliance_level": "\"government\""])),
        ("length", Signed(spoil: { Array($0.dropLast()) })),
        ("recovery_id", Signed(spoil: { Array($0.dropLast()) + [2] })),
        ("high_s", Signed(spoil: { Array($0[..<32]) + [0xff, 0xff, 0xff, 0xfe] + Array($0[36...]) })),
        ("range", Signed(spoil: { [UInt8](repeating: 0, count: 32) + Array($0[32...]) })),
        ("recovery", Signed(spoil: { [UInt8](repeating: 0, count: 31) + [5] + Array($0[32...]) })),
        ("expired", Signed(validSeconds: -60)), ("holds_too_long", Signed(validSeconds: 8 * 86_400 + 600)),
      ]
      for (check, signed) in wrong {
        let reply = try await verify(ingest, signed)
        #expect(reply.status == 400 && reply.problem == "invalid-compliance-signature", "\(check)")
        #expect(try reply.text("failed_check") == check)
      }
      #expect(Set(wrong.map(\.0)) == Set(ComplianceCheck.allCases.map(\.rawValue)))
      #expect(try await scene.sql("SELECT count(*) FROM compliance_nonces") == "0")
      try await until("each refusal is recorded, with its node") {
        try await scene.sql(
          "SELECT count(*) FROM audit_records WHERE outcome = 'invalid-compliance-signature' AND detail = 'node node-1'"
        )
          == "\(wrong.count)"
      }
      #expect(try await get(ingest, "node-1").text("status") == "pending")
      #expect(try await verify(ingest, Signed(validSeconds: 8 * 86_400 - 600)).status == 200)
    }
  }

  @Test func `without an authority nothing is verified`() async throws {
    let scene = try await IngestScene()
    try await scene.serving { ingest async throws in
      #expect(try await post(ingest, "/kyc", Self.registration()).status == 201)
      let reply = try await verify(ingest, Signed())
      #expect(reply.status == 409 && reply.problem == "no-compliance-authority")
      #expect(try await get(ingest, "node-1").text("status") == "pending")
    }
  }

  @Test func `a node expires by the ledger's clock, and is registered anew`() async throws {
    let scene = try await IngestScene()
    try await scene.serving(Self.settings()) { ingest async throws in
      _ = try await post(ingest, "/kyc", Self.registration())
      #expect(try await verify(ingest, Signed()).status == 200)
      try await scene.sql("UPDATE ledger_settings SET clock_offset_ms = \(365 * 86_400_000 + 60_000)")
      #expect(try await get(ingest, "node-1").text("status") == "expired")
      let suspended = try await post(ingest, "/kyc/node-1/suspend", #"{"reason":"r"}"#)
      #expect(suspended.status == 409 && suspended.problem == "kyc-conflict")
      let other = Self.registration("node-1", ["wallet_address": "\"\(IngestScene.recipient)\""])
      let anew = try await post(ingest, "/kyc", other)
      #expect(try anew.status == 201 && anew.text("status") == "pending" && anew.member("verified_at") == .null)
    }
  }

  @Test func `every wrong field is named, and what is no node is not found`() async throws {
    // Proves it for both bodies, for wallets that may not be paid, and for ids that need percent-encoding.
    let scene = try await IngestScene()
    try await scene.serving(Self.settings()) { ingest async throws in
      let fields = ["node_id", "wallet_address", "kyc_hash", "compliance_level"]
      let wrong: [(String, [String])] = [
        ("{}", fields), (Self.registration("node-1", ["extra": "1"]), ["extra"]),
        (Self.registration("node-1", ["kyc_hash": "\"ab\"", "compliance_level": "\"none\""]), Array(fields[2...])),
        (Self.registration(String(repeating: "n", count: 129)), ["node_id"]),
        (Self.registration("node-1", ["wallet_address": "\"\(IngestScene.token)\""]), ["wallet_address"]),
        (Self.registration("node-1", ["wallet_address": "\"\(IngestScene.router)\""]), ["wallet_address"]),
        (Self.registration("node-1", ["wallet_address": "\"\(Address.zero)\""]), ["wallet_address"]),
      ]
      for (body, names) in wrong {
        let reply = try await post(ingest, "/kyc", body)
        #expect(reply.status == 400 && reply.problem == "invalid-request" && reply.wrongFields == names, "\(body)")
      }
      _ = try await post(ingest, "/kyc", Self.registration())
      let spoilt: [([String: String?], String)] = [
        (["signature": "\"zz\""], "signature"), (["nonce": "\"01\""], "nonce"), (["signed_by": "\"T\""], "signed_by"),
        (["signature_valid_until": "\"2026-11-17T08:00:00.5Z\""], "signature_valid_until"),
        (["signature_timestamp": "\"9999-01-01T00:00:00Z\""], "signature_timestamp"),
        (["compliance_level": nil], "compliance_level"), (["extra": "1"], "extra"),
      ]
      for (changes, name) in spoilt {
        let reply = try await verify(ingest, Signed(changes: changes))
        #expect(reply.status == 400 && reply.wrongFields.contains("compliance_signature.\(name)"), "\(name)")
      }
      #expect(try await post(ingest, "/kyc/node-1/verify", "{}").wrongFields == ["compliance_signature"])
      #expect(try await post(ingest, "/kyc/node-1/suspend", "{}").wrongFields == ["reason"])

      #expect(try await post(ingest, "/kyc", Self.registration("Knoten Zürich/7+")).status == 201)
      #expect(try await get(ingest, "Knoten%20Z%C3%BCrich%2F7+").text("node_id") == "Knoten Zürich/7+")
      for path in ["node-3", "%zz", "%ff", "a%00b"] {
        #expect(try await get(ingest, path).status == 404, "\(path)")
        #expect(try await post(ingest, "/kyc/\(path)/suspend", #"{"reason":"r"}"#).status == 404, "\(path)")
        #expect(try await verify(ingest, Signed(), node: path).status == 404, "\(path)")
      }
    }
  }
}
