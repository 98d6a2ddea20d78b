/// One SQL statement with `$1`, `$2`, … for its parameters.
///
/// It is prepared on a connection when it is first used there, so its text must be constant: build no SQL
/// from values. Two statements are equal when their texts are.
public struct PostgresStatement: Sendable, Hashable, ExpressibleByStringLiteral {
  /// The SQL text.
  public let sql: String

  /// True where the author promises that the statement changes nothing. Only then is a lost answer outside
  /// a transaction told as `connectionLost`, `timeout` or `cancelled`, all of which say that nothing was
  /// committed; otherwise it is `commitUnknown`. (A SELECT may call a function that writes, so the text
  /// alone cannot tell.)
  public let readsOnly: Bool

  /// A statement from its text.
  public init(_ sql: String, readsOnly: Bool = false) {
    self.sql = sql
    self.readsOnly = readsOnly
  }

  /// A statement from a literal, taken to write.
  public init(stringLiteral value: String) {
    self.init(value)
  }

  /// True for statements that can commit the transaction they are sent in: COMMIT, END, PREPARE TRANSACTION.
  /// After one of these was sent inside a transaction, a lost answer no longer proves a rollback.
  var mayCommit: Bool {
    switch SQLText.firstWord(of: sql) {
    case "COMMIT", "END", "PREPARE": true
    default: false
    }
  }
}

extension PostgresStatement {
  /// True for statements that begin or end a transaction; also for ROLLBACK TO, which has no place in a unit.
  var controlsTransaction: Bool {
    ["BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "PREPARE"].contains(SQLText.firstWord(of: sql))
  }
}

/// The little that has to be known of an SQL text.
enum SQLText {
  /// The first keyword in upper case, with white space and comments before it skipped; empty where none is.
  static func firstWord(of sql: String) -> String {
    var rest = sql.utf8[...]
    while let first = rest.first {
      if first == UInt8(ascii: " ") || (9...13).contains(first) || first == UInt8(ascii: ";") {
        rest = rest.dropFirst()
      } else if rest.starts(with: "--".utf8) {
        rest = rest.drop { $0 != UInt8(ascii: "\n") }
      } else if rest.starts(with: "/*".utf8) {
        rest = afterBlockComment(rest)
      } else {
        break
      }
    }
    let word = rest.prefix { byte in
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
    }
    return String(decoding: word, as: UTF8.self).uppercased()
  }

  /// What follows a block comment; these nest in PostgreSQL.
  private static func afterBlockComment(_ text: Substring.UTF8View) -> Substring.UTF8View {
    var rest = text
    var depth = 0
    while !rest.isEmpty {
      if rest.starts(with: "/*".utf8) {
        depth += 1
        rest = rest.dropFirst(2)
      } else if rest.starts(with: "*/".utf8) {
        depth -= 1
        rest = rest.dropFirst(2)
        if depth == 0 { break }
      } else {
        rest = rest.dropFirst()
      }
    }
    return rest
  }

  /// A short number made from a text (FNV-1a, 64 bits), for names of prepared statements. Not a proof of
  /// equality: names carry a counter as well.
  static func fingerprint(_ text: String) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in text.utf8 {
      hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3
    }
    return hash
  }
}
