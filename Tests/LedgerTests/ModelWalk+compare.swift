import Ledger
import Synchronization
import Testing

@testable import Simulation

/// One operation on both sides.
extension ModelWalk {
  /// One operation: on the real ledger and on the model, with what it answers as text.
  struct Operation: Sendable {
    let name: String
    /// Which rows it locks without changing them, by their names.
    let locks: @Sendable (LedgerTables) -> Set<String>
    let real: @Sendable (Ledger) async throws -> String
    let modelled: @Sendable (inout LedgerTables) throws -> String

    /// The name's first word.
    var kind: Substring { name.prefix { $0 != " " } }
    /// Whether it is one transaction: what is several may see the other one's changes between two of its questions.
    /// (And alarms that are taken are passed by whatever it is that raises them just then.)
    var isOneTransaction: Bool { !["match", "lost", "vouching-state", "breaker-report", "alarms"].contains(kind) }
    /// Whether it passes by what others hold (`SKIP LOCKED`).
    var passesBy: Bool { ["schedule", "schedule-some", "due", "expire", "confirm", "take", "claim"].contains(kind) }
  }

  /// Carries out an operation on both sides and compares; where operations are collected, only keeps it.
  mutating func compare(
    _ name: String, _ real: @escaping @Sendable (Ledger) async throws -> String,
    _ modelled: @escaping @Sendable (inout LedgerTables) throws -> String,
    locking locks: @escaping @Sendable (LedgerTables) -> Set<String> = { _ in [] }
  ) async throws {
    let operation = Operation(name: name, locks: locks, real: real, modelled: modelled)
    guard collected == nil else {
      collected?.append(operation)
      return
    }
    trail.append(name)
    let (expected, refusal) = await Self.ask(operation, of: test.ledger)
    let (told, after) = Self.answer(operation, of: model)
    let newWebhooks = after.webhooks.count - model.webhooks.count
    model = after
    count(name, expected)
    try #require(told == expected, "\(lastWords)\nmodel: \(told)\nreal:  \(expected)\(refusal)")
    unseen += 1
    if unseen >= ModelTests.operationsPerLook { try await compareRows() }
    // A statement that changes several payouts numbers their webhooks in the order that its plan comes to.
    if newWebhooks > 1 { try await takeOverOrderOfWebhooks() }
  }

  /// All that stands in the tables.
  mutating func compareRows() async throws {
    unseen = 0
    let (rows, modelled) = (try await realRows(), modelRows())
    guard rows == modelled else { try differ(Self.difference(rows, modelled)) }
  }

  func differ(_ how: String) throws -> Never {
    Issue.record("\(lastWords)\n\(how)")
    throw ModelDiffers()
  }

  mutating func count(_ name: String, _ answer: String) {
    let kind = name.hasPrefix("pair") ? name[...] : name.prefix { $0 != " " }
    let words = name.hasPrefix("pair") ? answer[...] : answer.prefix { !"0123456789[(,".contains($0) }
    answers["\(kind): \(words)", default: 0] += 1
    guard !name.hasPrefix("pair") else { return }
    for part in ["\(kind) walked"] + ModelCoverage.parts(of: answer, to: String(kind)) {
      reached[part, default: 0] += 1
    }
  }

  static func difference(_ real: String, _ model: String) -> String {
    let (real, model) = (real.split(separator: "\n"), model.split(separator: "\n"))
    return "only real: \(Set(real).subtracting(model).sorted())\nonly model: \(Set(model).subtracting(real).sorted())"
  }

  private var lastWords: String { trail.suffix(12).map { $0.prefix(600) }.joined(separator: "\n") }

  static func answer(_ operation: Operation, of ledger: Ledger) async -> String {
    await ask(operation, of: ledger).answer
  }

  /// The answer, and what PostgreSQL said where it refused.
  private static func ask(_ operation: Operation, of ledger: Ledger) async -> (answer: String, refusal: String) {
    do { return (try await operation.real(ledger), "") } catch let error as LedgerError {
      return ("error \(error.code)", ": \(error)")
    } catch { return ("\(error)", "") }
  }

  /// The answer and what stands in the tables then.
  static func answer(_ operation: Operation, of model: LedgerTables) -> (String, LedgerTables) {
    var copy = model
    do { return (try operation.modelled(&copy), copy) } catch let error as LedgerError {
      return ("error \(error.code)", model)
    } catch { return ("\(error)", model) }
  }
}

/// What an operation brought, for the next one.
final class Taken<Value: Sendable>: Sendable {
  private let stored = Mutex<Value?>(nil)

  var value: Value? { stored.withLock { $0 } }

  func put(_ value: Value) { stored.withLock { $0 = value } }
}

/// The model and the real ledger have gone apart: what follows would say nothing.
struct ModelDiffers: Error {}
