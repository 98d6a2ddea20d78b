import Payouts

/// How a backup is put back: by what the ledger knows a server again (DESIGN.md §3 "Continuity").
enum Restoration: CaseIterable, Sendable {
  /// Its files, on the same timeline: looks like a mere restart.
  case fileCopy
  /// With recovery up to some point, or a standby that is promoted: another timeline.
  case recovery
  /// A dump into a new server.
  case newServer
  /// A dump into the server that goes on running.
  case loadedDump

  /// One of them for each number.
  init(_ number: Int) { self = Self.allCases[number % Self.allCases.count] }

  /// The life of the server from then on.
  func life(after life: ServerLife, at milliseconds: Int64) -> ServerLife {
    let start = self == .loadedDump ? life.startMicroseconds : milliseconds * 1_000
    let isNewTable = self == .newServer || self == .loadedDump
    return ServerLife(
      systemIdentifier: self == .newServer ? milliseconds : life.systemIdentifier,
      timeline: self == .recovery ? "\(milliseconds)" : life.timeline, startMicroseconds: start,
      transactionsOID: isNewTable ? milliseconds : life.transactionsOID,
      transactionsFileNode: isNewTable ? milliseconds : life.transactionsFileNode)
  }
}
