import AsyncHTTPClient
import Foundation
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization
import Testing

@testable import Devnet

/// A devnet that runs inside the test, reached over real HTTP, under a wall clock that the test moves.
struct TestNode: Sendable {
  /// Milliseconds of a slot: short, so that the block loop looks at the test's clock often.
  static let slot: Int64 = 50
  static let genesisTime: Int64 = 1_700_000_001_000
  /// How long a condition may take to come true.
  private static let limit = Duration.seconds(30)

  /// The first face's.
  let url: String
  /// Of every face.
  let urls: [String]
  let genesisBlockID: String
  let clock: TestClock

  /// A status and a body, as text and as JSON; null where it is none.
  struct Answer: Sendable {
    let status: Int
    let text: String
    let json: JSON
  }

  /// Runs a devnet for the time of `body`.
  static func run(
    producers: Int = 1, faces: Int = 1, funds: [TestWallet] = [.alice], environment: [String: String] = [:],
    _ body: @Sendable @escaping (TestNode) async throws -> Void
  ) async throws {
    let clock = TestClock(genesisTime)
    var random = SystemRandomNumberGenerator()
    let configuration = try DevnetConfiguration(
      environment: [
        "DEVNET_PORT": "0", "DEVNET_BLOCK_MS": String(slot),
        "DEVNET_GENESIS_TIME_MS": String(genesisTime),
        "DEVNET_PRODUCERS": String(producers), "DEVNET_FACES": String(faces),
        "DEVNET_FUND": funds.map { "\($0.address):1000:1000" }.joined(separator: ","),
      ].merging(environment) { $1 }, now: genesisTime, random: &random)
    var logger = Logger(label: "devnet-test") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = .error
    let (ready, continuation) = AsyncStream.makeStream(of: [String].self)
    let service = try DevnetService(configuration, clock: { clock.now }, logger: logger) { urls, _ in
      continuation.yield(urls)
      continuation.finish()
    }
    let services = ServiceGroup(configuration: .init(services: [.init(service: service)], logger: logger))
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await services.run() }
      guard let urls = await ready.first(where: { _ in true }) else {
        throw TestFailure(description: "the devnet ended before it was ready")
      }
      let outcome: Result<Void, any Error>
      do {
        let node = TestNode(url: urls[0], urls: urls, genesisBlockID: service.genesisBlockID, clock: clock)
        outcome = .success(try await body(node))
      } catch {
        outcome = .failure(error)
      }
      // Connections that clients keep open must not hold up the end.
      await services.triggerGracefulShutdown()
      try await group.waitForAll()
      try outcome.get()
    }
  }

  /// The same devnet, asked through another of its faces; counted from 1.
  func face(_ number: Int) -> TestNode {
    TestNode(url: urls[number - 1], urls: urls, genesisBlockID: genesisBlockID, clock: clock)
  }

  func get(_ path: String) async throws -> Answer { try await send(HTTPClientRequest(url: url + path)) }

  func post(_ path: String, _ body: String = "{}") async throws -> Answer {
    var request = HTTPClientRequest(url: url + path)
    request.method = .POST
    request.headers.add(name: "content-type", value: "application/json")
    request.body = .bytes(ByteBuffer(string: body))
    return try await send(request)
  }

  private func send(_ request: HTTPClientRequest) async throws -> Answer {
    let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
    let body = try await response.body.collect(upTo: 64 << 20)
    let bytes = Bytes(body.readableBytesView)
    let json: JSON
    do { json = try JSONParser.parse(bytes) } catch { json = .null }
    return Answer(status: Int(response.status.code), text: String(decoding: bytes, as: UTF8.self), json: json)
  }

  /// Lets `count` slots pass, each with its block.
  func produce(_ count: Int = 1) async throws {
    for _ in 0..<count {
      let height = try await head()
      clock.advance(by: Self.slot)
      try await until { try await head() == height + 1 }
    }
  }

  func head() async throws -> Int64 {
    guard case .integer(let number)? = try await get("/devnet/health").json["head"] else { return 0 }
    return number
  }

  private func until(_ condition: () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + Self.limit
    while try await !condition() {
      try #require(ContinuousClock.now < deadline, "the devnet made no block in \(Self.limit)")
      try await Task.sleep(for: .milliseconds(5))
    }
  }

  /// A signed transfer of micro-USDT, referring to the node's head.
  func usdtTransfer(
    from wallet: TestWallet = .alice, to: Address, _ amount: UInt64
  ) async throws -> PreparedTransaction {
    let head = try await post("/wallet/getnowblock").json
    guard case .string(let id)? = head["blockID"], let hash = Hash32(hex: id),
      case .integer(let time)? = head["block_header"]?["raw_data"]?["timestamp"]
    else { throw TestFailure(description: "no head block in \(head.text)") }
    let data =
      TokenContract.selector("transfer(address,uint256)") + Word256(to).bytes + Word256(amount).bytes
    let message = TriggerSmartContract(
      owner: wallet.address.bytes, contract: Genesis.mainnetToken.bytes, data: data)
    var raw = Transaction.RawData()
    raw.refBlockBytes = Bytes(hash.bytes[6..<8])
    raw.refBlockHash = Bytes(hash.bytes[8..<16])
    raw.expiration = time + 60_000
    raw.timestamp = time + 1
    raw.feeLimit = 30_000_000
    raw.contracts = [Contract(type: .triggerSmart, value: message.encoded)]
    return wallet.sign(raw)
  }

  func broadcast(_ prepared: PreparedTransaction) async throws -> Answer {
    try await post("/wallet/broadcasthex", #"{"transaction":"\#(Hex.encode(prepared.transaction.encoded))"}"#)
  }
}

/// A test's own sentence about what went wrong.
struct TestFailure: Error, CustomStringConvertible {
  let description: String
}

/// A wall clock that only a test moves.
final class TestClock: Sendable {
  private let time: Mutex<Int64>

  init(_ time: Int64) { self.time = Mutex(time) }

  var now: Int64 { time.withLock { $0 } }

  func advance(by milliseconds: Int64) { time.withLock { $0 += milliseconds } }
}
