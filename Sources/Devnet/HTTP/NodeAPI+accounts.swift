extension NodeAPI {
  /// getaccount: `{}` where the address was never activated.
  func account(_ request: NodeRequest, in view: Chain.View) async throws(NodeError) -> JSON {
    guard let address = try request.address("address") else { return Self.nothing }
    let (account, headTime) = await host.withChain {
      ($0.account(address, in: view), $0.top(view).header.timestamp)
    }
    return account.map { request.rendering.account($0, at: address, headTime: headTime) } ?? Self.nothing
  }

  /// getaccountresource: what is used and given of bandwidth and energy.
  func accountResource(_ request: NodeRequest) async throws(NodeError) -> JSON {
    guard let address = try request.address("address") else { return Self.nothing }
    let (account, headTime, network) = await host.withChain {
      ($0.account(address, in: .head), $0.head.header.timestamp, $0.world(.head).network)
    }
    return account.map { request.rendering.resources($0, network, headTime: headTime) } ?? Self.nothing
  }

  /// getdelegatedresourcev2: what one account lends another.
  func delegatedResource(_ request: NodeRequest, in view: Chain.View) async throws(NodeError) -> JSON {
    guard let from = try request.address("fromAddress"), let to = try request.address("toAddress") else {
      return Self.nothing
    }
    let world = await host.withChain { $0.world(view) }
    return request.rendering.delegations(
      from: from, to: to,
      energy: world.delegation(DelegationKey(from: from, to: to, resource: .energy)),
      bandwidth: world.delegation(DelegationKey(from: from, to: to, resource: .bandwidth)))
  }

  /// getcandelegatedmaxsize: how many sun of stake can be lent now; `{}` for none.
  func lendable(_ request: NodeRequest, in view: Chain.View) async throws(NodeError) -> JSON {
    guard let owner = try request.address("owner_address") else { return Self.nothing }
    guard let number = Int32(exactly: try request.integer("type") ?? 0), let resource = Resource(rawValue: number)
    else { return Self.nothing }
    let (world, headTime) = await host.withChain { ($0.world(view), $0.top(view).header.timestamp) }
    var answer = JSONObject()
    if let account = world.account(owner) {
      answer.set(
        "max_size", integer: Execution.lendable(resource, of: account, world.network, at: headTime))
    }
    return .object(answer)
  }

  /// getcanwithdrawunfreezeamount: unstaked sun that can be withdrawn at `timestamp`; `{}` for none.
  func withdrawable(_ request: NodeRequest, in view: Chain.View) async throws(NodeError) -> JSON {
    guard let owner = try request.address("owner_address") else { return Self.nothing }
    let timestamp = try request.integer("timestamp") ?? 0
    let account = await host.withChain { $0.account(owner, in: view) }
    var answer = JSONObject()
    answer.set("amount", integer: account?.withdrawable(at: timestamp) ?? 0)
    return .object(answer)
  }
}
