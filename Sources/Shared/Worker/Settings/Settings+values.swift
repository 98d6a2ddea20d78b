public import Payouts

// One reading call for each type of value. All of them note a problem and go on.
extension Settings {
  /// One line of text without control characters, at most 1,000 characters.
  /// - Parameter fallback: the default; nil makes the key required.
  public mutating func text(_ key: String, default fallback: String? = nil) -> String {
    value(key, default: fallback, standIn: "", expected: Settings.textExpected, parse: Settings.line)
  }

  /// As `text`, nil where it is not set.
  public mutating func optionalText(_ key: String) -> String? {
    optional(key, expected: Settings.textExpected, parse: Settings.line)
  }

  /// A whole number in a range.
  public mutating func integer(
    _ key: String, default fallback: Int64? = nil, in range: ClosedRange<Int64>
  ) -> Int64 {
    value(
      key, default: fallback, standIn: range.lowerBound,
      expected: "a whole number from \(range.lowerBound) to \(range.upperBound)"
    ) { text throws(MalformedValue) in
      guard let number = Int64(text) else { throw MalformedValue("number", "it is no whole number") }
      guard range.contains(number) else { throw MalformedValue("number", "it is out of range") }
      return number
    }
  }

  /// `true` or `false`, also yes/no, on/off, 1/0, in either case.
  public mutating func flag(_ key: String, default fallback: Bool) -> Bool {
    value(key, default: fallback, standIn: fallback, expected: "true or false") { text throws(MalformedValue) in
      switch text.lowercased() {
      case "true", "yes", "on", "1": return true
      case "false", "no", "off", "0": return false
      default: throw MalformedValue("flag", "it is neither")
      }
    }
  }

  /// One word of a closed set, an enum with raw text.
  public mutating func choice<Choice: RawRepresentable & CaseIterable & Sendable>(
    _ key: String, default fallback: Choice? = nil
  ) -> Choice where Choice.RawValue == String {
    let all = Array(Choice.allCases)
    precondition(!all.isEmpty, "a choice among nothing")
    return value(
      key, default: fallback, standIn: all[0], expected: Settings.wordsExpected(Choice.self), parse: Settings.word)
  }

  /// As `choice`, nil where it is not set.
  public mutating func optionalChoice<Choice: RawRepresentable & CaseIterable & Sendable>(
    _ key: String
  ) -> Choice? where Choice.RawValue == String {
    optional(key, expected: Settings.wordsExpected(Choice.self), parse: Settings.word)
  }

  /// Items separated by commas, spaces around them dropped; none where it is not set. An empty item or the same item
  /// twice is a problem.
  public mutating func list(_ key: String, default fallback: [String] = []) -> [String] {
    value(key, default: fallback, standIn: [], expected: "a list separated by commas", parse: Settings.items)
  }

  /// The URL of a server.
  public mutating func url(
    _ key: String, _ kind: ServiceURL.Kind, default fallback: ServiceURL? = nil
  ) -> ServiceURL {
    value(
      key, default: fallback, standIn: .standIn, expected: kind.expected, visibility: kind.visibility
    ) { text throws(MalformedValue) in try ServiceURL(text, kind: kind) }
  }

  /// As `url`, nil where it is not set.
  public mutating func optionalURL(_ key: String, _ kind: ServiceURL.Kind) -> ServiceURL? {
    optional(key, expected: kind.expected, visibility: kind.visibility) { text throws(MalformedValue) in
      try ServiceURL(text, kind: kind)
    }
  }

  /// Required URLs separated by commas, each once; for kinds whose URLs hold no comma themselves.
  public mutating func urls(_ key: String, _ kind: ServiceURL.Kind) -> [ServiceURL] {
    value(
      key, default: nil, standIn: [], expected: Settings.urlsExpected(kind), visibility: kind.visibility,
      parse: Settings.urls(of: kind))
  }

  /// As `urls`, none where it is not set.
  public mutating func optionalURLs(_ key: String, _ kind: ServiceURL.Kind) -> [ServiceURL] {
    optional(key, expected: Settings.urlsExpected(kind), visibility: kind.visibility, parse: Settings.urls(of: kind))
      ?? []
  }

  /// A TRON address in base58check text.
  public mutating func address(_ key: String, default fallback: Address? = nil) -> Address {
    value(key, default: fallback, standIn: .zero, expected: Settings.addressExpected, parse: Settings.address)
  }

  /// As `address`, nil where it is not set.
  public mutating func optionalAddress(_ key: String) -> Address? {
    optional(key, expected: Settings.addressExpected, parse: Settings.address)
  }

  /// An amount in decimal USDT, at most six decimals, exactly.
  public mutating func usdtAmount(
    _ key: String, default fallback: Amount? = nil, in range: ClosedRange<Amount>? = nil
  ) -> Amount {
    let bounds = range.map { " from \($0.lowerBound) to \($0.upperBound)" } ?? ""
    return value(
      key, default: fallback, standIn: range?.lowerBound ?? .zero, expected: "an amount in USDT\(bounds)"
    ) { text throws(MalformedValue) in
      let amount = try Amount(decimal: text)
      guard range?.contains(amount) ?? true else { throw MalformedValue("amount", "it is out of range") }
      return amount
    }
  }

  /// 32 bytes as 64 hexadecimal digits: a block id, a hash. Nil where it is not set.
  public mutating func optionalIdentity<Identity: Identity32>(_ key: String) -> Identity? {
    optional(key, expected: "64 hexadecimal digits") { text throws(MalformedValue) in try Identity(hex: text) }
  }

  /// A secret of at least that many bytes.
  public mutating func secret(_ key: String, minimumBytes: Int = 1) -> Secret {
    value(
      key, default: nil, standIn: Secret(""), expected: Settings.secretExpected(minimumBytes), visibility: .secret,
      parse: Settings.secret(minimumBytes: minimumBytes))
  }

  /// As `secret`, nil where it is not set.
  public mutating func optionalSecret(_ key: String, minimumBytes: Int = 1) -> Secret? {
    optional(
      key, expected: Settings.secretExpected(minimumBytes), visibility: .secret,
      parse: Settings.secret(minimumBytes: minimumBytes))
  }

  /// Notes a problem for each of the keys that is set although the program does not run in development.
  /// - Parameter reason: why, for the text: "a key in the environment can be read by every child process".
  public mutating func allowOnlyInDevelopment(_ keys: [String], because reason: String) {
    let stage = deploymentStage()
    for key in keys where isSet(key) && stage != .dev {
      note(key, "is allowed with LUCID_ENV=dev only: \(reason)")
    }
  }

  /// Notes a problem for each of the keys that is set although the program does not run with dev or staging, also where
  /// `LUCID_ENV` is wrong, so that nobody knows what is at stake.
  /// - Parameter reason: why, for the text.
  public mutating func allowOutsideProductionOnly(_ keys: [String], because reason: String) {
    let stage = deploymentStage()
    let isHarmless = [.dev, .staging].contains(stage) && !hasProblem("LUCID_ENV")
    for key in keys where isSet(key) && !isHarmless {
      note(key, "is allowed with LUCID_ENV=dev or staging only: \(reason); unset it")
    }
  }

  private static let textExpected = "one line of text"
  private static let addressExpected = "a TRON address, 34 characters beginning with T"

  private static func wordsExpected<Choice: RawRepresentable & CaseIterable & Sendable>(_ type: Choice.Type) -> String
  where Choice.RawValue == String {
    "one of \(Choice.allCases.map(\.rawValue).joined(separator: ", "))"
  }

  private static func word<Choice: RawRepresentable & Sendable>(_ text: String) throws(MalformedValue) -> Choice
  where Choice.RawValue == String {
    guard let choice = Choice(rawValue: text) else { throw MalformedValue("word", "it is none of them") }
    return choice
  }

  private static func secretExpected(_ minimumBytes: Int) -> String {
    minimumBytes > 1 ? "a secret of at least \(minimumBytes) bytes" : "a secret"
  }

  private static func secret(minimumBytes: Int) -> (String) throws(MalformedValue) -> Secret {
    { text throws(MalformedValue) in
      guard text.utf8.count >= minimumBytes else {
        throw MalformedValue("secret", "it is too short")
      }
      return Secret(text)
    }
  }

  private static func urlsExpected(_ kind: ServiceURL.Kind) -> String {
    "\(kind.expected), or several separated by commas"
  }

  private static func urls(of kind: ServiceURL.Kind) -> (String) throws(MalformedValue) -> [ServiceURL] {
    { text throws(MalformedValue) in
      var urls: [ServiceURL] = []
      for item in try items(text) { urls.append(try ServiceURL(item, kind: kind)) }
      guard Set(urls.map(\.server)).count == urls.count else { throw MalformedValue("list", "it names a server twice") }
      return urls
    }
  }

  private static func address(_ text: String) throws(MalformedValue) -> Address { try Address(text) }

  private static func line(_ text: String) throws(MalformedValue) -> String {
    guard text.utf8.count <= 1_000 else { throw MalformedValue("text", "it has more than 1000 bytes") }
    guard text.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7f }) else {
      throw MalformedValue("text", "it holds a control character or a second line")
    }
    return text
  }

  private static func items(_ text: String) throws(MalformedValue) -> [String] {
    let items = try line(text).split(separator: ",", omittingEmptySubsequences: false).map { item in
      let end = item.lastIndex { $0 != " " }
      return end.map { String(item[...$0].drop { $0 == " " }) } ?? ""
    }
    guard items.count <= maximumListItems else {
      throw MalformedValue("list", "it has more than \(maximumListItems) items")
    }
    guard !items.contains("") else { throw MalformedValue("list", "it has an empty item") }
    guard Set(items).count == items.count else { throw MalformedValue("list", "it has an item twice") }
    return items
  }
}

extension ServiceURL.Kind {
  /// How much of a wrong URL may be shown: nothing where it usually carries a password.
  fileprivate var visibility: Settings.Visibility {
    switch self {
    case .postgres, .redis, .endpoint: .secret
    case .http, .socks: .url
    }
  }
}
