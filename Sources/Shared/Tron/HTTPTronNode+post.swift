import AsyncHTTPClient
import FoundationEssentials
import Glibc
import NIOCore
import NIOPosix
import Payouts

/// Nothing but the braces: java-tron wants a JSON body with every POST.
struct NoParameters: Encodable {}

extension HTTPTronNode {
  /// Sends one request and decodes its answer.
  func post<Answer: Decodable>(_ body: some Encodable, to call: NodeCall) async throws(TronNodeError) -> Answer {
    var request = HTTPClientRequest(url: url(of: call))
    request.method = .POST
    request.headers.add(name: "content-type", value: "application/json")
    request.headers.add(name: "accept", value: "application/json")
    if let key = configuration.apiKey { request.headers.add(name: "TRON-PRO-API-KEY", value: key.value) }
    do { request.body = .bytes(ByteBuffer(bytes: try JSONEncoder().encode(body))) } catch {
      throw call.malformed("the request does not encode as JSON")
    }
    let answer = try await exchange(request, call)
    guard answer.status == 200 else { throw refusal(answer, call) }
    return try decode(answer.body, call)
  }

  private func url(of call: NodeCall) -> String {
    switch call.view {
    case .head: "\(configuration.url)/wallet/\(call.endpoint)"
    case .solid: "\(configuration.solidityURL)/walletsolidity/\(call.endpoint)"
    }
  }

  /// Races the request with its time limit: the HTTP client's own deadline ends with the head of the response, and a
  /// node that then trickles its body would hold the caller for ever.
  private func exchange(
    _ request: HTTPClientRequest, _ call: NodeCall
  ) async throws(TronNodeError) -> HTTPAnswer {
    do {
      return try await withThrowingTaskGroup(of: HTTPAnswer.self) { group in
        group.addTask {
          let response = try await httpClient.execute(request, timeout: TimeAmount(call.timeout))
          let body = try await response.body.collect(upTo: call.answerBytesMax)
          return HTTPAnswer(
            status: response.status.code, retryAfter: response.headers.first(name: "retry-after"),
            body: [UInt8](body.readableBytesView))
        }
        group.addTask {
          try await Task.sleep(for: call.timeout)
          throw TimeIsUp()
        }
        defer { group.cancelAll() }
        guard let first = try await group.next() else { throw CancellationError() }
        return first
      }
    } catch { throw failure(error, call) }
  }

  /// Sorts what the HTTP client throws; the table stands at `TronNodeError`.
  private func failure(_ error: any Error, _ call: NodeCall) -> TronNodeError {
    if Task.isCancelled { return call.error(.cancelled, "the caller was cancelled before the answer came") }
    switch error {
    case is TimeIsUp: return call.error(.timeout, "no whole answer within \(call.timeout)")
    case is NIOTooManyBytesError:
      return call.error(.answerTooLarge, "the answer exceeds \(call.answerBytesMax) bytes")
    case is NIOConnectionError: return call.error(.unreachable, "no connection could be made")
    case let error as IOError where error.errnoCode == ECONNREFUSED:
      return call.error(.unreachable, "the connection was refused")
    case let error as ChannelError:
      if case .connectTimeout = error { return call.error(.unreachable, "no connection within the connect time-out") }
      return call.error(.connectionLost, "\(error)")
    case let error as HTTPClientError:
      switch error {
      case .deadlineExceeded, .readTimeout, .writeTimeout:
        return call.error(.timeout, "no answer within \(call.timeout)")
      case .connectTimeout, .tlsHandshakeTimeout, .socksHandshakeTimeout, .httpProxyHandshakeTimeout,
        .invalidURL, .emptyHost, .emptyScheme, .alreadyShutdown:
        return call.error(.unreachable, error.shortDescription)
      default: return call.error(.connectionLost, error.shortDescription)
      }
    default: return call.error(.connectionLost, NodeCall.quote("\(error)"))
    }
  }

  /// Sorts an answer by its HTTP status (reference §4.1, §4.5).
  private func refusal(_ answer: HTTPAnswer, _ call: NodeCall) -> TronNodeError {
    let text = NodeCall.quote(String(decoding: answer.body.prefix(1_000), as: UTF8.self))
    let reason = "HTTP \(answer.status): \(text)"
    switch answer.status {
    case 403, 429:
      let pause = HTTPTronNode.pauseAsked(by: text, status: answer.status, retryAfter: answer.retryAfter)
      return TronNodeError(.rateLimited, call: call.name, reason: reason, pauseMilliseconds: pause)
    case 503:
      // TronGrid says by a 503, too, that we are suspended. Any other 503 is a node, or what stands before it, in trouble.
      let pause = HTTPTronNode.pauseAsked(by: text, status: 503)
      return TronNodeError(
        pause == nil ? .unavailable : .rateLimited, call: call.name, reason: reason, pauseMilliseconds: pause)
    case 404 where text.contains("unavailable due to config"): return call.error(.apiClosed, text)
    default: return call.error(.httpStatus, reason)
    }
  }

  /// How long TronGrid says that it answers nobody with our key or address (reference §4.5): "… and the query server is
  /// suspended for 30s". It blocks with 403 for that long even where it does not say so. In milliseconds; the longest of
  /// what is said.
  ///
  /// - Parameter retryAfter: the header's seconds. A date in it is not read: who limits a rate sends seconds.
  static func pauseAsked(by text: String, status: UInt, retryAfter: String? = nil) -> Int64? {
    let inText = text.firstRange(of: "suspended for ").flatMap { seconds(text[$0.upperBound...]) }
    let said = [inText, retryAfter.flatMap { seconds($0[...]) }].compactMap { $0 }.max()
    return said.map { $0 * 1_000 } ?? (status == 403 ? 30_000 : nil)
  }

  /// The number that a text begins with, of at most six digits.
  private static func seconds(_ text: Substring) -> Int64? {
    Int64(text.prefix { $0.isASCII && $0.isNumber }.prefix(6))
  }

  /// Decodes an answer with HTTP 200, which may still be an error.
  private func decode<Answer: Decodable>(_ body: [UInt8], _ call: NodeCall) throws(TronNodeError) -> Answer {
    let answer: NodeAnswer<Answer>
    do { answer = try JSONDecoder().decode(NodeAnswer<Answer>.self, from: Data(body)) } catch {
      let text = NodeCall.quote(String(decoding: body.prefix(1_000), as: UTF8.self))
      if text.hasPrefix("this API is closed") { throw call.error(.apiClosed, text) }
      throw call.malformed("\(body.count) bytes that are not the expected JSON: \(text)")
    }
    switch answer {
    case .payload(let payload): return payload
    case .error(let text):
      let pause = HTTPTronNode.pauseAsked(by: text, status: 200)
      let isOverloaded = pause != nil || text.contains("lack of computing resources")
      throw TronNodeError(
        isOverloaded ? .rateLimited : .nodeError, call: call.name, reason: NodeCall.quote(text),
        pauseMilliseconds: pause)
    }
  }
}

/// What came over the wire.
private struct HTTPAnswer: Sendable {
  let status: UInt
  /// The header of that name.
  let retryAfter: String?
  let body: [UInt8]
}

/// The call's time has passed.
private struct TimeIsUp: Error {}

/// An answer, or `{"Error": "class … : message"}` in its place.
private enum NodeAnswer<Payload: Decodable>: Decodable {
  case payload(Payload)
  case error(String)

  private enum Keys: String, CodingKey {
    case error = "Error"
  }

  init(from decoder: any Decoder) throws {
    // Arrays have no keys; for them the question does not arise.
    if let container = try? decoder.container(keyedBy: Keys.self), container.contains(.error) {
      self = .error(try container.decode(String.self, forKey: .error))
    } else {
      self = .payload(try Payload(from: decoder))
    }
  }
}
