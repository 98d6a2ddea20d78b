import Payouts

/// What is wrong with a world, and with what of it.
enum Violation: Hashable, Sendable, CustomStringConvertible {
  /// No answer ever came, however often the client asked.
  case neverAnswered(key: String)
  /// One key was told to be several payouts.
  case severalPayouts(key: String, ids: Set<String>)
  /// Refused, and yet accepted.
  case refusedAndAccepted(key: String)
  /// It was acknowledged, and the API knows nothing of it.
  case lost(id: String)
  /// It is not what was asked for.
  case altered(id: String)
  /// It comes to no end.
  case unfinished(id: String, status: String)
  /// The chain paid this recipient this amount more often than payouts of it were confirmed.
  case paidTooOften(recipient: Address, microUSDT: Int64, times: Int, confirmed: Int)
  /// Payouts are confirmed that the chain does not show.
  case notPaid(recipient: Address, microUSDT: Int64, times: Int, confirmed: Int)
  /// Somebody was paid for whom nobody asked.
  case paidStranger(recipient: Address, microUSDT: Int64)
  /// A confirmed payout names a transaction that did not pay it, or pays two.
  case wrongTransaction(id: String)
  /// What left the wallet is not the sum of what was confirmed.
  case wrongBalance(left: Int64, confirmed: Int64)
  /// A payout's end was told by no webhook that verifies.
  case notTold(id: String, status: String)
  /// A webhook told of an end that it is not.
  case toldOtherwise(id: String, events: Set<String>)
  /// A change that the table of states does not have, or a gap.
  case illegalChange(id: String, change: String)
  /// More was accepted than the limit allows.
  case limitExceeded(used: Int64, allowed: Int64)
  /// In one hour more was accepted and had not ended unpaid than its limit allows.
  case hourExceeded(hour: Int64, used: Int64, allowed: Int64)
  /// What is reserved in an hour when all is at rest is not what its payouts hold.
  case hourNotExact(hour: Int64, reserved: Int64, held: Int64)
  /// What a limit counts is not what was paid in the end.
  case limitNotExact(used: Int64, paid: Int64)

  /// In one line.
  var description: String {
    switch self {
    case .neverAnswered(let key): "\(key): never answered"
    case .severalPayouts(let key, let ids): "\(key): one key, several payouts: \(ids.sorted())"
    case .refusedAndAccepted(let key): "\(key): refused and accepted"
    case .lost(let id): "\(id): acknowledged, and not known any more"
    case .altered(let id): "\(id): recipient or amount are not what was asked for"
    case .unfinished(let id, let status): "\(id): still \(status)"
    case .paidTooOften(let recipient, let amount, let times, let confirmed):
      "\(recipient) was paid \(amount) \(times) times; confirmed are \(confirmed)"
    case .notPaid(let recipient, let amount, let times, let confirmed):
      "\(recipient) was paid \(amount) only \(times) times; confirmed are \(confirmed)"
    case .paidStranger(let recipient, let amount): "\(recipient) was paid \(amount), for which nobody asked"
    case .wrongTransaction(let id): "\(id): its transaction is not the one that paid it"
    case .wrongBalance(let left, let confirmed): "\(left) left the wallet; confirmed are \(confirmed)"
    case .notTold(let id, let status): "\(id): no webhook told that it is \(status)"
    case .toldOtherwise(let id, let events): "\(id): webhooks told \(events.sorted())"
    case .illegalChange(let id, let change): "\(id): illegal change \(change)"
    case .limitExceeded(let used, let allowed): "the limit allows \(allowed), accepted are \(used)"
    case .hourExceeded(let hour, let used, let allowed):
      "hour \(hour): the limit allows \(allowed), accepted and not ended unpaid were \(used)"
    case .hourNotExact(let hour, let reserved, let held):
      "hour \(hour): \(reserved) are reserved, its payouts hold \(held)"
    case .limitNotExact(let used, let paid): "the limit counts \(used), paid were \(paid)"
    }
  }
}

/// Holds a world against the two laws (DESIGN.md, beginning) and against the table of states (§2), by nothing but what the
/// world shows: of the system's own code it uses addresses and the text of amounts only.
struct JudgePaidWorld {
  private static let unpaidEnds: Set<String> = ["failed", "rejected", "expired", "cancelled", "settled_externally"]
  /// DESIGN.md §2, written down once more. From nothing, and from `held`, see `isLegal`.
  private static let successors: [String: Set<String>] = [
    "kyc_pending": ["queued", "held", "rejected", "expired", "cancelled", "signed"],
    "compliance_pending": ["queued", "held", "rejected", "expired", "cancelled", "signed"],
    "queued": ["scheduled", "kyc_pending", "held", "rejected", "expired", "cancelled", "signed"],
    "scheduled": ["signed", "kyc_pending", "held", "rejected", "expired", "cancelled", "failed"],
    "signed": ["broadcast", "confirming", "scheduled", "held"],
    "broadcast": ["confirming", "scheduled", "held"],
    "confirming": ["confirmed", "broadcast", "scheduled", "held"],
  ]

  /// Besides the state that it was held from.
  private static let exitsOfHeld: Set<String> = ["scheduled", "rejected", "settled_externally", "confirmed", "signed"]

  let world: PaidWorld

  /// Everything that is wrong; nothing where both laws hold.
  func violations() -> [Violation] {
    answers() + payouts() + payments() + histories() + webhooks() + limits() + hours() + reservations()
  }

  /// One key is one payout, for every client and every retry.
  private func answers() -> [Violation] {
    world.orders.flatMap { order -> [Violation] in
      if order.ids.isEmpty { return order.isRefused ? [] : [.neverAnswered(key: order.key)] }
      var found: [Violation] = []
      if order.ids.count > 1 { found.append(.severalPayouts(key: order.key, ids: order.ids)) }
      if order.isRefused { found.append(.refusedAndAccepted(key: order.key)) }
      return found
    }
  }

  /// What was acknowledged is there, is what was asked for, and has ended.
  private func payouts() -> [Violation] {
    world.orders.flatMap { order in
      order.ids.sorted().flatMap { id -> [Violation] in
        guard let payout = world.payouts[id] else { return [.lost(id: id)] }
        var found: [Violation] = []
        if payout.recipient != "\(order.recipient)" || Self.microUSDT(payout.amount) != order.microUSDT {
          found.append(.altered(id: id))
        }
        if payout.status != "confirmed" && !Self.unpaidEnds.contains(payout.status) {
          found.append(.unfinished(id: id, status: payout.status))
        }
        return found
      }
    }
  }

  private struct Debt: Hashable {
    let recipient: Address
    let microUSDT: Int64
  }

  /// Each confirmed payout is one Transfer, and each Transfer is one confirmed payout.
  private func payments() -> [Violation] {
    var confirmed: [Debt: Int] = [:]
    var sum: Int64 = 0
    for order in world.orders {
      let debt = Debt(recipient: order.recipient, microUSDT: order.microUSDT)
      // Asked for: nobody is a stranger who was promised something, whatever became of it.
      confirmed[debt, default: 0] += 0
      for id in order.ids where world.payouts[id]?.status == "confirmed" {
        confirmed[debt, default: 0] += 1
        sum += order.microUSDT
      }
    }
    var seen: [Debt: Int] = [:]
    for payment in world.payments {
      seen[Debt(recipient: payment.transfer.to, microUSDT: payment.transfer.microUSDT), default: 0] += 1
    }
    var found: [Violation] = []
    for (debt, times) in seen where confirmed[debt] == nil {
      for _ in 0..<times { found.append(.paidStranger(recipient: debt.recipient, microUSDT: debt.microUSDT)) }
    }
    for (debt, count) in confirmed {
      let times = seen[debt] ?? 0
      if times > count {
        found.append(
          .paidTooOften(recipient: debt.recipient, microUSDT: debt.microUSDT, times: times, confirmed: count))
      } else if times < count {
        found.append(.notPaid(recipient: debt.recipient, microUSDT: debt.microUSDT, times: times, confirmed: count))
      }
    }
    let left = world.balanceBefore - world.balanceAfter
    if left != sum { found.append(.wrongBalance(left: left, confirmed: sum)) }
    return found + transactions()
  }

  /// The transaction that a client is shown is the one that paid, and no other client is shown it.
  private func transactions() -> [Violation] {
    let byTransaction = Dictionary(grouping: world.payments) { $0.txid }
    var taken: Set<String> = []
    return world.payouts.sorted { $0.key < $1.key }.compactMap { id, payout -> Violation? in
      guard payout.status == "confirmed" else { return nil }
      guard let txid = payout.txid, taken.insert(txid).inserted, let payments = byTransaction[txid],
        payments.count == 1, "\(payments[0].transfer.to)" == payout.recipient,
        payments[0].transfer.microUSDT == Self.microUSDT(payout.amount)
      else { return .wrongTransaction(id: id) }
      return nil
    }
  }

  /// Every change is in the table, and none is missing.
  private func histories() -> [Violation] {
    world.payouts.sorted { $0.key < $1.key }.compactMap { id, payout -> Violation? in
      var present: String?
      var heldFrom: String?
      for change in payout.history {
        guard change.from == present, Self.isLegal(change, heldFrom: heldFrom) else {
          let named = "\(change.from ?? "nothing") → \(change.to)"
          return .illegalChange(id: id, change: "\(named) after \(present ?? "nothing")")
        }
        if change.to == "held" { heldFrom = change.from }
        present = change.to
      }
      return present == payout.status
        ? nil : .illegalChange(id: id, change: "ends with \(present ?? "nothing") and is \(payout.status)")
    }
  }

  private static func isLegal(_ change: PaidWorld.Change, heldFrom: String?) -> Bool {
    switch change.from {
    case nil: ["queued", "kyc_pending", "compliance_pending"].contains(change.to)
    case "held": change.to == heldFrom || exitsOfHeld.contains(change.to)
    case let from?: successors[from]?.contains(change.to) ?? false
    }
  }

  /// Each end was told, and no other end.
  private func webhooks() -> [Violation] {
    let ends = Self.unpaidEnds.union(["confirmed"])
    return world.payouts.sorted { $0.key < $1.key }.compactMap { id, payout -> Violation? in
      guard ends.contains(payout.status) else { return nil }
      let told = (world.told[id] ?? []).filter { ends.contains(String($0.dropFirst("payout.".count))) }
      if told.isEmpty { return .notTold(id: id, status: payout.status) }
      return told == ["payout.\(payout.status)"] ? nil : .toldOtherwise(id: id, events: told)
    }
  }

  /// What the limit counts is what was paid, to the last micro-USDT, and within the limit.
  private func limits() -> [Violation] {
    guard let day = world.day else { return [] }
    let paid = world.payments.reduce(0) { $0 + $1.transfer.microUSDT }
    var found: [Violation] = []
    if paid > day.allowed { found.append(.limitExceeded(used: paid, allowed: day.allowed)) }
    if day.used != paid { found.append(.limitNotExact(used: day.used, paid: paid)) }
    return found
  }

  /// What was accepted in an hour counts in it until it ends unpaid, and never comes to more than its limit. An event has the
  /// time at which its transaction began, and an acceptance may have stood still from then on while others made room for it:
  /// surely there it was from the first answer that named it, which came after the commit, to the beginning of the
  /// transaction that ended it. Of what happens in one millisecond the ends come first.
  private func hours() -> [Violation] {
    guard let limit = world.hourlyLimit else { return [] }
    let answers = world.orders.flatMap { order in order.ids.map { ($0, order.answeredAt ?? .max) } }
    let answered = Dictionary(answers, uniquingKeysWith: min)
    let counted = world.payouts.filter { $0.value.acceptedAt < limit.until }
    return Dictionary(grouping: counted) { $0.value.hour }.sorted { $0.key < $1.key }.compactMap { hour, payouts in
      var changes: [(at: Int64, change: Int64)] = []
      for (id, payout) in payouts {
        let amount = Self.microUSDT(payout.amount) ?? 0
        let begins = answered[id] ?? .max
        let ends = Self.unpaidEnds.contains(payout.status) ? payout.endedAt : .max
        if begins < ends { changes += [(begins, amount), (ends, -amount)] }
      }
      let used = changes.sorted { ($0.at, $0.change) < ($1.at, $1.change) }
        .reduce(into: (now: Int64(0), most: Int64(0))) { used, change in
          used.now += change.change
          used.most = max(used.most, used.now)
        }
      return used.most > limit.allowed ? .hourExceeded(hour: hour, used: used.most, allowed: limit.allowed) : nil
    }
  }

  /// When all is at rest, what is reserved in an hour is what its payouts hold that did not end unpaid: nothing has leaked.
  private func reservations() -> [Violation] {
    guard let reserved = world.reserved else { return [] }
    var held: [Int64: Int64] = [:]
    for payout in world.payouts.values where !Self.unpaidEnds.contains(payout.status) {
      held[payout.hour, default: 0] += Self.microUSDT(payout.amount) ?? 0
    }
    return Set(reserved.keys).union(held.keys).sorted().compactMap { hour in
      let (reserved, held) = (reserved[hour] ?? 0, held[hour] ?? 0)
      return reserved == held ? nil : .hourNotExact(hour: hour, reserved: reserved, held: held)
    }
  }

  private static func microUSDT(_ text: String) -> Int64? { try? Amount(decimal: text).microUSDT }
}

extension PaidWorld.Payout {
  /// The hour (UTC) that it was accepted in, counted from 1970.
  fileprivate var hour: Int64 { acceptedAt / 3_600_000 }
}
