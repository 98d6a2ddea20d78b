import Ledger
import Logging
import Payouts
import Tron
import Worker

/// Registers nodes, verifies them by the compliance authority's signature, and suspends them (api.md "KYC").
struct ManageKYC: Sendable {
  let ledger: any KYCLedger
  /// Whose signature verifies; nil where this installation has no authority.
  let authority: Address?
  /// Addresses that no node may be paid at.
  let forbidden: ForbiddenRecipients
  let logger: Logger

  /// Registers a node, or finds it standing with the same terms: asking again is safe.
  func register(_ terms: KYCTerms, for caller: Caller) async throws(Problem) -> (node: KYCNode, isNew: Bool) {
    let outcome: KYCRegistration
    do {
      outcome = try await ledger.acting(as: caller.actor).register(terms, by: caller.id)
    } catch {
      throw OperatorProblem.ofChange(error)
    }
    switch outcome {
    case .registered(let node):
      log("A node was registered", node, caller)
      return (node, true)
    case .standsAlready(let node): return (node, false)
    case .otherTerms(let node):
      throw Problem(
        .kycConflict,
        "The node is \(node.status.rawValue) with other terms. Suspend it first; then it can be registered anew.")
    }
  }

  /// A node as it stands.
  /// - Parameter id: the text in the path, percent-encoded; what is no node's id names none. So it is below.
  func node(_ id: String) async throws(Problem) -> KYCNode {
    let id = try Self.nodeID(id)
    let node: KYCNode?
    do {
      node = try await ledger.kycNode(id)
    } catch {
      throw ReadPayout.problem(error)
    }
    guard let node else { throw Self.unknown }
    return node
  }

  /// Takes a pending node for verified, where the authority signed exactly what it was registered with. The statement
  /// is about no payout: its amount is zero, its recipient the node's wallet.
  /// - Parameter node: as it was read; where it is another one meanwhile, nothing is done.
  func verify(_ node: KYCNode, by signature: ComplianceSignature, for caller: Caller) async throws(Problem) -> KYCNode {
    guard let authority else { throw Self.noAuthority }
    try signature.check(
      about: node.terms, amount: .zero, reason: ComplianceStatement.verificationReason, by: authority)
    let proof = KYCProof(
      nonce: signature.nonce, signedBy: signature.signedBy, signature: signature.signature,
      validUntil: signature.validUntil)
    let outcome: KYCVerification
    do {
      outcome = try await ledger.acting(as: caller.actor).verify(node.terms, by: proof)
    } catch {
      throw OperatorProblem.ofChange(error)
    }
    switch outcome {
    case .verified(let node):
      log("A node was verified", node, caller)
      return node
    case .unknownNode: throw Self.unknown
    case .otherTerms: throw Problem(.kycConflict, "The node was registered anew meanwhile. Look how it stands.")
    case .notPending(let node):
      throw Problem(.kycConflict, "The node is \(node.status.rawValue); only one that is pending can be verified.")
    case .signatureIsOver: throw ComplianceCheck.expired.problem
    case .signatureHoldsTooLong: throw ComplianceCheck.holdsTooLong.problem
    case .nonceUsed:
      throw Problem(.nonceUsed, "The signature's nonce was used before, and each counts once. Have another one signed.")
    }
  }

  /// Suspends a node that is pending or verified.
  func suspend(_ id: String, reason: String, for caller: Caller) async throws(Problem) -> KYCNode {
    let id = try Self.nodeID(id)
    let outcome: KYCSuspension
    do {
      outcome = try await ledger.acting(as: caller.actor).suspend(node: id, reason: reason)
    } catch {
      throw OperatorProblem.ofChange(error)
    }
    switch outcome {
    case .suspended(let node):
      log("A node is suspended", node, caller)
      return node
    case .unknownNode: throw Self.unknown
    case .isOver(let node):
      throw Problem(.kycConflict, "The node is \(node.status.rawValue): there is nothing to suspend.")
    }
  }

  private static func nodeID(_ text: String) throws(Problem) -> String {
    guard let id = ReadQuery.decoded(text.utf8, plus: UInt8(ascii: "+")), CallerClaims.isNodeID(id) else {
      throw unknown
    }
    return id
  }

  private func log(_ what: Logger.Message, _ node: KYCNode, _ caller: Caller) {
    logger.notice(
      what,
      metadata: [
        LogKey.kycNode: "\(node.terms.node)", LogKey.kycStatus: "\(node.status.rawValue)",
        LogKey.callerID: "\(caller.id)",
      ])
  }

  private static let unknown = Problem(.notFound, "There is no such node.")
  private static let noAuthority = Problem(
    .noComplianceAuthority,
    "This installation has no COMPLIANCE_AUTHORITY_ADDRESS: nobody's signature could verify anything.")
}

extension LogKey {
  /// A node in the registry, by its id.
  static let kycNode = "kyc.node"
  /// How it stands.
  static let kycStatus = "kyc.status"
}
