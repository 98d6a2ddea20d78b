/// What Ingest asks of the ledger about audit records.
public protocol AuditLedger: AuditChainLedger {
  /// Stores records in one transaction, without a place in the chain. Committed when it returns.
  ///
  /// - Throws: `LedgerError`; after `.outcomeUnknown` the records may be stored, and storing them again then makes
  ///   twins that have the same request id.
  func record(audits: [AuditRecord]) async throws
  /// Gives the oldest records that have none a place in the chain, in the order of their ids, one caller at a time. One
  /// whose transaction commits later under a lower id is linked later.
  ///
  /// - Returns: those that this call has linked, committed, in the order of the chain; fewer than `count` where none is
  ///   left.
  func linkAudits(atMost count: Int) async throws -> [LinkedAudit]
  /// The last place in the chain; 0 where there is none.
  func newestLinkedAudit() async throws -> Int64
  /// A page of the records that fit a filter, newest first by their time. However many there are, a bounded part of one
  /// index is read; where nothing more was found there, the page is short and says where to go on.
  ///
  /// - Parameters:
  ///   - before: the page goes on behind the record of this id; nil begins with the newest.
  ///   - limit: 1 to 1,000.
  func audits(fitting filter: AuditFilter, before id: Int64?, limit: Int) async throws -> AuditPage
}

/// What checking the chain asks of the ledger.
public protocol AuditChainLedger: Sendable {
  /// Records in the order of the chain.
  ///
  /// - Parameter sequence: the place behind which they begin; 0 for the first one.
  func audits(after sequence: Int64, limit: Int) async throws -> [LinkedAudit]
  /// The place up to which records were delivered to `AUDIT_SINK_URL`; 0 where none was.
  func deliveredAudits() async throws -> Int64
}

/// What delivering records to `AUDIT_SINK_URL` asks of the ledger.
public protocol AuditSinkLedger: AuditChainLedger {
  /// Takes what is to be delivered next, so that no other Monitor takes it meanwhile.
  ///
  /// - Parameters:
  ///   - leaseMilliseconds: how long nobody else takes it, also where this process dies.
  ///   - count: how many records at most.
  /// - Returns: nil where there is nothing, or somebody else has it.
  func takeAudits(leaseMilliseconds: Int64, atMost count: Int) async throws -> AuditBatch?
  /// The batch was taken by the receiver; the next one begins behind it.
  ///
  /// - Returns: false, and nothing is changed, where somebody else has taken it since because the lease was over.
  func recordDelivered(_ batch: AuditBatch) async throws -> Bool
  /// The batch was not taken: anybody may try again at once.
  func giveBack(_ batch: AuditBatch) async throws
  /// How far the receiver is behind the chain.
  func auditSinkDepth() async throws -> AuditSinkDepth
}

/// Records to be delivered together. They are this caller's until the lease ends.
public struct AuditBatch: Sendable, Hashable {
  /// At least one, in the order of the chain.
  public let audits: [LinkedAudit]
  /// Up to where was delivered before.
  let after: Int64
  /// Which claim it is: a later one makes it void.
  let claim: Int64
}

/// How far the receiver of audit records is behind.
public struct AuditSinkDepth: Sendable, Hashable {
  /// How many records of the chain it was not given yet.
  public let waitingCount: Int64
  /// How old the first of them is, in milliseconds; 0 where there is none.
  public let oldestAgeMilliseconds: Int64
}
