import Crypto
import Ledger
import Payouts
import Testing
import Worker

@testable import Ingest

/// Whoever can write in PostgreSQL makes no API key and widens none (DESIGN.md §3 "The seal"): only what Ingest has
/// sealed is a key.
struct APIKeySealTests {
  private func status(_ ingest: RunningIngest, _ text: String) async throws -> Int {
    try await ingest.ask("GET", "/payouts", token: nil, headers: ["X-API-Key": text]).status
  }

  /// How often the log tells of a broken seal.
  private func told(_ scene: IngestScene) -> Int {
    scene.logs.lines.count { $0.hasPrefix("error API key with a broken seal") }
  }

  private static let counter = "payouts_ingest_api_key_broken_seals_total"

  @Test func `a key that somebody wrote in the database himself proves nobody`() async throws {
    // Proves it for an admin's row with a right digest and any signature, and for one that another key has sealed; they
    // are answered as keys that do not exist, logged and counted.
    let scene = try await IngestScene()
    let (written, foreign) = (APIKeyText(random: SystemRandomSource()), APIKeyText(random: SystemRandomSource()))
    let others = try Sealer("tests:" + String(repeating: "22", count: 32))
    let earlier = try Sealer("earlier:" + String(repeating: "11", count: 32))
    try await scene.serving { ingest async throws in
      try await scene.sql(
        """
        INSERT INTO api_keys (id, secret_digest, name, owner, role, permissions, node_ids, created_by, created_proof,
          seal_key_id, seal_signature)
        VALUES (decode('\(written.id)', 'hex'), decode('\(Hex.text(written.secretDigest))', 'hex'), 'n', 'thief',
          'admin', role_permissions('admin'), '{}', 'root', 'jwt', 'tests', decode(repeat('00', 64), 'hex'))
        """)
      #expect(try await scene.ledger.apiKey(written.id)?.state == .valid)
      let reply = try await ingest.ask("GET", "/payouts", token: nil, headers: ["X-API-Key": written.text])
      let unknown = APIKeyText(random: SystemRandomSource()).text
      let none = try await ingest.ask("GET", "/payouts", token: nil, headers: ["X-API-Key": unknown])
      #expect(reply.status == 401 && none.status == 401)
      #expect(try reply.text("detail") == none.text("detail"))
      #expect(told(scene) == 1 && ingest.metric(Self.counter) == 1)
      for (count, sealer) in [(2, others), (3, earlier)] {
        let key = APIKeyText(random: SystemRandomSource())
        let terms = IngestScene.terms(key, role: .admin)
        _ = try await scene.ledger.makeAPIKey(terms, seal: sealer.seal(terms))
        #expect(try await status(ingest, key.text) == 401)
        #expect(told(scene) == count && ingest.metric(Self.counter) == Double(count))
      }
      // A seal of the right key over another key's terms.
      let terms = IngestScene.terms(foreign, role: .admin)
      let seal = try Sealer(IngestScene.sealKey).seal(IngestScene.terms(written, role: .admin))
      _ = try await scene.ledger.makeAPIKey(terms, seal: seal)
      #expect(try await status(ingest, foreign.text) == 401 && told(scene) == 4)
      // Whoever does not know a secret is told nothing, and nobody is told of him.
      let guessed = "\(foreign.text.prefix(21))\(unknown.suffix(43))"
      #expect(try await status(ingest, guessed) == 401 && told(scene) == 4)
      #expect(scene.logs.lines.contains { $0.contains("api_key.id=\(foreign.id)") && $0.contains("seal.key_id=tests") })
      #expect(!scene.logs.lines.contains { $0.contains(foreign.text.suffix(43)) })
    }
  }

  @Test func `whatever of a key is changed in the database breaks its seal`() async throws {
    // Proves each column, by a writer whom no trigger stops; and what such a writer can do: take a revocation back.
    let scene = try await IngestScene()
    let mine = APIKeyText(random: SystemRandomSource())
    let changes = [
      "owner = 'thief'", "role = 'admin'", "role = 'admin', permissions = role_permissions('admin')",
      "permissions = '{payment:read,payment:list,payment:create}'", "permissions = '{payment:list}'",
      "node_ids = '{n,m}'", "node_ids = '{m,n,o}'", "node_ids = '{nm}'", "node_ids = '{}'", "name = 'x'",
      "created_by = 'x'", "created_proof = 'gateway'", "expires_at = NULL",
      "expires_at = expires_at + interval '1 millisecond'", "seal_key_id = 'other'",
      "seal_signature = set_byte(seal_signature, 63, get_byte(seal_signature, 63) # 1)",
      "secret_digest = decode('\(Hex.text(mine.secretDigest))', 'hex')",
    ]
    let expiry = SystemClock().now().advanced(byMilliseconds: 3_600_000)
    try await scene.serving { ingest async throws in
      for (index, change) in changes.enumerated() {
        let key = try await scene.makeAPIKey(
          role: .service, permissions: [.read, .list], nodes: ["m", "n"], expiresAt: expiry)
        #expect(try await status(ingest, key.text) == 200, "\(change)")
        try await write(scene, change, key)
        let isMine = change.hasPrefix("secret_digest")
        let text = isMine ? "\(key.text.prefix(21))\(mine.text.suffix(43))" : key.text
        #expect(try await status(ingest, text) == 401, "\(change)")
        #expect(told(scene) == index + 1, "\(change)")
      }
      let key = try await scene.makeAPIKey()
      _ = try await scene.ledger.revokeAPIKey(key.id, by: "root")
      #expect(try await status(ingest, key.text) == 401)
      try await write(scene, "revoked_at = NULL, revoked_by = NULL", key)
      #expect(try await status(ingest, key.text) == 200)
      #expect(told(scene) == changes.count)
    }
  }

  private func write(_ scene: IngestScene, _ change: String, _ key: APIKeyText) async throws {
    try await scene.sql(
      """
      SET session_replication_role = replica;
      UPDATE api_keys SET \(change) WHERE id = decode('\(key.id)', 'hex');
      """)
  }

  @Test func `a seal covers these very bytes, which are no payout's`() throws {
    // Proves the encoding by bytes that are laid out here by hand, with the tag before everything else: a payout's seal
    // has another one (DESIGN.md §7), so that neither signature can ever stand for the other.
    let seed = [UInt8](repeating: 0x11, count: 32)
    let publicKey = try Curve25519.Signing.PrivateKey(rawRepresentation: seed).publicKey
    let sealer = try Sealer(IngestScene.sealKey)
    let key = APIKeyText(random: SystemRandomSource())
    for expiry in [nil, Timestamp(milliseconds: 1_900_000_000_123)] {
      let terms = APIKeyTerms(
        id: key.id, secretDigest: key.secretDigest, name: "päyroll", owner: "Zoë", role: .nodeOperator,
        permissions: [.read, .create], nodeIDs: ["b", "", "ä,"], createdBy: "root", createdProof: "gateway",
        expiresAt: expiry)
      let fields: [[UInt8]?] = [
        Array("tests".utf8), key.id.bytes, key.secretDigest, Array("päyroll".utf8), Array("Zoë".utf8),
        Array("node_operator".utf8), list(["payment:create", "payment:read"]), list(["b", "", "ä,"]),
        Array("root".utf8), Array("gateway".utf8), expiry.map { Self.bytes(of: UInt64($0.milliseconds)) },
      ]
      let message = Array("tron-payouts/api-key/v1\0".utf8) + fields.flatMap(field)
      let seal = try sealer.seal(terms)
      #expect(seal.keyID == "tests" && seal.signature.count == 64)
      #expect(publicKey.isValidSignature(seal.signature, for: message))
      #expect(sealer.isIntact(seal, on: terms))
    }
    #expect(Set(SealedMessage.Kind.allCases.map(\.rawValue)) == ["tron-payouts/api-key/v1"])
    for kind in SealedMessage.Kind.allCases {
      #expect(kind.rawValue != "tron-payouts/seal/v1" && !kind.rawValue.utf8.contains(0))
    }
  }

  private static func bytes(of number: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: number.bigEndian) { Array($0) }
  }

  private func field(_ bytes: [UInt8]?) -> [UInt8] {
    guard let bytes else { return [0xff, 0xff, 0xff, 0xff] }
    return Self.bytes(of: UInt32(bytes.count)) + bytes
  }

  private func list(_ texts: [String]) -> [UInt8] { texts.flatMap { field(Array($0.utf8)) } }
}
