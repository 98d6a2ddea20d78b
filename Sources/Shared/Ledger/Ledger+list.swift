public import Payouts
import Postgres

/// Lists of payouts, newest first.
///
/// However many payouts there are and whatever is asked for, a page reads a bounded part of one index (``PayoutScan``). Where
/// nothing more was found there, the page is short and says where to go on.
extension Ledger {
  /// A page of the payouts that a reader may see and that fit a filter.
  ///
  /// - Parameters:
  ///   - reader: who sees only what he owns, or what names him as beneficiary; nil sees everything.
  ///   - before: the page goes on below this id; nil begins with the newest.
  ///   - limit: the most payouts of the page, 1 or more.
  public func payouts(
    fitting filter: PayoutFilter, readableBy reader: String?, before: PayoutID?, limit: Int
  ) async throws -> PayoutPage {
    try await payouts(
      fitting: filter, readableBy: reader, before: before, limit: limit, scanned: PayoutScan.scannedMaximum)
  }

  func payouts(
    fitting filter: PayoutFilter, readableBy reader: String?, before: PayoutID?, limit: Int, scanned: Int
  ) async throws -> PayoutPage {
    let readership: PayoutScan.Readership =
      if let reader { .reader(reader) } else { .everybody(try await owners(of: filter)) }
    let page = PayoutScan(filter, by: readership, before: before, limit: limit, scanned: scanned).page()
    let rows = try await read(page.sql, page.parameters).rows
    let records = try rows.filter { try $0.uuidOrNil("id") != nil }.map(PayoutRecord.init)
    if records.count == limit { return PayoutPage(records: records, next: records.last?.id) }
    return PayoutPage(
      records: records, next: try rows.first?.uuidOrNil("cut").map { try PayoutID(bytes: $0) })
  }

  /// Whose payouts have the word that a list is looked for by; nil where there is no word, or where they are many.
  private func owners(of filter: PayoutFilter) async throws -> [String]? {
    guard let question = PayoutScan.owners(of: filter) else { return nil }
    let owners = try await read(question.sql, question.parameters).rows.map { try $0.text("owner") }
    return owners.count > PayoutScan.ownersMaximum ? nil : owners
  }

  /// The payouts of these ids; unknown ones are left out.
  public func payouts(_ ids: [PayoutID]) async throws -> [PayoutRecord] {
    try await read(
      "SELECT \(PayoutRecord.columns) FROM payouts p WHERE p.id = ANY ($1)", [.uuidArray(ids.map(\.bytes))]
    )
    .rows.map(PayoutRecord.init)
  }
}
