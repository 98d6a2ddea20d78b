import Payouts

/// One request to a node: where it goes, how errors name it, and its limits.
struct NodeCall {
  /// The endpoint's name.
  let endpoint: String
  let view: ChainView
  /// What errors call it: endpoint, main argument, view.
  let name: String
  /// Over the whole call, to the last byte of the answer.
  let timeout: Duration
  /// The most bytes its answer may have.
  let answerBytesMax: Int

  init(
    _ endpoint: String, argument: String = "", _ view: ChainView, _ timeout: Duration, _ answerBytesMax: Int
  ) {
    self.endpoint = endpoint
    self.view = view
    self.name = (argument.isEmpty ? endpoint : "\(endpoint) \(argument)") + (view == .solid ? " (solid)" : "")
    self.timeout = timeout
    self.answerBytesMax = answerBytesMax
  }

  func error(_ code: TronNodeError.Code, _ reason: String) -> TronNodeError {
    TronNodeError(code, call: name, reason: reason)
  }

  func missing(_ value: String) -> TronNodeError { error(.missingValue, "the answer lacks \(value)") }

  func inconsistent(_ reason: String) -> TronNodeError { error(.inconsistent, reason) }

  func malformed(_ reason: String) -> TronNodeError { error(.malformedAnswer, reason) }

  /// Turns a value that cannot be read into this call's error.
  func checked<Value>(_ read: () throws(MalformedValue) -> Value) throws(TronNodeError) -> Value {
    do { return try read() } catch { throw malformed(error.description) }
  }

  /// The bytes of a hexadecimal text; absent is empty.
  func hex(_ text: String?, _ field: String) throws(TronNodeError) -> [UInt8] {
    guard let bytes = Hex.bytes(text ?? "") else { throw malformed("\(field) is no hexadecimal text") }
    return bytes
  }

  /// An address of 21 bytes in hexadecimal.
  func address(_ text: String?, _ field: String) throws(TronNodeError) -> Address {
    let bytes = try hex(text, field)
    do { return try Address(bytes: bytes) } catch { throw malformed("\(field): \(error.reason)") }
  }

  /// A block's time: after 1970 and within the years that text and database can hold, whatever a node says.
  func timestamp(_ milliseconds: Int64?, _ field: String) throws(TronNodeError) -> Timestamp {
    guard let milliseconds else { throw missing(field) }
    guard (1...NodeCall.lastMillisecond).contains(milliseconds) else {
      throw malformed("\(field) \(milliseconds) is no time between 1970 and 9999")
    }
    return Timestamp(milliseconds: milliseconds)
  }

  /// 9999-12-31T23:59:59.999Z
  private static let lastMillisecond: Int64 = 253_402_300_799_999

  /// At most 200 characters of what a node said, on one line, fit for an error's text.
  static func quote(_ text: some StringProtocol) -> String {
    let line = text.prefix(200).map { $0.isNewline || $0.isASCII && $0 < " " ? " " : $0 }
    return String(line)
  }
}
