import CLibpq

/// The keywords and values that libpq connects with.
struct ConnectionOptions: Sendable {
  /// Keyword and value, in libpq's words (PostgreSQL manual, 34.1.2). Holds the password.
  private let pairs: [(keyword: String, value: String)]

  /// What is set where the URL is silent: a peer that vanished is noticed within about half a minute,
  /// in both directions of traffic.
  private static let defaults = [
    ("keepalives", "1"), ("keepalives_idle", "15"), ("keepalives_interval", "5"), ("keepalives_count", "3"),
    ("tcp_user_timeout", "30000"),
  ]

  /// Reads the URL.
  ///
  /// - Throws: `configuration`. libpq's own text is left out, as it repeats parts of the URL.
  init(_ configuration: PostgresConfiguration) throws(PostgresError) {
    guard !configuration.url.utf8.contains(0), let parsed = PQconninfoParse(configuration.url, nil) else {
      throw PostgresError(
        code: .configuration,
        message: "the connection URL cannot be read; expected postgresql://user:password@host:port/database "
          + "or keyword=value pairs, as in the PostgreSQL manual, 34.1.1 (the URL is not shown: it may hold "
          + "a password)")
    }
    defer { PQconninfoFree(parsed) }
    var values: [String: String] = [:]
    var option = parsed
    while let keyword = option.pointee.keyword {
      if let value = option.pointee.val { values[String(cString: keyword)] = String(cString: value) }
      option += 1
    }
    for (keyword, value) in Self.defaults where values[keyword] == nil {
      values[keyword] = value
    }
    values["application_name"] = configuration.applicationName
    // Our statements are short. Where the server takes one for a long one, because a table was small when it counted or has
    // never been counted, compiling it takes a hundred times as long as running it. What the URL says comes after, and wins.
    values["options"] = ["-c jit=off", values["options"] ?? ""].filter { !$0.isEmpty }.joined(separator: " ")
    // Text is handed over as UTF-8; the server converts where the database has another encoding.
    values["client_encoding"] = "UTF8"
    pairs = values.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }

  /// Calls `body` with two null-terminated arrays of C strings, valid during the call.
  func withCStrings<Result>(
    _ body: (UnsafePointer<UnsafePointer<CChar>?>, UnsafePointer<UnsafePointer<CChar>?>) -> Result
  ) -> Result {
    // All texts stand in one buffer, each with its zero byte.
    var bytes: [CChar] = []
    var keywordOffsets: [Int] = []
    var valueOffsets: [Int] = []
    for pair in pairs {
      keywordOffsets.append(bytes.count)
      bytes.append(contentsOf: pair.keyword.utf8CString)
      valueOffsets.append(bytes.count)
      bytes.append(contentsOf: pair.value.utf8CString)
    }
    return bytes.withUnsafeBufferPointer { buffer in
      let keywords = keywordOffsets.map { offset in buffer.baseAddress.map { $0 + offset } } + [nil]
      let values = valueOffsets.map { offset in buffer.baseAddress.map { $0 + offset } } + [nil]
      return keywords.withUnsafeBufferPointer { keywords in
        values.withUnsafeBufferPointer { values in
          guard let first = keywords.baseAddress, let second = values.baseAddress else {
            preconditionFailure("an array with at least its terminating null has an address")
          }
          return body(first, second)
        }
      }
    }
  }
}
