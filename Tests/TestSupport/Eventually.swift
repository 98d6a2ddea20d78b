/// What did not come true in time.
public struct WaitedInVain: Error, CustomStringConvertible {
  /// What was waited for, and how long.
  public let description: String
}

/// Polls until the condition holds, or fails by name.
public func eventually(
  _ what: String, within limit: Duration = .seconds(60), _ condition: @Sendable () async throws -> Bool
) async throws {
  let deadline = ContinuousClock.now + limit
  while try await !condition() {
    guard ContinuousClock.now < deadline else {
      throw WaitedInVain(description: "waited \(limit) in vain until \(what)")
    }
    try await Task.sleep(for: .milliseconds(20))
  }
}
