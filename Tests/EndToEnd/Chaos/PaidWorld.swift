import Payouts

/// What can be known from outside when all has come to rest: the chain, and what clients were told. The ledger's word is not
/// asked, but for what it told a payout's owner, and what it holds to be reserved.
struct PaidWorld: Sendable {
  /// What a client wanted, and what it heard, however often it asked.
  struct Order: Sendable {
    let key: String
    let recipient: Address
    let microUSDT: Int64
    /// Every payout that an answer named.
    var ids: Set<String> = []
    /// Refused for good.
    var isRefused = false
    /// When the first answer that named a payout was here, in Unix milliseconds: that payout was committed before.
    var answeredAt: Int64?
  }

  /// A payout as its owner reads it.
  struct Payout: Sendable {
    var status: String
    var recipient: String
    var amount: String
    var txid: String?
    /// Every change of its state, oldest first.
    var history: [Change]
    /// When it was accepted, and when its state changed last, in Unix milliseconds: by the beginning of the transaction, which
    /// may have stood still afterwards for any time.
    var acceptedAt: Int64 = 0
    var endedAt: Int64 = 0
  }

  /// One change of state; from nothing where it is the first.
  struct Change: Sendable, Hashable {
    let from: String?
    let to: String
  }

  /// What one limit is said to be used, and how much it allows, in micro-USDT.
  struct Limit: Sendable, Hashable {
    let used: Int64
    let allowed: Int64
  }

  /// How much is accepted in an hour, in micro-USDT, as long as that limit stands, in Unix milliseconds.
  struct HourlyLimit: Sendable, Hashable {
    var allowed: Int64
    var until: Int64
  }

  let wallet: Address
  /// What the wallet held at first and holds now, in micro-USDT, by the chain.
  var balanceBefore: Int64
  var balanceAfter: Int64
  var orders: [Order]
  /// What the API told of each payout at the end, by id; one that it does not know is missing.
  var payouts: [String: Payout]
  /// Every Transfer out of the wallet.
  var payments: [DevnetOracle.Payment]
  /// The events that webhooks told, and verified, by payout.
  var told: [String: Set<String>]
  /// What every hour (UTC) allows; nil for any amount.
  var hourlyLimit: HourlyLimit?
  /// What is said to be reserved in each hour when all is at rest, in micro-USDT, by the hour's number since 1970; nil where
  /// it did not come to rest.
  var reserved: [Int64: Int64]?
  /// The day's limit; nil where the day ended meanwhile, so that what is used of it is less than what was paid.
  var day: Limit?
}
