import Logging
import Testing

@testable import Worker

/// Secrets and URLs with credentials, printed in every way that Swift has.
struct SecretTests {
  private struct Holder {
    let secret = Secret("correct horse")
    let url = try? ServiceURL(
      "postgresql://user:correct horse@db:5432/x?password=correct".filter { $0 != " " }, kind: .postgres)
  }

  /// Every text that Swift makes of a value by itself.
  private func texts(of value: Any) -> [String] {
    var dumped = ""
    dump(value, to: &dumped)
    var printed = ""
    print(value, to: &printed)
    debugPrint(value, to: &printed)
    let mirrored = Mirror(reflecting: value).children.map { "\($0.label ?? "") \($0.value)" }
    return ["\(value)", String(describing: value), String(reflecting: value), dumped, printed] + mirrored
  }

  /// Proves that no way of printing a secret, alone or inside something, shows any of it.
  @Test func `a secret prints as a placeholder everywhere`() {
    let secret = Secret("correct horse")
    #expect("\(secret)" == "<secret>")
    #expect(Mirror(reflecting: secret).children.isEmpty)
    for text in texts(of: secret) + texts(of: Holder()) + texts(of: [secret] as [Secret?]) {
      #expect(!text.contains("correct") && !text.contains("horse"), "\(text)")
    }
    let metadata: Logger.Metadata = ["key": "\(secret)", "other": .stringConvertible(secret)]
    #expect(!"\(metadata)".contains("correct"))
  }

  /// Proves that the closure gets the value.
  @Test func `a secret is lent inside a closure`() {
    let secret = Secret("grün")
    #expect(secret.withText { $0 } == "grün")
    #expect(secret.withBytes { $0 } == [UInt8]("grün".utf8))
    #expect(secret.count == 5)
  }

  /// Proves that a wrong secret, and a URL that may hold one, is named without its value.
  @Test func `a problem never shows a secret`() throws {
    let environment = [
      "TOKEN": "s3cret", "DATABASE_URL": "postgres://u:s3cret@db:99999/x", "REDIS_URL": "redis//:s3cret@h",
      "TRON_RPC_URL": "https://u:s3cret@node", "TRON_SOLIDITY_URL": "htps://node/s3cret?key=s3cret",
    ]
    let error = try #require(throws: ConfigurationError.self) {
      try Settings.read(environment: environment) { settings in
        _ = settings.secret("TOKEN", minimumBytes: 32)
        _ = StoreConfiguration(from: &settings)
        _ = NodeConfiguration(from: &settings)
      }
    }
    #expect(error.problems.count == 5)
    #expect(!error.description.contains("s3cret"))
    #expect(error.description.contains("\"htps://node/…\""))
  }

  /// Proves that a URL prints as scheme, hosts and ports, and is lent whole inside the closure.
  @Test(arguments: [
    ("postgresql://u:p@h:5432/db?x=y", "postgresql://h:5432"), ("postgres://h1:1,h2:2/db", "postgres://h1:1,h2:2"),
    ("postgresql:///db?host=/run/postgresql", "postgresql://"),
    ("postgresql://u@[::1]:5432/db", "postgresql://[::1]:5432"),
  ])
  func `a database URL prints without credentials`(_ text: String, _ shown: String) throws {
    let url = try ServiceURL(text, kind: .postgres)
    #expect("\(url)" == shown)
    #expect(url.withText { $0 } == text)
  }

  /// Proves that an endpoint is kept as it is, parameters included, shows nothing of them, and has no credentials.
  @Test func `an endpoint's URL is lent whole and printed without path and parameters`() throws {
    let text = "https://hooks.example:8443/a/?token=t0k3n"
    let url = try ServiceURL(text, kind: .endpoint)
    #expect("\(url)" == "https://hooks.example:8443" && url.withText { $0 } == text)
    for wrong in ["https://u:p@h/", "https://h/#f", "ftp://h/", "https://a,b/", "https://"] {
      #expect((try? ServiceURL(wrong, kind: .endpoint)) == nil, "\(wrong)")
    }
  }

  /// Proves both sides of what is a host and a port.
  @Test(arguments: [
    ("redis://h:65535", true), ("redis://h:65536", false), ("redis://h:1", true), ("redis://h:0", false),
    ("redis://h:", false), ("redis://h:+5", false), ("redis://:5", false), ("redis://a,b", false),
    ("redis://[::1]:6379", true), ("redis://[::1]x", false), ("redis://[::1", false), ("rediss://h/3", true),
    ("redis://u:p@h:6379/0", true), ("redis://h\u{7f}", false), ("redis://hö", false), ("REDIS://h", true),
  ])
  func `a Redis URL is checked`(_ text: String, _ isGood: Bool) {
    #expect(((try? ServiceURL(text, kind: .redis)) != nil) == isGood)
  }
}
