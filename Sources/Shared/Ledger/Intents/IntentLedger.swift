public import Payouts

/// What everybody who compares the log of intents with the database asks of the ledger.
public protocol IntentLedger: Sendable {
  /// Up to where the log was compared, and the present life of the server.
  func intentCheckpoint() async throws -> IntentCheckpoint
  /// Those of the intents that this database has lost, in their order.
  ///
  /// An acceptance is lost where no payout stands under its reference, or where another request's does, unsigned, and
  /// nobody has dealt with that yet. (The same request under another id is no loss: its client sent it again.) An end is
  /// lost where its reference's payout has not ended, or is lost itself, and nobody was asked about it; `expired` repeats
  /// itself, so that it counts only where `expires_at` speaks against it.
  func lost(_ intents: [Intent]) async throws -> [Intent]
}

/// Up to where the log of intents was compared with this database.
public struct IntentCheckpoint: Sendable, Hashable {
  /// The id of the last entry that was compared; nil where none ever was.
  public let lastID: String?
  /// Whether that was under the server's present life: then nothing can have been lost since.
  public let isOfPresentLife: Bool
  /// The server's present life.
  public let life: ServerLife

  /// A checkpoint.
  public init(lastID: String?, isOfPresentLife: Bool, life: ServerLife) {
    self.lastID = lastID
    self.isOfPresentLife = isOfPresentLife
    self.life = life
  }
}

/// What a Signer found in the log of intents before it vouches.
public enum IntentLogWord: Sendable, Hashable {
  /// The log reaches back to the checkpoint, and nothing in it is lost.
  case whole
  /// The log does not reach back to the checkpoint: what it would tell nobody knows. Nothing that is left of it, up to this
  /// id, is lost; nil where nothing is left.
  case gone(lastID: String?)
}

/// What became of intents that were put back.
public struct IntentReplay: Sendable, Hashable {
  /// Acceptances whose rows stand again.
  public var putBack = 0
  /// Acceptances against which another request stands under the same reference; it is held, if it was unsigned.
  public var conflicts = 0
  /// Ends about which a person is asked.
  public var ends = 0

  /// Nothing.
  public init() {}
}
