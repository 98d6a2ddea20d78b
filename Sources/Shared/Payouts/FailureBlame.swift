/// Whose failure it was that an attempt ended without paying (DESIGN.md §3 point 6).
///
/// Only the payout's own failures count against `MAX_PAYOUT_RETRY_ATTEMPTS`. All others raise an alarm and count towards
/// the breaker: they come from something that all payouts share.
///
/// | what the solid chain says | and a look at the token | blame |
/// | --- | --- | --- |
/// | in none of its blocks | | expired |
/// | OUT_OF_ENERGY | | energy |
/// | OUT_OF_TIME | | producerTime |
/// | another named failure than REVERT | | other |
/// | REVERT | paused | tokenPaused |
/// | REVERT | the wallet is blacklisted | walletBlacklisted |
/// | REVERT | the wallet holds less than the amount | walletShort |
/// | REVERT | the same call would succeed now | passed |
/// | REVERT | the wallet's transfer to itself reverts too | other |
/// | REVERT | the same call reverts again, and that one does not | payout |
public enum FailureBlame: String, CaseIterable, Sendable {
  /// The payout's own: a simulation of the same transfer reverts too, although nothing stands in the way of others.
  case payout
  /// Its transaction came into no block before it expired.
  case expired
  /// The fee limit, or the wallet's TRX and energy, did not suffice.
  case energy
  /// The block producer's machine was too slow.
  case producerTime = "producer_time"
  /// The wallet holds less of the token than the amount.
  case walletShort = "wallet_short"
  /// The token's contract is paused.
  case tokenPaused = "token_paused"
  /// The token's contract has the wallet on its blacklist.
  case walletBlacklisted = "wallet_blacklisted"
  /// Whatever made it revert is over.
  case passed
  /// A failure that no healthy transfer of the token has.
  case other

  /// What can be told from the end alone; nil for REVERT, whose cause must be looked for.
  ///
  /// - Parameter result: the name that block and receipt gave the failure (reference §5.6); nil for a transaction that no
  ///   block holds.
  public init?(result: String?) {
    switch result {
    case nil: self = .expired
    case "REVERT": return nil
    case "OUT_OF_ENERGY": self = .energy
    case "OUT_OF_TIME": self = .producerTime
    default: self = .other
    }
  }

  /// Whether it counts against the payout.
  public var isPayoutsOwn: Bool { self == .payout }

  /// What an alarm says of it: what happened, and what to do.
  public var advice: String {
    switch self {
    case .payout: "the token refuses this very transfer"
    case .expired: "it came into no block before it expired: look at the nodes, and at the wallet's bandwidth"
    case .energy: "energy did not suffice: give the wallet TRX or energy"
    case .producerTime: "the block producer ran out of time: this passes by itself, or the network is overloaded"
    case .walletShort: "the wallet holds too little of the token: fund it"
    case .tokenPaused: "the token's contract is paused: only its owner can resume it"
    case .walletBlacklisted: "the token's contract has blacklisted the wallet: talk to its owner"
    case .passed: "it reverted, and would succeed now: what made it revert is over"
    case .other: "it failed as no transfer of this token should: look at the token's contract"
    }
  }
}
