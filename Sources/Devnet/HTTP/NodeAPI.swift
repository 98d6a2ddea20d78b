/// The node's HTTP API: which endpoint does what, without any HTTP.
///
/// `/wallet` is the head view with what is pending, `/walletsolidity` the solid view with fewer endpoints
/// (tron-protocol.md §3.4, §4.4).
struct NodeAPI: Sendable {
  /// The chain as one of the faces shows it.
  let host: FaceView
  let lies: Lies
  /// How a broadcast of this request ends otherwise.
  var broadcastFault: BroadcastFault?

  /// The endpoints of `/wallet`; those of the solid view are marked.
  enum Endpoint: String, CaseIterable, Sendable {
    case getnowblock, getblock, getblockbynum, getblockbyid, getblockbylimitnext
    case gettransactioninfobyblocknum, gettransactionbyid, gettransactioninfobyid
    case gettransactionfrompending, gettransactionlistfrompending, getpendingsize
    case broadcasthex, broadcasttransaction, getsignweight, getapprovedlist
    case triggerconstantcontract, estimateenergy, getcontract, getcontractinfo
    case getaccount, getaccountresource
    case getdelegatedresourcev2, getcandelegatedmaxsize, getcanwithdrawunfreezeamount
    case getchainparameters, getnodeinfo, getenergyprices, getbandwidthprices

    /// Whether `/walletsolidity` has it too.
    var isSolid: Bool {
      switch self {
      case .getnowblock, .getblock, .getblockbynum, .getblockbyid, .getblockbylimitnext,
        .gettransactioninfobyblocknum, .gettransactionbyid, .gettransactioninfobyid,
        .triggerconstantcontract, .estimateenergy, .getaccount, .getdelegatedresourcev2, .getcandelegatedmaxsize,
        .getcanwithdrawunfreezeamount, .getnodeinfo, .getenergyprices, .getbandwidthprices:
        true
      case .gettransactionfrompending, .gettransactionlistfrompending, .getpendingsize, .broadcasthex,
        .broadcasttransaction, .getsignweight, .getapprovedlist, .getcontract, .getcontractinfo, .getaccountresource,
        .getchainparameters:
        false
      }
    }
  }

  /// The answer of `endpoint` in `view`.
  func answer(_ endpoint: Endpoint, _ request: NodeRequest, in view: Chain.View) async throws(NodeError) -> JSON {
    switch endpoint {
    case .getnowblock: await nowBlock(request, in: view)
    case .getblock: try await block(request, in: view)
    case .getblockbynum: try await blockByNumber(request, in: view)
    case .getblockbyid: try await blockByID(request, in: view)
    case .getblockbylimitnext: try await blockRange(request, in: view)
    case .gettransactioninfobyblocknum: try await infosOfBlock(request, in: view)
    case .gettransactionbyid: try await transaction(request, in: view)
    case .gettransactioninfobyid: try await transactionInfo(request, in: view)
    case .gettransactionfrompending: try await pendingTransaction(request)
    case .gettransactionlistfrompending: await pendingList()
    case .getpendingsize: .object(["pendingSize": .integer(Int64(await pendingIDs().count))])
    case .broadcasthex: try await broadcastHex(request)
    case .broadcasttransaction: try await broadcastTransaction(request)
    case .getsignweight: try await signWeight(request)
    case .getapprovedlist: try await approvedList(request)
    case .triggerconstantcontract: try await constantCall(request, in: view)
    case .estimateenergy: try await estimate(request, in: view)
    case .getcontract: try await contract(request, NetworkRendering.contract)
    case .getcontractinfo: try await contract(request, NetworkRendering.contractInfo)
    case .getaccount: try await account(request, in: view)
    case .getaccountresource: try await accountResource(request)
    case .getdelegatedresourcev2: try await delegatedResource(request, in: view)
    case .getcandelegatedmaxsize: try await lendable(request, in: view)
    case .getcanwithdrawunfreezeamount: try await withdrawable(request, in: view)
    case .getchainparameters: NetworkRendering.chainParameters(await network(view).parameters)
    case .getnodeinfo: await nodeInfo()
    case .getenergyprices: NetworkRendering.prices(await network(view).energyPrices)
    case .getbandwidthprices: NetworkRendering.prices(await network(view).bandwidthPrices)
    }
  }

  /// What a node answers where it has nothing.
  static let nothing = JSON.object(JSONObject())

  private func network(_ view: Chain.View) async -> NetworkState { await host.withChain { $0.world(view).network } }

  private func nodeInfo() async -> JSON {
    let (head, solid) = await host.withChain { ($0.head, $0.solid) }
    return NetworkRendering.nodeInfo(head: head, solid: solid)
  }
}
