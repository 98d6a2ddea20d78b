extension NodeAPI {
  /// How many blocks getblockbylimitnext gives at most.
  private static let rangeMax: Int64 = 100

  /// getnowblock: the head of the view; `visible` counts only in the query.
  func nowBlock(_ request: NodeRequest, in view: Chain.View) async -> JSON {
    let block = await host.withChain { $0.top(view) }
    return Rendering(isVisible: request.queryIsVisible).block(lies.told(block))
  }

  /// getblock: by number or id, the head when neither is given; transactions only with `detail`.
  func block(_ request: NodeRequest, in view: Chain.View) async throws(NodeError) -> JSON {
    let wanted = try request.text("id_or_num")
    let block: Block?
    if let wanted, let number = Int64(wanted) {
      block = await host.withChain { $0.block(number, in: view) }
    } else if let wanted {
      guard let id = Hash32(hex: wanted) else { throw NodeError(verbatim: "id must be legal block hash.") }
      block = await host.withChain { $0.block(id: id, in: view) }
    } else {
      block = await host.withChain { $0.top(view) }
    }
    return block.map { request.rendering.block(lies.told($0), detail: request.flag("detail")) } ?? Self.nothing
  }

  /// getblockbynum: `{}` where the view has no such block.
  func blockByNumber(_ request: NodeRequest, in view: Chain.View) async throws(NodeError) -> JSON {
    let number = try request.integer("num") ?? 0
    let block = await host.withChain { $0.block(number, in: view) }
    return block.map { request.rendering.block(lies.told($0)) } ?? Self.nothing
  }

  /// getblockbyid: `{}` where the view has no such block.
  func blockByID(_ request: NodeRequest, in view: Chain.View) async throws(NodeError) -> JSON {
    guard let id = try request.hash("value") else { return Self.nothing }
    let block = await host.withChain { $0.block(id: id, in: view) }
    return block.map { request.rendering.block(lies.told($0)) } ?? Self.nothing
  }

  /// getblockbylimitnext: from `startNum` to before `endNum`, as far as the chain reaches.
  func blockRange(_ request: NodeRequest, in view: Chain.View) async throws(NodeError) -> JSON {
    let start = try request.integer("startNum") ?? 0
    let end = try request.integer("endNum") ?? 0
    guard start >= 0, end > start, end - start <= Self.rangeMax else { return Self.nothing }
    let blocks = await host.withChain { chain in (start..<end).compactMap { chain.block($0, in: view) } }
    var object = JSONObject()
    object.set("block", list: blocks.map { request.rendering.block(lies.told($0)) })
    return .object(object)
  }

  /// gettransactioninfobyblocknum: `[]` for an empty block and for one that is not there, `{}` for N ≤ 0.
  func infosOfBlock(_ request: NodeRequest, in view: Chain.View) async throws(NodeError) -> JSON {
    let number = try request.integer("num") ?? 0
    guard number > 0 else { return Self.nothing }
    let block = await host.withChain { $0.block(number, in: view) }
    return .array(block.map(lies.toldReceipts)?.transactions.map { request.rendering.info($0) } ?? [])
  }
}
