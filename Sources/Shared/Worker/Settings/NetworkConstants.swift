public import Payouts

/// What is fixed about TRON's public networks (reference §7).
extension Network {
  /// The id of block 0, which tells the networks apart: transactions carry no chain id. Nil for a devnet, where each
  /// has its own.
  var genesisBlockID: BlockID? {
    switch self {
    case .mainnet: BlockID(exactly: constant("00000000000000001ebf88508a03865c71d452e25f4d51194196a1d22b6653dc"))
    case .nile: BlockID(exactly: constant("0000000000000000d698d4192c56cb6be724a558448e2684802de4d6cd8690dc"))
    case .shasta: BlockID(exactly: constant("0000000000000000de1aa88295e1fcf982742f773e0419c5a9c134c994a9059e"))
    case .devnet: nil
    }
  }

  /// The contract of USDT, or of the token that stands for it on a test network. A devnet deploys it at mainnet's
  /// address.
  var usdtContract: Address {
    switch self {
    case .mainnet, .devnet: Address(account: constant("a614f803b6fd780986a42c78ec9c7f77e6ded13c"))
    case .nile: Address(account: constant("eca9bc828a3005b9a3b909f2cc5c2a54794de05f"))
    case .shasta: Address(account: constant("42a1e39aefa49290f2b3f9ed688d7cecf86cd6e0"))
    }
  }

  /// How many producers take turns (reference §3.1, §3.3); nil where that is not known for sure.
  public var producers: Int? {
    switch self {
    case .mainnet, .nile: 27
    case .shasta, .devnet: nil
    }
  }

  private func constant(_ hex: String) -> [UInt8] {
    guard let bytes = Hex.bytes(hex) else { preconditionFailure("a constant of this file is no hexadecimal text") }
    return bytes
  }
}
