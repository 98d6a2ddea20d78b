import Ledger
import Payouts
import Tron

/// A signature of the compliance authority as requests bring it (api.md "Payouts").
struct ComplianceSignature: Sendable, Hashable {
  /// The longest text of a signature that is read, in characters: one of a wrong length is told so.
  static let signatureCharactersMax = 256

  /// r ‖ s ‖ v, where it has the right length.
  let signature: [UInt8]
  /// Who says that he signed.
  let signedBy: Address
  /// 32 bytes.
  let nonce: [UInt8]
  /// When it was signed, as its signer says; nothing is judged by it.
  let signedAt: Timestamp
  /// Until when it may be used; whole seconds.
  let validUntil: Timestamp
  /// The level that its signer means.
  let level: ComplianceLevel

  /// Every field is read, whatever is wrong with the others.
  static func read(_ fields: inout RequestFields) -> ComplianceSignature? {
    let signature = fields.parsed("signature", maximum: signatureCharactersMax, isRequired: true) {
      text throws(MalformedValue) in
      guard let bytes = Hex.bytes(text) else {
        throw MalformedValue("signature", "must be pairs of hexadecimal digits")
      }
      return bytes
    }
    let signedBy = fields.parsed("signed_by", maximum: 64, isRequired: true) { text throws(MalformedValue) in
      try Address(text)
    }
    let nonce = fields.parsed("nonce", maximum: 64, isRequired: true, parse: hash32)
    let signedAt = fields.parsed("signature_timestamp", maximum: 64, isRequired: true, parse: time)
    let validUntil = fields.parsed("signature_valid_until", maximum: 64, isRequired: true, parse: time)
    if let validUntil, validUntil.milliseconds < 0 || !validUntil.milliseconds.isMultiple(of: 1_000) {
      fields.note("signature_valid_until", "must be a whole second after 1970: it is signed in Unix seconds")
    }
    if let signedAt, let validUntil, signedAt > validUntil {
      fields.note("signature_timestamp", "must not be later than signature_valid_until")
    }
    let level = fields.word("compliance_level", ComplianceLevel.self, isRequired: true)
    guard let signature, let signedBy, let nonce, let signedAt, let validUntil, let level else { return nil }
    return ComplianceSignature(
      signature: signature, signedBy: signedBy, nonce: nonce, signedAt: signedAt, validUntil: validUntil, level: level)
  }

  /// The field of a request in which one stands; nil where it is absent or wrong, which is noted.
  static func read(in fields: inout RequestFields, isRequired: Bool) -> ComplianceSignature? {
    guard let value = fields.value("compliance_signature", isRequired: isRequired) else { return nil }
    guard case .object(let members) = value else {
      fields.note("compliance_signature", "must be an object, not \(value.kind)")
      return nil
    }
    var own = RequestFields(members)
    let signature = read(&own)
    own.refuseUnknownFields()
    fields.note(own, under: "compliance_signature")
    return signature
  }

  /// 64 hexadecimal digits.
  static func hash32(_ text: String) throws(MalformedValue) -> [UInt8] {
    guard let bytes = Hex.bytes(text), bytes.count == ComplianceStatement.hashSize else {
      throw MalformedValue("hash", "must be 64 hexadecimal digits")
    }
    return bytes
  }

  private static func time(_ text: String) throws(MalformedValue) -> Timestamp { try Timestamp(rfc3339: text) }

  /// Checks that the authority signed this about a node, by what costs the least first. Its time and its nonce are for
  /// the ledger to judge.
  ///
  /// - Parameter node: whom it must be about, with its identity, its level and its wallet.
  /// - Throws: `Problem` of kind `invalidComplianceSignature`.
  func check(
    about node: KYCTerms, amount: Amount, reason: String, by authority: Address
  ) throws(Problem) {
    guard signedBy == authority else { throw ComplianceCheck.signedBy.problem }
    guard level == node.level else { throw ComplianceCheck.level.problem }
    let statement: ComplianceStatement
    do {
      statement = try ComplianceStatement(
        node: node.node, kycHash: node.kycHash, recipient: node.wallet, amount: amount, reason: reason, nonce: nonce,
        validUntilSeconds: validUntil.milliseconds / 1_000)
    } catch {
      throw .mistake.because(error)
    }
    do {
      try statement.check(signature, by: authority)
    } catch {
      throw ComplianceCheck(error).problem
    }
  }
}

/// The check that a compliance signature failed, as callers are told it.
enum ComplianceCheck: String, CaseIterable, Sendable {
  case length, range, recovery, signer, expired
  case recoveryID = "recovery_id"
  case highS = "high_s"
  case signedBy = "signed_by"
  case level = "compliance_level"
  case holdsTooLong = "holds_too_long"

  init(_ error: ComplianceSignatureError) {
    self =
      switch error {
      case .length: .length
      case .recoveryID: .recoveryID
      case .range: .range
      case .highS: .highS
      case .recovery: .recovery
      case .signer: .signer
      }
  }

  private var words: String {
    switch self {
    case .length: "It must have 65 bytes: r, s and v."
    case .range: "r and s must be above zero and below the curve's order."
    case .recovery: "It is no signature of any key."
    case .signer: "It is none of the authority over this statement: something else was signed, or by another key."
    case .expired: "Its signature_valid_until has passed."
    case .recoveryID: "v must be 0, 1, 27 or 28."
    case .highS: "s must be the lower one of the two that are possible."
    case .signedBy: "signed_by is not this installation's compliance authority."
    case .level: "Its compliance_level is not the node's."
    case .holdsTooLong: "Its signature_valid_until is more than 8 days ahead."
    }
  }

  /// The refusal.
  var problem: Problem {
    Problem(.invalidComplianceSignature, words, particulars: [.init("failed_check", .text(rawValue))])
  }
}
