/// Why a node's answer could not be had or not be used.
///
/// | code | what happened | may the request have taken effect? |
/// | --- | --- | --- |
/// | unreachable | no connection was made | no |
/// | timeout, connectionLost, cancelled | sent, perhaps, without an answer | unknown |
/// | rateLimited | HTTP 429 or 403 | unknown |
/// | unavailable | HTTP 503 | unknown: it may come from a proxy that had passed the request on |
/// | httpStatus, nodeError, apiClosed | the node or a proxy refused | unknown (reference §2.5, last row) |
/// | malformedAnswer, answerTooLarge, inconsistent, missingValue | answered, but not with what it should say | unknown |
/// | wrongNetwork | the node belongs to another network | unknown |
///
/// Reading again is always harmless. Broadcasting the same bytes again is, too (reference §2.6).
public struct TronNodeError: Error, Sendable, Hashable {
  /// The closed set of causes.
  public enum Code: String, Sendable, Hashable, CaseIterable {
    /// No connection could be made: nothing was sent.
    case unreachable
    /// No whole answer within the call's time.
    case timeout
    /// The connection broke after it was made.
    case connectionLost = "connection_lost"
    /// The surrounding task was cancelled.
    case cancelled
    /// HTTP 429 or 403, a 503 that says that we are suspended, or the node's own "lack of computing resources": ask less,
    /// or another node.
    case rateLimited = "rate_limited"
    /// HTTP 503: the node is not well just now. Ask another at once, or the same one again in a few seconds.
    case unavailable
    /// Another HTTP status than 200.
    case httpStatus = "http_status"
    /// `{"Error": …}` with HTTP 200.
    case nodeError = "node_error"
    /// The node does not serve this call: a light node without history, or switched off in its configuration.
    case apiClosed = "api_closed"
    /// Not JSON, or JSON of another shape.
    case malformedAnswer = "malformed_answer"
    /// More bytes than the call may have.
    case answerTooLarge = "answer_too_large"
    /// The answer contradicts itself: a hash that is not that of its bytes, a block of another number.
    case inconsistent
    /// The answer lacks a value that has no default.
    case missingValue = "missing_value"
    /// The genesis block is another network's.
    case wrongNetwork = "wrong_network"
  }

  /// What callers branch on.
  public let code: Code
  /// The endpoint asked, with its main argument; no key, no host.
  public let call: String
  /// What was wrong and what was expected. May quote the node, cut to a bounded length.
  public let reason: String
  /// How long the node asks to be left alone, in milliseconds; nil where it does not say. With `rateLimited` only.
  public let pauseMilliseconds: Int64?

  /// - Parameters:
  ///   - code: what callers branch on.
  ///   - call: the endpoint asked.
  ///   - reason: what was wrong; no secret.
  ///   - pauseMilliseconds: how long the node asks to be left alone.
  public init(_ code: Code, call: String, reason: String, pauseMilliseconds: Int64? = nil) {
    self.code = code
    self.call = call
    self.reason = reason
    self.pauseMilliseconds = pauseMilliseconds
  }

  /// Whether the request may have taken effect although it failed: everything but a connection that was never made.
  public var isUnknownOutcome: Bool { code != .unreachable }

  /// Whether the node answered nothing that has to do with the question, so that it will hardly do better with the next one:
  /// whoever has more to ask turns to another node before time-outs add up. What a node answers with an error of its own
  /// is about that question.
  public var isSilence: Bool {
    switch code {
    case .unreachable, .timeout, .connectionLost, .cancelled, .rateLimited, .unavailable: true
    case .httpStatus, .nodeError, .apiClosed, .malformedAnswer, .answerTooLarge, .inconsistent, .missingValue,
      .wrongNetwork:
      false
    }
  }
}

extension TronNodeError {
  /// Whether an error that reading met is a node's silence (`isSilence`).
  public static func isSilence(_ error: any Error) -> Bool {
    switch error {
    case let error as TronNodeError: error.isSilence
    case ChainReadError.node(let error): error.isSilence
    default: false
    }
  }
}

extension TronNodeError: CustomStringConvertible {
  /// `call: code: reason`.
  public var description: String { "\(call): \(code.rawValue): \(reason)" }
}
