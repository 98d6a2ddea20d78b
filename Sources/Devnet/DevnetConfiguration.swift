import FoundationEssentials
public import Logging

/// What the simulated network is told at its start.
///
/// ## Configuration keys
///
/// Each may also be given as `NAME_FILE`, the path of a file that holds the value. None is secret.
///
/// - `DEVNET_PORT`: port on 127.0.0.1; 0 picks a free one. 0...65535, default 9090.
/// - `DEVNET_BLOCK_MS`: a slot of wall and chain time in milliseconds. 50...60000, default 3000.
/// - `DEVNET_FUND`: `address:TRX:USDT`, comma-separated; amounts are decimals with at most 6 places. Default none.
/// - `DEVNET_USDT_CONTRACT`: address of the USDT contract in base58. Default mainnet's.
/// - `DEVNET_GENESIS_TIME_MS`: time of block 0, a positive multiple of the slot that is not in the future; with it the
///   genesis id is the same in every run. Default: the present slot, and a genesis id of its own for each run.
/// - `DEVNET_PRODUCERS`: how many producers take turns. 1...27, default 27.
/// - `DEVNET_FACES`: how many nodes show the network, each on a port of its own: the first on `DEVNET_PORT`, the others on
///   the ports after it, or all on free ones. 1...16, default 1.
/// - `DEVNET_MAINTENANCE_MS`: chain time between maintenances. 60000...86400000, default 21600000 (6 h).
/// - `DEVNET_PENDING_MAX`: a broadcast is refused while more than this many wait. 0...1000000, default 2000.
/// - `DEVNET_PENDING_TIMEOUT_MS`: how long what waits is kept. 1...86400000, default 60000.
/// - `DEVNET_BLOCK_TRANSACTIONS`: how many transactions a block takes, as a producer that runs out of its slot's time: some
///   2,000 transfers in a real one. 1...1000000. Default: as many as their bytes allow, some 6,900 transfers.
/// - `DEVNET_TRANSACTION_CACHE`: true remembers every txid for an hour, valid or not. Default false, as nodes do.
/// - `DEVNET_ESTIMATE_ENERGY`: true lets estimateenergy answer. Default false, as nodes do.
/// - `DEVNET_STATE_FILE`: file that keeps the blocks; a chain that stands there already goes on. Default: none, and the
///   chain ends with the process.
/// - `LOG_LEVEL`: trace, debug, info, notice, warning, error or critical. Default info.
public struct DevnetConfiguration: Sendable, Equatable {
  /// Port to listen on; 0 for a free one.
  public var port = 9_090
  /// Slot in milliseconds.
  public var slot: Int64 { parameters.slot }
  /// How many nodes show the network.
  public var faceCount = 1
  /// Where blocks are kept; nil for in memory only.
  public var stateFile: String?
  /// Level of the log on stderr.
  public var logLevel = Logger.Level.info
  var genesis: Genesis
  var parameters = ChainParameters()
  /// Whether the time of block 0 was given; else a chain that is kept already brings its own.
  var isGenesisTimeGiven = false

  /// Everything that is wrong with a configuration, one sentence each; never empty.
  public struct Failure: Error, Equatable {
    /// `KEY: what was found, what was expected`.
    public let problems: [String]
  }

  /// Reads the configuration.
  ///
  /// - Parameters:
  ///   - environment: the process's variables; empty values count as absent.
  ///   - now: wall time in milliseconds since 1970, from which block 0 gets its time.
  ///   - random: makes the genesis of each run its own.
  /// - Throws: every problem at once.
  public init(
    environment: [String: String], now: Int64, random: inout some RandomNumberGenerator
  ) throws(Failure) {
    var source = ConfigurationSource(environment: environment)
    port = Int(source.integer("DEVNET_PORT", in: 0...65_535) ?? 9_090)
    parameters.slot = source.integer("DEVNET_BLOCK_MS", in: 50...60_000) ?? 3_000
    let slot = parameters.slot
    faceCount = Int(source.integer("DEVNET_FACES", in: 1...16) ?? 1)
    if port > 0, port + faceCount > 65_536 {
      source.problem("DEVNET_FACES: \(faceCount) ports from \(port) on reach beyond 65535")
    }
    genesis = Genesis(time: now / slot * slot)
    source.read(into: &parameters)
    stateFile = source.text("DEVNET_STATE_FILE")
    genesis.producerCount = Int(source.integer("DEVNET_PRODUCERS", in: 1...27) ?? 27)
    if let time = source.integer("DEVNET_GENESIS_TIME_MS", in: 1...now) {
      if time % slot != 0 { source.problem("DEVNET_GENESIS_TIME_MS: \(time) is not a multiple of the slot, \(slot)") }
      genesis.time = time
      isGenesisTimeGiven = true
    } else {
      genesis.seed = Self.seed(&random)
    }
    if let text = source.text("DEVNET_USDT_CONTRACT") {
      if let address = Address(base58: text) {
        genesis.tokenAddress = address
      } else {
        source.problem("DEVNET_USDT_CONTRACT: '\(text)' is no address; expected 34 characters of base58check")
      }
    }
    if let text = source.text("DEVNET_FUND") { genesis.funds = source.funds(text, token: genesis.tokenAddress) }
    if let text = source.text("LOG_LEVEL") {
      if let level = Logger.Level(rawValue: text.lowercased()) {
        logLevel = level
      } else {
        let levels = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
        source.problem("LOG_LEVEL: '\(text)' is unknown; expected one of \(levels)")
      }
    }
    guard source.problems.isEmpty else { throw Failure(problems: source.problems) }
  }

  private static func seed(_ random: inout some RandomNumberGenerator) -> Hash32 {
    var bytes: Bytes = []
    for _ in 0..<4 { bytes += Int64(bitPattern: random.next()).bigEndianBytes }
    return .sha256(bytes)
  }
}

/// Reads single values and gathers what is wrong with them.
private struct ConfigurationSource {
  let environment: [String: String]
  private(set) var problems: [String] = []

  /// Reads from these variables.
  init(environment: [String: String]) { self.environment = environment }

  /// The largest file that is read for a value, in bytes.
  private static let fileSizeMax = 1_000_000

  /// Notes what is wrong, in a sentence that begins with the key.
  mutating func problem(_ text: String) { problems.append(text) }

  /// The value of `name`, or of the file that `name_FILE` names, without space around it; nil when absent or empty.
  mutating func text(_ name: String) -> String? {
    let direct = nonEmpty(environment[name])
    guard let path = nonEmpty(environment["\(name)_FILE"]) else { return direct }
    guard direct == nil else {
      problem("\(name): given together with \(name)_FILE; give one of them")
      return nil
    }
    guard let data = FileManager.default.contents(atPath: path), data.count <= Self.fileSizeMax else {
      problem("\(name)_FILE: cannot read '\(path)', or it is larger than \(Self.fileSizeMax) bytes")
      return nil
    }
    return nonEmpty(String(decoding: data, as: UTF8.self))
  }

  /// The value as a number within `range`; nil when absent or wrong.
  mutating func integer(_ name: String, in range: ClosedRange<Int64>) -> Int64? {
    guard let text = text(name) else { return nil }
    guard let value = Int64(text), range.contains(value) else {
      problem("\(name): '\(text)' is not a whole number from \(range.lowerBound) to \(range.upperBound)")
      return nil
    }
    return value
  }

  /// Settings of the node and of the network's rules.
  mutating func read(into parameters: inout ChainParameters) {
    let standard = ChainParameters()
    parameters.maintenanceInterval =
      integer("DEVNET_MAINTENANCE_MS", in: ChainParameterKey.maintenanceInterval.range)
      ?? standard.maintenanceInterval
    parameters.pendingMax = integer("DEVNET_PENDING_MAX", in: 0...1_000_000).map { Int($0) } ?? standard.pendingMax
    parameters.pendingTimeout =
      integer("DEVNET_PENDING_TIMEOUT_MS", in: 1...86_400_000) ?? standard.pendingTimeout
    parameters.blockTransactionsMax =
      integer("DEVNET_BLOCK_TRANSACTIONS", in: 1...1_000_000).map { Int($0) } ?? standard.blockTransactionsMax
    parameters.cachesTransactions = flag("DEVNET_TRANSACTION_CACHE")
    parameters.estimatesEnergy = flag("DEVNET_ESTIMATE_ENERGY")
  }

  /// A switch, off when absent.
  mutating func flag(_ name: String) -> Bool {
    guard let text = text(name) else { return false }
    if text != "true" && text != "false" { problem("\(name): '\(text)' is neither true nor false") }
    return text == "true"
  }

  /// The accounts of `DEVNET_FUND`.
  mutating func funds(_ text: String, token: Address) -> [Genesis.Fund] {
    var funds: [Genesis.Fund] = []
    var supply: UInt64 = 0
    for entry in text.split(separator: ",") {
      let entry = trimmed(entry)
      let parts = entry.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
      guard parts.count == 3, let address = Address(base58: parts[0]), let trx = Self.millionths(parts[1]),
        let usdt = Self.millionths(parts[2])
      else {
        problem("DEVNET_FUND: '\(entry)' is not address:TRX:USDT with amounts of at most 6 decimals")
        continue
      }
      if funds.contains(where: { $0.address == address }) { problem("DEVNET_FUND: \(address) stands there twice") }
      if address == token { problem("DEVNET_FUND: \(address) is the USDT contract itself") }
      let (sum, overflow) = supply.addingReportingOverflow(UInt64(usdt))
      if overflow || sum > UInt64(Int64.max) { problem("DEVNET_FUND: the sum of USDT exceeds 9223372036854.775807") }
      supply = overflow ? supply : sum
      funds.append(Genesis.Fund(address: address, trx: trx, usdt: UInt64(usdt)))
    }
    return funds
  }

  /// `text` × 10⁶ for a decimal number with at most 6 places, exactly; nil for anything else.
  static func millionths(_ text: String) -> Int64? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count <= 2, parts.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy { (48...57).contains($0) } }) else {
      return nil
    }
    let places = parts.count == 2 ? String(parts[1]) : ""
    guard places.utf8.count <= 6 else { return nil }
    return Int64(parts[0] + places + String(repeating: "0", count: 6 - places.utf8.count))
  }

  private func nonEmpty(_ text: String?) -> String? {
    guard let text else { return nil }
    let value = trimmed(text[...])
    return value.isEmpty ? nil : value
  }

  private func trimmed(_ text: Substring) -> String {
    let rest = text.drop(while: \.isWhitespace)
    return String(rest.reversed().drop(while: \.isWhitespace).reversed())
  }
}
