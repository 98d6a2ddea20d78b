/// The bodies of our requests; property names are the API's own (reference §4).
struct NumberRequest: Encodable {
  let num: Int64
}

/// The newest block; its transactions only with `detail`.
struct LatestBlockRequest: Encodable {
  let detail: Bool
}

/// A block by its number; its transactions only with `detail`.
struct BlockRequest: Encodable {
  let id_or_num: String
  let detail: Bool
}

/// `endNum` is not part of the range.
struct RangeRequest: Encodable {
  let startNum: Int64
  let endNum: Int64
}

/// Hexadecimal, 21 bytes.
struct AddressRequest: Encodable {
  let address: String
}

/// The whole signed transaction in hexadecimal.
struct BroadcastRequest: Encodable {
  let transaction: String
}

/// Addresses as 21 bytes in hexadecimal, the arguments as ABI words.
struct ConstantCallRequest: Encodable {
  let owner_address: String
  let contract_address: String
  let function_selector: String
  let parameter: String
}
