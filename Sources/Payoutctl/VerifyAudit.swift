import ArgumentParser
import Ledger
import Payouts

/// Commands about the audit records.
struct AuditCommands: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "audit", abstract: "The audit records, and the chain that they form.",
    subcommands: [VerifyAudit.self])
}

/// `payoutctl audit verify`: computes the hash of every audit record anew. Changes nothing.
///
/// ## Configuration keys
/// - `DATABASE_URL` (PostgreSQL URL, required, secret).
struct VerifyAudit: AsyncParsableCommand {
  /// How many records are read at a time.
  static let pageMax = 1_000

  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Checks the chain of audit records, hash by hash.",
    discussion: """
      Each record's hash covers the record and the hash before it: one that was changed, taken out or put in is found. \
      Whoever could write in the database may have computed all of them anew, or taken the last ones out: compare \
      the last hash with what AUDIT_SINK_URL or AUDIT_LOG_PATH was given.
      """)

  @Option(
    name: .long, help: "Begins with this record of the chain, and believes the one before it; default 1.",
    transform: VerifyAudit.sequence)
  var from: Int64 = 1

  @Flag(name: .long, help: "As JSON, for programs.")
  var json = false

  func run() async throws {
    let report = try await VerifyAudit.verify(from: from, in: try Payoutctl.ledger())
    print(json ? try report.json() : report.line)
  }

  /// Checks the chain to its end.
  ///
  /// - Parameter sequence: the place of the first record that is checked, 1 or more.
  /// - Throws: `Refusal` that names the first record that does not fit.
  static func verify(from sequence: Int64, in ledger: any AuditChainLedger) async throws -> AuditReport {
    // Read first: what was delivered must be there still, and more may be added meanwhile.
    let delivered = try await ledger.deliveredAudits()
    var chain = try await beginning(sequence, in: ledger)
    var count: Int64 = 0
    while true {
      let page = try await ledger.audits(after: chain.sequence, limit: pageMax)
      for next in page {
        do throws(AuditFlaw) { try chain.take(next) } catch {
          throw Refusal(text: "the chain is broken: \(error); the \(count) records checked before it fit")
        }
        count += 1
      }
      if page.count < pageMax { break }
    }
    guard chain.sequence >= delivered else {
      throw Refusal(
        text: "the chain ends with record \(chain.sequence), but records up to \(delivered) were delivered to "
          + "AUDIT_SINK_URL: the last ones are gone; the \(count) that were checked fit")
    }
    return AuditReport(verified: count, first: sequence, chain)
  }

  private static func beginning(_ sequence: Int64, in ledger: any AuditChainLedger) async throws -> AuditChain {
    guard sequence > 1 else { return AuditChain() }
    guard let before = try await ledger.audits(after: sequence - 2, limit: 1).first,
      before.link.sequence == sequence - 1
    else { throw Refusal(text: "there is no record \(sequence - 1) in the chain to begin behind") }
    return AuditChain(after: before.link)
  }

  private static func sequence(_ text: String) throws -> Int64 {
    guard let sequence = Int64(text), sequence >= 1 else { throw ValidationError("expected a whole number from 1 on") }
    return sequence
  }
}

/// A chain that fits together.
struct AuditReport: Encodable {
  let verified: Int64
  let firstSequence: Int64?
  let lastSequence: Int64?
  let lastHash: String?

  init(verified: Int64, first: Int64, _ chain: AuditChain) {
    self.verified = verified
    firstSequence = verified > 0 ? first : nil
    lastSequence = verified > 0 ? chain.sequence : nil
    lastHash = verified > 0 ? Hex.text(chain.hash) : nil
  }

  /// For people.
  var line: String {
    guard let firstSequence, let lastSequence, let lastHash else { return "there is no record to check" }
    return "verified \(verified) records, \(firstSequence) to \(lastSequence); the last hash is \(lastHash)"
  }
}
