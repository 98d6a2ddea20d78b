import Ledger
import Payouts

/// The questions about many payouts at once, as the ledger answers them.
protocol PayoutDirectory: Sendable {
  /// A page of the payouts that a reader may see (nil: all) and that fit a filter, newest first.
  func payouts(
    fitting filter: PayoutFilter, readableBy reader: String?, before: PayoutID?, limit: Int
  ) async throws -> PayoutPage
  /// The payouts of these ids, in no order; unknown ones are left out.
  func payouts(_ ids: [PayoutID]) async throws -> [PayoutRecord]
  /// The attempts of payouts, each one's oldest first.
  func attempts(of ids: [PayoutID]) async throws -> [PayoutID: [AttemptRecord]]
  /// How a client's batch stands, whoever owns it; nil where there is none.
  func clientBatch(_ id: BatchID) async throws -> ClientBatchProgress?
  /// What may keep payouts from being paid just now.
  func conditions() async throws -> PayingConditions
  /// What is known about payouts that an owner thinks of.
  func quoteBasis(of owner: String, paying terms: [(recipient: Address, amount: Amount)]) async throws -> QuoteBasis
}

extension Ledger: PayoutDirectory {}

/// Reads several payouts for a caller. Those of strangers are passed by as if they did not exist.
struct ListPayouts: Sendable {
  let ledger: any PayoutDirectory

  /// A page of payouts, without their histories, and the cursor of the next one.
  func page(_ request: ListRequest, for caller: Caller) async throws(Problem) -> (views: [PayoutView], next: String?) {
    do {
      let page = try await ledger.payouts(
        fitting: request.filter, readableBy: caller.role == .admin ? nil : caller.id, before: request.before,
        limit: request.limit)
      return (try await views(of: page.records), page.next.map(PayoutCursor.text))
    } catch {
      throw ReadPayout.problem(error)
    }
  }

  /// Those of the payouts that exist and that the caller may see, in the order asked for.
  func payouts(_ ids: [PayoutID], for caller: Caller) async throws(Problem) -> [PayoutView] {
    do {
      let records = try await ledger.payouts(ids).filter {
        caller.mayRead(owner: $0.terms.owner, beneficiary: $0.particulars.beneficiaryUserID)
      }
      let found = Dictionary(records.map { ($0.id, $0) }) { first, _ in first }
      return try await views(of: ids.compactMap { found[$0] })
    } catch {
      throw ReadPayout.problem(error)
    }
  }

  /// The records were read first, so that a state is never older than what explains it.
  private func views(of records: [PayoutRecord]) async throws -> [PayoutView] {
    guard !records.isEmpty else { return [] }
    let attempts = try await ledger.attempts(of: records.map(\.id))
    let conditions = try await ledger.conditions()
    return records.map {
      PayoutView(record: $0, history: [], attempts: attempts[$0.id] ?? [], conditions: conditions)
    }
  }
}
