import Ledger
import Logging
import Worker

/// The breaker and the pause, as an operator finds them.
struct PaymentsView: Sendable {
  let breaker: BreakerReport
  let conditions: PayingConditions
  /// Whether the call changed anything; nil where it only looked.
  var hasChanged: Bool?
  /// The findings of the fence that it acknowledged.
  var acknowledged: [FindingRecord] = []
}

/// Stops all signing and lets it go on, in an operator's name.
///
/// Doing it twice changes nothing more: what stands already is told. (The reason for opening what is open is kept all the
/// same.)
struct SteerPayments: Sendable {
  let desk: any OperatorDesk
  let logger: Logger

  /// What an operator does.
  enum Act: Sendable {
    /// Nothing is signed until it is closed.
    case openBreaker
    /// Signing goes on; what the fence found and was judged is acknowledged, where all of it was seen.
    case closeBreaker(SeenBreaker)
    /// Nothing is signed until it is resumed; clients are told the reason.
    case pause
    /// The pause ends.
    case resume

    fileprivate var name: String {
      switch self {
      case .openBreaker: "open breaker"
      case .closeBreaker: "close breaker"
      case .pause: "pause"
      case .resume: "resume"
      }
    }
  }

  /// Carries out an act.
  /// - Parameter reason: stands in the ledger for ever.
  func carryOut(_ act: Act, reason: String, for caller: Caller) async throws(Problem) -> PaymentsView {
    let (hasChanged, acknowledged) = try await change(act, reason, desk.acting(as: caller.actor))
    logger.notice(
      hasChanged ? "An operator steered the payments" : "An operator asked for what stood already",
      metadata: [
        LogKey.operatorAct: "\(act.name)", LogKey.operatorReason: "\(reason)", LogKey.callerID: "\(caller.id)",
      ])
    do {
      return PaymentsView(
        breaker: try await desk.breaker(), conditions: try await desk.conditions(), hasChanged: hasChanged,
        acknowledged: acknowledged)
    } catch {
      throw OperatorProblem.doneAndUnseen.because(error)
    }
  }

  private func change(
    _ act: Act, _ reason: String, _ desk: any OperatorDesk
  ) async throws(Problem) -> (hasChanged: Bool, acknowledged: [FindingRecord]) {
    do {
      switch act {
      case .openBreaker: return (try await desk.openBreaker(reason: reason) == nil, [])
      case .pause: return (try await desk.pause(reason: reason), [])
      case .resume: return (try await desk.resume(reason: reason), [])
      case .closeBreaker(let seen):
        switch try await desk.closeBreaker(reason: reason, seen: seen) {
        case .closed(let closed): return (true, closed.acknowledged)
        case .nothingToClose: return (false, [])
        case .openedSince(let cause, let openings):
          throw Problem(
            .cannotDecide,
            "It is open by \(cause), and was opened \(openings) times in all. Look at the alarms and at what it was opened "
              + "for, and send both as cause and openings. Nothing was changed.")
        case .unseen(let txids):
          let names = txids.prefix(10).map(\.description).joined(separator: ", ")
          throw Problem(
            .cannotDecide,
            "The fence found more than findings names, such as \(names). Look at them; where they are more than "
              + "\(ParseOperatorRequest.findingsMax), 'payoutctl breaker close' acknowledges all. Nothing was changed.")
        }
      }
    } catch {
      throw OperatorProblem.ofChange(error)
    }
  }

  /// The breaker, and what moved a watched account and was signed by no Signer of ours, the oldest first; with what was acknowledged, which
  /// holds payouts that equal it.
  func findings(
    atMost count: Int
  ) async throws(Problem) -> (findings: [UnexplainedFinding], breaker: BreakerReport) {
    do {
      // The breaker is read first, so that what opened it is among what is told, or it was opened again since.
      let breaker = try await desk.breaker()
      return (try await desk.unexplainedFindings(naming: [], atMost: count), breaker)
    } catch {
      throw ReadPayout.problem(error)
    }
  }
}

extension LogKey {
  /// What an operator did.
  static let operatorAct = "operator.act"
  /// Why, in the operator's words.
  static let operatorReason = "operator.reason"
}
