import Ledger
import Testing

@testable import Simulation

/// Two operations at the same moment: what comes of them is what comes of one after the other, in either order.
extension ModelWalk {
  /// Operations that pass by what others hold at that moment come to less beside one another than one after the other;
  /// `StormTests` has them side by side. A look is several statements.
  private static let passing = ["schedule", "due", "expire", "confirm", "take", "claim", "look", "match", "lost"]

  /// Draws two operations of the present state and carries them out at once on the real ledger.
  mutating func pair() async throws {
    if roll(3) == 0 { try await passTime() }
    let operations = try await drawTwo()
    let (first, second) = (operations[0], operations[1])
    let name = "\(first.name) beside \(second.name)"
    trail.append(name)
    let ledger = test.ledger
    async let one = Self.answer(first, of: ledger)
    async let other = Self.answer(second, of: ledger)
    let real = await [one, other]
    let rows = try await realRows()

    let start = model
    var told: [String] = []
    for order in Self.orders(given: real) {
      model = start
      var answers = real
      for index in order { (answers[index], model) = Self.answer(operations[index], of: model) }
      let modelled = modelRows()
      if answers == real, rows == modelled {
        return count("pair: \(Self.kind(first))+\(Self.kind(second))", "in the order \(order)")
      }
      told.append("model in the order \(order): \(answers)\n\(Self.difference(rows, modelled))")
    }
    try differ("real: \(real)\n\(told.joined(separator: "\n"))")
  }

  /// What the database refuses where the other transaction has just changed what this one had looked at.
  private static let refusals = [LedgerError.Code.historyNotTrusted, .illegalChange, .refused].map { "error \($0)" }

  /// One after the other, in either order. What was refused between the two has changed nothing: as if it had not been asked.
  private static func orders(given answers: [String]) -> [[Int]] {
    let refused = answers.indices.filter { refusals.contains(answers[$0]) }
    return [[0, 1], [1, 0]] + refused.map { [1 - $0] } + (refused.count == 2 ? [[]] : [])
  }

  private static func kind(_ operation: Operation) -> Substring { operation.name.prefix { $0 != " " } }

  private mutating func drawTwo() async throws -> [Operation] {
    var operations: [Operation] = []
    while operations.count < 2 {
      collected = []
      try await draw()
      operations += (collected ?? []).prefix(1).filter { !Self.passing.contains(String(Self.kind($0))) }
    }
    collected = nil
    return operations
  }
}
