import Foundation

/// The faults of nodes' answers, one by one.
extension DevnetOracle {
  /// One that is set.
  struct SetFault: Sendable {
    /// By which devnet knows it.
    let number: Int64
    /// What was asked for: `omit`, `claim` …
    let name: String
    /// How many requests it has met.
    let hits: Int
  }

  /// Sets one that ends when it is told to, and returns its number.
  func setFault(_ body: [String: any Sendable]) async throws -> Int64 {
    let answer = try await json("/devnet/faults", body)
    guard let number = (answer["fault"] as? NSNumber)?.int64Value else {
      throw Stack.Failure("faults \(body): \(answer)")
    }
    return number
  }

  /// All that are set at present, used-up ones included.
  func setFaults() async throws -> [SetFault] {
    let faults = try await json("/devnet/state", nil)["faults"] as? [[String: Any]] ?? []
    return faults.compactMap { fault in
      guard let number = fault["fault"] as? NSNumber, let asked = fault["asked"] as? [String: Any],
        let name = asked["fault"] as? String
      else { return nil }
      return SetFault(number: number.int64Value, name: name, hits: (fault["hits"] as? NSNumber)?.intValue ?? 0)
    }
  }

  /// How many requests those that are set at present have met, by what was asked for.
  func faultsMet() async throws -> [String: Int] {
    try await setFaults().reduce(into: [:]) { $0[$1.name, default: 0] += $1.hits }
  }
}
