import Ledger
import Payouts

extension APIKeyTerms {
  /// All of them, as Ingest seals them. What did not stand here could be changed by whoever writes in the database.
  var message: SealedMessage {
    SealedMessage(
      .apiKey,
      [
        .bytes(id.bytes), .bytes(secretDigest), .text(name), .text(owner), .text(role.rawValue),
        .texts(permissions.map(\.rawValue).sorted()), .texts(nodeIDs), .text(createdBy), .text(createdProof),
        .time(expiresAt),
      ])
  }
}

extension Sealer {
  /// The seal of an API key's terms.
  /// - Throws: what swift-crypto throws where signing is impossible.
  func seal(_ terms: APIKeyTerms) throws -> APIKeySeal {
    APIKeySeal(keyID: keyID, signature: try sign(terms.message))
  }

  /// Whether the seal was made by this very key over exactly these terms. One of an earlier `INTENT_SEAL_KEY` is not.
  func isIntact(_ seal: APIKeySeal, on terms: APIKeyTerms) -> Bool {
    seal.keyID == keyID && hasSigned(terms.message, with: seal.signature)
  }
}
