/// A stretch of a call, by the energy it takes.
struct EnergyStep: Sendable {
  /// One expensive operation, or nil for many small ones.
  var operation: String?
  let base: Int64
  /// What comes on top at the factor of ``fullFactor``, as observed there.
  let fullPenalty: Int64

  /// The factor at which the real contract's costs were observed, in ten-thousandths.
  static let fullFactor: Int64 = 34_000

  /// A write to storage: 20,000 where it fills an empty place, else 5,000.
  static func write(isNew: Bool) -> EnergyStep {
    EnergyStep(operation: "SSTORE", base: isNew ? 20_000 : 5_000, fullPenalty: isNew ? 68_000 : 17_000)
  }

  /// What comes on top at `factor` ten-thousandths.
  func penalty(at factor: Int64) -> Int64 { fullPenalty * factor / Self.fullFactor }
}

/// How a contract call ended, and the energy it took.
struct CallOutcome: Sendable {
  /// What it was made of, in order.
  let steps: [EnergyStep]
  /// The contract's energy factor, in ten-thousandths (tron-protocol.md §5.3).
  let factor: Int64
  /// What the call returned, or revert data.
  var output: Bytes = []
  var logs: [Log] = []
  var hasReverted = false

  /// What of the energy is penalty.
  var penalty: Int64 { steps.reduce(0) { $0 + $1.penalty(at: factor) } }
  /// All of it, the penalty included.
  var energy: Int64 { steps.reduce(penalty) { $0 + $1.base } }

  /// The same with more work behind it.
  func adding(_ more: [EnergyStep]) -> CallOutcome {
    CallOutcome(steps: steps + more, factor: factor, output: output, logs: logs, hasReverted: hasReverted)
  }

  /// How a call looks whose energy ended at `limit`, which is less than `energy`: the penalty until then, and the words
  /// of the node's exception.
  func exhausted(at limit: Int64) -> (penalty: Int64, message: String) {
    var used: Int64 = 0
    var usedPenalty: Int64 = 0
    for step in steps {
      let penalty = step.penalty(at: factor)
      guard used + step.base + penalty > limit else {
        used += step.base + penalty
        usedPenalty += penalty
        continue
      }
      if let operation = step.operation {
        return (usedPenalty, Self.message(operation, limit, cost: step.base, penalty: penalty, used: used))
      }
      usedPenalty += (limit - used) * penalty / (step.base + penalty)
      break
    }
    return (usedPenalty, Self.message("PUSH1", limit, cost: 3, penalty: 3 * factor / 10_000, used: limit))
  }

  private static func message(_ operation: String, _ limit: Int64, cost: Int64, penalty: Int64, used: Int64) -> String {
    "Not enough energy for '\(operation)' operation executing: curInvokeEnergyLimit[\(limit)], "
      + "curOpEnergy[\(cost)], penaltyEnergy[\(penalty)], usedEnergy[\(used)]"
  }
}

/// A contract that stands on this network.
protocol CallableContract: Sendable {
  var address: Address { get }

  /// Runs a call and writes its effects to `state`. On a revert nothing has been written.
  ///
  /// - `callValue`: sun sent along.
  func call(from caller: Address, data: Bytes, callValue: Int64, state: inout WorldState) -> CallOutcome
}
