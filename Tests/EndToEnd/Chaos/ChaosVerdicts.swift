/// What the ledger of a chaos run says of attempts that died, and of transactions that a node lied about: whether the
/// run met what can pay twice.
struct ChaosVerdicts: Sendable {
  /// The lies, and what is true of a transaction on which one of them would cost money.
  private static let truths = ["omit": "paid", "claim": "dead"]
  /// Their names.
  static let lies = truths.keys.sorted()

  /// Nothing is known.
  static let unknown = ChaosVerdicts(dead: 0, paidAfterDeath: 0, lies: [:])

  /// How many attempts died: they are in no block that could hold them.
  let dead: Int
  /// How many payouts were confirmed by an attempt after one that had died.
  let paidAfterDeath: Int
  /// How many lies stood until a verdict was due, and were not true, by their names.
  let lies: [String: Int]
}

extension ChaosVerdicts {
  /// Asks the ledger when all is at rest.
  ///
  /// - Parameter lies: those that stood.
  init(_ stack: Stack, lies: [ChaosNodeFaults.Lie]) async throws {
    let rows = try await stack.sql("SELECT encode(txid, 'hex'), outcome FROM attempts WHERE outcome IS NOT NULL")
    let pairs = rows.split(separator: "\n").map { $0.split(separator: "|").map(String.init) }
    guard pairs.allSatisfy({ $0.count == 2 }) else { throw Stack.Failure("no outcomes: \(rows.prefix(300))") }
    let outcomes = Dictionary(pairs.map { ($0[0], $0[1]) }) { first, _ in first }
    let again = try await stack.sql(
      """
      SELECT count(DISTINCT paid.reference)
      FROM attempts paid JOIN attempts dead USING (reference) JOIN payouts p USING (reference)
      WHERE p.status = 'confirmed' AND paid.outcome = 'paid' AND dead.outcome = 'dead' AND dead.number < paid.number
      """)
    guard let paidAfterDeath = Int(again) else { throw Stack.Failure("no count of payouts: \(again)") }
    let untrue = lies.filter { lie in Self.truths[lie.name].map { outcomes[lie.txid] == $0 } ?? false }
    self.init(
      dead: pairs.count { $0[1] == "dead" }, paidAfterDeath: paidAfterDeath,
      lies: Dictionary(grouping: untrue) { $0.name }.mapValues(\.count))
  }
}
