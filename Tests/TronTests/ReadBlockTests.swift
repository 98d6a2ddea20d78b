import Payouts
import TestSupport
import Testing
import Tron

/// Reading blocks whole, and the window in which a transaction could be (DESIGN.md §3 point 5, reference §2.7).
@Suite struct ReadBlockTests {
  static let start = Timestamp(milliseconds: 2_000_000_000_000)

  /// A foreign transfer that expires so many milliseconds after the start.
  static func transfer(
    expiresAfter milliseconds: Int64, amount: Int64 = 5, _ execution: ScriptedNode.Execution = .success
  ) throws -> ScriptedNode.Foreign {
    let unsigned = try UnsignedTransaction.tokenTransfer(
      owner: VerdictTests.wallet, token: VerdictTests.token, to: VerdictTests.recipient,
      amount: VerdictTests.amount(amount), referenceBlock: Chain.genesis,
      expiration: start.advanced(byMilliseconds: milliseconds), timestamp: start, feeLimit: Sun(1))
    return try ScriptedNode.Foreign(rawData: unsigned.rawData, execution)
  }

  func window(
    _ node: ScriptedNode, above reference: Int64 = 40, through milliseconds: Int64
  ) async throws -> [ReadBlock]? {
    var read: [Int64: ReadBlock] = [:]
    return try await node.readWindow(
      above: reference, through: Self.start.advanced(byMilliseconds: milliseconds), sharing: &read)
  }

  @Test func `the first block at or after the expiration is in the window, and may hold the transaction`() async throws
  {
    // Reference §2.2: "the first block with time ≥ expiration is the last candidate, and may itself hold it". Slots were
    // missed, so that this block is later than the expiration. Read as dead, it would be paid twice.
    let node = ScriptedNode(headTime: Self.start)
    let transfer = try Self.transfer(expiresAfter: 7_000)
    await node.produce()
    await node.produce()
    await node.produce(foreign: [transfer], at: Self.start.advanced(byMilliseconds: 12_000))
    await node.produce()
    await node.setSolid(44)
    let window = try #require(try await window(node, through: 7_000))
    #expect(window.map(\.place.number) == [41, 42, 43])
    let verdict = try TransactionVerdict.judge(transfer.txid, expected: [VerdictTests.expected], window: window)
    guard case .paid(let place, _) = verdict else { return #expect(Bool(false), "\(verdict)") }
    #expect(place.number == 43)
  }

  @Test func `a window ends with the block whose time equals the expiration`() async throws {
    // Both sides: one millisecond more takes the next block.
    let node = ScriptedNode(headTime: Self.start)
    await node.produce(count: 4)
    await node.setSolid(44)
    #expect(try await window(node, through: 6_000)?.map(\.place.number) == [41, 42])
    #expect(try await window(node, through: 6_001)?.map(\.place.number) == [41, 42, 43])
  }

  @Test func `a transaction in none of the window's blocks is dead, in the one before the window too`() async throws {
    // The reference block itself cannot hold what refers to it.
    let node = ScriptedNode(headTime: Self.start)
    let transfer = try Self.transfer(expiresAfter: 6_000)
    await node.produce(foreign: [try Self.transfer(expiresAfter: 6_000, amount: 6)])
    await node.produce()
    await node.setSolid(42)
    let window = try #require(try await window(node, through: 6_000))
    #expect(try TransactionVerdict.judge(transfer.txid, expected: [VerdictTests.expected], window: window) == .dead)
  }

  @Test(arguments: [ChainView.head, .solid])
  func `a block whose body was left out is no empty block`(view: ChainView) async throws {
    // `{}` and absent lists are what nodes and caches say that have lost something (reference §0): taken for an empty
    // block, a paid transaction would be dead, and a stolen key unseen.
    let node = ScriptedNode(headTime: Self.start)
    await node.produce(foreign: [try Self.transfer(expiresAfter: 6_000)])
    await node.setSolid(41)
    await node.setBlockTampering { block, _ in
      Block(header: block.header, transactions: [], isBodyProven: block.isBodyProven)
    }
    await #expect(throws: ChainReadError.self) { _ = try await node.readBlock(41, view) }
    let known = try await node.latestBlock(view)
    await #expect(throws: ChainReadError.self) { _ = try await node.readBlock(41, view, known: known) }
    #expect(try await node.readBlock(40, view)?.entries.isEmpty == true)
  }

  @Test func `a body that does not hash to its header frees nothing and confirms nothing`() async throws {
    // "A block's body counts only if its transactions hash to the txTrieRoot": what is not in it may have been left out,
    // and the result in it may be another.
    let node = ScriptedNode(headTime: Self.start)
    let ours = try Self.transfer(expiresAfter: 6_000)
    let failed = try Self.transfer(expiresAfter: 6_000, amount: 6, .failure(.outOfEnergy))
    await node.produce(foreign: [ours, failed, try Self.transfer(expiresAfter: 6_000, amount: 7)])
    await node.produce()
    await node.setSolid(42)
    await node.setBlockTampering { block, _ in
      block.header.number == 41 ? Block(header: block.header, transactions: block.transactions) : block
    }
    let window = try #require(try await window(node, through: 6_000))
    func verdict(_ txid: TxID) throws(ChainReadError) -> TransactionVerdict {
      try TransactionVerdict.judge(txid, expected: [VerdictTests.expected], window: window)
    }
    #expect(throws: ChainReadError.self) { _ = try verdict(ours.txid) }
    #expect(throws: ChainReadError.self) { _ = try verdict(failed.txid) }
    let absent = try Self.transfer(expiresAfter: 6_000, amount: 8)
    #expect(throws: ChainReadError.self) { _ = try verdict(absent.txid) }
    await node.setBlockTampering(nil)
    let honest = try #require(try await self.window(node, through: 6_000))
    #expect(try TransactionVerdict.judge(absent.txid, expected: [VerdictTests.expected], window: honest) == .dead)
  }

  @Test func `while the window's last block is not solid there is no window`() async throws {
    // "Both read from the solid chain": the head has it already.
    let node = ScriptedNode(headTime: Self.start)
    await node.produce(count: 3)
    await node.setSolid(42)
    #expect(try await window(node, through: 6_001) == nil)
    #expect(try await window(node, through: 6_000) != nil)
    await node.setSolid(43)
    #expect(try await window(node, through: 6_001) != nil)
  }

  @Test func `blocks that do not follow one another are a gap`() async throws {
    // "As whole blocks without a gap": one block is of another branch.
    let node = ScriptedNode(headTime: Self.start)
    await node.produce(count: 4)
    await node.setSolid(44)
    await node.setBlockTampering { block, _ in
      guard block.header.number == 42 else { return block }
      let header = block.header
      return Block(
        header: BlockHeader(
          number: 42, id: Chain.id(42), parentID: header.parentID, timestamp: header.timestamp,
          transactionRoot: header.transactionRoot, witness: nil),
        transactions: [])
    }
    await #expect(throws: ChainReadError.self) { _ = try await window(node, through: 12_000) }
  }

  @Test(arguments: [0, 1, 2, 3, 4])
  func `receipts that are not the block's own give no block and so no verdict`(kind: Int) async throws {
    // None, one missing, one too many, one of another block, one of another transaction (reference §0 trap 4).
    let node = ScriptedNode(headTime: Self.start)
    await node.produce(foreign: [
      try Self.transfer(expiresAfter: 6_000), try Self.transfer(expiresAfter: 6_000, amount: 6),
    ])
    let stranger = try Self.transfer(expiresAfter: 6_000, amount: 7)
    await node.setReceiptTampering { _, _, receipts in
      func changed(_ receipt: TransactionReceipt, txid: TxID? = nil, number: Int64? = nil) -> TransactionReceipt {
        TransactionReceipt(
          txid: txid ?? receipt.txid, blockNumber: number ?? receipt.blockNumber,
          blockTimestamp: receipt.blockTimestamp, fee: receipt.fee, energyUsed: receipt.energyUsed,
          netUsage: receipt.netUsage, netFee: receipt.netFee, result: receipt.result, isFailed: receipt.isFailed,
          logs: receipt.logs)
      }
      return switch kind {
      case 0: []
      case 1: [receipts[0]]
      case 2: receipts + [receipts[0]]
      case 3: [receipts[0], changed(receipts[1], number: 40)]
      default: [receipts[0], changed(receipts[1], txid: stranger.txid)]
      }
    }
    await #expect(throws: ChainReadError.self) { _ = try await node.readBlock(41, .head) }
    await node.setReceiptTampering(nil)
    #expect(try await node.readBlock(41, .head)?.entries.count == 2)
  }

  @Test func `receipts in another order are put into the block's`() async throws {
    let node = ScriptedNode(headTime: Self.start)
    let transfers = try (1...3).map { try Self.transfer(expiresAfter: 6_000, amount: $0) }
    await node.produce(foreign: transfers)
    await node.setReceiptTampering { _, _, receipts in receipts.reversed() }
    let read = try #require(try await node.readBlock(41, .head))
    #expect(read.entries.map(\.receipt.txid) == transfers.map(\.txid))
    #expect(read.entries.map(\.transaction.txid) == transfers.map(\.txid))
  }

  @Test func `a known block costs no request, an empty one no receipts, and windows share what was read`() async throws
  {
    let node = ScriptedNode(headTime: Self.start)
    await node.produce()
    let block = try await node.latestBlock(.head)
    _ = await node.takeCalls()
    _ = try await node.readBlock(41, .head, known: block)
    #expect(await node.takeCalls().isEmpty)
    await node.produce(count: 4)
    await node.setSolid(45)
    var read: [Int64: ReadBlock] = [:]
    for end in [Int64(9_000), 12_000, 6_000] {
      _ = try await node.readWindow(
        above: 40, through: Self.start.advanced(byMilliseconds: end), sharing: &read)
    }
    #expect(await node.takeCalls() == (41...44).map { .block($0, .solid) })
  }
}
