import Payouts

/// Where a line stands in the journal's file, its newline not counted, in bytes.
struct JournalPlace: Sendable, Hashable {
  let offset: Int
  let length: Int
}

/// What a journal must answer at once, kept in memory beside the file: of each entry some 130 bytes, whatever it is long.
/// A journal only grows, and what it holds of one transaction as values takes ten times as much.
struct JournalIndex: Sendable {
  /// A transaction; those whose ids have the same key are chained.
  private struct Transaction {
    let txid: Bytes32
    let offset: Int
    let length: Int32
    let previous: Int32
    let signedAt: Timestamp
    let firstPayment: Int32
    let paymentCount: Int32
  }

  /// What it pays one payout; those whose references have the same key are chained.
  private struct Payment {
    let amount: Amount
    let transaction: Int32
    let previous: Int32
  }

  /// What was signed in one hour of the clock.
  private struct Hour {
    var sum: Int128 = 0
    var transactions: [Int32] = []
  }

  private static let none: Int32 = -1
  private static let hourMilliseconds: Int64 = 3_600_000

  private var transactions: ContiguousArray<Transaction> = []
  private var payments: ContiguousArray<Payment> = []
  /// By key, the latest.
  private var byTxID: [UInt64: Int32] = [:]
  private var byReference: [UInt64: Int32] = [:]
  /// By the hour's number since 1970.
  private var hours: [Int64: Hour] = [:]

  /// Whether an entry has this txid.
  func holds(_ txid: TxID) -> Bool { position(of: txid) != nil }

  /// Adds an entry that stands at a place; one that it holds is passed over.
  mutating func insert(_ entry: JournalEntry, at place: JournalPlace) {
    guard !holds(entry.txid) else { return }
    let number = Int32(transactions.count)
    let txid = Bytes32(entry.txid)
    transactions.append(
      Transaction(
        txid: txid, offset: place.offset, length: Int32(place.length),
        previous: byTxID.updateValue(number, forKey: txid.key) ?? Self.none, signedAt: entry.signedAt,
        firstPayment: Int32(payments.count), paymentCount: Int32(entry.payouts.count)))
    for payout in entry.payouts {
      let key = Bytes32(payout.reference).key
      let previous = byReference.updateValue(Int32(payments.count), forKey: key) ?? Self.none
      // A treasury order moves the wallet's own money: no limit counts it.
      let counted = entry.purpose == .treasury ? Amount.zero : payout.amount
      payments.append(Payment(amount: counted, transaction: number, previous: previous))
    }
    hours[Self.hour(of: entry.signedAt), default: Hour()].sum += sum(of: transactions[Int(number)])
    hours[Self.hour(of: entry.signedAt), default: Hour()].transactions.append(number)
  }

  /// Where the entries stand that may be about a reference, oldest first: all that are, and, once in a great many, one about
  /// another with the same key.
  func places(of reference: Reference) -> [JournalPlace] {
    var places: [JournalPlace] = []
    var next = byReference[Bytes32(reference).key] ?? Self.none
    while next != Self.none {
      let payment = payments[Int(next)]
      let transaction = transactions[Int(payment.transaction)]
      let place = JournalPlace(offset: transaction.offset, length: Int(transaction.length))
      if places.last != place { places.append(place) }
      next = payment.previous
    }
    return places.reversed()
  }

  /// See `Journal.amountSigned`. Reads as many numbers as there were hours, and what was signed in the one that `time` lies
  /// in where it does not begin there. A sum that does not fit is beyond any limit.
  func amountSigned(since time: Timestamp, except unpaid: Set<TxID>) -> Amount {
    let hourOfTime = Self.hour(of: time)
    let beginsHour = time.milliseconds == hourOfTime * Self.hourMilliseconds
    var total: Int128 = 0
    for (number, hour) in hours where number >= hourOfTime {
      if number > hourOfTime || beginsHour {
        total += hour.sum
      } else {
        for transaction in hour.transactions.lazy.map({ transactions[Int($0)] }) where transaction.signedAt >= time {
          total += sum(of: transaction)
        }
      }
    }
    for txid in unpaid {
      guard let transaction = position(of: txid).map({ transactions[$0] }), transaction.signedAt >= time else {
        continue
      }
      total -= sum(of: transaction)
    }
    return (try? Amount(microUSDT: Int64(clamping: max(0, total)))) ?? .zero
  }

  private func position(of txid: TxID) -> Int? {
    let wanted = Bytes32(txid)
    var next = byTxID[wanted.key] ?? Self.none
    while next != Self.none {
      if transactions[Int(next)].txid == wanted { return Int(next) }
      next = transactions[Int(next)].previous
    }
    return nil
  }

  private func sum(of transaction: Transaction) -> Int128 {
    let first = Int(transaction.firstPayment)
    return payments[first..<first + Int(transaction.paymentCount)].reduce(0) { $0 + Int128($1.amount.microUSDT) }
  }

  private static func hour(of time: Timestamp) -> Int64 {
    let (quotient, remainder) = time.milliseconds.quotientAndRemainder(dividingBy: hourMilliseconds)
    return remainder < 0 ? quotient - 1 : quotient
  }
}

/// 32 bytes without an allocation of their own.
private struct Bytes32: Equatable, Sendable {
  private let words: (UInt64, UInt64, UInt64, UInt64)

  init(_ identity: some Identity32) {
    let bytes = identity.bytes
    func word(_ start: Int) -> UInt64 { bytes[start..<start + 8].reduce(0) { $0 << 8 | UInt64($1) } }
    words = (word(0), word(8), word(16), word(24))
  }

  /// Eight bytes that stand for them in a dictionary.
  var key: UInt64 { words.0 ^ words.1 ^ words.2 ^ words.3 }

  static func == (left: Bytes32, right: Bytes32) -> Bool { left.words == right.words }
}
