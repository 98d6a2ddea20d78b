public import Payouts

/// What is fixed about each network (reference §7).
extension Network {
  /// The id of block 0; nil for devnet, where every installation has its own (`TRON_GENESIS_BLOCK_ID`).
  ///
  /// Mainnet's was recomputed from java-tron's configuration. Nile's and Shasta's come from public repositories alone,
  /// so a first start there that reports `wrongNetwork` deserves a second look at both sides.
  public var genesisBlockID: BlockID? {
    switch self {
    case .mainnet: known("00000000000000001ebf88508a03865c71d452e25f4d51194196a1d22b6653dc")
    case .nile: known("0000000000000000d698d4192c56cb6be724a558448e2684802de4d6cd8690dc")
    case .shasta: known("0000000000000000de1aa88295e1fcf982742f773e0419c5a9c134c994a9059e")
    case .devnet: nil
    }
  }

  /// The USDT contract; nil for devnet (`USDT_CONTRACT_ADDRESS`). Shasta's is a community test token.
  public var usdtContract: Address? {
    switch self {
    case .mainnet: account("a614f803b6fd780986a42c78ec9c7f77e6ded13c")
    case .nile: account("eca9bc828a3005b9a3b909f2cc5c2a54794de05f")
    case .shasta: account("42a1e39aefa49290f2b3f9ed688d7cecf86cd6e0")
    case .devnet: nil
    }
  }

  /// Where a person can look at a transaction; nil for devnet.
  public func explorerURL(of txid: TxID) -> String? { explorer.map { "https://\($0)/#/transaction/\(txid)" } }

  /// Where a person can look at an account; nil for devnet.
  public func explorerURL(of address: Address) -> String? { explorer.map { "https://\($0)/#/address/\(address)" } }

  private var explorer: String? {
    switch self {
    case .mainnet: "tronscan.org"
    case .nile: "nile.tronscan.org"
    case .shasta: "shasta.tronscan.org"
    case .devnet: nil
    }
  }

  private func known(_ hex: String) -> BlockID? { Hex.bytes(hex).map(BlockID.init(exactly:)) }

  private func account(_ hex: String) -> Address? { Hex.bytes(hex).map { Address(account: $0) } }
}
