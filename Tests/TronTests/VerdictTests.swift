import Payouts
import Testing
import Tron

/// What a solid block says of a transaction (DESIGN.md §3 point 5), row by row.
@Suite struct VerdictTests {
  static let token = Address(account: [UInt8](repeating: 0x22, count: 20))
  static let wallet = Address(account: [UInt8](repeating: 0x11, count: 20))
  static let recipient = Address(account: [UInt8](repeating: 0x33, count: 20))
  static let expected = ExpectedTransfer(token: token, from: wallet, to: recipient, amount: amount(5))
  static let place = BlockPlace(
    number: 7, id: BlockID(exactly: [UInt8](repeating: 7, count: 32)), time: Timestamp(milliseconds: 21_000))

  static func amount(_ micro: Int64) -> Amount { (try? Amount(microUSDT: micro)) ?? .zero }

  static func log(
    token: Address = token, from: Address = wallet, to: Address = recipient, amount: Int64 = 5
  ) -> EventLog {
    EventLog(TokenTransfer(token: token, sender: from, recipient: to, amount: Self.amount(amount)))
  }

  func verdict(
    _ inBlock: ContractResult?, _ inReceipt: ContractResult?, isFailed: Bool, logs: [EventLog]
  ) throws -> TransactionVerdict {
    let block = try Chain.block(
      7, parent: Self.place.id, time: 21_000, transactions: [Chain.transaction(1, result: inBlock)])
    let receipt = Chain.receipt(of: block, 0, result: inReceipt, isFailed: isFailed, logs: logs)
    let read = ReadBlock(block, receipts: [receipt])
    return TransactionVerdict.judge(read.entries[0], at: read.place, expected: [Self.expected])
  }

  func isAnomalous(_ verdict: TransactionVerdict) -> Bool { if case .anomalous = verdict { true } else { false } }

  @Test func `paid is SUCCESS in block and receipt with exactly the Transfer that was written down`() throws {
    // "In a solid block, SUCCESS, and exactly the Transfer logs that were written down with the transaction."
    let verdict = try verdict(.success, .success, isFailed: false, logs: [Self.log()])
    guard case .paid(let place, let cost) = verdict else { return #expect(Bool(false), "\(verdict)") }
    #expect(place.number == 7)
    #expect(cost == TransactionCost(fee: Sun(9), energyUsed: 64_285, bandwidthUsed: 345))
  }

  @Test(arguments: [
    [], [log(amount: 4)], [log(amount: 6)], [log(token: wallet)], [log(from: recipient)], [log(to: token)],
    [log(), log()], [log(), log(to: token, amount: 1)],
    [EventLog(address: token, topics: [TokenTransfer.eventTopic], data: [UInt8](repeating: 0, count: 32))],
    [EventLog(address: token, topics: log().topics, data: log().data + [0])],
  ])
  func `SUCCESS with any other logs proves nothing`(logs: [EventLog]) throws {
    // "SUCCESS with another log frees nothing and confirms nothing": none, another amount, token, sender, recipient, twice,
    // a fee taken beside it, malformed ones.
    #expect(isAnomalous(try verdict(.success, .success, isFailed: false, logs: logs)))
  }

  static let failures: [ContractResult] = [
    .revert, .badJumpDestination, .outOfMemory, .precompiledContract, .stackTooSmall, .stackTooLarge,
    .illegalOperation, .stackOverflow, .outOfEnergy, .outOfTime, .jvmStackOverflow, .transferFailed, .invalidCode,
  ]

  @Test(arguments: failures)
  func `a named failure in block and receipt is a failure, whatever its logs say`(result: ContractResult) throws {
    // "A named failure, the same in block and receipt"; logs of a failed receipt are never read (reference §5.6).
    for logs in [[], [Self.log()]] {
      let verdict = try verdict(result, result, isFailed: true, logs: logs)
      guard case .failedOnChain(_, _, let named) = verdict else { return #expect(Bool(false), "\(verdict)") }
      #expect(named == result.description)
    }
    #expect(isAnomalous(try verdict(result, result, isFailed: false, logs: [])))
    #expect(isAnomalous(try verdict(.success, result, isFailed: true, logs: [])))
    #expect(isAnomalous(try verdict(result, .success, isFailed: false, logs: [Self.log()])))
    #expect(isAnomalous(try verdict(nil, result, isFailed: true, logs: [])))
    #expect(isAnomalous(try verdict(result, nil, isFailed: true, logs: [])))
  }

  @Test func `two different failures prove nothing`() throws {
    #expect(isAnomalous(try verdict(.revert, .outOfTime, isFailed: true, logs: [])))
  }

  @Test(arguments: [nil, .defaultResult, .unknown, .unrecognized("NEW_RESULT")] as [ContractResult?])
  func `missing and unknown results prove nothing`(result: ContractResult?) throws {
    // "Result missing, unknown: frees nothing and confirms nothing", on either side and on both.
    for isFailed in [false, true] {
      #expect(isAnomalous(try verdict(result, result, isFailed: isFailed, logs: [Self.log()])))
      #expect(isAnomalous(try verdict(.success, result, isFailed: isFailed, logs: [Self.log()])))
      #expect(isAnomalous(try verdict(result, .success, isFailed: isFailed, logs: [Self.log()])))
    }
  }

  @Test func `SUCCESS that is marked as failed proves nothing`() throws {
    #expect(isAnomalous(try verdict(.success, .success, isFailed: true, logs: [Self.log()])))
    #expect(isAnomalous(try verdict(.success, .success, isFailed: true, logs: [])))
  }
}

/// Small chains for tests of reading.
enum Chain {
  static let genesis = BlockID(exactly: [UInt8](repeating: 0, count: 32))

  static func id(_ number: Int64, branch: UInt8 = 0) -> BlockID {
    BlockID(
      exactly: withUnsafeBytes(of: number.bigEndian) { [UInt8]($0) } + [UInt8](repeating: 0x99, count: 23) + [branch])
  }

  /// A transfer that differs by its amount.
  static func transaction(_ number: Int64, result: ContractResult? = .success) throws -> BlockTransaction {
    let unsigned = try UnsignedTransaction.tokenTransfer(
      owner: VerdictTests.wallet, token: VerdictTests.token, to: VerdictTests.recipient,
      amount: VerdictTests.amount(number), referenceBlock: genesis, expiration: Timestamp(milliseconds: 60_000),
      timestamp: Timestamp(milliseconds: 1), feeLimit: Sun(1))
    return try BlockTransaction(rawData: unsigned.rawData, contractResult: result)
  }

  static func block(
    _ number: Int64, parent: BlockID, time: Int64, transactions: [BlockTransaction] = [], id: BlockID? = nil
  ) throws -> Block {
    Block(
      header: BlockHeader(
        number: number, id: id ?? self.id(number), parentID: parent, timestamp: Timestamp(milliseconds: time),
        transactionRoot: [UInt8](repeating: 0, count: 32), witness: nil),
      transactions: transactions)
  }

  static func receipt(
    of block: Block, _ index: Int, result: ContractResult? = .success, isFailed: Bool = false,
    logs: [EventLog] = [VerdictTests.log()], blockNumber: Int64? = nil
  ) -> TransactionReceipt {
    TransactionReceipt(
      txid: block.transactions[index].txid, blockNumber: blockNumber ?? block.header.number,
      blockTimestamp: block.header.timestamp, fee: Sun(9), energyUsed: 64_285, netUsage: 345, netFee: Sun(0),
      result: result, isFailed: isFailed, logs: logs)
  }
}
