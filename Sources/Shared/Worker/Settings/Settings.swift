import Configuration
import FoundationEssentials
public import Payouts

/// What a program's configuration type can do: read itself from the settings without stopping at the first problem.
///
/// Each reading call of `Settings` notes what is wrong and returns a stand-in of the right type, so that an initializer
/// is a plain list of assignments. `Settings.read` lets the value out only when nothing was noted.
public protocol SettingsReadable {
  /// Reads every key it knows, always all of them, so that every problem is named at once.
  init(from settings: inout Settings)
}

/// The environment of a program, read once at its start, with every problem collected.
///
/// Each key is an environment variable, or its twin `KEY_FILE` names a file that holds the value (one newline at its
/// end is dropped): for containers' secrets. Both at once is a problem, an unreadable or empty file too. An empty
/// variable counts as not set, as compose files produce them. Keys that nobody reads are no errors.
///
/// Use: `let configuration = try Settings.read(SignerConfiguration.self)`.
public struct Settings {
  /// The longest file that `KEY_FILE` may name, in bytes.
  public static let maximumFileBytes = 65_536
  /// The most items that a comma-separated list may have.
  public static let maximumListItems = 1_000

  /// What was found wrong so far.
  public private(set) var problems: [ConfigurationError.Problem] = []
  /// The keys asked for so far, in order, each once. A test holds them against the documentation.
  public private(set) var keys: [String] = []

  private let reader: ConfigSnapshotReader

  /// - Parameter environment: variables by name; nil for the process's own.
  init(environment: [String: String]? = nil) {
    let variables = environment ?? ProcessInfo.processInfo.environment
    reader = ConfigReader(provider: EnvironmentVariablesProvider(environmentVariables: variables)).snapshot()
  }

  /// Reads a whole configuration, or names everything that is wrong.
  ///
  /// - Parameters:
  ///   - body: reads from the settings; its stand-ins never get out where there is a problem.
  ///   - environment: variables by name; nil for the process's own.
  public static func read<Value>(
    environment: [String: String]? = nil, _ body: (inout Settings) -> Value
  ) throws(ConfigurationError) -> Value {
    var settings = Settings(environment: environment)
    let value = body(&settings)
    guard settings.problems.isEmpty else { throw ConfigurationError(settings.problems) }
    return value
  }

  /// Reads one configuration type, or names everything that is wrong.
  public static func read<Value: SettingsReadable>(
    _ type: Value.Type, environment: [String: String]? = nil
  ) throws(ConfigurationError) -> Value {
    try read(environment: environment) { settings in Value(from: &settings) }
  }

  /// The keys that a configuration type reads, for a test that holds them against the documentation.
  public static func keys<Value: SettingsReadable>(readBy type: Value.Type) -> [String] {
    var settings = Settings(environment: [:])
    _ = Value(from: &settings)
    return settings.keys
  }

  /// Notes a problem that a configuration type found by itself, e.g. between two keys. The same one counts once.
  public mutating func note(_ key: String, _ text: String) {
    let problem = ConfigurationError.Problem(key: key, text: text)
    if !problems.contains(problem) { problems.append(problem) }
  }

  /// Whether something wrong was noted under that key, so that what was returned for it is a stand-in.
  public func hasProblem(_ key: String) -> Bool { problems.contains { $0.key == key } }

  /// Whether the key or its `KEY_FILE` is set to anything.
  public mutating func isSet(_ key: String) -> Bool {
    remember(key)
    return variable(key, isSecret: true) != nil || variable("\(key)_FILE", isSecret: false) != nil
  }

  /// How much of a wrong value a problem's text may show.
  public enum Visibility: Sendable {
    /// All of it.
    case shown
    /// Nothing.
    case secret
    /// Scheme, host and port, and those only where no credentials can be among them.
    case url
  }

  /// Reads a value of any type; nil where it is not set, or wrong (which is noted).
  ///
  /// - Parameters:
  ///   - key: the environment variable.
  ///   - expected: what the value should be, for the text of a problem: "a whole number from 1 to 9".
  ///   - visibility: how much of a wrong value may be shown.
  ///   - parse: reads the text; the reason it throws never repeats a secret.
  public mutating func optional<Value>(
    _ key: String, expected: String, visibility: Visibility = .shown,
    parse: (String) throws(MalformedValue) -> Value
  ) -> Value? {
    guard case .text(let text, let origin) = find(key, isSecret: visibility != .shown) else { return nil }
    do {
      return try parse(text)
    } catch {
      note(key, "expected \(expected), got \(Settings.shown(text, visibility))\(origin) (\(error.reason))")
      return nil
    }
  }

  /// Reads a value of any type; one that is not set and has no default is a problem.
  ///
  /// - Parameters:
  ///   - fallback: the default, nil where the key is required.
  ///   - standIn: returned where there is a problem; it never gets out of `Settings.read`.
  public mutating func value<Value>(
    _ key: String, default fallback: Value?, standIn: @autoclosure () -> Value, expected: String,
    visibility: Visibility = .shown, parse: (String) throws(MalformedValue) -> Value
  ) -> Value {
    if let value = optional(key, expected: expected, visibility: visibility, parse: parse) { return value }
    if isSet(key) { return standIn() }
    if let fallback { return fallback }
    note(key, "is required: expected \(expected), but neither \(key) nor \(key)_FILE is set")
    return standIn()
  }

  private enum Found {
    case absent
    /// Wrong in itself, and noted.
    case broken
    /// The text, and where it came from, in words, where that was a file.
    case text(String, origin: String)
  }

  private mutating func find(_ key: String, isSecret: Bool) -> Found {
    remember(key)
    let direct = variable(key, isSecret: isSecret)
    guard let path = variable("\(key)_FILE", isSecret: false) else {
      return direct.map { .text($0, origin: "") } ?? .absent
    }
    guard direct == nil else {
      note(key, "is given twice, as \(key) and as \(key)_FILE: keep one of them")
      return .broken
    }
    do throws(MalformedValue) {
      return .text(try Settings.contents(of: path), origin: " from the file \(Settings.shown(path))")
    } catch {
      note(key, "expected \(key)_FILE to name a readable file, got \"\(Settings.shown(path))\" (\(error.reason))")
      return .broken
    }
  }

  private mutating func remember(_ key: String) {
    if !keys.contains(key) { keys.append(key) }
  }

  private func variable(_ name: String, isSecret: Bool) -> String? {
    // The key is one component, already in the form of an environment variable.
    let value = reader.string(forKey: ConfigKey([name]), isSecret: isSecret)
    return value == "" ? nil : value
  }

  private static func contents(of path: String) throws(MalformedValue) -> String {
    var bytes: [UInt8]
    do {
      bytes = [UInt8](try Data(contentsOf: URL(filePath: path)))
    } catch {
      throw MalformedValue("file", reason(of: error))
    }
    guard bytes.count <= maximumFileBytes else {
      throw MalformedValue("file", "it has \(bytes.count) bytes, at most \(maximumFileBytes) are read")
    }
    if bytes.last == UInt8(ascii: "\n") {
      bytes.removeLast()
      if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
    }
    guard !bytes.isEmpty else { throw MalformedValue("file", "it is empty") }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw MalformedValue("file", "it is not UTF-8 text")
    }
    return text
  }

  private static func reason(of error: any Error) -> String {
    switch (error as? CocoaError)?.code {
    case .fileReadNoSuchFile, .fileNoSuchFile: "it does not exist"
    case .fileReadNoPermission: "this program may not read it"
    case .fileReadTooLarge: "it is too large"
    default: "it cannot be read"
    }
  }

  /// A value fit for one line of a problem: control characters replaced, cut at 120 characters.
  private static func shown(_ text: String) -> String {
    let visible = text.unicodeScalars.prefix(120).map { $0.value < 0x20 || $0.value == 0x7f ? "?" : String($0) }
    return visible.joined() + (text.unicodeScalars.count > 120 ? "…" : "")
  }

  private static func shown(_ text: String, _ visibility: Visibility) -> String {
    let hidden = "a value that is secret and not shown"
    switch visibility {
    case .shown: return "\"\(shown(text))\""
    case .secret: return hidden
    case .url:
      // Providers hand out URLs with the API key in the path or in a parameter, so these are cut off.
      guard !text.contains("@") else { return hidden }
      let hostStart = text.firstRange(of: "://")?.upperBound ?? text.startIndex
      let hostEnd = text[hostStart...].firstIndex { "/?#".contains($0) } ?? text.endIndex
      return "\"\(shown(String(text[..<hostEnd])))\(hostEnd == text.endIndex ? "" : "/…")\""
    }
  }
}
