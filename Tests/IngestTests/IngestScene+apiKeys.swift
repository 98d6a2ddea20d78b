import Ledger
import Payouts
import Worker

@testable import Ingest

extension IngestScene {
  /// The terms of a key of the tests, by default a service's with all of its permissions.
  static func terms(
    _ key: APIKeyText, owner: String = "client-1", role: CallerRole = .service,
    permissions: Set<CallerPermission>? = nil, nodes: [String] = [], expiresAt: Timestamp? = nil
  ) -> APIKeyTerms {
    APIKeyTerms(
      id: key.id, secretDigest: key.secretDigest, name: "of the tests", owner: owner, role: role,
      permissions: permissions ?? role.permissions, nodeIDs: nodes, createdBy: "root", createdProof: "jwt",
      expiresAt: expiresAt)
  }

  /// Stores a key under the seal of the scene's Ingest.
  @discardableResult
  func store(_ terms: APIKeyTerms) async throws -> APIKeyRecord {
    try await ledger.makeAPIKey(terms, seal: Sealer(Self.sealKey).seal(terms))
  }

  /// Makes a key as an admin would.
  func makeAPIKey(
    owner: String = "client-1", role: CallerRole = .service, permissions: Set<CallerPermission>? = nil,
    nodes: [String] = [], expiresAt: Timestamp? = nil
  ) async throws -> APIKeyText {
    let key = APIKeyText(random: SystemRandomSource())
    try await store(
      Self.terms(key, owner: owner, role: role, permissions: permissions, nodes: nodes, expiresAt: expiresAt))
    return key
  }
}
