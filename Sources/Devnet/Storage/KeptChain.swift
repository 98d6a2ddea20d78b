/// A chain that outlives its process: the file, and which of the chain's blocks stand in it.
struct KeptChain: ~Copyable, Sendable {
  private var file: ChainFile
  /// Ids of the blocks in the file, by number, those of lost branches left out.
  private var ids: [Hash32]

  /// Opens the file at `path` and makes its chain again, or begins a new one.
  ///
  /// - Parameters:
  ///   - configuration: what the network is told at its start; a file that was begun with something else is refused.
  ///   - chain: where the chain goes.
  init(_ path: String, _ configuration: DevnetConfiguration, chain: inout Chain?) throws(ChainFileError) {
    var file = try ChainFile(path)
    var records = try file.read()[...]
    var wanted = NetworkBeginning(genesis: configuration.genesis, parameters: configuration.parameters)
    if records.isEmpty {
      try file.append(.beginning(wanted))
    } else {
      guard case .beginning(let kept)? = records.popFirst() else {
        throw ChainFileError(path, "does not begin with a genesis; it is no file of a devnet")
      }
      if !configuration.isGenesisTimeGiven {
        (wanted.genesis.time, wanted.genesis.seed) = (kept.genesis.time, kept.genesis.seed)
      }
      guard kept == wanted else {
        throw ChainFileError(
          path,
          "was begun with other funds, producers, token, genesis time, slot or maintenance interval; "
            + "give the same ones, or another file")
      }
    }
    var made = Chain(genesis: wanted.genesis, parameters: configuration.parameters)
    for record in Self.lastBranch(of: records) {
      guard made.restore(record) else {
        throw ChainFileError(path, "block \(record.number) comes out as another one; it was written by another version")
      }
    }
    self.file = file
    ids = made.blocks.map(\.id)
    chain = made
  }

  /// A block takes the place of an earlier one of its number, and of all that stood on that.
  private static func lastBranch(of records: ArraySlice<ChainRecord>) -> [BlockRecord] {
    var branch: [BlockRecord] = []
    for case .block(let record) in records {
      while let last = branch.last, last.number >= record.number { branch.removeLast() }
      branch.append(record)
    }
    return branch
  }

  /// Appends the blocks of `chain` that do not stand in the file yet, oldest first; returns when they are on disk.
  mutating func keep(_ chain: Chain) throws(ChainFileError) {
    guard ids.last != chain.head.id else { return }
    var common = min(ids.count, chain.blocks.count)
    while common > 0, ids[common - 1] != chain.blocks[common - 1].id { common -= 1 }
    ids.removeSubrange(common...)
    for block in chain.blocks[common...] {
      try file.append(.block(BlockRecord(block)))
      ids.append(block.id)
    }
  }
}

extension Chain {
  /// Makes a kept block again; false where it comes to another id.
  mutating func restore(_ record: BlockRecord) -> Bool {
    guard record.number == head.header.number + 1, record.time >= nextSlotTime else { return false }
    for action in record.actions { perform(action) }
    let actions = takeWaitingActions()
    var chosen: [(PreparedTransaction, Receipt)] = []
    for (transaction, number) in zip(record.transactions, record.results) {
      guard let result = Int32(exactly: number).flatMap(ContractResult.init(rawValue:)),
        let entry = rerun(PreparedTransaction(transaction), result)
      else { return false }
      chosen.append(entry)
    }
    let block = seal(chosen, actions, at: record.time)
    append(block)
    return block.id == record.id
  }
}
