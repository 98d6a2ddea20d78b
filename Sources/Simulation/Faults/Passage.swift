/// What an input or output does, and what becomes of it where something goes wrong there.
struct Passage<Value: Sendable>: Sendable {
  /// What it does.
  let effect: @Sendable () async throws -> Value
  /// What happens where it is not done after all: a transaction runs, and is rolled back.
  var undone: @Sendable () -> Void = {}
  /// What happens at once where it takes effect at a later moment; returns the rest. Nil where all of it comes later.
  var departs: (@Sendable (_ moment: Int64) async throws -> @Sendable () async -> Void)?
  /// Whether its caller gives up on it when it hangs; a disk is waited for.
  var hasTimeOut = true
  /// What happens where the process dies in the middle; a number decides how much of it.
  var partly: (@Sendable (_ chance: UInt64) -> Void)?
  /// What a node says instead of taking it.
  var told: (@Sendable (Happening) -> Value)?

  init(_ effect: @escaping @Sendable () async throws -> Value) { self.effect = effect }
}
