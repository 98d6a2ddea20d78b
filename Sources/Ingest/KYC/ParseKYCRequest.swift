import Ledger
import Payouts

/// Reads the bodies of calls about nodes, and names every wrong field at once.
enum ParseKYCRequest {
  /// POST /kyc.
  /// - Throws: `Problem` of kind `malformedJSON` or `invalidRequest`, as do all of these.
  static func node(from body: [UInt8], forbidden: ForbiddenRecipients.Table) throws(Problem) -> KYCTerms {
    var fields = try RequestFields(body: body)
    let terms = readNode(&fields, forbidden: forbidden)
    return try fields.whole(terms)
  }

  /// POST /kyc/{node_id}/verify.
  static func signature(from body: [UInt8]) throws(Problem) -> ComplianceSignature {
    var fields = try RequestFields(body: body)
    let signature = readSignature(&fields)
    return try fields.whole(signature)
  }

  static func readNode(_ fields: inout RequestFields, forbidden: ForbiddenRecipients.Table) -> KYCTerms? {
    let node = fields.text("node_id", maximum: CallerClaims.nodeIDCharactersMax, isRequired: true)
    let wallet = fields.parsed("wallet_address", maximum: 64, isRequired: true) { text throws(MalformedValue) in
      try Address(text)
    }
    if let wallet, let cause = forbidden.cause(wallet) {
      fields.note("wallet_address", "cannot be paid: it is \(cause)", isLasting: false)
    }
    let kycHash = fields.parsed("kyc_hash", maximum: 64, isRequired: true, parse: ComplianceSignature.hash32)
    let level = fields.word("compliance_level", ComplianceLevel.self, isRequired: true)
    guard let node, let wallet, let kycHash, let level else { return nil }
    return KYCTerms(node: node, wallet: wallet, kycHash: kycHash, level: level)
  }

  static func readSignature(_ fields: inout RequestFields) -> ComplianceSignature? {
    ComplianceSignature.read(in: &fields, isRequired: true)
  }
}
