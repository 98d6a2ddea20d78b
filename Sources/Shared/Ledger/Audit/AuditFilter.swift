public import Payouts

/// To what a list of audit records is narrowed; nil lets everything through.
public struct AuditFilter: Sendable, Hashable {
  /// Who called, by canonical id.
  public var caller: String?
  /// What it was about.
  public var target: String?
  /// The HTTP operation's name.
  public var operation: String?
  /// What came of it.
  public var outcome: String?
  /// From this time on.
  public var from: Timestamp?
  /// Before this time.
  public var to: Timestamp?

  /// One that lets everything through.
  public init() {}
}

/// A part of a list of audit records, newest first.
public struct AuditPage: Sendable, Hashable {
  /// A record, and its place in the chain once it has one.
  public struct Entry: Sendable, Hashable {
    /// The record.
    public let audit: StoredAudit
    /// Its place; nil for the second or so until it is linked.
    public let link: AuditLink?

    /// All that is told of it, in order.
    public var fields: [AuditField] { audit.fields(link) }
  }

  /// At most as many as were asked for. Fewer do not mean that the list ends here: `next` does.
  public let entries: [Entry]
  /// Where the list goes on: behind this id; nil where nothing follows.
  public let next: Int64?
}
