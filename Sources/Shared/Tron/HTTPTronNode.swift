public import AsyncHTTPClient
import NIOCore
public import Payouts

/// A node reached over its HTTP API (reference §4): a java-tron node, TronGrid or a simulator.
///
/// One call is one request, with a time limit over all of it, from the connection to the last byte, and a maximum size.
/// What an answer says about itself is checked: a txid is the hash of its bytes, a block id carries its number, ranges
/// have no gap. Answers are decoded into Int64, never through floating point; what a node leaves out is its default
/// where the protocol has one, and an error where it has none.
public struct HTTPTronNode: TronNode {
  let configuration: HTTPTronNodeConfiguration
  let httpClient: HTTPClient

  /// - Parameters:
  ///   - configuration: where the node is.
  ///   - httpClient: made by the caller from `clientConfiguration()`, who also shuts it down; may be shared by nodes.
  public init(configuration: HTTPTronNodeConfiguration, httpClient: HTTPClient) {
    self.configuration = configuration
    self.httpClient = httpClient
  }

  /// How the HTTP client must be set up: no redirects (a node that sends a signed transaction elsewhere is not ours), no
  /// silent second connection attempts (the caller decides about another try), idle connections closed before a node
  /// closes them. With a proxy every connection goes through it, to the server's name, which the proxy resolves; there is
  /// no way around it where it cannot be reached.
  ///
  /// - Parameter proxy: a SOCKS5 server; nil for direct connections.
  public static func clientConfiguration(proxy: (host: String, port: Int)? = nil) -> HTTPClient.Configuration {
    var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
    configuration.proxy = proxy.map { .socksServer(host: $0.host, port: $0.port) }
    // A proxy such as Tor builds a way through several machines first.
    configuration.timeout.connect = proxy == nil ? .seconds(5) : .seconds(10)
    configuration.connectionPool.idleTimeout = .seconds(20)
    configuration.connectionPool.retryConnectionEstablishment = false
    configuration.httpVersion = .http1Only
    return configuration
  }

  /// `getblockbynum 0`, of which only the id is read: the genesis block has texts where others have addresses.
  public func genesisBlockID() async throws(TronNodeError) -> BlockID {
    let call = NodeCall(
      "getblockbynum", argument: "0", .head, configuration.readTimeout, configuration.smallAnswerBytesMax)
    let answer: BlockAnswer = try await post(NumberRequest(num: 0), to: call)
    guard let id = answer.blockID else { throw call.missing("blockID of the genesis block") }
    return try call.checked { () throws(MalformedValue) in try BlockID(hex: id) }
  }

  /// `getnowblock`.
  public func latestBlock(_ view: ChainView) async throws(TronNodeError) -> Block {
    let call = NodeCall("getnowblock", view, configuration.readTimeout, configuration.blockAnswerBytesMax)
    let answer: BlockAnswer = try await post(NoParameters(), to: call)
    guard let block = try answer.block(of: call) else { throw call.missing("blockID") }
    return block
  }

  /// `getblock` without a number and without detail.
  public func latestHeader(_ view: ChainView) async throws(TronNodeError) -> BlockHeader {
    let call = NodeCall("getblock", view, configuration.readTimeout, configuration.blockAnswerBytesMax)
    let answer: BlockAnswer = try await post(LatestBlockRequest(detail: false), to: call)
    guard let header = try answer.block(of: call)?.header else { throw call.missing("blockID") }
    return header
  }

  /// `getblock` with a number and without detail; nil for `{}`, the answer above the head.
  public func header(_ number: Int64, _ view: ChainView) async throws(TronNodeError) -> BlockHeader? {
    let call = NodeCall(
      "getblock", argument: "\(number)", view, configuration.readTimeout, configuration.blockAnswerBytesMax)
    let answer: BlockAnswer = try await post(BlockRequest(id_or_num: "\(number)", detail: false), to: call)
    guard let header = try answer.block(of: call)?.header else { return nil }
    guard header.number == number else {
      throw call.inconsistent("asked for block \(number), got block \(header.number)")
    }
    return header
  }

  /// `getblockbynum`; nil for `{}`, the answer above the head.
  public func block(_ number: Int64, _ view: ChainView) async throws(TronNodeError) -> Block? {
    let call = NodeCall(
      "getblockbynum", argument: "\(number)", view, configuration.readTimeout, configuration.blockAnswerBytesMax)
    let answer: BlockAnswer = try await post(NumberRequest(num: number), to: call)
    guard let block = try answer.block(of: call) else { return nil }
    guard block.header.number == number else {
      throw call.inconsistent("asked for block \(number), got block \(block.header.number)")
    }
    return block
  }

  /// `getblockbylimitnext`; shorter, or empty, where the view ends.
  public func blocks(
    from number: Int64, count: Int, _ view: ChainView
  ) async throws(TronNodeError) -> [Block] {
    precondition((1...TronNodeLimits.blocksPerRequestMax).contains(count), "a range has 1 to 100 blocks")
    precondition(number >= 0, "blocks are numbered from 0")
    let call = NodeCall(
      "getblockbylimitnext", argument: "\(number)+\(count)", view, configuration.readTimeout,
      configuration.rangeAnswerBytesMax)
    let range = RangeRequest(startNum: number, endNum: number + Int64(count))
    let answer: BlockListAnswer = try await post(range, to: call)
    var blocks: [Block] = []
    for entry in answer.block ?? [] {
      guard let block = try entry.block(of: call) else { throw call.missing("blockID in a range") }
      let expected = number + Int64(blocks.count)
      guard block.header.number == expected, blocks.count < count else {
        throw call.inconsistent("expected block \(expected) of \(count), got block \(block.header.number)")
      }
      if let previous = blocks.last, block.header.parentID != previous.header.id {
        throw call.inconsistent("block \(expected) does not stand on the block before it in the same answer")
      }
      blocks.append(block)
    }
    return blocks
  }

  /// `gettransactioninfobyblocknum`.
  public func receipts(
    ofBlock number: Int64, _ view: ChainView
  ) async throws(TronNodeError) -> [TransactionReceipt] {
    let call = NodeCall(
      "gettransactioninfobyblocknum", argument: "\(number)", view, configuration.readTimeout,
      configuration.blockAnswerBytesMax)
    let answer: ReceiptsAnswer = try await post(NumberRequest(num: number), to: call)
    var receipts: [TransactionReceipt] = []
    receipts.reserveCapacity(answer.receipts.count)
    for entry in answer.receipts {
      let receipt = try entry.receipt(of: call)
      guard receipt.blockNumber == number else {
        throw call.inconsistent("asked for block \(number), got a receipt of block \(receipt.blockNumber)")
      }
      receipts.append(receipt)
    }
    return receipts
  }

  /// `broadcasthex`, whose code and message are always present and readable.
  public func broadcast(_ signedTransaction: [UInt8]) async throws(TronNodeError) -> BroadcastAnswer {
    let call = NodeCall("broadcasthex", .head, configuration.broadcastTimeout, configuration.smallAnswerBytesMax)
    let request = BroadcastRequest(transaction: Hex.text(signedTransaction))
    let answer: BroadcastReply = try await post(request, to: call)
    return try answer.answer(of: call)
  }

  /// `getchainparameters`, key getEnergyFee.
  public func energyPrice() async throws(TronNodeError) -> Sun {
    let call = NodeCall("getchainparameters", .head, configuration.readTimeout, configuration.smallAnswerBytesMax)
    let answer: ChainParametersAnswer = try await post(NoParameters(), to: call)
    guard let price = answer.chainParameter?.first(where: { $0.key == "getEnergyFee" })?.value, price > 0 else {
      throw call.missing("getEnergyFee")
    }
    return Sun(price)
  }

  /// `getaccount`; `{}` is an account that was never activated.
  public func account(_ address: Address, _ view: ChainView) async throws(TronNodeError) -> AccountState {
    let call = NodeCall(
      "getaccount", argument: "\(address)", view, configuration.readTimeout, configuration.smallAnswerBytesMax)
    let answer: AccountAnswer = try await post(AddressRequest(address: Hex.text(address.bytes)), to: call)
    return try answer.state(of: address, call)
  }

  /// `triggerconstantcontract`, balanceOf(address).
  public func tokenBalance(
    token: Address, of owner: Address, _ view: ChainView
  ) async throws(TronNodeError) -> Amount {
    let call = NodeCall(
      "triggerconstantcontract", argument: "balanceOf(\(owner)) of \(token)", view, configuration.readTimeout,
      configuration.smallAnswerBytesMax)
    let request = ConstantCallRequest(
      owner_address: Hex.text(owner.bytes), contract_address: Hex.text(token.bytes),
      function_selector: "balanceOf(address)", parameter: Hex.text(ABI.word(owner)))
    let answer: ConstantCallAnswer = try await post(request, to: call)
    guard let amount = ABI.amount(try answer.word(of: call)) else {
      throw call.inconsistent("the balance is no word of 32 bytes below 2^63")
    }
    return amount
  }

  /// `triggerconstantcontract`, any other call of a token.
  public func simulate(_ call: TokenCall, _ view: ChainView) async throws(TronNodeError) -> TokenCallOutcome {
    let nodeCall = NodeCall(
      "triggerconstantcontract", argument: "\(call.signature) of \(call.token)", view, configuration.readTimeout,
      configuration.smallAnswerBytesMax)
    let request = ConstantCallRequest(
      owner_address: Hex.text(call.caller.bytes), contract_address: Hex.text(call.token.bytes),
      function_selector: call.signature, parameter: Hex.text(call.arguments))
    let answer: ConstantCallAnswer = try await post(request, to: nodeCall)
    return try answer.outcome(of: nodeCall)
  }
}
