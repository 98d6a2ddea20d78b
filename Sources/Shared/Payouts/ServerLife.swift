/// What tells one life of the database server from another (DESIGN.md §3 "Continuity").
public struct ServerLife: Sendable, Hashable {
  /// pg_control's identifier.
  public let systemIdentifier: Int64
  /// The first eight digits of the log file's name.
  public let timeline: String
  /// When the server started, in Unix microseconds.
  public let startMicroseconds: Int64
  /// The table `transactions`: a dump loaded into a running server changes it.
  public let transactionsOID: Int64
  /// Its file node.
  public let transactionsFileNode: Int64

  /// As the server told it.
  public init(
    systemIdentifier: Int64, timeline: String, startMicroseconds: Int64, transactionsOID: Int64,
    transactionsFileNode: Int64
  ) {
    self.systemIdentifier = systemIdentifier
    self.timeline = timeline
    self.startMicroseconds = startMicroseconds
    self.transactionsOID = transactionsOID
    self.transactionsFileNode = transactionsFileNode
  }
}
