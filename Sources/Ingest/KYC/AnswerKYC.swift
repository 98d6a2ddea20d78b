import Ledger
import Payouts

/// Tells how a registered node stands.
enum AnswerKYC {
  static func node(_ node: KYCNode) -> JSONValue {
    let terms = node.terms
    return .object([
      .init("node_id", .text(terms.node)), .init("wallet_address", .text(terms.wallet.description)),
      .init("kyc_hash", .text(Hex.text(terms.kycHash))), .init("compliance_level", .text(terms.level.rawValue)),
      .init("status", .text(node.status.rawValue)), .init("registered_at", .text(node.registeredAt.description)),
      .init("registered_by", .text(node.registeredBy)), .init("expires_at", .text(node.expiresAt.description)),
      .init("verified_at", .text(orNull: node.verifiedAt?.description)),
      .init("verification", node.proof.map(proof) ?? .null),
      .init("suspended_at", .text(orNull: node.suspendedAt?.description)),
      .init("suspended_reason", .text(orNull: node.suspendedReason)),
    ])
  }

  /// By what it was verified, so that anybody can check it again.
  private static func proof(_ proof: KYCProof) -> JSONValue {
    .object([
      .init("signature", .text(Hex.text(proof.signature))), .init("signed_by", .text(proof.signedBy.description)),
      .init("nonce", .text(Hex.text(proof.nonce))),
      .init("signature_valid_until", .text(proof.validUntil.description)),
    ])
  }
}
