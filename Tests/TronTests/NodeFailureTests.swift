// Proves that a node that is slow, silent, broken, closed, lying about its length or busy costs no more than the call's
// time and memory, and that each failure has its own code.
import AsyncHTTPClient
import Payouts
import TestSupport
import Testing
import Tron

@Suite struct NodeFailureTests {
  private static let latest: @Sendable (HTTPTronNode) async throws(TronNodeError) -> Void = {
    node throws(TronNodeError) in _ = try await node.latestBlock(.head)
  }

  private static let refusals: [(Int, String, TronNodeError.Code)] = [
    (
      429, "{\"Error\":\"The key exceeds the frequency limit(15), and the query server is suspended for 30s\"}",
      TronNodeError.Code.rateLimited
    ),
    (403, "{\"Error\":\"x\"}", .rateLimited), (503, "", .unavailable),
    (503, "<html>no server is available", .unavailable),
    (503, "{\"Error\":\"the query server is suspended for 30s\"}", .rateLimited),
    (404, "{\"Error\":\"this API is unavailable due to config\"}", .apiClosed), (404, "not found", .httpStatus),
    (413, "{\"Error\":\"too large\"}", .httpStatus), (500, "", .httpStatus), (502, "<html>", .httpStatus),
    (301, "", .httpStatus), (200, "{\"Error\":\"class java.lang.NullPointerException : null\"}", .nodeError),
    (200, "{\"Error\":\"class java.lang.IllegalAccessException : lack of computing resources\"}", .rateLimited),
    (200, "this API is closed because this node is a lite fullnode", .apiClosed),
    (200, "", .malformedAnswer), (200, "\u{0}\u{1}\u{2}", .malformedAnswer), (200, "null", .malformedAnswer),
    (200, "[]", .malformedAnswer), (200, "{\"blockID\":5}", .malformedAnswer),
    (200, "{\"blockID\":\"00\"", .malformedAnswer),
    (200, "{\"Error\":5}", .malformedAnswer), (200, "\"text\"", .malformedAnswer),
    (200, "{\"blockID\":\"00\"}", .missingValue),
  ]

  @Test(arguments: refusals)
  func `every refusal has its code`(status: Int, body: String, code: TronNodeError.Code) async throws {
    let error = try await failure(of: .json(body, status: status), Self.latest)
    #expect(error?.code == code, "\(String(describing: error))")
    #expect(error?.call == "getnowblock")
    #expect(error?.isUnknownOutcome == true)
  }

  @Test(
    arguments: [
      (
        403, "{\"Error\":\"The key exceeds the frequency limit(15), and the query server is suspended for 30s\"}",
        30_000
      ),
      (429, "{\"Error\":\"The key exceeds the frequency limit(15), and the query server is suspended for 5s\"}", 5_000),
      (200, "{\"Error\":\"the query server is suspended for 7s\"}", 7_000), (403, "", 30_000), (429, "", nil),
      (503, "{\"Error\":\"the query server is suspended for 9s\"}", 9_000),
      (200, "{\"Error\":\"class java.lang.IllegalAccessException : lack of computing resources\"}", nil),
      (429, "suspended for ages", nil),
    ] as [(Int, String, Int64?)])
  func `how long a node asks to be left alone is read`(status: Int, body: String, milliseconds: Int64?) async throws {
    // Reference §4.5: whoever asks on while TronGrid has suspended them is suspended for longer.
    let error = try await failure(of: .json(body, status: status), Self.latest)
    #expect(error?.code == .rateLimited)
    #expect(error?.pauseMilliseconds == milliseconds)
  }

  @Test(
    arguments: [
      (429, "", "7", 7_000), (403, "", "90", 90_000), (429, "suspended for 5s", "3", 5_000),
      (429, "suspended for 5s", "8", 8_000), (429, "", "Thu, 26 Nov 2026 12:00:00 GMT", nil), (403, "", "soon", 30_000),
    ] as [(Int, String, String, Int64?)])
  func `the header Retry-After counts with 429 and 403, and the longer wish holds`(
    status: Int, body: String, retryAfter: String, milliseconds: Int64?
  ) async throws {
    let error = try await failure(of: .json(body, status: status, retryAfter: retryAfter), Self.latest)
    #expect(error?.code == .rateLimited)
    #expect(error?.pauseMilliseconds == milliseconds)
  }

  @Test func `a node that is unavailable asks for no pause, whatever its header says`() async throws {
    // What stands before a node that is being restarted may say 120 s; the node itself may be back in five.
    let error = try await failure(of: .json("", status: 503, retryAfter: "120"), Self.latest)
    #expect(error?.code == .unavailable)
    #expect(error?.pauseMilliseconds == nil)
  }

  @Test(arguments: [
    "{\"Error\":\"class java.lang.NullPointerException : null\"}", "{\"a\":1}", "5", "[{}]", "[{\"id\":\"00\"}]",
    "[{\"id\":\"5ab730a708ff57a433efb3fc04f69a48861b453c9314b642954f21fdd80900a9\"}]",
  ])
  func `receipts that are none are errors, never an empty list`(body: String) async throws {
    let error = try await failure(of: .json(body)) { node throws(TronNodeError) in
      _ = try await node.receipts(ofBlock: 1, .head)
    }
    #expect(error != nil)
  }

  @Test(.timeLimit(.minutes(2)), arguments: [ScriptedReply.silence, .trickle, .announced(bytes: 10)])
  func `a slow answer ends with the call's time, also after its head has come`(reply: ScriptedReply) async throws {
    let error = try await failure(of: reply, timeout: .milliseconds(300), Self.latest)
    #expect(error?.code == .timeout)
    #expect(error?.isUnknownOutcome == true)
  }

  @Test(arguments: [ScriptedReply.hangUp, .halfThenHangUp])
  func `a broken connection is lost, with an unknown outcome`(reply: ScriptedReply) async throws {
    let error = try await failure(of: reply) { node throws(TronNodeError) in _ = try await node.broadcast([1, 2, 3]) }
    #expect(error?.code == .connectionLost)
    #expect(error?.isUnknownOutcome == true)
  }

  @Test func `an answer beyond its bound is refused, announced or not`() async throws {
    for reply in [ScriptedReply.flood(bytes: 2_000), .announced(bytes: 1_001)] {
      let error = try await failure(of: reply, answerBytesMax: 1_000, Self.latest)
      #expect(error?.code == .answerTooLarge)
    }
    // The last size that fits is read, and found not to be a block.
    let error = try await failure(of: .flood(bytes: 998), answerBytesMax: 1_000, Self.latest)
    #expect(error?.code == .malformedAnswer)
  }

  @Test func `a port where nobody listens is unreachable, and nothing was sent`() async throws {
    let url = try await ScriptedServer.run(answering: { _ in .silence }) { $0 }
    try await withHTTPClient { client in
      let node = HTTPTronNode(configuration: try HTTPTronNodeConfiguration(url: url), httpClient: client)
      let error = await #expect(throws: TronNodeError.self) { try await node.broadcast([1]) }
      #expect(error?.code == .unreachable, "\(String(describing: error))")
      #expect(error?.isUnknownOutcome == false)
    }
  }

  @Test func `a cancelled caller gets away at once`() async throws {
    try await withNode(answering: { _ in .silence }, timeout: .seconds(60)) { node in
      let error = await withTaskGroup(of: TronNodeError?.self) { group in
        group.addTask {
          do throws(TronNodeError) {
            _ = try await node.energyPrice()
            return nil
          } catch {
            return error
          }
        }
        group.cancelAll()
        return await group.next() ?? nil
      }
      #expect(error?.code == .cancelled)
    }
  }

  @Test func `redirects are not followed: a signed transaction goes where it was sent`() async throws {
    let configuration = HTTPTronNode.clientConfiguration()
    #expect("\(configuration.redirectConfiguration)".contains("disallow"))
  }

  @Test(arguments: [
    "", "127.0.0.1:8090", "ftp://127.0.0.1", "http://", "https://api.trongrid.io/wallet", "http://h:1/walletsolidity/",
    "http://user:secret@host", "http://host?x=1", "http://host#x", "http://ho st",
  ])
  func `a URL that is no node's base is refused`(url: String) throws {
    #expect(throws: MalformedValue.self) { _ = try HTTPTronNodeConfiguration(url: url) }
    #expect(throws: MalformedValue.self) {
      _ = try HTTPTronNodeConfiguration(url: "http://127.0.0.1:8090", solidityURL: url)
    }
  }

  @Test func `the key of TronGrid is never printed`() throws {
    let key = try TronGridKey("0123-secret")
    let configuration = try HTTPTronNodeConfiguration(url: "http://127.0.0.1:8090/", apiKey: key)
    #expect(configuration.url == "http://127.0.0.1:8090")
    #expect(configuration.solidityURL == configuration.url)
    var dumped = ""
    dump(configuration, to: &dumped)
    #expect(!"\(key)\(String(reflecting: key))\(configuration)\(dumped)".contains("secret"))
    for text in ["", "two words", "line\n", "kéy", String(repeating: "k", count: 257)] {
      #expect(throws: MalformedValue.self) { try TronGridKey(text) }
    }
  }
}
