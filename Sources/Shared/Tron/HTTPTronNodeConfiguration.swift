import FoundationEssentials
public import Payouts

/// Where one node is and how long it may take.
public struct HTTPTronNodeConfiguration: Sendable {
  /// Base URL of `/wallet`, without a slash at the end.
  public let url: String
  /// Base URL of `/walletsolidity`: an own node serves it on another port (8091), TronGrid on the same host.
  public let solidityURL: String
  /// TronGrid's key, sent as `TRON-PRO-API-KEY`; a secret.
  public let apiKey: TronGridKey?
  /// How long a whole answer to a reading call may take.
  public var readTimeout: Duration = .seconds(10)
  /// How long a whole answer to a broadcast may take.
  public var broadcastTimeout: Duration = .seconds(10)
  /// The largest answer with a block or a block's receipts: 2 MB of transactions grow about fivefold as JSON.
  public var blockAnswerBytesMax = 32 << 20
  /// The largest answer with a range of blocks.
  public var rangeAnswerBytesMax = 256 << 20
  /// The largest other answer; `broadcasthex` repeats the transaction, an account may hold thousands of assets.
  public var smallAnswerBytesMax = 8 << 20

  /// - Parameters:
  ///   - url: `TRON_RPC_URL`, one entry of it.
  ///   - solidityURL: `TRON_SOLIDITY_URL` where the solid view has its own port; nil where it is `url`.
  ///   - apiKey: `TRONGRID_API_KEY`, where this node may learn it.
  /// - Throws: `MalformedValue` unless both are http or https URLs with a host and without user, query or fragment.
  public init(url: String, solidityURL: String? = nil, apiKey: TronGridKey? = nil) throws(MalformedValue) {
    self.url = try HTTPTronNodeConfiguration.baseURL(url, kind: "TRON_RPC_URL")
    self.solidityURL = try HTTPTronNodeConfiguration.baseURL(solidityURL ?? url, kind: "TRON_SOLIDITY_URL")
    self.apiKey = apiKey
  }

  private static func baseURL(_ text: String, kind: String) throws(MalformedValue) -> String {
    let trimmed = text.hasSuffix("/") ? String(text.dropLast()) : text
    guard let url = URL(string: trimmed), let scheme = url.scheme, ["http", "https"].contains(scheme),
      let host = url.host(), !host.isEmpty, url.user() == nil, url.query() == nil, url.fragment() == nil
    else {
      throw MalformedValue(kind, "expected a base URL such as http://127.0.0.1:8090 or https://api.trongrid.io")
    }
    guard !trimmed.hasSuffix("/wallet"), !trimmed.hasSuffix("/walletsolidity") else {
      throw MalformedValue(kind, "expected the URL before /wallet and /walletsolidity")
    }
    return trimmed
  }
}

/// TronGrid's API key: a secret that neither prints nor reflects itself.
public struct TronGridKey: Sendable, CustomStringConvertible, CustomReflectable {
  let value: String

  /// - Throws: `MalformedValue` for text that cannot be a header's value; never repeats it.
  public init(_ value: String) throws(MalformedValue) {
    guard (1...256).contains(value.utf8.count), value.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
      throw MalformedValue("TRONGRID_API_KEY", "expected 1 to 256 visible ASCII characters")
    }
    self.value = value
  }

  /// Nothing of the key.
  public var description: String { "<redacted>" }
  /// Nothing of the key.
  public var customMirror: Mirror { Mirror(self, children: [:]) }
}
