extension NodeRequest {
  /// The id of the transaction that a request hands over or asks for; nil where it is about none.
  func subjectTransaction(of endpoint: NodeAPI.Endpoint) -> Hash32? {
    do {
      switch endpoint {
      case .broadcasthex:
        return try bytes("transaction").map { .sha256(try Transaction(decoding: $0).raw.encoded) }
      case .broadcasttransaction, .getsignweight: return .sha256(try TransactionReading.read(object).raw.encoded)
      case .gettransactionbyid, .gettransactioninfobyid, .gettransactionfrompending: return try hash("value")
      default: return nil
      }
    } catch {
      // What cannot be read is about no transaction; the answer will say what is wrong with it.
      return nil
    }
  }
}
