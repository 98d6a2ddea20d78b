import Ledger
import Payouts
import Testing

@testable import Simulation

/// Two operations at the same moment, of transactions of their own on the real ledger.
///
/// What is compared: both answers, and all rows that ``ModelWalk/realRows()`` names. They must be those of one of these:
/// - one operation after the other, in either order;
/// - the same without an operation that the database refused because of what the other one had just changed (of that,
///   nothing stands);
/// - the same, where an operation that passes by what others hold (`SKIP LOCKED`) did not see some of the rows that the other
///   one touches: those that it changes, makes or locks. No other row may be missed. Which of them are missed is a matter of
///   microseconds, so that any choice among them is allowed, but what is *not* missed must come out to the last column. One
///   that puts payouts into batches may besides have asked which priorities wait before the other one's end.
///
/// The order in which two transactions number the webhooks of different payouts, or two orders to adopt, is theirs to choose:
/// the model takes it over (``ModelWalk/takeOverOrders()``); webhooks' must be the model's within each payout.
extension ModelWalk {
  /// Draws two operations of the present state and carries them out at once on the real ledger.
  mutating func pair() async throws {
    if roll(3) == 0 { try await passTime() }
    let operations = try await drawTwo()
    let name = "\(operations[0].name) beside \(operations[1].name)"
    trail.append(name)
    let (ledger, first, second) = (test.ledger, operations[0], operations[1])
    async let one = Self.answer(first, of: ledger)
    async let other = Self.answer(second, of: ledger)
    let real = await [one, other]
    let rows = try await realRows()

    let (start, kinds, orders) = (model, "pair: \(first.kind)+\(second.kind)", Self.orders(given: real))
    var told: [String] = []
    for order in orders {
      let modelled = carryOut(operations, in: order, from: start, seeing: [.init(), .init()], real)
      if modelled.answers == real, modelled.rows == rows {
        count(kinds, "in the order \(order)")
        return try await takeOverOrders()
      }
      told.append("model in the order \(order): \(modelled.answers)\n\(Self.difference(rows, modelled.rows))")
    }
    for order in orders {
      for views in Self.views(of: operations, in: order, answering: real, from: start) {
        let modelled = carryOut(operations, in: order, from: start, seeing: views, real)
        guard modelled.answers == real, modelled.rows == rows else { continue }
        count(kinds, "in the order \(order), passing by")
        return try await takeOverOrders()
      }
    }
    try differ("real: \(real)\n\(told.joined(separator: "\n"))")
  }

  /// On the model, one after the other; what is not in the order keeps its real answer.
  private mutating func carryOut(
    _ operations: [Operation], in order: [Int], from start: LedgerTables, seeing views: [LedgerTables.Beside],
    _ real: [String]
  ) -> (answers: [String], rows: String) {
    model = start
    var answers = real
    for operation in order {
      model.beside = views[operation]
      (answers[operation], model) = Self.answer(operations[operation], of: model)
      model.beside = .init()
    }
    return (answers, modelRows())
  }

  /// What the database refuses where the other transaction has just changed what this one had looked at.
  private static let refusals = [LedgerError.Code.historyNotTrusted, .illegalChange, .refused].map { "error \($0)" }

  /// One after the other, in either order. What was refused between the two has changed nothing: as if it had not been asked.
  private static func orders(given answers: [String]) -> [[Int]] {
    let refused = answers.indices.filter { refusals.contains(answers[$0]) }
    return [[0, 1], [1, 0]] + refused.map { [1 - $0] } + (refused.count == 2 ? [[]] : [])
  }

  private mutating func drawTwo() async throws -> [Operation] {
    var operations: [Operation] = []
    while operations.count < 2 {
      collected = []
      try await draw()
      let drawn = (collected ?? []).filter(\.isOneTransaction)
      if !drawn.isEmpty { operations.append(drawn[roll(drawn.count)]) }
      if Self.isChance(operations) { operations.removeLast() }
    }
    collected = nil
    return operations
  }

  /// Which of the payouts that are accepted just then a vouching without a log holds is chance: some of one request, and not
  /// others. They are of the present life, as those that are accepted right after it, so that nothing of theirs was lost.
  /// So is which ones are held some at a time before: those that it does not come to it comes to in the next call. And of
  /// two that rotate a secret at once, or one that does beside one that makes the first, one may be let in alone; of several
  /// ends of one payout, those that come before its acceptance is visible raise no alarm.
  private static func isChance(_ operations: [Operation]) -> Bool {
    operations.contains { $0.kind == "hold-unproven" }
      || operations.contains { $0.kind == "rotate-secret" }
        && operations.count { ["rotate-secret", "make-secret"].contains($0.kind) } > 1
      || operations.contains { $0.kind == "accept" }
        && operations.contains { $0.name.hasSuffix(logGone) || $0.kind == "replay-ends" && $0.name.contains(", ") }
  }

  // MARK: What one sees of the other

  /// More rows than these are missed only all together.
  private static let choicesMaximum = 5

  /// What each of the two operations may have seen of the other one, by its place in `operations`.
  private static func views(
    of operations: [Operation], in order: [Int], answering answers: [String], from start: LedgerTables
  ) -> [[LedgerTables.Beside]] {
    let choices = operations.indices.map { index in
      guard order.contains(index), operations[index].passesBy else { return [LedgerTables.Beside()] }
      return views(of: operations[index], beside: operations[1 - index], answering: answers, at: index, from: start)
    }
    return choices[0].flatMap { first in choices[1].map { [first, $0] } }
  }

  private static func views(
    of operation: Operation, beside other: Operation, answering answers: [String], at index: Int,
    from start: LedgerTables
  ) -> [LedgerTables.Beside] {
    let after = answer(operation, of: start).1
    var touched: Set<String> = []
    var (states, reach) = ([start, after], Set<String>())
    for state in states {
      let later = answer(other, of: state).1
      touched.formUnion(other.locks(state))
      touched.formUnion(changedRows(state, later))
      states.append(later)
    }
    for state in states { reach.formUnion(names(for: operation, in: state)) }
    // What a refused operation had locked until then is not known.
    if answers[1 - index].hasPrefix("error") { touched = reach }
    // Where the other one missed some itself, it came to later ones instead: it tells of them.
    touched.formUnion(reach.filter(answers[1 - index].contains))
    touched.formIntersection(reach)
    // What it tells of it has seen; what it left untold it may have missed.
    let untold = touched.filter { !answers[index].contains($0) }.sorted()
    let waiting: [[DueTurn.Waiting]?] = operation.kind == "schedule" ? [nil, start.waitingForTurn()] : [nil]
    return [LedgerTables.Beside()]
      + choices(of: untold).flatMap { missed in
        waiting.map { LedgerTables.Beside(missing: missed, of: states, waiting: $0) }
      }
  }

  /// All of them first: mostly whoever comes later misses all that the other one holds.
  private static func choices(of rows: [String]) -> [[String]] {
    guard rows.count <= choicesMaximum else { return [rows, []] }
    return (0..<(1 << rows.count)).map { bits in
      rows.indices.filter { bits & (1 << $0) == 0 }.map { rows[$0] }
    }
  }

  /// The rows that an operation may pass by.
  private static func names(for operation: Operation, in tables: LedgerTables) -> Set<String> {
    switch operation.kind {
    case "take": Set(tables.transactions.keys.map(\.description))
    case "claim": Set(tables.webhooks.map(\.origin))
    default: Set(tables.payouts.keys.map(\.description))
    }
  }

  /// The rows that may be passed by and are not the same in both states.
  private static func changedRows(_ before: LedgerTables, _ after: LedgerTables) -> [String] {
    func texts<Key: CustomStringConvertible, Row>(_ rows: [Key: Row]) -> [String: String] {
      Dictionary(uniqueKeysWithValues: rows.map { ($0.key.description, "\($0.value)") })
    }
    func changed(_ before: [String: String], _ after: [String: String]) -> [String] {
      Set(before.keys).union(after.keys).filter { before[$0] != after[$0] }
    }
    let (told, toldLater) = (before.webhooks.map { "\($0)" }, after.webhooks.map { "\($0)" })
    let webhooks = zip(after.webhooks, toldLater).filter { !told.contains($0.1) }.map(\.0.origin)
    return changed(texts(before.payouts), texts(after.payouts))
      + changed(texts(before.transactions), texts(after.transactions))
      + changed(texts(before.servers), texts(after.servers)) + webhooks
  }
}

extension LedgerTables.Beside {
  fileprivate init(missing names: [String], of states: [LedgerTables], waiting: [DueTurn.Waiting]?) {
    self.init(waiting: waiting)
    let names = Set(names)
    for state in states {
      payouts.formUnion(state.payouts.keys.filter { names.contains($0.description) })
      transactions.formUnion(state.transactions.keys.filter { names.contains($0.description) })
      servers.formUnion(state.webhooks.map(\.origin).filter(names.contains))
    }
  }
}
