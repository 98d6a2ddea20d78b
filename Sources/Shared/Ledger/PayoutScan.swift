import Payouts
import Postgres

/// Which parts of which index a page of a list is read from.
///
/// It is the index of the word that fits the fewest payouts; behind that word it holds the owner and the id. Whoever may see
/// only his own reads one owner's part, and that of the payouts that name him as beneficiary; whoever sees everything reads
/// the part of each owner of the word, or, where those are many, all payouts. What else is asked for is looked up for each
/// payout that is found so, newest first.
struct PayoutScan {
  /// How many payouts are looked at for one page. Without a bound, a page of what is rare among an owner's millions would read
  /// all of them.
  static let scannedMaximum = 2_000
  /// A word of more owners is looked for among all payouts.
  static let ownersMaximum = 200

  /// Whose payouts are looked at.
  enum Readership {
    /// Those of an owner, and those that name him as beneficiary.
    case reader(String)
    /// Everybody's; nil for all at once, else each owner's part.
    case everybody([String]?)
  }

  private let filter: PayoutFilter
  private let readership: Readership
  private let before: PayoutID?
  private let limit: Int
  private let scanned: Int
  private var parameters: [PostgresParameter] = []

  /// SQL with its parameters.
  typealias Question = (sql: String, parameters: [PostgresParameter])

  /// - Parameters:
  ///   - limit: the most payouts of the page.
  ///   - scanned: how many payouts are looked at.
  init(
    _ filter: PayoutFilter, by readership: Readership, before: PayoutID?, limit: Int,
    scanned: Int = PayoutScan.scannedMaximum
  ) {
    self.filter = filter
    self.readership = readership
    self.before = before
    self.limit = limit
    self.scanned = scanned
  }

  /// The owners of the word that the list is looked for by, one more than can be looked through; nil where there is no word.
  static func owners(of filter: PayoutFilter) -> Question? {
    guard let word = Word(filter) else { return nil }
    var scan = PayoutScan(filter, by: .everybody(nil), before: nil, limit: 1)
    let condition = scan.condition(word)
    let sql = """
      WITH RECURSIVE owners (owner, place) AS (
        (SELECT t.owner, 1 FROM \(word.table) t WHERE \(condition) ORDER BY t.owner LIMIT 1)
        UNION ALL
        SELECT (SELECT t.owner FROM \(word.table) t WHERE \(condition) AND t.owner > o.owner ORDER BY t.owner LIMIT 1),
          o.place + 1
        FROM owners o WHERE o.owner IS NOT NULL AND o.place <= \(ownersMaximum))
      SELECT owner FROM owners WHERE owner IS NOT NULL
      """
    return (sql, scan.parameters)
  }

  /// The payouts of the page, each beside `cut`: the highest id at which a part was cut off. Where there are none, one row
  /// with the cut alone. One statement, so that nothing moves between what is found and where it was cut off.
  func page() -> Question {
    var scan = self
    let (parts, rest) = (scan.parts(), scan.rest())
    // OFFSET 0 keeps the planner from reading all payouts instead of looking these up: they are too few for that, which it
    // cannot know. In their order, so that it stops when the page is full.
    let sql = """
      WITH looked AS MATERIALIZED (\(parts)),
        cut AS (SELECT l.id FROM looked l WHERE l.is_last ORDER BY l.id DESC LIMIT 1)
      SELECT p.*, (SELECT id FROM cut) AS cut FROM (SELECT) one LEFT JOIN (
        SELECT \(PayoutRecord.columns) FROM (SELECT l.id FROM looked l ORDER BY l.id DESC) s
        CROSS JOIN LATERAL (SELECT * FROM payouts q WHERE q.id = s.id OFFSET 0) p
        WHERE \(rest) AND s.id >= coalesce((SELECT id FROM cut), '00000000-0000-0000-0000-000000000000')
        ORDER BY s.id DESC LIMIT \(scan.bind(.int8(Int64(limit))))
      ) p ON true ORDER BY p.id DESC
      """
    return (sql, scan.parameters)
  }

  // MARK: The parts

  /// The word by which the index is chosen: the one that fits the fewest payouts, as a rule. Of a state that most payouts are
  /// in, no index tells.
  private struct Word {
    let table: String
    let column: String
    let value: PostgresParameter

    init?(_ filter: PayoutFilter) {
      let words: [(String, PostgresParameter?)] = [
        ("client_batch_id", filter.clientBatch.map { .uuid($0.bytes) }),
        ("external_id", filter.externalID.map { .text($0) }),
        ("session_id", filter.session.map { .text($0) }), ("status", filter.status.flatMap(Word.value)),
        ("recipient", filter.recipient.map { .bytes($0.bytes) }), ("node_id", filter.node.map { .text($0) }),
      ]
      guard let (column, value) = words.first(where: { $0.1 != nil }), let value else { return nil }
      (table, self.column, self.value) = (column == "status" ? "payouts" : "payout_directory", column, value)
    }

    /// The index leaves out those that most payouts are in.
    private static func value(_ status: PayoutStatus) -> PostgresParameter? {
      status == .confirmed ? nil : .text(status.rawValue)
    }
  }

  private mutating func condition(_ word: Word) -> String {
    guard word.table == "payouts" else { return "t.\(word.column) = \(bind(word.value))" }
    // The index leaves out confirmed ones, and must be known to hold this state whatever the parameter is.
    return "t.status = \(bind(word.value))::payout_status AND t.status <> 'confirmed'"
  }

  /// Each part's highest ids, and whether an id is the last one of a part that was cut off.
  private mutating func parts() -> String {
    let bounds = bounds()
    // Among all payouts it is asked of each, as all else is.
    let word = isAmongAll ? nil : Word(filter)
    let table = word?.table ?? "payout_directory"
    let condition = word.map { self.condition($0) }
    var parts: [String] = []
    func part(_ table: String, _ conditions: [String?], _ most: String) -> String {
      let all = (conditions.compactMap { $0 } + bounds).joined(separator: " AND ")
      return """
        SELECT t.id, row_number() OVER (ORDER BY t.id DESC) = \(most) AS is_last
        FROM \(table) t WHERE \(all.isEmpty ? "true" : all) ORDER BY t.id DESC LIMIT \(most)
        """
    }
    switch readership {
    case .reader(let reader):
      let (own, asked) = (bind(.text(reader)), askedCount)
      let ofOwn = bind(.int8(most(isExact: asked == (word == nil ? 0 : 1))))
      let ofNamed = bind(.int8(most(isExact: asked == 0)))
      parts = [
        part(table, [condition, "t.owner = \(own)"], ofOwn),
        part("payout_directory", ["t.beneficiary_user_id = \(own)", "t.beneficiary_user_id <> t.owner"], ofNamed),
      ]
    case .everybody(let owners?):
      let share = max(1, Int64(scanned / max(owners.count, 1)))
      let (names, ofEach) = (
        bind(.textArray(owners)), bind(.int8(askedCount == 1 ? min(Int64(limit), share) : share))
      )
      let each = part(table, [condition, "t.owner = o.owner"], ofEach)
      parts = ["SELECT f.* FROM unnest(\(names)::text[]) o (owner) CROSS JOIN LATERAL (\(each)) f"]
    case .everybody(nil):
      parts = [part("payouts", [], bind(.int8(most(isExact: askedCount == 0))))]
    }
    return parts.map { "(\($0))" }.joined(separator: " UNION ALL ")
  }

  /// So many payouts are looked at: a page of them where what is looked at is all that is asked for.
  private func most(isExact: Bool) -> Int64 { Int64(isExact ? limit : scanned) }

  private var askedCount: Int {
    var scan = self
    return scan.conditions().count
  }

  private var isAmongAll: Bool { if case .everybody(nil) = readership { true } else { false } }

  /// Of the page and of the times of acceptance, which the ids begin with.
  private mutating func bounds() -> [String] {
    let highest = [before, filter.createdTo.map(Self.lowest)].compactMap { $0 }.min()
    return [
      highest.map { "t.id < \(bind(.uuid($0.bytes)))" },
      filter.createdFrom.map { "t.id >= \(bind(.uuid(Self.lowest($0).bytes)))" },
    ].compactMap { $0 }
  }

  /// The lowest id of that millisecond.
  private static func lowest(_ time: Timestamp) -> PayoutID {
    PayoutID(at: time, randomness: [UInt8](repeating: 0, count: 10))
  }

  /// What is asked of each payout that is found.
  private mutating func rest() -> String { (["true"] + conditions()).joined(separator: " AND ") }

  private mutating func conditions() -> [String] {
    let asked: [(String, PostgresParameter?)] = [
      ("router = %", filter.router.map { .text($0.rawValue) }),
      ("batch_type = %", filter.batchType.map { .text($0.rawValue) }),
      ("client_batch_id = %", filter.clientBatch.map { .uuid($0.bytes) }),
      ("external_id = %", filter.externalID.map { .text($0) }), ("session_id = %", filter.session.map { .text($0) }),
      ("recipient = %", filter.recipient.map { .bytes($0.bytes) }), ("node_id = %", filter.node.map { .text($0) }),
      ("status = %::payout_status", filter.status.map { .text($0.rawValue) }),
    ]
    return asked.compactMap { question, value in
      value.map { "p.\(question.replacing("%", with: bind($0)))" }
    }
  }

  private mutating func bind(_ value: PostgresParameter) -> String {
    parameters.append(value)
    return "$\(parameters.count)"
  }
}
