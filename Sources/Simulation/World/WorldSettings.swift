import Ledger
import Payouts

/// What a simulated world is made of and what happens in it besides faults at inputs and outputs. Times in milliseconds
/// since the world began; chances out of 10,000.
struct WorldSettings: Sendable, Hashable, Codable {
  /// How many payouts clients ask for.
  var payouts = 4
  /// So many of them are asked for by one client at once, all or none; 0 where there is no batch.
  var batch = 0
  /// Of each worker so many run side by side. Signers of one wallet share no journal.
  var replicas = 1
  /// How far the solid block is below the head; one more confirmation is required. The real one is 18.
  var solidLag: Int64 = 18
  /// Whether two of the payouts are alike in recipient and amount.
  var hasTwins = false
  /// How many recipients the token refuses.
  var refusedRecipients = 0
  /// Whether the workers stop at rest as soon as no stream holds work for them and a second after all of them live again,
  /// instead of a minute later. With every payout at its end nobody has a reason to act any more, and that minute is most of
  /// a short world's jobs.
  var endsWhenDrained = false
  /// Until when the network and the machines misbehave; afterwards everything must come to rest.
  var calmAfter: Int64 = 120_000
  /// Whether clients ask as soon as the world begins, instead of some time before it is calm.
  var asksAtOnce = false
  /// How long transactions live.
  var expirationMilliseconds: Int64 = 120_000
  /// So long after that everything must have come to rest.
  var restMilliseconds: Int64 = 3_600_000
  /// A slot without a block.
  var missedSlot: UInt64 = 0
  /// A fork, a slot.
  var fork: UInt64 = 0
  /// A fork of 25 blocks and more, as far as none of them is solid, a slot.
  var deepFork: UInt64 = 0
  /// The solid block stands still for more than ten minutes, a slot.
  var frozen: UInt64 = 0
  /// The chain stands still for up to four minutes, a slot.
  var halted: UInt64 = 0
  /// The pool is emptied, a slot.
  var forgetting: UInt64 = 0
  /// A pending transaction is left out of a block.
  var leftOut: UInt64 = 0
  /// A transaction fails in its block: out of energy, or the producer's time.
  var failing: UInt64 = 0
  /// A random process dies, a slot.
  var kill: UInt64 = 0
  /// Redis loses everything, a slot.
  var flush: UInt64 = 0
  /// PostgreSQL starts again, a slot.
  var restart: UInt64 = 0
  /// PostgreSQL is restored from a backup, a slot.
  var restore: UInt64 = 0
  /// Whether backups are used that lack acceptances and unpaid ends.
  var losesAcceptances = false
  /// One snapshot takes PostgreSQL and all Signers' disks back, a slot.
  var snapshot: UInt64 = 0
  /// A Signer's disk is lost, a slot.
  var diskLost: UInt64 = 0
  /// A lost disk is there again, a slot.
  var diskFound: UInt64 = 0
  /// A Signer's machine is away for a while, a slot.
  var away: UInt64 = 0
  /// Somebody else acts on the chain, with the wallet's key or without it, a slot.
  var strange: UInt64 = 0
  /// Whether Signers trust that one snapshot never takes journal and database back together, as in dev.
  var isDevelopment = true
  /// What may be accepted in an hour and a day, in all, in micro-USDT; 0 is no limit.
  var hourlyLimit: Int64 = 0
  var dailyLimit: Int64 = 0
  /// The same of the router alone.
  var routerHourlyLimit: Int64 = 0
  var routerDailyLimit: Int64 = 0
  /// What Signers sign in an hour by themselves, in micro-USDT; 0 is no limit.
  var signerHourlyLimit: Int64 = 0
  /// How many payouts are larger than Signers' own limit.
  var largePayouts = 0
  /// How often a client gives its payout an end of its own.
  var expiring: UInt64 = 0
  /// How often a client withdraws its payout, out of 10,000.
  var withdrawing: UInt64 = 0
  /// How often a client asks again under its key, after it was told.
  var repetitions = 0
  /// The clock of a process's machine jumps by ten minutes, a slot.
  var clock: UInt64 = 0
  /// How many nodes the workers ask; more than half of them must agree. The first of several may lie.
  var nodes = 1
  /// Whether the one that lies makes up branches of its own: these are read again and again, and make a world slow.
  var hasFalseBranches = false
  /// An answer to a client is lost.
  var lostAnswer: UInt64 = 0

  /// One payout and nothing that happens by itself: for the systematic part.
  static var single: WorldSettings {
    var settings = WorldSettings()
    settings.payouts = 1
    settings.solidLag = 3
    settings.calmAfter = 0
    return settings
  }

  /// Everything at once, for the random part.
  static var stormy: WorldSettings {
    var settings = WorldSettings()
    settings.payouts = 6
    settings.replicas = 2
    settings.hasTwins = true
    settings.refusedRecipients = 1
    settings.missedSlot = 1_500
    settings.fork = 500
    settings.forgetting = 300
    settings.leftOut = 3_000
    settings.failing = 300
    settings.kill = 800
    settings.flush = 200
    settings.restart = 150
    settings.clock = 100
    settings.lostAnswer = 2_000
    return settings
  }
}

extension WorldSettings {
  /// What may be accepted.
  var limits: AcceptanceLimits {
    AcceptanceLimits(
      hourly: .limit(hourlyLimit), daily: .limit(dailyLimit),
      perRouter: [.v0: SpanLimits(hourly: .limit(routerHourlyLimit), daily: .limit(routerDailyLimit))])
  }
}

extension Amount {
  /// A limit in micro-USDT; nil for 0, which is none.
  static func limit(_ microUSDT: Int64) -> Amount? { microUSDT > 0 ? try? Amount(microUSDT: microUSDT) : nil }
}
