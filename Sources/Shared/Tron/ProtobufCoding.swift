import SwiftProtobuf

/// Any.type_url of a message is this, a slash, and `protocol.<message>` (reference §1.2).
private let typeURLPrefix = "type.googleapis.com"

/// The message of these bytes; fields we do not know are kept and would be written again.
func decodeMessage<Decoded: Message>(_ bytes: [UInt8], as name: String) throws(TransactionError) -> Decoded {
  do { return try Decoded(serializedBytes: bytes) } catch { throw .malformed("\(name) does not decode") }
}

/// Canonical bytes: swift-protobuf writes fields in ascending order and leaves defaults out, as java-tron does.
func encodeMessage(_ message: some Message) throws(TransactionError) -> [UInt8] {
  do { return try message.serializedBytes() } catch { throw .malformed("a message does not encode") }
}

/// Wraps a contract's own message.
func encodeParameter(_ message: some Message) throws(TransactionError) -> Google_Protobuf_Any {
  var parameter = Google_Protobuf_Any()
  parameter.typeURL = typeURL(of: type(of: message))
  parameter.value = .init(try encodeMessage(message))
  return parameter
}

/// Unwraps a contract's own message.
func decodeParameter<Decoded: Message>(_ contract: Protocol_Transaction.Contract) throws(TransactionError) -> Decoded {
  guard contract.parameter.typeURL == typeURL(of: Decoded.self) else {
    throw .malformed("the contract's parameter is a \(contract.parameter.typeURL.prefix(100))")
  }
  return try decodeMessage([UInt8](contract.parameter.value), as: "the contract's parameter")
}

private func typeURL(of message: any Message.Type) -> String { "\(typeURLPrefix)/\(message.protoMessageName)" }
